#!/usr/bin/env bash
# Builds the Debian package for this machine into build/deb; the same commit gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# Everything that is built is in it, so the tests stay off.
cmake --preset release -B build/deb -DVETHSCOPE_TESTS=OFF --log-level=WARNING >/dev/null
cmake --build build/deb --parallel "${JOBS:-$(nproc)}" -- --quiet
(cd build/deb && umask 022 && cpack -G DEB >cpack.log 2>&1) || {
    cat build/deb/cpack.log >&2
    exit 1
}
ls build/deb/*.deb
