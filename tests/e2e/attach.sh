#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Joining what runs already: before it does anything, in the middle of a conversation, and too late.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock

attach() { # PID
	env --default-signal=INT timeout --foreground 60 "$RINGSPAN" attach --store db -p "$1" >attach.out 2>attach.err &
	attach_pid=$!
	pids+=("$attach_pid")
	wait_for 20 grep -qi attached attach.err attach.out
}

check_attached() { # NAME AT-LEAST
	{
		wait $agent_pid || echo "the agent exits with $?"
		wait_for 10 eval "! kill -0 $attach_pid" || echo "attach does not end with its process"
		wait "$attach_pid" || echo "attach exits with $?"
		"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson || echo "export fails"
		check_spans --spans spans.ndjson --at-least "$2"
		grep -q '"ringspan.origin": *"attach"' spans.ndjson || echo "the run's origin is not attach"
		grep '"ringspan.kind": *"run"' spans.ndjson | grep -q '"joined"' || echo "the run does not say that it was joined"
		no_secret db* spans.ndjson attach.out attach.err
	} >problems 2>&1
	[ -s problems ] && cat attach.err >>problems
	! [ -s problems ]
	result "$1" $? problems
}

agent_command python anthropic basic
(until [ -e go ]; do sleep 0.05; done; exec "${agent[@]}") >out 2>err &
agent_pid=$!
attach $agent_pid || echo "# attach never said \"attached\""
touch go
check_attached "a process that starts the agent later" 3

rm -f db* && : >mock.log
# it waits for leave before each tool, so there is something to see however long attaching takes
agent_command python chat slow --ask
mkfifo leave
exec 3<>leave
"${agent[@]}" <leave >out 2>err &
agent_pid=$!
echo y >&3
wait_for 20 requests 2
attach $agent_pid || echo "# attach never said \"attached\""
yes | head -n 6 >&3
check_attached "an agent in the middle of its conversation" 6
exec 3>&-
grep -q MOCK-FINAL-ANSWER out
result "the agent that was attached to finishes" $? err

rm -f db* && : >mock.log
agent_command python chat slow
"${agent[@]}" >out 2>err &
agent_pid=$!
wait_for 20 requests 1
attach $agent_pid
kill -INT $attach_pid
wait_for 10 eval "! kill -0 $attach_pid"
result "attach ends when it is interrupted" $? attach.err
wait $agent_pid && grep -q MOCK-FINAL-ANSWER out
result "... and its agent goes on" $? err

bounded "$RINGSPAN" attach --store db -p 4194304 >out 2>err
one_error $? err >problems
result "no such pid" $? problems

for wait in 0 0.02 0.1 0.3; do
	sleep $wait &
	timeout -k 5 20 "$RINGSPAN" attach --store db -p $! >out 2>err
	status=$?
	[ $status -lt 124 ] && { [ $status -eq 0 ] || one_error $status err >problems; }
	result "a process that ends while being attached, after $wait s" $? err
done
