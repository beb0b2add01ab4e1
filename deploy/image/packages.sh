#!/bin/sh
# packages.sh ARCHITECTURE: in the build container, what compiles vethscope for that architecture.
set -eu

arch=$1
case $arch in
amd64) gnu=x86-64-linux-gnu ;;
arm64) gnu=aarch64-linux-gnu ;;
*)
    echo "packages.sh: no architecture \"$arch\": amd64 or arm64" >&2
    exit 2
    ;;
esac

dpkg --add-architecture "$arch"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    bison ca-certificates cmake dpkg-dev flex libcap2-bin ninja-build pkg-config \
    protobuf-c-compiler \
    "gcc-$gnu" "libc6-dev:$arch" \
    "libcap-ng-dev:$arch" "libcurl4-openssl-dev:$arch" "libmicrohttpd-dev:$arch" \
    "libmnl-dev:$arch" "libprotobuf-c-dev:$arch" "librdkafka-dev:$arch" \
    "libyaml-dev:$arch" "libzstd-dev:$arch" "zlib1g-dev:$arch"
