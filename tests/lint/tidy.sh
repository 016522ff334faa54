#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy with the rules of .clang-tidy: 80 lines a function, nesting, complexity, analysis.  The
# file that includes the generated skeleton is left out: the analyzer finds leaks in that.  $OUT is
# the build folder.
. "$(dirname "$0")/lib.sh"

tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
if ! "$tidy" --version 2>/dev/null | grep -q 'version 14\.'; then
	echo "skip - lint tidy: no clang-tidy 14"
	exit 0
fi
export tidy
export flags="-std=gnu11 -D_GNU_SOURCE -Ibpf -Iuser -Ischemas -I${OUT:-build}"

# shellcheck disable=SC2016 # expanded by the inner shell
files 'user/*.c' | while read -r file; do
	grep -q '\.skel\.h"' "$file" || echo "$file"
done | xargs -P "$(nproc)" -n 1 sh -c '
	said=$("$tidy" --quiet "$1" -- $flags 2>&1) || echo "$said"
' tidy | verdict "lint tidy: clang-tidy finds nothing"
