#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The BPF programs and all of user space compile for arm64, by the cross compiler and with the skeleton
# made of arm64's programs.  Nothing is linked: that needs arm64's libraries.
. "$(dirname "$0")/lib.sh"

if ! command -v aarch64-linux-gnu-gcc >/dev/null 2>&1; then
	echo "skip - lint arm64: no aarch64-linux-gnu-gcc"
	exit 0
fi
make -s -j "$(nproc)" OUT="${OUT:-build}" arm64 2>&1 | grep -v '^  [A-Z]* ' |
	verdict "lint arm64: everything compiles for arm64"
