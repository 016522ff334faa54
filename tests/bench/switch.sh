#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What a switch of threads costs: without ringspan, beside it (a process that it does not trace), under it.
#
#	switch.sh RINGSPAN SWITCH_COST
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

printf '%-40s %8s\n' "ns, medians" switch
for round in 1 2 3; do
	"$2" "alone, $round"
	"$1" record --quiet --store "$tmp/db" -- sleep 8 2>/dev/null &
	recorder=$!
	sleep 3 # it is attached by then
	"$2" "beside a recording, not traced, $round"
	wait "$recorder"
	"$1" record --quiet --store "$tmp/db" -- "$2" "traced, $round" 2>/dev/null
done
