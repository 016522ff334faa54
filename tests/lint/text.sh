#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Rules on the text of files, whatever their language.
. "$(dirname "$0")/lib.sh"

# search PATTERN [FILE-PATTERN...]: places in text files where it matches
search() {
	pattern=$1
	shift
	files "$@" | grep -v '\.\(rsp\|ndjson\)$' | while read -r file; do
		grep -HnI -e "$pattern" "$file"
	done
}

tab=$(printf '\t')
return=$(printf '\r')

search 'fprintf(stderr\|perror(\|dprintf(2' '*.c' '*.h' |
	grep -v '^\(user/base/log\.c\|user/cli/[^:]*\|tests/[^:]*\):' |
	verdict "lint text: messages go through base/log.h" || bad=1

search "\<\(TO""DO\|FIX""ME\|X""XX\)\>" |
	verdict "lint text: nothing is left for later" || bad=1

search "/\(work\|ro""ot\)\(/\|\>\)" | grep -v '^tests/lint/' |
	verdict "lint text: no path of one machine" || bad=1

{
	search "^ *$tab* $tab"
	search '^        *[^ \\]' '*.c' '*.h'
	search "^$tab" '*.py' '*.mjs'
} | verdict "lint text: indentation is tabs in C and spaces in Python and JavaScript, never a mix" || bad=1

# in parser cases white space at the end is what is tested
{
	search "[ $tab]\$"
	search "$return\$"
} | grep -v '^tests/case/' | verdict "lint text: no white space at the end of a line" || bad=1

files | grep -v '\.rsp$' | while read -r file; do
	[ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ] && echo "$file"
done | verdict "lint text: the last line ends with a newline" || bad=1

search '^[[:space:]]*//.*;$' 'user/*.[ch]' 'bpf/*.[ch]' |
	verdict "lint text: no code in comments" || bad=1

exit "${bad:-0}"
