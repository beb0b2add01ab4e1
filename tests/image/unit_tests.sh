#!/bin/sh
# unit_tests.sh ARCHITECTURE SOURCE BUILD: in the build container, all unit tests, as programs of that
# architecture under qemu-user.
set -eu

arch=$1
source=$2
build=$3
case $arch in
amd64) emulator=qemu-x86_64-static ;;
arm64) emulator=qemu-aarch64-static ;;
esac

build.sh "$arch" "$source" "$build" -DVETHSCOPE_TESTS=ON -DVETHSCOPE_LTO=OFF
cmake --build "$build/tree" --target tests/unit/all

# Whoever starts one of them starts the emulator.
find "$build/tree/tests/unit" -type f -perm -u+x ! -name '*.so' | while read -r program; do
    mv "$program" "$program.$arch"
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$emulator" "$program.$arch" >"$program"
    chmod +x "$program"
done
export VETHSCOPE_EMULATOR="$emulator"
ctest --test-dir "$build/tree" -L '^unit$' --output-on-failure --no-tests=error -j "$(nproc)"
