#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A function that a header of user/ shows is defined, and somebody beside its own file uses it.
. "$(dirname "$0")/lib.sh"

sources=$(files 'user/*.[ch]' 'user/*.def' 'tests/*.c')

files 'user/*/*.h' | while read -r header; do
	# a declaration begins at the margin; a name, a bracket, and no body
	sed -n '/^#\|^static\|^typedef/d; s/^[a-z].*[ *]\([a-z][a-z0-9_]*\)(.*/\1/p' "$header" |
		grep -v '^__attribute__$' | sort -u | while read -r name; do
		# shellcheck disable=SC2086 # a list of files
		users=$(grep -lw "$name" $sources | grep -cvxF "$header")
		[ "$users" -ge 2 ] || echo "$header: $name is used by $users file(s)"
	done
done | verdict "lint public: every public function is defined and used"
