#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET ...]: a hunt with every fuzzer (or those named), JOBS of them beside each
# other, and a table of what each executed and reached. What it found new stays in
# build/fuzz/tests/fuzz/corpus; an input that failed in build/fuzz/tests/fuzz, its name in the table.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz.sh SECONDS [TARGET ...]}
shift
jobs=${JOBS:-$(nproc)}
programs=build/fuzz/tests/fuzz
results=build/fuzz/hunt

hunt() {
    local name=$1 status=0
    local corpus=$programs/corpus/$name log=$results/$name.log
    mkdir -p "$corpus"
    # The fuzzer's own CPU seconds go to a file of their own.
    { TIMEFORMAT='%U'; time ASAN_OPTIONS=quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1 \
        "$programs/$name" -max_total_time="$seconds" -rss_limit_mb=512 -print_final_stats=1 \
        -artifact_prefix="$programs/$name-" "$corpus" "tests/fuzz/seeds/$name" \
        >"$log" 2>&1 || status=$?; } 2>"$results/$name.cpu"
    echo "$status" >"$results/$name.status"
}

# Fields of libFuzzer's log: edges of the program, edges reached, executions.
row() {
    local name=$1 log=$results/$1.log
    awk -v name="$name" -v cpu="$(cat "$results/$name.cpu")" -v status="$(cat "$results/$name.status")" '
        /INFO: Loaded .* counters/ { match($0, /\(([0-9]+) inline/); edges = substr($0, RSTART + 1) + 0 }
        / cov: / { sub(/.* cov: /, ""); reached = $1 }
        /stat::number_of_executed_units/ { runs = $2 }
        /stat::peak_rss_mb/ { rss = $2 }
        END {
            printf "| %s | %s | %.0f | %d of %d (%.0f %%) | %d | %s |\n", name, runs, cpu / 60, reached,
                edges, edges ? 100 * reached / edges : 0, rss, status == 0 ? "none" : "see " name "-*"
        }' "$log"
}

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        set -- "$@" "$(basename "$source" .c)"
    done
fi
mkdir -p "$results"
for name in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
        wait -n || true
    done
    hunt "$name" &
done
wait

printf '| target | executions | CPU minutes | edges reached | memory, MiB | failures |\n'
printf '|---|---|---|---|---|---|\n'
failed=0
for name in "$@"; do
    row "$name"
    [ "$(cat "$results/$name.status")" -eq 0 ] || failed=1
done
exit "$failed"
