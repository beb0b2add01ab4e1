#!/usr/bin/env bash
# Measurements: every one of tests/bench, or those that are named.
#
#   .ci/bench.sh [NAME ...]      as bench_read or bench_directory
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
wanted=("$@")

# measure NAME COMMAND ...
measure() {
    local name=$1 one
    shift
    for one in "${wanted[@]-$name}"; do
        if [ "$one" = "$name" ]; then
            printf '\n== %s\n' "$name"
            "$@"
        fi
    done
}

# Over the budget or not, the rest is measured.
count_instructions() {
    .ci/build.sh budget vethscope bench_events bench_http_parser bench_otlp bench_scrape
    python3 tests/bench/budget.py build/budget || true
}

# Against others: reading captures, watching live traffic, message heads.
for script in bench_read bench_live; do
    [ ! -f "tests/bench/$script.py" ] || measure "$script" python3 "tests/bench/$script.py"
done
for program in build/release/tests/bench/bench_*; do
    if [ -x "$program" ] && [ -f "$program" ]; then
        measure "$(basename "$program")" "$program"
    fi
done
measure budget count_instructions
for script in bench_blind bench_exporters bench_events_kafka; do
    measure "$script" python3 "tests/bench/$script.py"
done
if tests/kube/build.py --check 2>/dev/null; then
    export KUBE_DUMP=build/release/tests/kube/kube_dump
    measure bench_kube_api python3 tests/bench/bench_kube_api.py
    [ ! -f build/vethscope-image.tar ] || measure bench_cluster python3 tests/bench/bench_cluster.py
fi
