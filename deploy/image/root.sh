#!/bin/sh
# root.sh ARCHITECTURE PROGRAM ROOT: lays out in ROOT all that PROGRAM needs when it runs, with the
# Debian packages' records and copyright files, as scanners and licences want them.
set -eu

arch=$1
program=$2
root=$3
case $arch in
amd64)
    triple=x86_64-linux-gnu
    loader=lib64/ld-linux-x86-64.so.2
    ;;
arm64)
    triple=aarch64-linux-gnu
    loader=lib/ld-linux-aarch64.so.1
    ;;
esac
libraries=usr/lib/$triple
records=var/lib/dpkg/status.d
user=65532

needed_by() { "$triple-objdump" -p "$1" | sed -n 's/^ *NEEDED *//p'; }

# copy_library NAME: it and, once each, what it needs. Names are what the loader looks for.
copy_library() {
    [ ! -e "$root/$libraries/$1" ] || return 0
    from=/$libraries/$1
    [ -e "$from" ] || from=/lib/$triple/$1
    cp -L "$from" "$root/$libraries/$1"
    dpkg-query -S "$(readlink -f "$from")" "$from" 2>/dev/null | sed 's/:.*//' >>/tmp/packages
    for name in $(needed_by "$root/$libraries/$1"); do
        copy_library "$name"
    done
}

copy_record() {
    dpkg-query -s "$1:$arch" 2>/dev/null >"$root/$records/$1" ||
        dpkg-query -s "$1" >"$root/$records/$1"
    mkdir -p "$root/usr/share/doc/$1"
    cp -L "/usr/share/doc/$1/copyright" "$root/usr/share/doc/$1/"
}

mkdir -p "$root/$libraries" "$root/usr/bin" "$root/usr/lib64" "$root/$records" \
    "$root/etc/ssl/certs" "$root/usr/lib/ssl" "$root/usr/share/doc/vethscope"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
: >/tmp/packages

# The last one is loaded when a thread ends early.
for name in $(needed_by "$program") libgcc_s.so.1; do
    copy_library "$name"
done
ln -s --relative "$root/$libraries/$(basename "$loader")" "$root/usr/$loader"

echo ca-certificates >>/tmp/packages
echo openssl >>/tmp/packages
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -L /etc/ssl/openssl.cnf "$root/etc/ssl/"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
ln -s /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"
cp /usr/local/share/records/* "$root/$records/"
cp -r /usr/local/share/doc/libpcap0.8 "$root/usr/share/doc/"
sort -u /tmp/packages | while read -r package; do
    copy_record "$package"
done

echo "vethscope:x:$user:$user::/nonexistent:/usr/sbin/nologin" >"$root/etc/passwd"
echo "vethscope:x:$user:" >"$root/etc/group"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
cp /etc/debian_version "$root/etc/"
cp -L /etc/os-release "$root/usr/lib/os-release"
ln -s ../usr/lib/os-release "$root/etc/os-release"

cp /src/LICENSE "$root/usr/share/doc/vethscope/copyright"
cp "$program" "$root/usr/bin/vethscope"
chmod -R u=rwX,go=rX "$root"
chown -R 0:0 "$root"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# Last: whatever changes the file takes its capability away.
setcap cap_net_raw+p "$root/usr/bin/vethscope"
