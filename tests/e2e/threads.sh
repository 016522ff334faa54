#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What each thread took, also of those that have not ended: at the end of a recording, and while it lasts.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >threads.py <<'EOF'
import ctypes, os, threading, time
def spin(name):
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass
def locker():
    spin("locker")
    lock.acquire()
def piper():
    spin("piper")
    os.read(pipe[0], 1)
def short():
    spin("short")
pipe, lock = os.pipe(), threading.Lock()
lock.acquire()
while not os.path.exists("go"):
    time.sleep(0.02)
for f in locker, piper, short:
    threading.Thread(target=f, daemon=True).start()
spin("leader")
time.sleep(300)
EOF
"$PYTHON" -S threads.py &
pid=$!
pids+=("$pid")
timeout --foreground -k 5 100 "$RINGSPAN" attach -p $pid --store db --capture c.rsp 2>err &
attach=$!
wait_for 30 grep -q "attached" err || sleep 3
touch go
live() {
	"$RINGSPAN" latency --store db --by thread --json >live.json && grep -q locker live.json && grep -q piper live.json
}
wait_for 40 live 2>problems
result "threads of a run in flight are told while they live" $? live.json
kill $attach # background jobs do not hear of SIGINT
wait $attach
"$RINGSPAN" latency --store db --by thread --json >store.json 2>>err
"$RINGSPAN" latency --capture c.rsp --by thread --json >capture.json 2>>err
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
rows = {r["name"]: r for r in json.load(open("store.json"))["rows"]}
assert set(rows) == {"leader", "locker", "piper", "short"}, rows
for name, cause in ("locker", "lock"), ("piper", "pipe"), ("leader", "sleep"):
    blocked = rows[name]["blocked_ns"]
    assert max(blocked, key=blocked.get) == cause, rows[name]
for r in rows.values():
    assert r["cpu_ns"] >= 15e6 and r["process"] == "run threads.py", r
for name in "locker", "piper", "short": # they began when they were traced
    r = rows[name]
    whole = r["cpu_ns"] + r["run_queue_ns"] + sum(r["blocked_ns"].values())
    assert 0.8 * r["time_ns"] - 1e6 <= whole <= 1.2 * r["time_ns"] + 1e6, r
assert rows["short"]["time_ns"] < rows["locker"]["time_ns"], rows
if json.load(open("capture.json")) != json.load(open("store.json")):
    print("a capture tells something else:", open("capture.json").read())
EOF
cat err >errors
[ -s problems ] && cat problems >>errors
! [ -s problems ]
result "at the end each thread has its CPU, its run queue and its waits by cause, and they are its time" $? errors
"$RINGSPAN" latency --store db --by thread >table 2>err
grep -q "^locker .*run threads.py ($pid).* lock " table && grep -q "^thread .*RUN QUEUE" table
result "the table names threads, processes and causes" $? table
! "$RINGSPAN" latency --store db --by thread --heatmap >out 2>err && grep -q "no durations" err
result "there is no map of sums" $? err
