#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the missing packages that a target of the Makefile needs. Debian 12. Usage: setup.sh TARGET...
set -eu

packages_of() {
    case $1 in
    build)
        echo gcc libc6-dev make binutils protobuf-c-compiler libprotobuf-c-dev libutf8proc-dev libuv1-dev libnuma-dev libbsd-dev \
            libsystemd-dev libsubid-dev libjansson-dev libsmartcols-dev libncurses-dev libmicrohttpd-dev systemtap-sdt-dev valgrind
        ;;
    python) echo python3-dev python3-numpy python3-pytest ;;
    python-dist) echo python3-dev python3-setuptools python3-wheel python3-pip ;;
    test-python)
        echo g++ libtorch-dev pybind11-dev python3-dev python3-numpy python3-pytest python3-scipy python3-sklearn python3-torch \
            python3-venv
        ;;
    demo) echo jq ;;
    test)
        echo g++ pkg-config libcriterion-dev valgrind strace jq curl gnuplot-nox python3-dbg python3-minimal python3-protobuf python3-jsonschema \
            protobuf-compiler git tmux procps
        ;;
    test-vm) echo libcriterion-dev qemu-system-x86 busybox-static cpio ;;
    test-metrics) echo bpftrace strace prometheus python3-minimal python3-prometheus-client ;;
    lint) echo git clang clang-format clang-tidy cppcheck mypy ;;
    sanitize) echo clang libclang-rt-14-dev ;;
    fuzz) echo clang libclang-rt-14-dev ;;
    coverage) echo gcovr ;;
    mutate) echo git python3-minimal ;;
    bench) echo g++ jq python3-minimal libgsl-dev libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 ;;
    java) echo openjdk-17-jdk-headless ;;
    bench-python) echo g++ libtorch-dev pybind11-dev python3-dev python3-numpy python3-torch python3-venv ;;
    bench-java) echo openjdk-17-jdk-headless maven python3-minimal ;;
    test-java) echo openjdk-17-jdk-headless junit5 ;;
    nd4j) echo openjdk-17-jdk-headless maven python3-minimal ;;
    deb) echo git build-essential pkg-config protobuf-compiler debhelper fakeroot openjdk-17-jdk-headless dh-python python3-dev libslurm-dev ;;
    lintian) echo lintian ;;
    system) echo systemd systemd-container dbus procps jq python3-numpy ;;
    slurm) echo libslurm-dev ;;
    test-slurm) echo libslurm-dev lua5.4 munge slurmctld slurmd slurm-client iproute2 procps python3-minimal util-linux jq ;;
    *)
        echo "setup: there is no target $1" >&2
        exit 2
        ;;
    esac
}

# two targets at the same time would disturb each other
exec 9<"$0"
flock 9
missing=
for target in "$@"; do
    packages=$(packages_of "$target")
    for package in $packages; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    run=
elif command -v sudo >/dev/null 2>&1; then
    run=sudo
else
    echo "setup: these packages are missing, and neither root nor sudo is at hand to install them:$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -q
# shellcheck disable=SC2086 # a list of words
$run apt-get install -y -q --no-install-recommends $missing
