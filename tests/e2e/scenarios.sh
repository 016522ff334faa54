#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What can happen between an agent and its model: retries, errors, cut streams, parallel tools.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
for api in anthropic chat responses; do
	for scenario in text parallel e500 streamerror cut badargs badjson think utf8 secret; do
		run_case "$api $scenario" python $api $scenario 0
	done
	for scenario in parallel cut badjson think close; do
		run_case "$api $scenario, unary" python $api $scenario 0 --no-stream
	done
	run_case "$api error400" python $api error400 1
done
run_case "rate" python anthropic rate 0
run_case "over" python anthropic over 0
run_case "long" python chat long 0
run_case "big" python anthropic big 0
run_case "big, unary" python responses big 0 --no-stream
run_case "big, gzip" python chat big 0 --accept-encoding gzip
run_case "cut, gzip" python anthropic cut 0 --accept-encoding gzip
run_case "close, streamed" python anthropic close 0
run_case "close, gzip" python chat close 0 --accept-encoding gzip

# a human, or a pipe that stands in for one, says yes and then no
yes_no() {
	wait_for 20 requests 1 && sleep 0.3 && echo y
	wait_for 20 requests 2 && sleep 0.3 && echo n
}
check_options=(--approval approved --approval denied)
: >mock.log
yes_no | run_case "approval by a pipe" python anthropic basic 0 --ask
: >mock.log
yes_no | run_case "approval at a terminal" terminal chat basic 0 --ask
check_options=()

# requests that name the trace that they belong to
check_options=(--trace-id 0af7651916cd43dd8448eb211c80319c)
run_case "traceparent" python chat basic 0 \
	--traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
check_options=()

# Both ends of a request in one run: the server is a program that the run started.
: >inner.log
cat >both.sh <<END
timeout 60 $PYTHON $tests/mock/server.py --log inner.log >inner.ready &
until [ -s inner.ready ]; do sleep 0.1; done
port=\$(sed 's/.*"port": \([0-9]*\).*/\1/' inner.ready)
ca=\$(sed 's/.*"ca": "\([^"]*\)".*/\1/' inner.ready)
$PYTHON $tests/agents/agent.py --base-url https://127.0.0.1:\$port --ca \$ca "Go. [[scenario:basic]]"
kill \$!
END
{
	bounded "$RINGSPAN" record --store both.db -- bash both.sh >out 2>err || cat err
	bounded "$RINGSPAN" export --store both.db --format ndjson >both.ndjson
	"$PYTHON" - <<-'END'
		import json
		spans = [json.loads(line) for line in open("both.ndjson", encoding="utf-8")]
		calls = {s["span_id"] for s in spans if s["attributes"]["ringspan.kind"] == "model_call"}
		served = [s["parent_span_id"] for s in spans
		          if s["kind"] == "SERVER" and s["attributes"]["ringspan.kind"] == "http"]
		if len(calls) != 3 or sorted(served) != sorted(calls):
		    print(f"calls {sorted(calls)}, served under {sorted(served)}")
	END
} >problems 2>&1
! [ -s problems ]
result "both ends" $? problems
