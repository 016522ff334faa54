#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# MCP in both eras over pipes, socketpairs, terminals and HTTP, with client and server traced: each
# request is one span, and one that the model asked for hangs under its tool call.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

server=$tests/mock/mcp_server.py
client=$tests/agents/mcp_client.py

# recorded NAME ERA [CHECK-OPTION...] -- COMMAND...
recorded() {
	local name=$1 era=$2 options=() status
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rm -f db db-* c.rsp mcp.log
	{
		bounded "$RINGSPAN" record --store db --capture c.rsp -- "$@" >out 2>err
		status=$?
		[ $status -eq 0 ] || echo "record exits with $status"
		grep -q "nothing lost" err || echo "something was lost"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		bounded "$RINGSPAN" show --store db >show.txt || echo "show fails"
		"$PYTHON" "$here/check_mcp.py" --spans spans.ndjson --truth mcp.log --era "$era" \
			--schema "$root/schemas/span.schema.json" "${options[@]}"
		same_twice
	} >problems 2>&1
	[ -s problems ] && cat err >>problems
	! [ -s problems ]
	result "$name" $? problems
}

# A server over HTTP and its client, in one tree.
cat >http.sh <<-'END'
	rm -f ready
	"$PYTHON" "$1" --http ${4:+--cert leaf.pem --key leaf.key} >ready &
	server=$!
	until [ -s ready ]; do sleep 0.05; done
	port=$(tr -dc 0-9 <ready)
	"$PYTHON" "$2" --era "$3" --url "http${4:+s}://127.0.0.1:$port/mcp" --ca ca.pem --log mcp.log
	status=$?
	kill $server
	exit $status
END

export PYTHON
PYTHONPATH=$tests/mock "$PYTHON" -c 'import server; server.make_certificates(".")'
start_mock
for era in 2025-06-18 2026-07-28; do
	for transport in pipe socketpair socketpairs pty; do
		recorded "$transport $era" $era -- "$PYTHON" "$client" --era $era --transport $transport \
			--log mcp.log "$PYTHON" "$server"
	done
	recorded "http $era" $era -- bash http.sh "$server" "$client" $era
	recorded "https $era" $era -- bash http.sh "$server" "$client" $era tls
	agent_command python anthropic mcp --mcp "$PYTHON $server" --mcp-era $era --mcp-log mcp.log
	recorded "agent $era" $era --tools 3 -- "${agent[@]}"
done
