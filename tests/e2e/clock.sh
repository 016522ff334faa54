#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The wall clock is set back, and the machine sleeps, while an agent is recorded.  Neither is done to this
# machine: a library before libc's adds to the clocks that ringspan reads, as much as a file says.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >shim.c <<'EOF'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *add; /* seconds: to CLOCK_REALTIME, to CLOCK_BOOTTIME */

__attribute__((constructor)) static void begin(void)
{
	int fd = open(getenv("CLOCK_SHIM"), O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);

	add = p == MAP_FAILED ? NULL : p;
	close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	if (add && clock == CLOCK_REALTIME)
		ts->tv_sec += add[0];
	if (add && clock == CLOCK_BOOTTIME)
		ts->tv_sec += add[1];
	return ret;
}
EOF
if ! "${CC:-cc}" -O1 -shared -fPIC -o shim.so shim.c 2>cc.err; then
	echo "skip - clocks that are set while ringspan records: no compiler for a library"
	exit 0
fi

# clocks REALTIME BOOTTIME: seconds to add from now on
cat >clocks <<EOF
#!$PYTHON
import struct, sys
with open("$tmp/added", "r+b") as f:
    f.write(struct.pack("=qq", int(sys.argv[1]), int(sys.argv[2])))
EOF
chmod +x clocks
head -c 16 /dev/zero >added
export CLOCK_SHIM=$tmp/added

LD_PRELOAD=$tmp/shim.so bounded "$RINGSPAN" record --store db --capture c.rsp -- env -u LD_PRELOAD sh -c '
	sleep 0.3
	./clocks -3600 0
	sleep 0.4
	./clocks 25200 28800
	sleep 0.4 # until it was looked at
	sleep 0.1' >out 2>err
status=$?
[ $status -eq 0 ] && [ "$(grep -c "^ringspan: .*the wall clock was set back by 1h" err)" -eq 1 ]
result "a wall clock that is set back is told, once" $? err
[ "$(grep -c "^ringspan: .*the machine was suspended for 8h" err)" -eq 1 ]
result "a suspend is told, once" $? err

bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
same_twice
result "the capture has the clocks, too" $?

"$PYTHON" - spans.ndjson >problems <<'EOF'
import json, sys
HOUR = 3600 * 10**9
spans = [json.loads(line) for line in open(sys.argv[1])]
by_id = {s["span_id"]: s for s in spans}
run = next(s for s in spans if s["attributes"]["ringspan.kind"] == "run")
for s in spans:
    up = by_id.get(s["parent_span_id"])
    start, end = s["start_time_unix_nano"], s["end_time_unix_nano"]
    if up and not up["start_time_unix_nano"] <= start <= end <= up["end_time_unix_nano"]:
        print("not inside of its parent:", s["name"], start, end)
def near(what, got, want):
    if abs(got - want) > 30 * 10**9:
        print(f"{what}: {got} instead of {want}")
length = run["end_time_unix_nano"] - run["start_time_unix_nano"]
near("the run's length", length, 8 * HOUR)
near("suspended", run["attributes"].get("ringspan.suspended_ns", 0), 8 * HOUR)
near("set", run["attributes"].get("ringspan.clock.step_ns", 0), -HOUR)
steps = [e for e in run["events"] if e["name"] == "ringspan.clock.step"]
if len(steps) != 1:
    print(len(steps), "steps")
sleeps = [s for s in spans if s["name"] == "sleep"]
if len(sleeps) != 4:
    print(len(sleeps), "processes called sleep")
sleeps.sort(key=lambda s: s["start_time_unix_nano"])
near("the last one began", sleeps[-1]["start_time_unix_nano"], run["start_time_unix_nano"] + 8 * HOUR)
near("the second one", sleeps[1]["start_time_unix_nano"], run["start_time_unix_nano"])
EOF
! [ -s problems ]
result "what is inside of another stays there, and the night is where it was" $? problems
bounded "$RINGSPAN" show --store db >show
grep -q "^the machine was suspended for 8h.*the wall clock was set back by 1h" show &&
	[ "$(grep -c " suspended 8h00m  " show)" -eq 1 ]
result "show says what was done to the clocks" $? show

# what begins then has the time of then
LD_PRELOAD=$tmp/shim.so bounded "$RINGSPAN" record --quiet --store later -- env -u LD_PRELOAD true 2>err
"$RINGSPAN" export --store later --format ndjson >later.ndjson
"$PYTHON" -c '
import json, sys, time
start = json.loads(open("later.ndjson").readline())["start_time_unix_nano"] / 1e9
sys.exit(abs(start - time.time() - 7 * 3600) > 60)'
result "a recording that begins later has the clock of then" $? later.ndjson
