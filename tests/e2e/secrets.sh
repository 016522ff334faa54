#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Secrets of all kinds, made up now, are put wherever one can be (planted.py has the list) and looked for in
# all that ringspan writes: in the bytes of its files, and in what those hold once that is decoded.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

planted=("$PYTHON" "$here/planted.py")
"${planted[@]}" plan plan.json
"${planted[@]}" server plan.json >port &
pids+=($!)
wait_for 20 test -s port || { echo "Bail out! the server does not start"; exit 1; }
h2_port=
if "$NODE" --version >/dev/null 2>&1 && curl --version | grep -q HTTP2; then
	cat >h2.mjs <<'END'
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import zlib from "node:zlib";
const plan = JSON.parse(readFileSync(process.argv[2]));
const secret = (place) => plan[place].join("");
const answer = JSON.stringify({ id: "chatcmpl-2", object: "chat.completion", model: "gpt-4.1",
	choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant",
		content: "It is " + secret("HTTP/2 gzip response") } }],
	usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } });
const server = http2.createServer((request, response) => {
	request.resume();
	request.on("end", () => {
		response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip",
			"set-cookie": `a=${secret("HTTP/2 set-cookie")}` });
		response.end(zlib.gzipSync(answer));
	});
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
END
	"$NODE" h2.mjs plan.json >h2.port 2>h2.err &
	pids+=($!)
	wait_for 20 test -s h2.port || cat h2.err
	h2_port=$(cat h2.port)
fi
environment=$("$PYTHON" -c 'import json; print("".join(json.load(open("plan.json"))["environment"]))')

# record_all FOLDER [OPTION...]: the agent, and what every verb makes of it.
record_all() {
	local to=$1 span
	shift
	mkdir -p "$to"
	PLANTED=$environment bounded "$RINGSPAN" record --logs --files all --profile --syscalls file "$@" \
		--store "$to/kept.db" --capture "$to/c.rsp" -- \
		sh -c 'exec "$@" 2>agent.err' sh "${planted[@]}" agent plan.json "$(cat port)" $h2_port >agent.out 2>"$to/stderr" || echo "record fails"
	grep -q "nothing lost" "$to/stderr" || cat "$to/stderr"
	for format in ndjson otlp-json tree lines; do
		bounded "$RINGSPAN" export --store "$to/kept.db" --payload --format $format >"$to/export-$format"
		bounded "$RINGSPAN" replay "$to/c.rsp" --payload "${@:1:1}" --format $format >"$to/replay-$format"
	done
	bounded "$RINGSPAN" export --store "$to/kept.db" --logs >"$to/export-logs"
	bounded "$RINGSPAN" show --store "$to/kept.db" --payload --files >"$to/show"
	bounded "$RINGSPAN" spans --store "$to/kept.db" >"$to/spans"
	bounded "$RINGSPAN" runs --store "$to/kept.db" >"$to/runs"
	bounded "$RINGSPAN" logs --store "$to/kept.db" >"$to/logs"
	bounded "$RINGSPAN" logs --store "$to/kept.db" --json >"$to/logs.json"
	bounded "$RINGSPAN" profile --store "$to/kept.db" >"$to/profile"
	bounded "$RINGSPAN" latency --store "$to/kept.db" >"$to/latency"
	for at in 1ms 20ms 50ms 100ms 200ms 400ms 800ms 60s; do
		bounded "$RINGSPAN" top --replay "$to/c.rsp" "${@:1:1}" --at $at --json >>"$to/top.json"
		bounded "$RINGSPAN" top --replay "$to/c.rsp" "${@:1:1}" --at $at --once >>"$to/top"
	done
	bounded "$RINGSPAN" record --quiet --store "$to/kept.db" -- true 2>>"$to/stderr"
	# shellcheck disable=SC2046 # two runs
	bounded "$RINGSPAN" diff --all --store "$to/kept.db" $(bounded "$RINGSPAN" runs --store "$to/kept.db" --json |
		grep -o '^{"trace_id":"[0-9a-f]*' | cut -d'"' -f4) >"$to/diff" || [ $? -eq 1 ] || echo "diff fails"
	grep -q '"step":"[^"]' "$to/top.json" && grep -q "model" "$to/diff" || echo "top or diff says nothing"
	for span in $(bounded "$RINGSPAN" spans --store "$to/kept.db" --where 'kind=model_call' --json |
		sed 's/.*"span_id":"\([0-9a-f]*\)","parent.*/\1/'); do
		bounded "$RINGSPAN" request --store "$to/kept.db" "$span" >>"$to/request" 2>>"$to/request.err"
		bounded "$RINGSPAN" request --store "$to/kept.db" "$span" --curl >>"$to/request" 2>>"$to/request.err"
	done
	cp -r "$XDG_CACHE_HOME" "$to/cache"
}

record_all all --no-redact >problems 2>&1
"${planted[@]}" seen plan.json all >missing 2>&1
[ -n "$h2_port" ] || sed -i '/^HTTP\/2/d' missing
[ "$(cat missing)" = environment ]
result "with --no-redact all of it is seen, but for the environment, which is not read" $? missing
{
	record_all masked
	"${planted[@]}" check plan.json masked 2>counts
} >problems 2>&1
counts=$(cat counts)
! [ -s problems ]
result "nothing of it is in what is written: $counts" $? problems
cmp <(sort masked/export-ndjson) <(sort masked/replay-ndjson) >problems 2>&1
result "the capture replays to what was recorded" $? problems
