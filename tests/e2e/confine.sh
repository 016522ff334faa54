#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is traced is parsed without privileges: by a process that has none, beside one that has them and parses nothing.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

status_of() { # PID FIELD
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# children PID: of ringspan, of which one is its probe.
children() {
	cat "/proc/$1/task/$1/children"
}

start_mock
agent_command python anthropic slow
"$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err &
parser=$!
pids+=("$parser")
wait_for 30 requests 2
probe=
for pid in $(children $parser); do
	[ "$(readlink "/proc/$pid/exe")" != "$(readlink "/proc/$parser/exe")" ] || probe=$pid
done
{
	[ "$(status_of $parser CapEff)" = 0000000000000000 ] || echo "CapEff $(status_of $parser CapEff)"
	[ "$(status_of $parser CapPrm)" = 0000000000000000 ] || echo "CapPrm $(status_of $parser CapPrm)"
	[ "$(status_of $parser NoNewPrivs)" = 1 ] || echo "NoNewPrivs $(status_of $parser NoNewPrivs)"
	[ "$(status_of $parser Seccomp)" = 2 ] || echo "Seccomp $(status_of $parser Seccomp)"
} >problems
! [ -s problems ]
result "who parses has no capabilities, gets none, and few system calls" $? problems
[ -n "$probe" ] && [ "$(status_of "$probe" CapEff)" != 0000000000000000 ]
result "... and the probe, a process of its own, has what it needs" $? err
# its descriptors: nothing of the store or of the command's
ls -l "/proc/$probe/fd" >fds 2>&1
! grep -q 'db\|c\.rsp' fds
result "the probe has neither store nor capture open" $? fds
wait $parser
result "the agent finishes, and ringspan as it did" $? err
"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson 2>err
check_spans --spans spans.ndjson >problems
result "all that was said is seen" $? problems

: >mock.log
"$RINGSPAN" record --store db2 -- "${agent[@]}" >out 2>err &
parser=$!
pids+=("$parser")
wait_for 30 requests 2
for pid in $(children $parser); do
	[ "$(readlink "/proc/$pid/exe")" != "$(readlink "/proc/$parser/exe")" ] || kill -KILL "$pid"
done
wait $parser
[ $? -eq 1 ] && grep -q '^ringspan: recording stops: ' err
result "a probe that is killed is told of" $? err
grep -q MOCK-FINAL-ANSWER out
result "... the agent does not notice" $? out
"$RINGSPAN" show --store db2 >tree 2>err && grep -q 'claude' tree
result "... and what was seen before is stored" $? err

# in a folder of somebody else's a store can be made and left as it should be
mkdir theirs && chown 65534:65534 theirs
"$RINGSPAN" record --quiet --store theirs/db -- true >out 2>err && [ "$(ls theirs)" = db ]
result "a store in another user's folder" $? err
