#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# C is as clang-format 14 writes it; other versions differ in details.
. "$(dirname "$0")/lib.sh"

format=$(command -v clang-format-14 || command -v clang-format)
if ! "$format" --version 2>/dev/null | grep -q 'version 14\.'; then
	echo "skip - lint format: no clang-format 14"
	exit 0
fi
files '*.c' '*.h' | grep -v '^vmlinux/' | while read -r file; do
	"$format" --style=file "$file" | cmp -s - "$file" || echo "$file: run make format"
done | verdict "lint format: C is formatted"
