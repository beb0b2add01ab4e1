#!/usr/bin/env bash
# Installs what vethscope needs on Debian and Ubuntu. Elsewhere it looks whether everything is
# there and, if not, prints the list. Does nothing, fast, when nothing is missing.
#
#   .ci/setup.sh build|demo|test|matrix   what to prepare for; each includes the one before it
#   .ci/setup.sh cluster                  what `test` needs, and what a real API server does
#   .ci/setup.sh image                    what `test` needs, and building the image and the package
#   .ci/setup.sh chart                    what `test` needs, and reading YAML
#   .ci/setup.sh bench                    what `test` needs, and programs to be measured beside
#   .ci/setup.sh receivers                what `test` needs, and Kafka, a Collector, Prometheus
set -euo pipefail

build_packages=(
    gcc clang make cmake ninja-build pkg-config
    libpcap-dev libyaml-dev libmicrohttpd-dev libmnl-dev zlib1g-dev
    libcurl4-openssl-dev libzstd-dev librdkafka-dev libcap-ng-dev
    libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libcmocka-dev
)
demo_packages=(nginx-light iproute2 python3 util-linux)
test_packages=(
    clang-format clang-tidy llvm shellcheck gcovr valgrind
    curl wrk tcpdump tshark prometheus tmux libcap2-bin git
)
matrix_packages=(apache2-bin apache2-utils haproxy python3-requests)
# Go is asked for by itself: distributions have it older than the API server needs.
cluster_packages=(
    openssl nftables iproute2 util-linux ca-certificates
    containerd runc containernetworking-plugins buildah mmdebstrap
)
image_packages=(
    buildah mmdebstrap runc qemu-user-static ca-certificates
    dpkg-dev lintian strace systemd
)
chart_packages=(python3-yaml openssl)
# Programs that do alike, to be measured beside where they are there.
bench_packages=(httpry ngrep libndpi-bin)
receivers_packages=(python3-protobuf python3-prometheus-client zstd openssl)

build_commands=(gcc clang make cmake ninja pkg-config protoc protoc-c)
demo_commands=(nginx ip python3 setpriv)
test_commands=(
    clang-format clang-tidy llvm-symbolizer shellcheck gcovr valgrind
    curl wrk tcpdump tshark promtool prometheus tmux capsh git
)
matrix_commands=(httpd ab haproxy go node)
cluster_commands=(openssl unshare nft ip setpriv containerd runc buildah mmdebstrap)
image_commands=(buildah mmdebstrap runc qemu-aarch64-static dpkg-shlibdeps lintian strace systemd-analyze)
receivers_commands=(protoc zstd openssl)
libraries=(libcap-ng libcurl libzstd libpcap yaml-0.1 libmicrohttpd libmnl zlib libprotobuf-c cmocka)

# Daemons that come with the packages; the tests start their own, so these must stay off.
daemons=(nginx prometheus haproxy containerd)

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "installing packages needs root: run this as root or install sudo"
    fi
}

select_lists() {
    packages=("${build_packages[@]}")
    commands=("${build_commands[@]}")
    case "$1" in
    build) ;;
    demo)
        packages+=("${demo_packages[@]}")
        commands+=("${demo_commands[@]}")
        ;;
    test)
        packages+=("${demo_packages[@]}" "${test_packages[@]}")
        commands+=("${demo_commands[@]}" "${test_commands[@]}")
        ;;
    matrix)
        select_lists test
        packages+=("${matrix_packages[@]}")
        commands+=("${matrix_commands[@]}")
        # These often come from elsewhere than the distribution.
        command -v go >/dev/null || packages+=(golang-go)
        command -v node >/dev/null || packages+=(nodejs)
        ;;
    cluster)
        select_lists test
        packages+=("${cluster_packages[@]}")
        commands+=("${cluster_commands[@]}")
        ;;
    image)
        select_lists test
        packages+=("${image_packages[@]}")
        commands+=("${image_commands[@]}")
        ;;
    chart)
        select_lists test
        packages+=("${chart_packages[@]}")
        ;;
    bench)
        select_lists test
        packages+=("${bench_packages[@]}")
        ;;
    receivers)
        select_lists test
        packages+=("${receivers_packages[@]}")
        commands+=("${receivers_commands[@]}")
        command -v go >/dev/null || packages+=(golang-go)
        command -v java >/dev/null || packages+=(default-jre-headless)
        command -v mvn >/dev/null || packages+=(maven)
        ;;
    *) fail "usage: setup.sh build|demo|test|matrix|cluster|image|chart|bench|receivers" ;;
    esac
}

# The sanitizers' and the fuzzer's run-time library carries clang's version in its name.
clang_runtime_package() {
    local major
    if command -v clang >/dev/null; then
        major=$(clang -dumpversion | cut -d. -f1)
    else
        major=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n1)
    fi
    [ -n "$major" ] || fail "cannot tell which version of clang the package manager would install"
    printf 'libclang-rt-%s-dev' "$major"
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        is_installed "$package" || printf '%s\n' "$package"
    done
}

# With a policy of 101 the maintainer scripts start no daemon; ours is removed again.
install_quietly() {
    local policy=/usr/sbin/policy-rc.d made_policy=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made_policy=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" || status=$?
    [ "$made_policy" = no ] || as_root rm -f "$policy"
    return "$status"
}

# Not running now is not enough: the packages have their daemons start with the machine.
# Only daemons that this run brought in: whatever the machine ran before is not ours to stop.
disable_new_daemons() {
    local daemon
    command -v systemctl >/dev/null || return 0
    for daemon in "${daemons[@]}"; do
        case " $* " in
        *" $daemon "* | *" $daemon-light "*)
            as_root systemctl disable --quiet "$daemon" || say "could not disable $daemon"
            as_root systemctl stop "$daemon" 2>/dev/null || true
            ;;
        esac
    done
}

setup_debian() {
    local missing runtime=""
    if command -v clang >/dev/null; then
        runtime=$(clang_runtime_package)
        packages+=("$runtime")
    fi
    # Word splitting is what makes the list.
    # shellcheck disable=SC2207
    missing=($(missing_packages))
    if [ "${#missing[@]}" -eq 0 ] && [ -n "$runtime" ]; then
        return 0
    fi
    as_root apt-get update -q -o DPkg::Lock::Timeout=300 ||
        say "apt-get update failed; trying with the package lists that are there"
    [ -n "$runtime" ] || missing+=("$(clang_runtime_package)")
    say "installing ${missing[*]}"
    install_quietly "${missing[@]}" || fail "apt-get could not install the packages"
    disable_new_daemons "${missing[@]}"
}

setup_elsewhere() {
    local absent=() name
    for name in "${commands[@]}"; do
        command -v "$name" >/dev/null || absent+=("$name")
    done
    for name in "${libraries[@]}"; do
        pkg-config --exists "$name" 2>/dev/null || absent+=("$name (headers)")
    done
    if [ "${#absent[@]}" -gt 0 ]; then
        {
            echo "setup: this is not Debian or Ubuntu; please install what is missing:"
            printf '  %s\n' "${absent[@]}"
            echo "On Debian these come from the packages:"
            printf '  %s\n' "${packages[@]}"
        } >&2
        exit 1
    fi
}

require_cmake() {
    local found oldest=3.25
    found=$(cmake --version | sed -n '1s/.* //p')
    if [ "$(printf '%s\n' "$oldest" "$found" | sort -V | head -n1)" != "$oldest" ]; then
        fail "cmake $oldest or newer is needed, this is $found"
    fi
}

# Not needed once the programs are built and kept; build.py knows.
require_go() {
    tests/kube/build.py --check || exit 1
}

PATH=$PATH:/usr/sbin:/sbin
select_lists "${1:-test}"
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    setup_debian
else
    setup_elsewhere
fi
require_cmake
if [ "${1:-test}" = cluster ]; then
    require_go
fi
