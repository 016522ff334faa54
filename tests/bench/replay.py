#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What it takes to make spans of a capture, by how many there are.

usage: replay.py RINGSPAN GENERATE

Eight agents at once hold conversations of five model calls and four commands, in one run that lasts
the whole capture.  Printed are, for captures that give 10,000, 100,000 and a million spans, the best
time of `ringspan replay`, spans and bytes a second, and peak memory.  Exits 1 unless the time grows
with the spans and the memory does not.
"""
import os
import subprocess
import sys
import tempfile
import time

WORKERS, TOOLS = 8, 4
PER_CONVERSATION = 3 + (TOOLS + 1) + 2 * TOOLS  # agent, turn, connect; model calls; tools, processes
SIZES = [(10_000, 3), (100_000, 2), (1_000_000, 1)]  # spans, rounds
SLOWER = 1.5  # a span of the largest may take that much longer than one of the next
LARGER = 1.5  # likewise memory


def peak(pid):
    """Bytes so far.  Not from rusage, which counts what Python had before the exec."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0  # it has ended


def replay(ringspan, path):
    """Seconds and peak bytes of one replay."""
    memory = 0
    start = time.monotonic()
    with subprocess.Popen([ringspan, "replay", path, "--format", "ndjson"],
                          stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory = max(memory, peak(process.pid))
            time.sleep(0.01)
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(f"replay: exit {process.returncode}")
    return seconds, memory


def count(ringspan, path):
    """How many spans the capture really gives."""
    lines = 0
    with subprocess.Popen([ringspan, "replay", path, "--format", "ndjson"],
                          stdout=subprocess.PIPE) as process:
        for block in iter(lambda: process.stdout.read(1 << 20), b""):
            lines += block.count(b"\n")
    return lines


def measure(ringspan, generate, folder, spans, rounds):
    path = os.path.join(folder, f"{spans}.rsp")
    conversations = spans // (WORKERS * PER_CONVERSATION)
    subprocess.run([generate, path, str(WORKERS), str(conversations), str(TOOLS)], check=True)
    size = os.path.getsize(path)
    got = WORKERS * (conversations * PER_CONVERSATION + 1) + 1  # workers and the run are spans, too
    if spans == SIZES[0][0] and count(ringspan, path) != got:
        sys.exit(f"{path}: not the {got} spans that it should give")
    results = [replay(ringspan, path) for _ in range(rounds)]
    os.unlink(path)
    seconds, memory = min(r[0] for r in results), max(r[1] for r in results)
    print(f"{got:>9,} spans {size / 1e6:7.1f} MB {seconds:7.2f} s {got / seconds:9,.0f} spans/s "
          f"{size / 1e6 / seconds:6.1f} MB/s  peak {memory / 1e6:5.1f} MB", flush=True)
    return seconds / got, memory


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        results = [measure(sys.argv[1], sys.argv[2], folder, *size) for size in SIZES]
    (time_before, memory_before), (time_last, memory_last) = results[-2:]
    if time_last > SLOWER * time_before:
        sys.exit("not linear: a span of the largest capture took "
                 f"{time_last / time_before:.1f} times as long")
    if memory_last > LARGER * memory_before:
        sys.exit(f"not bounded: memory grew {memory_last / memory_before:.1f} times")


if __name__ == "__main__":
    main()
