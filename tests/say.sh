# SPDX-License-Identifier: BSD-2-Clause
# What the runners of tests print and count; sourced by them.
# shellcheck shell=bash disable=SC2034 # who sources it says how many
passed=0 failed=0 skipped=0

# say LINE: prints it and counts it.
say() {
	echo "$1"
	case $1 in
	"skip - "*) skipped=$((skipped + 1)) ;;
	"not ok - "*) failed=$((failed + 1)) ;;
	"ok - "*) passed=$((passed + 1)) ;;
	esac
}
