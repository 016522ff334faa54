#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh PROGRAM DIR: scores the parsers over the recorded exchanges under DIR, or in the *.tar.zst
# that DIR holds, which is unpacked into a temporary folder for that time.
set -eu

if [ $# -ne 2 ] || [ ! -d "$2" ]; then
	echo "usage: run.sh PROGRAM DIR, where DIR holds the recordings or their archive" >&2
	exit 2
fi
program=$1
dir=$2

set -- "$dir"/*.tar.zst
if [ -e "$1" ]; then
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	for archive; do
		zstd -qdc "$archive" | tar -xf - -C "$tmp"
	done
	dir=$tmp
fi
"$program" "$dir"
