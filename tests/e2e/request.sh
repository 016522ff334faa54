#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The request of a model call comes out as it was sent, and can be sent again.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
agent_command python anthropic basic
bounded "$RINGSPAN" record --store db -- "${agent[@]}" >out 2>err
"$RINGSPAN" spans --store db --where kind=model_call --json >calls.json 2>>err
mapfile -t calls < <(sed 's/.*"span_id":"\([0-9a-f]*\)".*/\1/' calls.json)
[ "${#calls[@]}" -eq 3 ]
result "a run of three model calls" $? err

for call in "${calls[@]}"; do
	bounded "$RINGSPAN" request --store db "$call" >body.json 2>err
	wanted=$(grep "$call" calls.json | sed 's/.*"http.request.body.size":\([0-9]*\).*/\1/')
	[ "$(stat -c %s body.json)" -eq "$wanted" ] && "$PYTHON" -m json.tool body.json >parsed
	result "the body has the size that travelled, and is whole" $? err
done
grep -q tool_result body.json
result "... and holds the history" $? body.json

bounded "$RINGSPAN" request --store db --curl "${calls[2]}" >again.sh 2>err
! grep -q THISMUSTNOTLEAK again.sh && grep -q 'put your own' err
result "as a command it says that the key is masked" $? err
if command -v curl >/dev/null; then
	CURL_CA_BUNDLE=$mock_ca bounded sh again.sh >answer 2>err
	grep -q MOCK-FI answer && grep -q NAL-ANS answer # streamed in pieces
	result "the command gets the same answer" $? err
else
	echo "skip - the command gets the same answer: no curl"
fi
run=$("$RINGSPAN" spans --store db --where kind=run --json | sed 's/.*"span_id":"\([0-9a-f]*\)".*/\1/')
bounded "$RINGSPAN" request --store db "$run" >out 2>err
one_error $? err >problems && grep -q 'holds no request' err
result "what is no model call is told" $? problems
