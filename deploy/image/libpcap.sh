#!/bin/sh
# libpcap.sh ARCHITECTURE: in the build container, Debian's libpcap with nothing but packet sockets,
# as a static library in /usr/local. Debian's own one can also watch D-Bus, Bluetooth and USB, for
# which the image would carry libdbus, libsystemd, libgcrypt and more: a tenth of its size.
set -eu

arch=$1
case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
esac

# Sources come from where the packages come from.
sed -i 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/*.sources
apt-get update -q
mkdir /tmp/libpcap
cd /tmp/libpcap
apt-get source -q libpcap
cmake -S libpcap-*/ -B build -G Ninja \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine" \
    -DCMAKE_C_COMPILER="$machine-linux-gnu-gcc" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS="-ffile-prefix-map=/tmp/libpcap=. -fstack-protector-strong -fPIE \
-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-clash-protection" \
    -DBUILD_SHARED_LIBS=OFF -DBUILD_WITH_LIBNL=OFF -DENABLE_REMOTE=OFF -DDISABLE_DBUS=ON \
    -DDISABLE_BLUETOOTH=ON -DDISABLE_LINUX_USBMON=ON -DDISABLE_NETMAP=ON -DDISABLE_DPDK=ON \
    -DDISABLE_RDMA=ON -DDISABLE_DAG=ON -DDISABLE_SEPTEL=ON -DDISABLE_SNF=ON -DDISABLE_TC=ON
cmake --build build
cmake --install build --prefix /usr/local

# What root.sh puts beside the libraries of packages.
mkdir -p /usr/local/share/records /usr/local/share/doc/libpcap0.8
apt-cache show --no-all-versions "libpcap0.8:$arch" >/usr/local/share/records/libpcap0.8
cp libpcap-*/debian/copyright /usr/local/share/doc/libpcap0.8/
