#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing, linting and measuring need, where something is missing. Debian 12.
set -eu

packages="build-essential pkg-config binutils
 libuv1-dev libprotobuf-c-dev libutf8proc-dev protobuf-c-compiler protobuf-compiler libnuma-dev libbsd-dev libsystemd-dev libsubid-dev
 libjansson-dev libsmartcols-dev libcriterion-dev
 clang clang-format clang-tidy libclang-rt-14-dev cppcheck valgrind strace
 libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 python3-minimal jq gnuplot-nox libgsl-dev gcovr git"

missing=
for package in $packages; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
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
