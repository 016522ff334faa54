#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# record exits as its command did, and a Ctrl-C reaches both without losing the run.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

exits() { # NAME STATUS COMMAND...
	local name=$1 wanted=$2 status
	shift 2
	bounded "$RINGSPAN" record --store db -- "$@" >out 2>err
	status=$?
	[ $status -eq "$wanted" ] || echo "exit code $status instead of $wanted" >>err
	[ $status -eq "$wanted" ]
	result "$name" $? err
}

exits "success, without TLS" 0 true
exits "exit code 7" 7 sh -c 'exit 7'
exits "exit code 255" 255 sh -c 'exit 255'
exits "SIGTERM" 143 sh -c 'kill -TERM $$'
exits "SIGKILL" 137 sh -c 'kill -KILL $$'
exits "no such command" 127 /nonexistent
one_error 1 err >problems
result "... is told in one line" $? problems
exits "not executable" 126 /etc/passwd
exits "a command that is found by PATH" 3 bash -c 'exit 3'

"$RINGSPAN" record --store db -- sh -c 'cat; echo to-stderr >&2' <<<"through the pipe" >out 2>err
grep -q "through the pipe" out && grep -q to-stderr err
result "stdin, stdout and stderr are the command's" $? err

start_mock
rm -f db*
agent_command python anthropic slow
env --default-signal=INT setsid "$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err &
ringspan_pid=$!
pids+=("$ringspan_pid")
wait_for 20 requests 4
kill -INT -- -$ringspan_pid
wait_for 10 eval "! kill -0 $ringspan_pid"
result "Ctrl-C ends both" $? err
wait $ringspan_pid
status=$?
[ $status -eq 130 ]
result "Ctrl-C: exit code is the agent's (130)" $? <(echo "exit code $status")
"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson 2>problems
check_spans --spans spans.ndjson --at-least 3 >>problems
grep -q '"ringspan.kind": *"run"' spans.ndjson || echo "no run span" >>problems
! [ -s problems ]
result "Ctrl-C: the run is in the store" $? problems
same_twice >problems 2>&1
result "Ctrl-C: the capture is whole" $? problems
