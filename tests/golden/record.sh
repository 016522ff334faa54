#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Records the golden captures anew (root): bundled agents against the bundled model server, on a host
# that is called "box".  Then writes the spans that `replay` makes of each.  Run it when the wire
# format changes; look at what changed in the spans before committing them.
#
#	tests/golden/record.sh [RINGSPAN [NAME]]
set -eu

golden=$(cd "$(dirname "$0")" && pwd)
tests=$(dirname "$golden")
ringspan=$(realpath "${1:-$tests/../build/ringspan}")
only=${2:-}
folder=$(mktemp -d /tmp/golden.XXXXXX)
mock=
cleanup() {
	[ -z "$mock" ] || kill "$mock" 2>/dev/null || true
	cd / && rm -rf "$folder"
}
trap cleanup EXIT
cp "$tests"/agents/agent.* "$tests"/agents/mcp_client.py "$tests"/mock/mcp_server.py "$folder"
cd "$folder"
export ANTHROPIC_API_KEY=sk-ant-api03-not-a-real-key-0000000000 OPENAI_API_KEY=sk-proj-not-a-real-key-0000000000
export PYTHONDONTWRITEBYTECODE=1 PATH=/usr/bin:/bin:/usr/sbin:/sbin

timeout 300 /usr/bin/python3 "$tests/mock/server.py" --pace 5 >ready &
mock=$!
while ! [ -s ready ]; do sleep 0.05; done
port=$(sed 's/.*"port": \([0-9]*\).*/\1/' ready)
cp "$(sed 's/.*"ca": "\([^"]*\)".*/\1/' ready)" ca.pem

# golden NAME SCENARIO COMMAND...; $options: of the recording
options=()
golden() {
	local name=$1 scenario=$2
	shift 2
	[ -z "$only" ] || [ "$only" = "$name" ] || return 0
	unshare --uts sh -c 'hostname box; exec "$@"' - "$ringspan" record --no-store --quiet \
		"${options[@]}" --capture "$name.rsp" -- "$@" --base-url "https://127.0.0.1:$port" --ca ca.pem \
		"Write a greeting into a file and read it back. [[scenario:$scenario]]"
	"$ringspan" replay "$name.rsp" --format ndjson --payload >"$name.ndjson"
	mv "$name.rsp" "$name.ndjson" "$golden"
}

golden demo parallel python3 agent.py --api anthropic --stream
golden cut cut node agent.mjs --api chat --stream
golden think think python3 agent.py --api responses --stream --accept-encoding gzip
golden rate rate python3 agent.py --api chat --no-stream
golden streamerror streamerror node agent.mjs --api anthropic --stream
golden mcp mcp python3 agent.py --api anthropic --stream --mcp "python3 mcp_server.py"
golden usage parallel python3 agent.py --api anthropic --stream
options=(--slow 20ms,poll=200ms --failed EEXIST --syscalls mkdir)
golden calls rate python3 agent.py --api chat --no-stream
