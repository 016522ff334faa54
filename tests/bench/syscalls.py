#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a system call costs under ringspan, and under what else counts and times system calls.

usage: syscalls.py RINGSPAN SYS_COST [ROUNDS]

In each round every way has its turn, so that all see the same machine.  Whatever else traces system
calls meanwhile makes all of them dearer, so the best run is told beside the median.  A tool that is
missing or does not start is said to be.  Needs root.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

KINDS = ["getppid", "pread64", "read"]
FAST, SLOW = "2000", "200"  # calls in a slice; slower where each is stopped
HIST = ("tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @s[tid] = nsecs; } "
        "tracepoint:raw_syscalls:sys_exit /@s[tid]/ "
        "{ @[args->id] = hist(nsecs - @s[tid]); delete(@s[tid]); }")
COUNT = "tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @[args->id] = count(); }"

ringspan, sys_cost = sys.argv[1], sys.argv[2]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
folder = tempfile.mkdtemp()


def costs(text):
    """ns by kind, or None when the victim did not get to its end."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] in KINDS:
            found[words[0]] = float(words[1])
    return found if len(found) == len(KINDS) else None


def run(*command):
    """A command of which the victim is a part."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120,
                          text=True, check=False)
    return costs(done.stdout)


def record(*command):
    """Arguments for a recording of a command."""
    return [ringspan, "record", "--quiet", "--no-store", *command]


def bystander():
    """The victim beside a recording; it is attached when its command runs."""
    with subprocess.Popen(record("--", "sh", "-c", "echo ready; sleep 60"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as other:
        other.stdout.readline()
        found = run(sys_cost, FAST)
        other.terminate()
        other.stdout.read()
    return found


def syscount():
    """It counts a process by its id, and says when it does."""
    with subprocess.Popen([sys_cost, FAST, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as victim:
        with subprocess.Popen(["syscount-bpfcc", "-L", "-p", str(victim.pid)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=dict(os.environ, PYTHONUNBUFFERED="1")) as tool:
            started = "Tracing" in tool.stdout.readline()
            victim.stdin.close()
            found = costs(victim.stdout.read())
            tool.send_signal(2)
            tool.stdout.read()
    return found if started else None


def other(name, *command):
    """None where the tool is missing."""
    return lambda: run(*command) if shutil.which(name) else None


nothing = os.path.join(folder, "out")
WAYS = {
    "untraced": lambda: run(sys_cost, FAST),
    "ringspan, bystander": bystander,
    "empty programs": lambda: run(sys_cost, FAST, "empty"),
    "empty, 35 calls": lambda: run(sys_cost, FAST, "list"),
    "ringspan": lambda: run(*record("--", sys_cost, FAST)),
    "ringspan --slow 1ms": lambda: run(*record("--slow", "1ms", "--", sys_cost, FAST)),
    "bpftrace count": other("bpftrace", "bpftrace", "-o", nothing, "-e", COUNT, "-c",
                            sys_cost + " " + FAST),
    "bpftrace histogram": other("bpftrace", "bpftrace", "-o", nothing, "-e", HIST, "-c",
                                sys_cost + " " + FAST),
    "syscount-bpfcc -L": lambda: syscount() if shutil.which("syscount-bpfcc") else None,
    "perf trace -s": other("perf", "perf", "trace", "-s", "-o", nothing, sys_cost, SLOW),
    "strace -f -c": other("strace", "strace", "-f", "-c", "-o", nothing, sys_cost, SLOW),
}


def table(best, median):
    """A line each way: the best run, what it is over the untraced, and the median run."""
    print(f"ns a call: best of {rounds} runs (over the best untraced) median; in turn, best slice of each")
    print(f"{'':20}" + "".join(f"{kind:>22}" for kind in KINDS))
    for way in WAYS:
        if way not in best:
            print(f"{way:20}{'does not run here':>22}")
            continue
        print(f"{way:20}" + "".join(
            f"{best[way][k]:8.0f} ({best[way][k] - best['untraced'][k]:+6.0f}){median[way][k]:6.0f}"
            for k in KINDS))


def main():
    seen = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, measure in WAYS.items():
            found = measure()
            if found:
                seen[way].append(found)
    best, median = ({way: {kind: pick(f[kind] for f in found) for kind in KINDS}
                     for way, found in seen.items() if found} for pick in (min, statistics.median))
    table(best, median)
    over = {way: {kind: best[way][kind] - best["untraced"][kind] for kind in KINDS} for way in best}
    for way in ("bpftrace histogram", "strace -f -c"):
        if way in over:
            print(f"{way} adds " + ", ".join(
                f"{over[way][kind] / max(over['ringspan'][kind], 1):.1f} times as much to {kind}"
                for kind in KINDS[:2]) + " as ringspan")


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(folder)
