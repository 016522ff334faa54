#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --redact-rules: what a user names is masked in the store, in what is shown and in logs; links stay.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
cat >rules <<'END'
# of this test
redact header X-Customer
redact json $..command
redact pattern CUST-[0-9]{6}
END
agent_command python anthropic basic
agent[-1]="X-Customer: HUSH-one
about CUST-123456 ${agent[-1]}"
command=(sh -c 'echo CUST-654321; exec "$@"' sh "${agent[@]}")
bounded "$RINGSPAN" record --logs --redact-rules rules --store kept.db -- "${command[@]}" >out 2>err
grep -q "nothing lost" err
result "it is recorded" $? err
bounded "$RINGSPAN" export --store kept.db --payload >spans.ndjson
bounded "$RINGSPAN" logs --store kept.db >logs
! grep -aE 'HUSH-one|CUST-[0-9]' kept.db* spans.ndjson logs >problems
result "headers and patterns are masked" $? problems
grep -q '[*]\{11\}' logs
result "... in logs, too" $? logs
grep -q '"command":"\*\**"' spans.ndjson && ! grep -q '"command":"[^*"]' spans.ndjson
result "a JSON path is masked in arguments" $? spans.ndjson
[ "$(bounded "$RINGSPAN" spans --store kept.db --json --where 'kind=process and ringspan.link=argument' | wc -l)" -gt 0 ]
result "what a tool did is still found by its arguments" $?

bounded "$RINGSPAN" record --store all.db --capture c.rsp -- "${command[@]}" >out 2>err
bounded "$RINGSPAN" replay c.rsp --redact-rules rules --payload --format ndjson >replay.ndjson
grep -q CUST-123456 all.db* c.rsp && ! grep -E 'HUSH-one|CUST-[0-9]' replay.ndjson >problems
result "a replay masks what a recording kept" $? problems

# stepping RULE: what top says of the agent while its tool runs
stepping() {
	echo "$1" >one
	bounded "$RINGSPAN" top --replay "$tests/golden/demo.rsp" --at 200ms --json --redact-rules one |
		"$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["agents"][0]["step"])'
}
for rule in 'json $..nothing' 'json $..command' 'pattern two' 'header COMMAND' 'pattern shell'; do
	stepping "redact $rule"
done >problems
printf '%s\n' "shell echo two; exit 3" "shell ****************" "shell echo ***; exit 3" "shell ****************" \
	"***** echo two; exit 3" | cmp -s - problems
result "top masks them, too" $? problems

bounded "$RINGSPAN" record --redact-rules rules --capture x.rsp --store kept.db -- true >out 2>err
one_error $? err >problems
result "with a capture they are refused" $? problems
printf '\nredact json $.a\nredact json a\n' >wrong
bounded "$RINGSPAN" replay c.rsp --redact-rules wrong >out 2>err
one_error $? err >problems && grep -q '^ringspan: wrong:3: ' err
result "a rule that cannot be read is named by its line" $? err
bounded "$RINGSPAN" replay c.rsp --redact-rules nosuch >out 2>err
one_error $? err >problems
result "a file that is not there is told" $? problems
