#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Processes that are found by name, file, control group and container: exactly theirs become runs, those
# that run and those that start later, and nothing is left behind.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

id=$(printf '%064x' "0x$$")
cgroup_root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
groups=()

remove_groups() {
	local i
	cleanup
	for ((i = ${#groups[@]} - 1; i >= 0; i--)); do
		rmdir "${groups[i]}"
	done
}
trap remove_groups EXIT

group() { # NAME: sets $dir
	dir=$cgroup_root/$1
	mkdir "$dir" && groups+=("$dir")
}

# sleeper NAME [CGROUP]: a process of that name; sets $sleeper.
sleeper() {
	[ -e "$1" ] || cp /bin/sleep "$1"
	(
		[ -z "${2:-}" ] || echo 0 >"$2/cgroup.procs" || exit 126
		exec "./$1" 60
	) &
	sleeper=$!
	pids+=("$sleeper")
	wait_for 20 grep -qx "$1" "/proc/$sleeper/comm"
}

# select_case NAME CGROUP OPTION...: two of ours, one of them later, among others.
select_case() {
	local name=$1 dir=$2 first second
	shift 2
	rm -f db* c.rsp err
	sleeper rs-mine "$dir"
	first=$sleeper
	sleeper rs-theirs
	env --default-signal=INT timeout --foreground 60 "$RINGSPAN" attach --store db --capture c.rsp "$@" >out 2>err &
	attach_pid=$!
	pids+=("$attach_pid")
	{
		wait_for 20 grep -q "attached to 1 process" err || echo "it does not attach to one process"
		sleeper rs-mine "$dir"
		second=$sleeper
		sleeper rs-theirs
		sleep 0.3
		kill "$first" "$second" && sleep 0.3
		kill -INT $attach_pid
		wait_for 10 eval "! kill -0 $attach_pid" || echo "it does not end"
		"$RINGSPAN" replay c.rsp --format ndjson >spans.ndjson || echo "replay fails"
		[ "$(grep -c '"ringspan.kind": *"run"' spans.ndjson)" -eq 2 ] || echo "not two runs"
		grep -q "\"process.pid\": *$first\b" spans.ndjson || echo "the first is missing"
		grep -q "\"process.pid\": *$second\b" spans.ndjson || echo "the one that came later is missing"
		! grep rs-theirs spans.ndjson || echo "others are there"
	} >problems 2>&1
	! [ -s problems ] || cat err >>problems
	! [ -s problems ]
	result "$name" $? problems
}

select_case "by name" "" --comm 'rs-m?n*'
select_case "by file" "" --exe "$tmp/rs-mine"
if [ -n "$cgroup_root" ] && group "rs-$$" && inner=$dir/inner && group "rs-$$/inner"; then
	select_case "by control group" "$inner" --cgroup "$cgroup_root/rs-$$"
	group "docker-$id.scope"
	select_case "by container" "$dir" --container "$(echo "$id" | cut -c1-63)"
	select_case "by container and name" "$dir" --container "$id" --comm rs-mine
	group "docker-${id%?}x.scope" && group "docker-${id%??}99.scope"
	bounded "$RINGSPAN" attach --store db --container "$(echo "$id" | cut -c1-62)" >out 2>err
	{ one_error $? err && grep -q "more than one" err; } >problems
	result "an id that two containers begin with" $? problems
else
	echo "skip - by control group: no cgroup can be made"
fi

bounded "$RINGSPAN" attach --store db --container 0123456789abcdef0123 >out 2>err
one_error $? err >problems
result "no such container" $? problems
bounded "$RINGSPAN" attach --store db -p $$ --comm x >out 2>err
one_error $? err >problems
result "-p and a pattern" $? problems
