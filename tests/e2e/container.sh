#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Containers as the kernel has them: a control group with a name that container managers give.
# needs: root bpf cgroup2
. "$(dirname "$0")/lib.sh"

id=$(printf '%016x%016x%016x%016x' 1 $$ 3 4)
group=$(findmnt -rno TARGET -t cgroup2 | head -n 1)/ringspan-test-$$
scope=$group/docker-$id.scope
mkdir -p "$scope" || exit 1

leave_groups() {
	cleanup
	wait_for 5 rmdir "$scope" "$group"
}
trap leave_groups EXIT

# enter COMMAND: in the control group of a container, from its exec on
enter="echo \$\$ >$scope/cgroup.procs; exec"

# of KIND: the container ids of its spans, with their count
of() {
	sed -n "/\"ringspan.kind\":\"$1\"/s/.*\"container.id\":\"\([^\"]*\)\".*/\1/p" spans.ndjson | sort | uniq -c
}

bounded "$RINGSPAN" record --quiet --store db -- sh -c "sh -c '$enter sh -c \"/bin/true; sleep 0.2; /bin/true\"'; /bin/true" >out 2>err
"$RINGSPAN" export --store db --format ndjson >spans.ndjson
of process >found
grep -q "^ *[234] $id\$" found && [ "$(wc -l <found)" -eq 1 ] && [ -z "$(of run)" ]
result "processes in a container have its id, others have not" $? spans.ndjson

rm -f db*
sh -c "$enter sleep 20" &
pids+=($!)
sleep 0.3
timeout -k 5 30 "$RINGSPAN" attach --quiet --store db -p $! --duration 500ms >out 2>err
"$RINGSPAN" export --store db --format ndjson >spans.ndjson
of run >found
grep -q "^ *1 $id\$" found
result "a run that was joined in a container has its id" $? spans.ndjson
