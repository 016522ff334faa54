#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same agent under Deno, which holds rustls without symbols: $DENO, that in the PATH, or one of the
# npm registry (run.sh).  Its fetch speaks HTTP/1.1 to the mock and HTTP/2 to what stands in front of it.
# needs: root bpf deno
. "$(dirname "$0")/lib.sh"

export DENO_DIR=$tmp/deno DENO_NO_UPDATE_CHECK=1
start_mock
export DENO_CERT=$mock_ca
for api in anthropic chat responses; do
	run_case "fetch $api" deno $api basic 0 --client fetch
	run_case "fetch $api, unary, gzip" deno $api basic 0 --client fetch --no-stream \
		--accept-encoding gzip
	run_case "fetch $api parallel" deno $api parallel 0 --client fetch
done
run_case "fetch rate" deno anthropic rate 0 --client fetch
run_case "fetch big" deno responses big 0 --client fetch
run_case "fetch long" deno anthropic long 0 --client fetch
run_case "fetch error400" deno anthropic error400 1 --client fetch

# rustls encrypts the records of TLS 1.2 with other objects than those of 1.3
start_mock --tls 1.2
export DENO_CERT=$mock_ca
for case in "anthropic basic" "chat parallel" "responses big"; do
	read -r api scenario <<<"$case"
	run_case "fetch $api $scenario, TLS 1.2" deno "$api" "$scenario" 0 --client fetch
	grep -q '"tls.protocol.version": *"1.2"' spans.ndjson
	result "fetch $api $scenario, it is TLS 1.2" $?
done
start_mock
export DENO_CERT=$mock_ca

if ! "$NODE" --version >/dev/null 2>&1; then
	echo "skip - h2: no node to speak HTTP/2"
	exit 0
fi
timeout 300 "$NODE" "$tests/mock/h2.mjs" "$mock_port" "$mock_ca" >h2.port 2>h2.err &
pids+=($!)
wait_for 20 test -s h2.port || cat h2.err
mock_port=$(cat h2.port)
for case in "anthropic basic 3" "chat parallel 2" "responses big 2" "anthropic long 3"; do
	read -r api scenario calls <<<"$case"
	rm -f db db-* c.rsp
	: >mock.log
	agent_command deno "$api" "$scenario" --client fetch
	{
		bounded "$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err ||
			echo "record fails"
		grep -q MOCK-FINAL-ANSWER out || echo "no final answer"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		check_spans --spans spans.ndjson --at-least "$calls"
		[ "$(grep -c '"network.protocol.version": *"2"' spans.ndjson)" -ge "$calls" ] ||
			echo "it is not HTTP/2"
		same_twice
		no_secret db* c.rsp spans.ndjson out err
	} >problems 2>&1
	! [ -s problems ]
	result "h2 $api $scenario" $? problems
done
