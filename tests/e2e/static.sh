#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A client that OpenSSL is linked into, with its symbols stripped: found by its code.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

if ! "${CC:-cc}" -O2 -o post "$tests/agents/post.c" -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic 2>cc.err; then
	echo "skip - static: no OpenSSL to link statically"
	exit 0
fi
strip post
start_mock

# post NAME STREAM FILLER-BYTES [OPTION...]
post() {
	local name=$1 stream=$2 filler=$3 usage='' body
	shift 3
	[ "$stream" = false ] || usage=',"stream_options":{"include_usage":true}'
	rm -f db db-*
	: >mock.log
	{
		body=$(printf '{"model":"gpt-4.1","stream":%s%s,"messages":[{"role":"user","content":"%0*d[[scenario:long]]"}]}' \
			"$stream" "$usage" "$filler" 0)
		printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
			"$OPENAI_API_KEY" "${#body}" "$body" >request
		bounded "$RINGSPAN" record -v --store db -- ./post "$mock_port" "$@" <request >out 2>err ||
			echo "record fails"
		grep -q '2 stripped openssl functions hooked in .*/post' err || echo "not found in the program"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
		check_spans --spans spans.ndjson --at-least 1
	} >problems 2>&1
	! [ -s problems ]
	result "$name" $? problems
}

post "stream" true 10
post "unary" false 10
post "a large request" true 200000
post "a large request in parts" true 200000 --partial
