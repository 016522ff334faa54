#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# System calls are counted as strace counts them, told while a process runs, and replayed from a capture.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >victim.py <<'EOF'
import os
for i in range(300):
    try:
        os.stat("/does-not-exist/%d" % i)
    except OSError:
        pass
    os.getppid()
for i in range(3):
    pid = os.fork()
    if not pid:
        os.execv("/bin/dd", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=500", "status=none"])
    os.waitpid(pid, 0)
try:
    os.rmdir("/")
except OSError:
    pass
EOF
victim=(env PYTHONHASHSEED=0 "$PYTHON" -S -I -B victim.py)
# the same files both times: what a program does depends on what they are
"$RINGSPAN" record --store db --capture c.rsp --quiet -- "${victim[@]}" </dev/null >out 2>err
"$RINGSPAN" latency --store db --json >latency.json 2>>err
same="calls and errors of four processes are those of strace -f -c"
if command -v strace >/dev/null; then
	strace -f -c -o strace.txt "${victim[@]}" </dev/null >>out 2>>err
	"$PYTHON" - >problems 2>&1 <<'EOF'
import json
strace = {}
for line in open("strace.txt"):
    f = line.split()
    if len(f) >= 5 and f[0][0].isdigit() and f[-1] != "total":
        strace[f[-1]] = (int(f[3]), int(f[4]) if len(f) == 6 else 0)
got = {r["name"]: (r["calls"], r["errors"]) for r in json.load(open("latency.json"))["rows"]}
assert len(strace) > 20 and strace["getppid"][0] >= 300, strace
for name in sorted(set(strace) | set(got)):
    if strace.get(name) != got.get(name):
        print(name, "strace", strace.get(name), "ringspan", got.get(name))
EOF
	! [ -s problems ]
	result "$same" $? problems
else
	echo "skip - $same: no strace"
fi

"$PYTHON" - >problems 2>&1 <<'EOF'
import json
rows = {r["name"]: r for r in json.load(open("latency.json"))["rows"]}
assert sum(r["errnos"].get("2", 0) for r in rows.values()) >= 300, rows
assert rows["rmdir"]["errors"] == 1, rows["rmdir"]
for r in rows.values():
    assert sum(b["calls"] for b in r["histogram"]) == r["calls"], r
    assert r["p50_ns"] <= r["p95_ns"] <= r["p99_ns"] <= r["max_ns"] <= r["total_ns"], r
EOF
! [ -s problems ]
result "errnos, histograms and percentiles agree with the counts" $? problems

{
	for by in syscall class process span; do
		bounded "$RINGSPAN" latency --store db --by $by --heatmap --json >stored.json
		bounded "$RINGSPAN" latency --capture c.rsp --by $by --heatmap --json >replayed.json
		cmp stored.json replayed.json
		bounded "$RINGSPAN" latency --store db --by $by --heatmap --histogram >text ||
			echo "by $by: exit code $?"
	done
	"$RINGSPAN" latency --capture c.rsp --by process | grep -c '^dd (' | grep -qx 3 || echo "no three dd"
} >problems 2>&1
! [ -s problems ]
result "a capture gives what the store does" $? problems

cat >loop.py <<'EOF'
import os, threading, time
def go():
    while True:
        os.getppid()
        time.sleep(0.001)
threading.Thread(target=go, daemon=True).start()
go()
EOF
"$PYTHON" loop.py &
loop=$!
pids+=("$loop")
two_threads() {
	[ "$(find "/proc/$loop/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
}
wait_for 20 two_threads
bounded "$RINGSPAN" latency -p "$loop" --for 2s --json >live.json 2>live.err
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
rows = {r["name"]: r for r in json.load(open("live.json"))["rows"]}
naps, calls = rows["clock_nanosleep"], rows["getppid"]["calls"]
assert calls > 20 and abs(calls - naps["calls"]) <= 2, rows
assert naps["p50_ns"] >= 1000000, naps
EOF
cat live.err >>problems
! [ -s problems ]
result "threads of a process that runs already are counted from then on" $? problems

cat >calls.py <<'EOF'
import os, time
time.sleep(0.05)
def attempt(call, *args):
    try:
        call(*args)
    except OSError:
        pass
for i in range(5):
    attempt(os.mkdir, "/")
attempt(os.rmdir, "/does-not-exist")
attempt(os.stat, "/dev/null/x")
EOF
"$RINGSPAN" record --store one --capture one.rsp --quiet --slow poll=50ms --failed ENOTDIR,EACCES \
	--syscalls mkdir -- "$PYTHON" -S -I -B calls.py >out 2>err
"$RINGSPAN" spans --store one --where 'kind=syscall' --json >one.json
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
spans = [json.loads(line) for line in open("one.json")]
got = [(s["name"], s["attributes"]["ringspan.syscall.why"]) for s in spans]
want = [("clock_nanosleep", "slow")] + 5 * [("mkdir /", "asked")] + [("newfstatat /dev/null/x", "failed")]
assert got == want, got
assert spans[0]["end_time_unix_nano"] - spans[0]["start_time_unix_nano"] >= 50000000, spans[0]
assert all(s["attributes"]["error.type"] == "EEXIST" for s in spans[1:6]), spans
EOF
bounded "$RINGSPAN" replay one.rsp --format ndjson | grep '"syscall"' | cmp - one.json >>problems 2>&1
for wrong in --slow=long --slow=disk=1s --failed=EFOO --syscalls=foo; do
	"$RINGSPAN" record --no-store $wrong -- true >/dev/null 2>wrong.err
	[ $? -eq 2 ] && [ "$(wc -l <wrong.err)" -eq 1 ] || echo "$wrong: not refused" >>problems
done
! [ -s problems ]
result "calls that are slow, fail or are asked for become spans" $? problems
