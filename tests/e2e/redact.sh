#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Secrets in headers, prompts, command lines, tool arguments and results: gone unless they were asked
# for.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock

agent_command python anthropic secret
prompt="The key is $ANTHROPIC_API_KEY and --header 'x-api-key: THISMUSTNOTLEAK-0123456789abcdef'"
agent[-1]="$prompt ${agent[-1]}"

bounded "$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err
"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson 2>>err
"$RINGSPAN" export --store db --format otlp-json --payload >otlp.json 2>>err
"$RINGSPAN" show --store db --payload >show.txt 2>>err
"$RINGSPAN" show --store db --json >show.json 2>>err
"$RINGSPAN" spans --store db --json >spans.json 2>>err
"$RINGSPAN" replay c.rsp --format ndjson --payload >replay.ndjson 2>>err
for file in db c.rsp spans.ndjson otlp.json show.txt show.json spans.json replay.ndjson; do
	[ -s $file ] && no_secret $file $file-wal >problems
	result "no secret in $file" $? problems
done
no_secret out err >problems
result "no secret on the terminal" $? problems
check_spans --spans spans.ndjson --agent-log agent.log >problems
result "all else is as it was" $? problems

rm -f db* c.rsp agent.log && : >mock.log
bounded "$RINGSPAN" record --no-redact --store db --capture c.rsp -- "${agent[@]}" >out 2>err
"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson 2>>err
grep -aq THISMUSTNOTLEAK-by-header c.rsp
result "--no-redact keeps headers in the capture" $? err
grep -q THISMUSTNOTLEAK-by-the-tool spans.ndjson
result "--no-redact keeps what the tool printed" $? err
check_spans --spans spans.ndjson --agent-log agent.log --no-redact >problems
result "all of it is as it was sent" $? problems
