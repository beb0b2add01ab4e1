#!/usr/bin/env bash
# Measurements: every program of tests/bench, then reading a large capture beside other tools.
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
for program in build/release/tests/bench/bench_*; do
    if [ -x "$program" ] && [ -f "$program" ]; then
        printf '\n== %s\n' "$(basename "$program")"
        "$program"
    fi
done
printf '\n== bench_read\n'
python3 tests/bench/bench_read.py
printf '\n== bench_blind\n'
python3 tests/bench/bench_blind.py
printf '\n== bench_exporters\n'
python3 tests/bench/bench_exporters.py
printf '\n== bench_events_kafka\n'
python3 tests/bench/bench_events_kafka.py
if tests/kube/build.py --check 2>/dev/null; then
    printf '\n== bench_kube_api\n'
    KUBE_DUMP=build/release/tests/kube/kube_dump python3 tests/bench/bench_kube_api.py
fi
