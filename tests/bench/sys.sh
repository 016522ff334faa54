#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What system calls cost: without ringspan, beside it (a process that it does not trace), under it.
#
#	sys.sh RINGSPAN SYS_COST
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

printf '%-40s %8s %8s %8s\n' "ns a call, medians" getppid read write
for round in 1 2 3; do
	"$2" "alone, $round"
	"$1" record --quiet --store "$tmp/db" -- sleep 10 2>/dev/null &
	recorder=$!
	sleep 3 # it is attached by then
	"$2" "beside a recording, not traced, $round"
	wait "$recorder"
	"$1" record --quiet --store "$tmp/db" -- "$2" "traced, $round" 2>/dev/null
done
