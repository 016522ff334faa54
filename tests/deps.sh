#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh demo|test: installs the Debian packages that are missing, and nothing when none is.
# Not root, or no apt-get: says which they are and goes on, the build then tells what it needs.
set -eu

build="gcc make pkg-config clang bpftool libbpf-dev libelf-dev libzydis-dev zlib1g-dev libzstd-dev libbrotli-dev
libsqlite3-dev libxxhash-dev libseccomp-dev libcap-ng-dev libnghttp2-dev libncurses-dev libc6-dev"
demo="python3 openssl"
test="clang-format clang-tidy cppcheck libclang-rt-14-dev llvm-14 gcc-aarch64-linux-gnu libc6-dev-arm64-cross libcmocka-dev libssl-dev systemtap-sdt-dev git procps zstd tmux
strace iproute2 curl wget gnutls-bin libcurl3-gnutls libcurl3-nss python3-requests python3-httpx python3-h2 python3-aiohttp
qemu-system-x86 busybox-static cpio xz-utils"

case "${1:-}" in
demo) want="$build $demo" ;;
test) want="$build $demo $test" ;;
*) echo "usage: $0 demo|test" >&2; exit 2 ;;
esac
# any Node.js will do, from wherever it came
if [ "$1" != demo ] && ! command -v node >/dev/null 2>&1; then
	want="$want nodejs"
fi

command -v dpkg-query >/dev/null 2>&1 || exit 0
missing=
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "ringspan: packages are missing; as root: apt-get install$missing" >&2
	exit 0
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
# shellcheck disable=SC2086 # a list of words
apt-get install -q -y --no-install-recommends $missing >/dev/null
