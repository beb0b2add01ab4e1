#!/usr/bin/env bash
# Line coverage of the unit and golden tests: a summary here, pages in build/coverage/report.
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/build.sh coverage
find build/coverage -name '*.gcda' -delete
status=0
ctest --test-dir build/coverage -L '^(unit|golden)$' -j "$(nproc)" --output-on-failure || status=$?
mkdir -p build/coverage/report
gcovr --root . --filter agent/ --filter http_parser/ --filter exporters/ \
    --html-details build/coverage/report/index.html --print-summary build/coverage
exit "$status"
