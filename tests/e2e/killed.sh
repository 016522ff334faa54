#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ringspan is killed in the middle: the agent does not notice, and what was finished is in the store.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
for language in python node; do
	if [ $language = node ] && ! command -v "$NODE" >/dev/null; then
		echo "skip - killed while a node agent runs: no node"
		continue
	fi
	rm -f db* c.rsp && : >mock.log
	agent_command $language anthropic slow
	"$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err &
	ringspan_pid=$!
	wait_for 20 requests 6
	kill -KILL $ringspan_pid
	wait $ringspan_pid 2>/dev/null
	wait_for 20 grep -q MOCK-FINAL-ANSWER out
	result "the $language agent finishes" $? err
	{
		bounded "$RINGSPAN" runs --store db || echo "runs exits with $?"
		bounded "$RINGSPAN" show --store db || echo "show exits with $?"
	} >listing 2>problems
	"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson 2>>problems
	check_spans --spans spans.ndjson --at-least 3 >>problems
	! [ -s problems ]
	result "the store opens and holds what was finished ($language)" $? problems
	"$RINGSPAN" record --store db -- true >/dev/null 2>err &&
		[ "$("$RINGSPAN" runs --store db --json | grep -o '"trace_id"' | wc -l)" -eq 2 ]
	result "the store takes another run" $? err
	bounded "$RINGSPAN" replay c.rsp --format ndjson >replayed.ndjson 2>err
	[ $? -lt 124 ] && grep -q '"chat ' replayed.ndjson
	result "the capture replays as far as it goes" $? err
	no_secret db* c.rsp out >problems
	result "no secret is left behind" $? problems
done
