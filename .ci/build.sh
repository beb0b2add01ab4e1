#!/usr/bin/env bash
# build.sh PRESET [TARGET ...]: configures and builds one CMake preset.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
cmake --preset "$preset" --log-level=WARNING >/dev/null
if [ $# -gt 0 ]; then
    set -- --target "$@"
fi
cmake --build --preset "$preset" --parallel "${JOBS:-$(nproc)}" "$@"
