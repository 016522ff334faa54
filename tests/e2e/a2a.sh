#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A2A of 0.3 and 1.0 over HTTP, with client and agent traced: each request is one span.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

export PYTHON
cat >both.sh <<-'END'
	"$PYTHON" "$1" --serve >ready &
	server=$!
	for _ in $(seq 100); do
		[ -s ready ] && break
		sleep 0.05
	done
	"$PYTHON" "$1" --port "$(tr -dc 0-9 <ready)"
	status=$?
	kill $server
	exit $status
END
cat >wanted <<-'END'
	GetAgentCard Planner None None
	SendMessage TASK_STATE_COMPLETED None
	SendStreamingMessage TASK_STATE_COMPLETED None
	SendMessage TASK_STATE_FAILED TASK_STATE_FAILED
	SendStreamingMessage TASK_STATE_COMPLETED None
	GetTask None -32001
END
{
	bounded "$RINGSPAN" record --store db --capture c.rsp -- bash both.sh "$tests/mock/a2a.py" >out 2>err ||
		echo "record fails"
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	"$PYTHON" - >found <<-'END'
		import json
		spans = [json.loads(line) for line in open("spans.ndjson")]
		a2a = [s for s in spans if s["attributes"]["ringspan.kind"] == "a2a"]
		for span in sorted(a2a, key=lambda s: s["start_time_unix_nano"]):
		    get = span["attributes"].get
		    print(span["name"], get("a2a.task.state"), get("error.type"))
		    handling, length = get("ringspan.rpc.handling_ns", -1), span["end_time_unix_nano"] - span["start_time_unix_nano"]
		    if span["kind"] != "CLIENT" or not get("ringspan.rpc.peer_pid") or not 0 < handling <= length:
		        print("not of both ends:", span)
	END
	diff wanted found
	same_twice
} >problems 2>&1
! [ -s problems ]
result "both ends" $? problems
