#!/usr/bin/env bash
# Everything that must be green, in the order that finds mistakes soonest; stops at the first stage
# that fails. The release build's tests, live ones included, come last: CTest's summary of them ends
# the output.
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
# Machines with several cores run unit tests beside each other; live tests run alone.
jobs=$(nproc)
# Live tests that are about life and death of objects; counts and times are release's to show.
live_with_sanitizers='^live_(new_pod|two_views|bad_input)$'
# What one thread writes and another reads.
with_threads='^unit_(byte_ring|delivery|sender|log|kube|histogram|label_table|series_table|aggregate_[a-z]+|naming_threads|prometheus_server|pipeline)$'
current=start
keep_alive=

stage() {
    current=$1
    shift
    local started=$SECONDS
    printf '\n== %s\n' "$current"
    "$@"
    printf '== %s: ok, %d s\n' "$current" "$((SECONDS - started))"
}

run_tests() {
    local preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" --no-tests=error "$@"
}

finish() {
    local status=$?
    [ -z "$keep_alive" ] || kill "$keep_alive" 2>/dev/null || true
    [ "$status" -eq 0 ] || printf '\ntest: failed in stage: %s\n' "$current" >&2
    exit "$status"
}
trap finish EXIT

# Live tests need root: ask now, not in the middle, and keep the answer fresh.
if [ "$(id -u)" -ne 0 ]; then
    sudo -v
    while sleep 60; do sudo -n -v; done &
    keep_alive=$!
fi

with_sanitizers() {
    run_tests asan -L '^(unit|golden)$'
    run_tests asan -L '^live$' -R "$live_with_sanitizers"
}

# build_tests PRESET CTEST-ARGUMENTS: only the programs of these tests, which have the tests' names.
build_tests() {
    local preset=$1 names
    shift
    cmake --preset "$preset" --log-level=WARNING >/dev/null
    names=$(ctest --test-dir "build/$preset" -N "$@" | sed -n 's/^ *Test *#[0-9]*: //p')
    # shellcheck disable=SC2086
    .ci/build.sh "$preset" $names
}

# VETHSCOPE_FUZZ_SECONDS: how long each of them runs.
build_fuzzers() {
    cmake --preset fuzz --log-level=WARNING \
        -DVETHSCOPE_FUZZ_SECONDS="${VETHSCOPE_FUZZ_SECONDS:-10}" >/dev/null
    build_tests fuzz -L '^fuzz$'
}

build_for_threads() {
    build_tests tsan -R "$with_threads"
    .ci/build.sh tsan vethscope
}

# The agent too: its workers and its server are threads of their own.
with_thread_sanitizer() {
    run_tests tsan -R "$with_threads"
    run_tests tsan -R '^live_prometheus$'
}

stage "lint" .ci/lint.sh short
stage "build with gcc" .ci/build.sh release
stage "build with clang, address and undefined sanitizers" .ci/build.sh asan
stage "tests under address and undefined sanitizers" with_sanitizers
stage "build with thread sanitizer" build_for_threads
stage "tests under thread sanitizer" with_thread_sanitizer
stage "build the fuzzers" build_fuzzers
stage "fuzz shortly" run_tests fuzz -L '^fuzz$'
current="tests of the release build"
printf '\n== %s\n' "$current"
run_tests release -LE '^(fuzz|matrix|cluster|image|receivers|chart|budget)$'
