#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What samples of stacks cost: who is sampled, who is not, and ringspan itself.

    profile.py RINGSPAN [ROUNDS]

The first table is of busy loops that do a fixed amount of work, in turn alone, under `record`, and under
`record --profile`.  The second is the kernel's own count of the program's time (bpf_stats_enabled, which
adds some 60 ns to each run), for a stack of 30 frames and what started the program.
"""

import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

STATS = "/proc/sys/kernel/bpf_stats_enabled"
SAMPLE = 20

PYTHON = """
import time
def work(n):
    s = 0
    for i in range(n):
        s += i * i
    return s
for i in range(2500):
    work(10000)
print(time.process_time())
"""
NODE = """
function work(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i) * i % 7; return s }
let s = 0
for (let i = 0; i < 600; i++) s += work(300000)
const u = process.cpuUsage()
console.log((u.user + u.system) / 1e6 + (s > 1e300 ? 1 : 0))
"""
DEEP = """
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
volatile unsigned long sink;
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
__attribute__((noinline)) static void deep(int n, double end)
{
    if (n)
        deep(n - 1, end);
    else
        while (now() < end)
            for (int i = 0; i < 1000000; i++)
                sink += i;
    sink++;
}
int main(int argc, char **argv)
{
    sleep(atoi(argv[1]));
    deep(30, now() + atof(argv[2]));
}
"""


def cpu_of_children():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


def one_run(command, prefix):
    """CPU seconds of the program, and of ringspan."""
    before = cpu_of_children()
    done = subprocess.run(prefix + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=True)
    if prefix and "nothing lost" not in done.stderr:
        raise SystemExit(done.stderr)
    own = float(done.stdout)
    return own, cpu_of_children() - before - own


def loops(ringspan, rounds, folder):
    record = [ringspan, "record", "--quiet", "--store", folder + "/db"]
    ways = [("alone", []), ("record", record + ["--"]),
            ("record --profile 99", record + ["--profile", "99", "--"]),
            ("record --profile 999", record + ["--profile", "999", "--"])]
    commands = [("python", ["/usr/bin/python3", "-c", PYTHON])]
    if shutil.which("node"):
        commands.append(("node", ["node", "-e", NODE]))
    for name, command in commands:
        got = {way: [] for way, _ in ways}
        for _ in range(rounds):
            for way, prefix in ways:
                got[way].append(one_run(command, prefix))
        alone = statistics.median(own for own, _ in got["alone"])
        base = statistics.median(of for _, of in got["record"])
        print(f"{name}, medians of {rounds} rounds")
        for way, _ in ways:
            own = sorted(own for own, _ in got[way])
            of = statistics.median(of for _, of in got[way])
            print(f"  {way:<22} {own[len(own) // 2]:6.3f} s ({(own[len(own) // 2] / alone - 1) * 100:+5.1f} %)"
                  f"  {own[0]:6.3f} - {own[-1]:6.3f}" +
                  ("" if way == "alone" else f"  ringspan {of:6.3f} s ({of - base:+6.3f})"))


def programs():
    """Those of that name, by id."""
    shown = json.loads(subprocess.check_output(["bpftool", "-j", "prog", "show"]))
    return {p["id"]: p for p in shown if p.get("name") == "sample"}


def stats(program):
    """Time and number of its runs so far, and when that was."""
    p = programs()[program]
    return p.get("run_time_ns", 0), p.get("run_cnt", 0), time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def records(path, kind):
    """(time, size) of the records of a kind; schemas/capture.md."""
    data = open(path, "rb").read()
    at = struct.unpack_from("<I", data, 12)[0]
    while at + 16 <= len(data):
        size, found, _, ts = struct.unpack_from("<IHHQ", data, at)
        if found == kind:
            yield ts, size
        at += (size + 7) & ~7


def window(ringspan, folder, command, begin, length):
    """Runs, their time in ns, and sizes of the samples in a time after the recorder began."""
    capture, before = folder + "/c.rsp", set(programs())
    recorder = subprocess.Popen([ringspan, "record", "--quiet", "--no-store", "--capture", capture,
                                 "--profile", "999", "--"] + command, stderr=subprocess.DEVNULL)
    while recorder.poll() is None and not set(programs()) - before:
        time.sleep(0.02)
    program = max(set(programs()) - before)
    time.sleep(begin)
    a = stats(program)
    time.sleep(length)
    b = stats(program)
    recorder.wait()
    sizes = [size for ts, size in records(capture, SAMPLE) if a[2] <= ts < b[2]]
    return b[1] - a[1], b[0] - a[0], sizes


def program_cost(ringspan, folder):
    source = folder + "/deep.c"
    open(source, "w").write(DEEP)
    subprocess.run(["cc", "-O0", "-fno-omit-frame-pointer", "-o", folder + "/deep", source], check=True)
    was = open(STATS).read()
    open(STATS, "w").write("1\n")
    try:
        runs, ns, _ = window(ringspan, folder, [folder + "/deep", "4", "0"], 1, 2)
        bystander = ns / runs
        print(f"  not traced             {bystander:6.0f} ns")
        old = window(ringspan, folder, [folder + "/deep", "2", "4"], 3.2, 2)
        young = window(ringspan, folder, ["sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9; do {folder}/deep 0 0.8; done"],
                       0.5, 4)
        for name, (runs, ns, sizes) in (("by addresses", old), ("by files", young)):
            each = (ns - (runs - len(sizes)) * bystander) / len(sizes)
            print(f"  traced, {name:<14} {each:6.0f} ns, {statistics.median(sizes):.0f} bytes"
                  f"  ({len(sizes)} samples)")
    finally:
        open(STATS, "w").write(was)


def main():
    ringspan = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with tempfile.TemporaryDirectory() as folder:
        loops(ringspan, rounds, folder)
        print("a run of the program at the clock of a CPU")
        program_cost(ringspan, folder)


if __name__ == "__main__":
    main()
