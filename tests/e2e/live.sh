#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A run is shown while it runs: what is not over yet is there and says so, is replaced when it is over,
# and stays, marked, when the recorder is killed.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

# unfinished STORE: kinds of the spans that are not over.
unfinished() {
	"$RINGSPAN" spans --store "$1" --where ringspan.unfinished=true --json |
		sed 's/.*"ringspan.kind":"\([a-z_]*\)".*/\1/' | sort -u | tr '\n' ' '
}

# asleep STORE: the command that the shell started first is there; for a moment it is a shell itself.
asleep() {
	"$RINGSPAN" show --store "$1" | grep -q 'sleep.*unfinished'
}

start_mock
agent_command python anthropic parallel
"$RINGSPAN" record --files changed --store db --capture c.rsp -- sh -c 'sleep 2; exec "$@"' sh "${agent[@]}" >out 2>err &
recorder=$!
pids+=("$recorder")
wait_for 10 test -s db
wait_for 10 asleep db
[ "$(unfinished db)" = "process run " ]
result "a run in flight is there" $? err
"$RINGSPAN" show --store db >show.txt 2>>err
grep -q 'so far' show.txt && grep -q 'sleep.*unfinished' show.txt
result "it is shown as far as it is" $? show.txt
"$RINGSPAN" runs --store db | grep -q unfinished
result "... and listed as unfinished" $?
bounded "$RINGSPAN" show --store db --follow >follow.txt 2>>err
status=$?
script -qec "stty rows 8; exec '$RINGSPAN' show --store db --follow" painted >out2 </dev/null 2>&1
result "following it ends when it is over" $status err
grep -q "$(printf '\033\[H')" painted && grep -q 'exit 0' painted
result "on a terminal the tree is drawn in place" $? painted
wait "$recorder"
for kind in run agent turn model_call tool_call process; do
	[ "$(grep -c "  $kind  " follow.txt)" -gt 0 ] || echo "no $kind"
done >problems
[ "$(wc -l <follow.txt)" -eq "$("$RINGSPAN" spans --store db --json | wc -l)" ] || echo "other spans" >>problems
! [ -s problems ]
result "each span is told once, when it is finished" $? problems
[ -z "$(unfinished db)" ]
result "what was unfinished is replaced" $?
"$RINGSPAN" export --store db --payload >spans.ndjson && same_twice >problems 2>&1
result "and the spans are those of a replay" $? problems

rm -f db db-*
"$RINGSPAN" record --store db -- sh -c 'sleep 1; sleep 60' >out 2>err &
recorder=$!
wait_for 10 asleep db
kill -KILL "$recorder"
wait "$recorder" 2>/dev/null
"$RINGSPAN" show --store db >show.txt 2>err
grep -q 'so far' show.txt && grep -q 'sleep.*unfinished' show.txt
result "a killed recorder leaves them marked" $? show.txt
mapfile -t left < <("$RINGSPAN" spans --store db --json | sed 's/.*"process.pid":\([0-9]*\).*/\1/')
pids+=("${left[@]}")
"$RINGSPAN" record --store db -- true >out 2>err && [ "$("$RINGSPAN" runs --store db --json | wc -l)" -eq 2 ]
result "... and a store that the next one writes to" $? err
