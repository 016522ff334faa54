#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the tests of the build in $OUT: lint, unit, case, golden, san, fuzz, bpf, vm, e2e, in that order, or
# the groups that are named.  Prints a line for each check and, last of all, `N passed, N failed, N
# skipped`; exits 1 when one failed.
#
#	OUT=build tests/run.sh all | GROUP...
#
# A test is a program that prints `ok`, `not ok` or `skip` lines (cmocka does, as TAP).  Exit code 77
# says that all of it was skipped; any other than 0 without a `not ok` line is a failure too.

cd "$(dirname "$0")/.." || exit 1
out=$(realpath "${OUT:-build}")
groups=("$@")
[ "${*:-all}" != all ] || groups=(lint unit case golden san fuzz bpf vm e2e)
export CMOCKA_MESSAGE_OUTPUT=TAP OUT=$out RINGSPAN=$out/ringspan
. tests/say.sh
tmp=$(mktemp -d "${TMPDIR:-/tmp}/tests.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM INT

# program NAME COMMAND...: runs a test, shows its lines as they come, and counts them.  cmocka calls
# a skipped test `ok N # SKIP` or `not ok N # SKIP`, by version.
program() {
	local name=$1 status before=$failed line
	shift
	while IFS= read -r line; do
		case $line in
		*"ok "[0-9]*"# SKIP"*) say "skip - $name: ${line##*# SKIP }" ;;
		"ok "[0-9]*) say "ok - $name: ${line#ok *- }" ;;
		"not ok "[0-9]*) say "not ok - $name: ${line#not ok *- }" ;;
		"1.."[0-9]* | "TAP version"*) ;;
		*) say "$line" ;;
		esac
	done < <(timeout -k 10 1800 "$@" 2>"$tmp/err"; echo $? >"$tmp/status")
	status=$(cat "$tmp/status")
	if [ "$status" -eq 77 ]; then
		say "skip - $name: $(tail -n 1 "$tmp/err")"
		return
	fi
	[ "$status" -eq 0 ] || [ $failed -gt $before ] || say "not ok - $name: exit code $status"
	[ $failed -eq $before ] || sed 's/^/# /' "$tmp/err"
}

# programs GROUP FOLDER: every executable in a folder is a test.
programs() {
	local found=0 file
	for file in "$2"/*; do
		if [ -f "$file" ] && [ -x "$file" ]; then
			program "$1 ${file##*/}" "$file"
			found=1
		fi
	done
	[ $found -eq 1 ] || say "not ok - $1: nothing is built in $2"
}

group_lint() {
	local rule
	for rule in tests/lint/*.sh; do
		[ "$rule" = tests/lint/lib.sh ] || program "${rule#tests/}" "$rule"
	done
}

group_unit() {
	programs unit "$out/unit"
}

group_case() {
	program case "$out/case-run" tests/case/*/*.md
}

# group_golden [PREFIX]: what a capture replays to, twice.
group_golden() {
	local capture name
	for capture in tests/golden/*.rsp; do
		[ -e "$capture" ] || { say "not ok - golden: there are no captures"; return; }
		name=$(basename "$capture" .rsp)
		for round in 1 2; do
			"$RINGSPAN" replay "$capture" --format ndjson --payload >"$tmp/$round" 2>"$tmp/err"
			cmp "$tmp/$round" "tests/golden/$name.ndjson" >>"$tmp/err" 2>&1
		done
		if [ -s "$tmp/err" ]; then
			say "not ok - ${1:-}golden $name"
			sed 's/^/# /' "$tmp/err"
		else
			say "ok - ${1:-}golden $name"
		fi
	done
}

# The three groups above again, built with sanitizers; then which lines they ran.
group_san() {
	local -x OUT=$out/san RINGSPAN=$out/san/ringspan LLVM_PROFILE_FILE=$tmp/profile/%m
	local out=$out/san

	if [ ! -x "$out/fuzz" ]; then
		say "not ok - san: nothing is built in $out; make build-san"
		return
	fi
	programs "san unit" "$out/unit"
	program "san case" "$out/case-run" tests/case/*/*.md
	group_golden "san "
	if ! tests/coverage.py "$RINGSPAN" "$tmp"/profile/* 2>"$tmp/err"; then
		sed 's/^/# /' "$tmp/err"
		say "not ok - san: there are no figures of coverage"
	fi
}

# A short run of each target, always with the same inputs.
group_fuzz() {
	program fuzz tests/fuzz/run.sh runs 2000
}

group_bpf() {
	if [ "$(id -u)" -ne 0 ]; then
		say "skip - bpf: not root"
		return
	fi
	programs bpf "$out/bpf-test"
}

# What is quick of make test-vm: the programs load in the oldest kernel and in Debian 12's, within their budgets.
group_vm() {
	if ! command -v qemu-system-x86_64 >/dev/null; then
		say "skip - vm: no qemu-system-x86_64"
		return
	fi
	TESTS=load FULL='' program vm tests/vm/run.sh 5.10 6.1
}

group_e2e() {
	program e2e tests/e2e/run.sh
}

for group in "${groups[@]}"; do
	if [ "$(type -t "group_$group")" != function ]; then
		echo "there is no group $group; there are lint unit case golden san fuzz bpf vm e2e" >&2
		exit 2
	fi
	"group_$group"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
