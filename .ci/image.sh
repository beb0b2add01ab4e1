#!/usr/bin/env bash
# image.sh OUTPUT.tar [amd64|arm64]: builds deploy/Dockerfile without a Docker engine and writes the
# image, tagged localhost/vethscope:dev, as an archive that `ctr images import` and `docker load` read.
# image.sh --unit-tests [amd64|arm64]: the unit tests as programs of that architecture, in the
# container that compiles the image's program.
#
# The base image is made here from Debian's packages, under the name that the Dockerfile gives it.
# VETHSCOPE_IMAGE_OPTIONS: further options for `buildah bud`, --no-cache for instance.
set -euo pipefail
cd "$(dirname "$0")/.."

output=$1
arch=${2:-$(dpkg --print-architecture)}
name=localhost/vethscope:dev
base=docker.io/library/debian:bookworm-slim
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vethscope/image
# A base older than this is made anew: its packages have had updates since.
base_days=7

say() { printf 'image: %s\n' "$*"; }

if [ "$(id -u)" -ne 0 ]; then
    exec sudo --preserve-env=XDG_CACHE_HOME,HOME,VETHSCOPE_IMAGE_OPTIONS,SOURCE_DATE_EPOCH \
        "$PWD/.ci/image.sh" "$output" "$arch"
fi

# A store of its own, so that nothing of it is seen by other tools or left in their way.
buildah() {
    command buildah --root "$cache/store" --runroot "$cache/run" --storage-driver "$driver" "$@"
}

storage_driver() {
    if grep -qw overlay /proc/filesystems; then
        echo overlay
    else
        echo vfs
    fi
}

# The machine's own sources, as they reach a mirror from here; they stay in the build stage.
debian_sources() {
    local file
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        if [ -s "$file" ] && grep -q bookworm "$file"; then
            echo "$file"
            return
        fi
    done
    echo "deb http://deb.debian.org/debian bookworm main"
}

make_base() {
    local container tar=$cache/base.tar
    say "making the base image from Debian's packages"
    mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$tar.part.tar" "$(debian_sources)"
    mv "$tar.part.tar" "$tar"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$tar" / >/dev/null
    buildah config --cmd bash "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
}

base_is_fresh() {
    [ -n "$(find "$cache/base.tar" -mtime "-$base_days" 2>/dev/null)" ] &&
        buildah inspect --type image "$base" >/dev/null 2>&1
}

# Of what is committed; an edited tree says so.
revision() {
    git describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null || echo unknown
}

source_date() {
    git log -1 --format=%ct 2>/dev/null || echo 0
}

version() {
    sed -n 's/^project(vethscope VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt
}

bud() {
    buildah bud --isolation chroot --layers --pull-never "$@"
}

# build OPTION ...
build() {
    local epoch=${SOURCE_DATE_EPOCH:-$(source_date)}
    # shellcheck disable=SC2086
    bud --platform "linux/$arch" \
        --ignorefile deploy/Dockerfile.dockerignore --timestamp "$epoch" \
        --build-arg BUILDPLATFORM="linux/$(dpkg --print-architecture)" \
        --build-arg SOURCE_DATE_EPOCH="$epoch" --build-arg VERSION="$(version)" \
        --build-arg REVISION="$(revision)" ${VETHSCOPE_IMAGE_OPTIONS:-} \
        --file deploy/Dockerfile "$@" .
}

# quietly COMMAND ...: shows what it said only where it fails.
quietly() {
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
}

write_image() {
    say "building for $arch"
    quietly build --tag "$name"
    rm -f "$output"
    buildah push --quiet "$name" "docker-archive:$output:$name"
    say "$output: $(stat -c %s "$output") bytes"
}

run_unit_tests() {
    local built=localhost/vethscope-build:$arch
    say "unit tests for $arch"
    quietly build --target build --tag "$built"
    quietly bud --build-arg BUILT="$built" --build-arg TARGETARCH="$arch" \
        --tag "localhost/vethscope-tests:$arch" --file tests/image/Dockerfile .
    sed -n '/% tests passed/p' "$log"
}

mkdir -p "$cache"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# For the base and the tag, which others may be making too.
exec 9>"$cache/lock"
flock 9
driver=$(storage_driver)
base_is_fresh || make_base
if [ "$output" = --unit-tests ]; then
    flock -u 9
    run_unit_tests
else
    write_image
fi
