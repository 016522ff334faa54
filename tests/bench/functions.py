#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a call of a probed function costs under ringspan, and under bpftrace at the same places.

usage: functions.py RINGSPAN FUNC_COST [ROUNDS [SECONDS]]

In each round every way has its turn.  CPU time of the calling thread; what is probed is single-stepped
by the kernel, or emulated where the code allows that.  A tool that is missing is said to be.  Needs root.
"""
import os
import shutil
import statistics
import subprocess
import sys

KINDS = ["small", "small_over", "framed", "framed_over"]
ringspan, victim = sys.argv[1], os.path.abspath(sys.argv[2])
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
seconds = sys.argv[4] if len(sys.argv) > 4 else "4"
ASKED = f"{victim}:cost_*(%d) = %d"
EACH = "".join(f"{kind}:{victim}:{name} {{ {action} }} " for name in ("cost_small", "cost_framed")
               for kind, action in (("uprobe", "@s[tid] = nsecs;"),
                                    ("uretprobe", "@n = count(); delete(@s[tid]);")))
EMPTY = "".join(f"{kind}:{victim}:{name} {{ }} " for name in ("cost_small", "cost_framed")
                for kind in ("uprobe", "uretprobe"))
COUNT = "".join(f"{kind}:{victim}:{name} {{ @[probe] = count(); }} "
                for name in ("cost_small", "cost_framed") for kind in ("uprobe", "uretprobe"))


def costs(text):
    """ns by kind, or None when the victim did not get to its end."""
    words = (line.split() for line in text.splitlines())
    found = {w[0]: float(w[1]) for w in words if len(w) == 2 and w[0] in KINDS}
    return found if len(found) == len(KINDS) else None


def run(*command):
    """A command of which the victim is a part."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120,
                          text=True, check=False)
    return costs(done.stdout)


def record(*command):
    """Arguments for a recording of a command with probes."""
    return [ringspan, "record", "--quiet", "--no-store", "--uprobe", ASKED, "--", *command]


def bystander():
    """The victim beside a recording of another process."""
    with subprocess.Popen(record("sh", "-c", "echo ready; exec sleep 60"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as other:
        other.stdout.readline()
        found = run(victim, seconds)
        other.terminate()
        other.stdout.read()
    return found


def bpftrace(program):
    """None where it is missing."""
    if not shutil.which("bpftrace"):
        return None
    return run("bpftrace", "-e", program, "-c", f"{victim} {seconds}")


WAYS = {
    "untraced": lambda: run(victim, seconds),
    "ringspan, bystander": bystander,
    "ringspan": lambda: run(*record(victim, seconds)),
    "bpftrace, empty": lambda: bpftrace(EMPTY),
    "bpftrace, count": lambda: bpftrace(COUNT),
    "bpftrace, time and count": lambda: bpftrace(EACH),
}


def main():
    seen = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, measure in WAYS.items():
            found = measure()
            if found:
                seen[way].append(found)
    print(f"ns of CPU a call, best and median of {rounds} runs; `over`: more than are told in a second")
    print(f"{'':26}" + "".join(f"{kind:>18}" for kind in KINDS))
    for way, found in seen.items():
        if not found:
            print(f"{way:26}{'does not run here':>18}")
            continue
        print(f"{way:26}" + "".join(
            f"{min(f[k] for f in found):10.0f}{statistics.median(f[k] for f in found):8.0f}"
            for k in KINDS))


if __name__ == "__main__":
    main()
