#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What traced processes write to stdout and stderr, with time, process and span; only when asked for.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >speak.py <<'EOF'
import os, sys, time
os.write(1, b"first\nsecond ")
os.write(2, b"trouble\n")
os.write(1, b"line\n")
os.write(1, b"THISMUSTNOTLEAK sk-ant-api03-" + b"A" * 60 + b"\n")
time.sleep(1)
EOF
"$RINGSPAN" record --logs --store db --capture c.rsp -- sh -c "$PYTHON speak.py >file; echo last" >out 2>err &
recorder=$!
wait_for 10 eval '"$RINGSPAN" logs --store db 2>/dev/null | grep -q trouble'
result "output is there while the process runs" $? err
bounded "$RINGSPAN" logs --store db --follow >follow.txt 2>>err
result "following it ends with the run" $? err
wait "$recorder"
"$RINGSPAN" logs --store db --json >logs.json 2>>err
"$RINGSPAN" spans --store db --json >spans.json
"$RINGSPAN" export --store db --logs >otlp.json 2>>err
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
logs = [json.loads(line) for line in open("logs.json")]
spans = {s["span_id"]: s for s in map(json.loads, open("spans.json"))}
assert [l["text"] for l in logs if l["stream"] == "stdout"][:2] == ["first", "second line"], logs
assert [l["text"] for l in logs if l["stream"] == "stderr"] == ["trouble"], logs
assert logs[-1]["text"] == "last", logs
for l in logs:
    span = spans[l["span_id"]]
    assert span["attributes"]["process.pid"] == l["pid"] and span["trace_id"] == l["trace_id"]
    assert span["start_time_unix_nano"] <= l["time_unix_nano"] <= span["end_time_unix_nano"]
assert spans[logs[0]["span_id"]]["attributes"]["ringspan.kind"] == "process"
assert spans[logs[-1]["span_id"]]["attributes"]["ringspan.kind"] == "run"
(resource,) = json.load(open("otlp.json"))["resourceLogs"]
records = resource["scopeLogs"][0]["logRecords"]
assert [(r["body"]["stringValue"], r["traceId"], r["spanId"]) for r in records] == [
    (l["text"], l["trace_id"], l["span_id"]) for l in logs]
assert {a["key"] for a in resource["resource"]["attributes"]} >= {"service.name", "host.name"}
EOF
! [ -s problems ]
result "lines have their stream, process, span and time; as JSON and OTLP" $? problems
grep -q '  err  trouble$' follow.txt && [ "$(wc -l <follow.txt)" -eq "$(wc -l <logs.json)" ]
result "... and as text" $? follow.txt
! grep -aq 'sk-ant-api03-AAAAA' db* c.rsp follow.txt logs.json otlp.json
result "keys are masked" $?
bounded "$RINGSPAN" replay c.rsp --store db2 >/dev/null && "$RINGSPAN" logs --store db2 --json | cmp - logs.json
result "a replay gives the same" $?
"$RINGSPAN" record --store db3 -- echo quiet >out 2>err
"$RINGSPAN" logs --store db3 >out 2>err
[ $? -eq 0 ] && ! [ -s out ] && grep -q 'record --logs' err
result "without --logs nothing is kept, and said how it would be" $? err
