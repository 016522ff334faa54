#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bursts of small writes, and bodies as large as is kept of one and larger: all of it is there, or what is
# missing is counted to the byte.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

if ! command -v openssl >/dev/null; then
	echo "skip - bursts: no openssl"
	exit 0
fi
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=api.test 2>/dev/null
"$PYTHON" "$tests/mock/sink.py" cert.pem key.pem >ports 2>sink.err &
pids+=($!)
wait_for 20 test -s ports
read -r tls plain <ports

# burst NAME PORT KIND BYTES PIECE ANSWER -- RECORD-OPTION... -- CHECK-OPTION...
burst() {
	local name=$1 client=("${@:2:5}") record=()
	shift 7
	while [ "$1" != -- ]; do
		record+=("$1")
		shift
	done
	shift
	rm -f db db-*
	{
		timeout 100 "$RINGSPAN" record --quiet --store db "${record[@]}" -- "$PYTHON" "$tests/agents/burst.py" "${client[@]}" >client 2>err &&
			bounded "$RINGSPAN" doctor --stats --json --store db "$(run_of db)" >stats.json &&
			bounded "$RINGSPAN" export --store db --format ndjson >spans.ndjson &&
			bounded "$RINGSPAN" request --store db "$(call_of spans.ndjson)" >body 2>/dev/null
		"$PYTHON" "$here/check_burst.py" client stats.json spans.ndjson body "$@" && return
		cat err stats.json
	} >problems 2>&1
}

run_of() {
	"$RINGSPAN" runs --store "$1" --json | sed 's/.*"trace_id":"\([0-9a-f]*\)".*/\1/'
}

call_of() {
	grep '"ringspan.kind":"model_call"' "$1" | sed 's/.*"span_id":"\([0-9a-f]*\)","parent.*/\1/'
}

MB=1000000
burst small "$tls" tls $((8 * MB)) 200 1000 -- -- --whole
result "40,000 TLS calls of 200 bytes arrive whole" $? problems

burst large "$tls" tls $((64 * MB)) 16384 $((64 * MB)) -- --
result "64 MB over TLS each way: what is missing is counted" $? problems

burst plain "$plain" plain $((64 * MB)) 16384 $((64 * MB)) -- --
result "64 MB over TCP each way: what is missing is counted" $? problems

burst larger "$tls" tls $((70 << 20)) 16384 $((70 << 20)) -- --ring-size 256MiB -- --whole --cut $((6 << 20))
result "bodies of 70 MiB: beginning and end are kept, 6 MiB are counted" $? problems

burst call "$tls" tls $((64 * MB)) $((64 * MB)) 1000 -- --
result "64 MB in one call: its beginning and end are kept, the rest is counted" $? problems

burst lossy "$tls" tls $((8 * MB)) 200 $((8 * MB)) -- --ring-size 64KiB --
result "a ring that is too small: what is missing is counted" $? problems

# A recorder whose parsing side hangs is seen from outside: its other side goes on to tell.
"$RINGSPAN" record --quiet --no-store -- sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 0.3; true; done' >out 2>err &
recorder=$!
pids+=("$recorder")
told() {
	"$RINGSPAN" doctor --stats --json | grep "\"pid\":$recorder,"
}
delivers() {
	told | grep -q '"EXEC":{"produced":[1-9]'
}
{
	wait_for 20 delivers || echo "doctor --stats does not know of it"
	kill -STOP "$recorder"
	sleep 1.2
	"$PYTHON" - "$(told)" <<-'END'
		import json, sys
		told = json.loads(sys.argv[1])
		print("" if told["parser"]["age_ns"] > 1_000_000_000 else "the parser does not seem to hang\n", end="")
		print("" if told["ring"]["bytes"] == 8 << 20 else f"ring {told['ring']}\n", end="")
		for name, kind in (*told["kinds"].items(), ("all", told["records"])):
		    if kind["produced"] != kind["delivered"] + kind["lost_ring_full"] + kind["left_out_rate"] + kind["waiting"]:
		        print(name, kind)
	END
	kill -CONT "$recorder"
	wait "$recorder" || echo "exit code $?"
} >problems 2>&1
[ ! -s problems ]
result "doctor --stats sees a recorder whose parser hangs" $? problems
"$RINGSPAN" doctor --stats >out 2>err
! grep -q "recorder $recorder" out
result "... and nothing of one that is gone" $? out
