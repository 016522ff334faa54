# SPDX-License-Identifier: BSD-2-Clause
# What the lint rules share; sourced by each.  A rule is called in the top folder of a tree, prints
# `ok - NAME` or the places it found and `not ok - NAME`, and exits accordingly.
# shellcheck shell=sh

# files [PATTERN...]: what is, or is about to be, in the repository.
files() {
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
			[ -f "$file" ] && echo "$file"
		done
	else
		find . -type f | sed 's|^\./||' | sort | while read -r file; do
			[ $# -gt 0 ] || echo "$file"
			for pattern; do
				# shellcheck disable=SC2254 # it is meant to be a pattern
				case $file in $pattern) echo "$file" && break ;; esac
			done
		done
	fi
}

# verdict NAME: standard input is what was found.
verdict() {
	found=$(cat)
	if [ -z "$found" ]; then
		echo "ok - $1"
		return 0
	fi
	echo "$found" | sed 's/^/# /'
	echo "not ok - $1"
	return 1
}
