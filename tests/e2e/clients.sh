#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Clients that are in use, each with the TLS library that it comes with: what was seen of each is what
# the server saw.  One that is not installed is skipped by name.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

post=("$PYTHON" "$tests/agents/post.py")
start_mock
h1=https://127.0.0.1:$mock_port
h2=
if "$NODE" --version >/dev/null 2>&1; then
	timeout 300 "$NODE" "$tests/mock/h2.mjs" "$mock_port" "$mock_ca" >h2.port 2>h2.err &
	pids+=($!)
	wait_for 20 test -s h2.port || cat h2.err
	h2=https://127.0.0.1:$(cat h2.port)
fi
chat=v1/chat/completions

raw_request() { # as gnutls-cli sends it
	printf 'POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' \
		$chat "$(stat -c %s body.json)" >request
	cat body.json >>request
	timeout 20 gnutls-cli --logfile=gnutls.log --x509cafile "$mock_ca" -p "$mock_port" 127.0.0.1 <request
}
export -f raw_request
export mock_port mock_ca chat

# What runs a client: the request is in body.json, the answer goes to stdout.
client_command() { # NAME URL
	local curl=(curl -sS --fail --cacert "$mock_ca" -H "content-type: application/json" -d @body.json)

	case $1 in
	curl) command=("${curl[@]}" --http1.1 "$2/$chat") ;;
	"curl HTTP/2") command=("${curl[@]}" --http2 "$2/$chat") ;;
	wget) command=(wget -q -O- --ca-certificate="$mock_ca" --header="content-type: application/json"
		--post-file=body.json "$2/$chat") ;;
	gnutls-cli) command=(bash -c raw_request) ;;
	"libcurl, GnuTLS") command=("${post[@]}" libcurl-gnutls.so.4 "$2/$chat" "$mock_ca") ;;
	"libcurl, NSS") command=("${post[@]}" libcurl-nss.so.4 "$2/$chat" "$mock_ca") ;;
	"httpx HTTP/2") command=("${post[@]}" httpx2 "$2/$chat" "$mock_ca") ;;
	*) command=("${post[@]}" "$1" "$2/$chat" "$mock_ca") ;;
	esac
}

# check_client NAME HTTP-VERSION URL STREAM
check_client() {
	local name=$1 version=$2 status
	rm -f db db-* c.rsp
	: >mock.log
	printf '{"model":"gpt-4.1","stream":%s,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"%030000d [[scenario:long]]"}]}' \
		"$4" 0 >body.json
	client_command "$name" "$3"
	{
		bounded "$RINGSPAN" record --store db --capture c.rsp -- "${command[@]}" <body.json >out 2>err
		status=$?
		[ $status -ne 77 ] || return 77
		[ $status -eq 0 ] || { echo "record exits with $status"; cat err; }
		grep -q chatcmpl- out || echo "the client got no answer"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		check_spans --spans spans.ndjson --at-least 1
		grep -q "\"network.protocol.version\": *\"$version\"" spans.ndjson ||
			echo "it is not HTTP/$version"
		grep -q 'nothing lost' err || cat err
		same_twice
		no_secret db* c.rsp spans.ndjson out err
	} >problems 2>&1
	! [ -s problems ]
}

run_client() { # NAME HTTP-VERSION URL PROGRAM
	local stream
	if ! command -v "$4" >/dev/null; then
		echo "skip - $1: there is no $4"
		return
	fi
	[ -n "$3" ] || { echo "skip - $1: no node to speak HTTP/2"; return; }
	for stream in false true; do
		check_client "$1" "$2" "$3" $stream
		case $? in
		77) echo "skip - $1: $(tail -n 1 err | cut -c1-200)" ;;
		0) result "$1, stream $stream" 0 ;;
		*) result "$1, stream $stream" 1 problems ;;
		esac
	done
}

run_client curl 1.1 "$h1" curl
run_client "curl HTTP/2" 2 "$h2" curl
run_client wget 1.1 "$h1" wget
run_client gnutls-cli 1.1 "$h1" gnutls-cli
run_client "libcurl, GnuTLS" 1.1 "$h1" "$PYTHON"
run_client "libcurl, NSS" 1.1 "$h1" "$PYTHON"
run_client requests 1.1 "$h1" "$PYTHON"
run_client httpx 1.1 "$h1" "$PYTHON"
run_client "httpx HTTP/2" 2 "$h2" "$PYTHON"
run_client aiohttp 1.1 "$h1" "$PYTHON"

# git asks in a process of its own, which Debian links with GnuTLS; here is nothing for it
if ! command -v git >/dev/null; then
	echo "skip - git: there is no git"
	exit 0
fi
rm -f db db-*
: >mock.log
{
	GIT_SSL_CAINFO=$mock_ca bounded "$RINGSPAN" record --store db -- \
		git ls-remote "$h1/a.git" >out 2>err
	grep -q 'not found' err || cat err
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	size=$(sed -n 's/.*"content_bytes": \([0-9]*\).*/\1/p' mock.log)
	grep '"url.full": *"'"$h1/a.git/info/refs?service=git-upload-pack"'"' spans.ndjson |
		grep '"http.response.status_code": *404' |
		grep -q '"http.response.body.size": *'"${size:-none}"'[,}]' || cat spans.ndjson mock.log
} >problems 2>&1
! [ -s problems ]
result "git" $? problems
