#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does ringspan keep thousands of short processes apart, and its memory small?

usage: storm.py RINGSPAN PROCESSES PER-MINUTE [HUGE]

`record` runs a program that starts PROCESSES, so many a minute (0: as fast as it can), a tenth of them by
others of them.  Each has a serial number and its parent's in its arguments, and ends with a code that follows
from it.  Then the same with HUGE processes (50) whose arguments are as long as the kernel allows.

- As many are in the store as were started, or records are counted as lost.
- Each has the code and the parent that its own arguments say: none is mixed up with another.
- Arguments are told to EV_ARGS_MAX, and how much is missing to the byte.
- The heap of neither of ringspan's processes has grown since a third of the storm.

Prints what does not hold and exits 1; else a line of figures for each.
"""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

import kernel

KEPT = 16384          # EV_ARGS_MAX
STRING = 131072       # MAX_ARG_STRLEN with its NUL (binfmts.h)
CODES = 251           # different exit codes
AT_ONCE = 8           # processes of a storm that run at the same time
GROWN = 1.25          # times that a heap may be more than at a third: the allocator's ways,
ROOM_KB = 4096        # ... and this much more,
SHORT = 5000, 16384   # ... or this, of fewer processes: their third may come before the recorder is at work
ONE = f"exit $(($1 % {CODES}))"
# one that starts another first, whose serial number is its fourth argument
TWO = f"/bin/sh -c '{ONE}' sh $3 $1; {ONE}"


def arguments(serial, count, huge):
    """Of the process, from argv[0] on."""
    if huge:
        own = ["sh", "-c", ONE, "sh", str(serial), "0"]
        room = os.sysconf("SC_ARG_MAX") - sum(len(a) + 9 for a in own) - 16384  # environment, path, auxv
        strings = min(room // (STRING + 8), 15)
        return own + ["word " * ((STRING - 1) // 5)] * strings
    if serial % 10 == 0:
        return ["sh", "-c", TWO, "sh", str(serial), "0", str(count + serial)]
    return ["sh", "-c", ONE, "sh", str(serial), "0"]


def storm(count, per_minute, huge, progress):
    """What is recorded."""
    running, begun, environment = [], time.monotonic(), {"PATH": os.environ["PATH"]}
    with open(progress, "w", encoding="ascii") as told:
        for serial in range(1, count + 1):
            if per_minute:
                time.sleep(max(0, begun + serial * 60 / per_minute - time.monotonic()))
            running.append(os.posix_spawn("/bin/sh", arguments(serial, count, huge), environment))
            if len(running) >= AT_ONCE:
                os.waitpid(running.pop(0), 0)
            told.seek(0)
            told.write(str(serial))
            told.flush()
        for pid in running:
            os.waitpid(pid, 0)


def processes(store):
    """span id -> (attributes, parent) of all shells; records that were lost."""
    found, lost = {}, None
    with contextlib.closing(sqlite3.connect(store)) as db:
        for what, own, parent, attributes in db.execute(
                "SELECT what, span_id, parent_span_id, attributes FROM span"):
            attributes = json.loads(attributes)
            if what == "run":
                lost = attributes.get("ringspan.lost.records", 0)
            elif what == "process" and attributes.get("process.command_args", [""])[0] in ("sh", "/bin/sh"):
                found[own] = attributes, parent
    return found, lost


def mixed_up(found):
    """Each is what its own arguments say."""
    serials = set()
    for own, (attributes, parent) in found.items():
        args = attributes["process.command_args"]
        if len(args) < 6:
            yield f"process {own} has the arguments {args}"
            continue
        serial, parent_serial = int(args[4]), args[5]
        code = attributes.get("process.exit.code", attributes.get("ringspan.incomplete"))
        if code != serial % CODES:
            yield f"serial number {serial} ended with {code}"
        if serial in serials:
            yield f"serial number {serial} is there twice"
        serials.add(serial)
        above = found[parent][0]["process.command_args"][4] if parent in found else "0"
        if above != parent_serial:
            yield f"serial number {serial} is under {above}, was started by {parent_serial}"


def cut_wrong(found, count):
    for attributes, _ in found.values():
        args = attributes["process.command_args"]
        total = sum(len(a) + 1 for a in arguments(int(args[4]), count, True))
        kept = sum(len(a) + 1 for a in args) - 1  # the last one's NUL is not among them
        missing = attributes.get("ringspan.process.args_missing_bytes", 0)
        if kept != KEPT or kept + missing != total:
            yield f"arguments of {total} bytes are told as {kept} and {missing} missing"


def memory(pids):
    """
    kB of their heaps, which are what may grow; the queue between the two, 32 MiB and never more, is touched
    bit by bit, and is beside that.
    """
    return [kernel.status_kb(pid, "RssAnon") for pid in pids]


def read_number(path):
    try:
        with open(path, encoding="ascii") as f:
            return int(f.read() or 0)
    except OSError:
        return 0


class Recorded:
    """One storm under `record`."""

    def __init__(self, ringspan, count, per_minute, huge, folder):
        self.count = count
        self.store, progress = os.path.join(folder, "db"), os.path.join(folder, "progress")
        command = [ringspan, "record", "--quiet", "--store", self.store, "--", sys.executable, __file__, "--storm",
                   str(count), str(per_minute), str(int(huge)), progress]
        self.third, self.last, self.peak, begun = None, None, [0, 0], time.monotonic()
        with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
            process = subprocess.Popen(command, stderr=log)
            while process.poll() is None:
                done = read_number(progress)
                pids = [process.pid, *(pid for pid in kernel.children(process.pid) if is_ringspan(pid, ringspan))]
                now = memory(pids)
                if len(now) == 2 and all(now):
                    self.last = now
                    self.peak = [max(*pair) for pair in
                                 zip(self.peak, (kernel.status_kb(pid, "VmHWM") for pid in pids))]
                    if done >= count // 3 and self.third is None:
                        self.third = now
                time.sleep(0.05)
            log.seek(0)
            self.said = log.read()
        self.took, self.code = time.monotonic() - begun, process.returncode

    def grown(self):
        if not self.third:
            return
        room = SHORT[1] if self.count < SHORT[0] else ROOM_KB
        for what, then, now in zip(("it", "its monitor"), self.third, self.last):
            if now > then * GROWN + room:
                yield f"{what} has {now} kB, at a third {then} kB"


def is_ringspan(pid, ringspan):
    try:
        return os.path.samefile(f"/proc/{pid}/exe", ringspan)
    except OSError:
        return False


def run(ringspan, count, per_minute, huge):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.path.join(folder, "cache")
        r = Recorded(ringspan, count, per_minute, huge, folder)
        if r.code:
            sys.exit(f"record ended with {r.code}\n{r.said[-1000:]}")
        found, lost = processes(r.store)
        size = os.path.getsize(r.store)
    started = count if huge else count + count // 10
    problems = [*mixed_up(found), *r.grown(), *(cut_wrong(found, count) if huge else ())]
    if len(found) != started and not lost:
        problems.append(f"{started} processes were started, {len(found)} are in the store, and nothing is told lost")
    if len(found) > started:
        problems.append(f"{started} processes were started, {len(found)} are in the store")
    if problems:
        sys.exit("\n".join(problems[:20]) + f"\n{len(problems)} problems\n{r.said[-1000:]}")
    kinds = f"{sum(len(a) + 1 for a in arguments(1, count, True)) / 2**20:.1f} MiB of arguments each" if huge else \
        f"{started / r.took * 60:.0f} a minute"
    peak = " and ".join(f"{kb / 1024:.0f}" for kb in r.peak)
    told = ", ".join(f"{then} > {now} kB" for then, now in zip(r.third or [], r.last or []))
    print(f"{started} processes, {kinds}: {len(found)} in the store ({size / 2**20:.1f} MB), none mixed up, {lost} records "
          f"lost; heaps of its two processes from a third to the end {told}; most of all memory {peak} MB")


def main():
    if sys.argv[1] == "--storm":
        storm(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "1", sys.argv[5])
        return
    ringspan = os.path.abspath(sys.argv[1])
    run(ringspan, int(sys.argv[2]), float(sys.argv[3]), False)
    run(ringspan, int(sys.argv[4]) if len(sys.argv) > 4 else 50, 0, True)


if __name__ == "__main__":
    main()
