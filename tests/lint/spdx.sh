#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every file says its licence near its top; what runs in the kernel says one that fits there.  JSON
# says it in "$comment".  Recorded data and licence texts are exempt.
. "$(dirname "$0")/lib.sh"

tag='SPDX-License-Identifier:'

files | while read -r file; do
	case $file in
	*.rsp | *.ndjson | LICENSE* | */LICENSE*) continue ;;
	bpf/*.[ch] | vmlinux/*.h | *.bpf.c) wanted="$tag GPL-2.0-only OR BSD-2-Clause" ;;
	*) wanted="$tag BSD-2-Clause" ;;
	esac
	head -n 5 "$file" | grep -q "$wanted" || echo "$file: no \"$wanted\" in its first lines"
done | verdict "lint spdx: every file says its licence"
