#!/usr/bin/env bash
# Coverage of the unit and golden tests: a summary for each room here, pages in
# build/coverage/report. Fails where the branches of the rooms that read a peer's bytes are covered
# less than they must be.
set -euo pipefail
cd "$(dirname "$0")/.."

report=build/coverage/report

.ci/build.sh coverage
find build/coverage -name '*.gcda' -delete
status=0
ctest --test-dir build/coverage -L '^(unit|golden)$' -j "$(nproc)" --output-on-failure || status=$?
mkdir -p "$report"
gcovr --root . --filter agent/ --filter http_parser/ --filter exporters/ \
    --json "$report/coverage.json" --html-details "$report/index.html" build/coverage

# room NAME LEAST: what is covered of one room, and whether LEAST percent of its branches are.
room() {
    printf '\n%s (branches: at least %s %%)\n' "$1" "$2"
    gcovr --root . --add-tracefile "$report/coverage.json" --filter "$1/" \
        --txt "$report/last.txt" --print-summary --fail-under-branch "$2" || status=$?
}

printf '\neverything\n'
gcovr --root . --add-tracefile "$report/coverage.json" --txt "$report/all.txt" --print-summary
room http_parser 95
room agent/tcp 90
exit "$status"
