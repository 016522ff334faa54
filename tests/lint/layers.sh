#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Includes go one way.  A room of user/ includes itself, base/ and the rooms left of it; proto takes
# base alone, and sem base and proto/msg.h.  Only probe knows libbpf.
. "$(dirname "$0")/lib.sh"

# "file included" for each #include with quotes
includes() {
	files 'user/*.[ch]' | while read -r file; do
		sed -n "s|^#[[:space:]]*include \"\([^\"]*\)\".*|$file \1|p" "$file"
	done
}

includes | awk '
BEGIN {
	count = split("base event capture probe proc conn proto seal sem span analysis sink cli", room)
	for (i = 1; i <= count; i++)
		place[room[i]] = i
}
{
	parts = split($1, path, "/")
	from = parts > 2 ? path[2] : "main"
	to = $2
	if (!sub("/.*", "", to) || !(to in place) || from == "main")
		next
	if (!(from in place)) {
		print $1 ": user/" from " is no room"
		next
	}
	bad = to != from && place[to] > place[from]
	if (from == "proto")
		bad = to != "proto" && to != "base"
	if (from == "sem")
		bad = to != "sem" && to != "base" && $2 != "proto/msg.h"
	if (bad)
		print $1 " includes " $2
}' | verdict "lint layers: a room includes only what is left of it" || bad=1

files 'user/*.[ch]' | grep -v '^user/probe/' | while read -r file; do
	grep -Hn '^#[[:space:]]*include [<"]\(bpf/\(bpf\|libbpf\|btf\)\|linux/bpf\.h\|.*\.skel\.h\)' "$file"
done | verdict "lint layers: only user/probe includes libbpf or a skeleton" || bad=1

exit "${bad:-0}"
