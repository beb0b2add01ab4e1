#!/bin/sh
# build.sh ARCHITECTURE SOURCE BUILD [CMAKE-OPTION ...]: compiles vethscope, stripped, as
# BUILD/vethscope. Fails on a library that was not found, even one it could do without.
set -eu

arch=$1
source=$2
build=$3
shift 3
case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
esac
triple=$machine-linux-gnu

export PKG_CONFIG_LIBDIR="/usr/local/lib/pkgconfig:/usr/lib/$triple/pkgconfig:/usr/share/pkgconfig"
pkg-config --exists rdkafka
cmake -S "$source" -B "$build/tree" -G Ninja \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine" \
    -DCMAKE_C_COMPILER="$triple-gcc" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS="-ffile-prefix-map=$source=. -ffile-prefix-map=$build=build" \
    -DVETHSCOPE_HARDENED=ON -DVETHSCOPE_LTO=ON -DVETHSCOPE_TESTS=OFF "$@"
cmake --build "$build/tree" --target vethscope
"$triple-strip" -o "$build/vethscope" "$build/tree/agent/vethscope"
