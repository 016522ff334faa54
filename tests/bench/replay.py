#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What it takes to make spans of a capture, by how many there are and how much goes on at once.

usage: replay.py RINGSPAN GENERATE

Conversations of five model calls and four tool calls, in one run that lasts the whole capture.  First
eight agents at once, for captures that give 10,000, 100,000 and a million spans; then about 64,000
spans of few and of many at once: agents that are processes and run commands, conversations of one
process over HTTP/2 connections with a hundred streams each, also when what that takes is told at each
request and answer, and agents that call tools of MCP servers.  Printed are the seconds of CPU that `ringspan replay` took, at best, what that makes of spans and bytes
a second, and peak memory.  Exits 1 unless the time grows with the spans alone, and the memory not
with them.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

TOOLS = 4
SIZES = [(10_000, 3), (100_000, 2), (1_000_000, 1)]  # spans, rounds
FEW = 8       # agents at once, then
CROWD = 4000  # conversations of each capture of many at once
STREAMS = 100
SLOWER = 1.5  # a span of the largest may take that much longer than one of the next; of many at once, than of few
LARGER = 1.5  # likewise memory, but for many at once


class Shape:
    """What goes on in a capture."""

    def __init__(self, at_once, conversations, pooled=False, mcp=False, usage=False):
        self.at_once, self.conversations = at_once, conversations
        self.pooled, self.mcp, self.usage = pooled, mcp, usage

    def spans(self):
        # agent, turn; model calls; tool calls and what they do; connect
        each = 2 + (TOOLS + 1) + 2 * TOOLS + (0 if self.pooled else 1)
        whole = self.at_once * self.conversations * each + 1  # the run
        if self.pooled:
            return whole + 1 + self.at_once // STREAMS  # the process and its connects
        return whole + self.at_once * (2 if self.mcp else 1)  # processes, and how they reach the server

    def generate(self, generate, path):
        numbers = [self.at_once, self.conversations, TOOLS, STREAMS if self.pooled else 0,
                   int(self.mcp), int(self.usage)]
        subprocess.run([generate, path, *map(str, numbers)], check=True)


CROWDS = [
    ("processes that run commands", [Shape(n, CROWD // n) for n in (200, 1000, 4000)]),
    ("conversations in one process", [Shape(n, CROWD // n, pooled=True) for n in (200, 2000)]),
    ("conversations in one process, whose usage is told",
     [Shape(n, CROWD // n, pooled=True, usage=True) for n in (200, 1000, 2000)]),
    ("processes that call MCP tools", [Shape(n, CROWD // n, mcp=True) for n in (200, 2000)]),
]


def peak(pid):
    """Bytes so far.  Not from rusage, which counts what Python had before the exec."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0  # it has ended


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def replay(ringspan, path):
    """Seconds of CPU and peak bytes of one replay."""
    memory = 0
    start = cpu()
    with subprocess.Popen([ringspan, "replay", path, "--format", "ndjson"],
                          stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory = max(memory, peak(process.pid))
            time.sleep(0.01)
    if process.returncode:
        sys.exit(f"replay: exit {process.returncode}")
    return cpu() - start, memory


def count(ringspan, path):
    """How many spans the capture really gives."""
    lines = 0
    with subprocess.Popen([ringspan, "replay", path, "--format", "ndjson"],
                          stdout=subprocess.PIPE) as process:
        for block in iter(lambda: process.stdout.read(1 << 20), b""):
            lines += block.count(b"\n")
    return lines


def measure(ringspan, generate, folder, shape, rounds, what):
    """Seconds a span and peak bytes."""
    path = os.path.join(folder, "capture.rsp")
    shape.generate(generate, path)
    size = os.path.getsize(path)
    spans = shape.spans()
    if spans < SIZES[1][0] / 2 and count(ringspan, path) != spans:
        sys.exit(f"not the {spans} spans that it should give")
    results = [replay(ringspan, path) for _ in range(rounds)]
    os.unlink(path)
    seconds, memory = min(r[0] for r in results), max(r[1] for r in results)
    print(f"{what:>9} {spans:>9,} spans {size / 1e6:7.1f} MB {seconds:7.2f} s "
          f"{spans / seconds:9,.0f} spans/s {size / 1e6 / seconds:6.1f} MB/s  "
          f"peak {memory / 1e6:5.1f} MB", flush=True)
    return seconds / spans, memory


def many_spans(run):
    print(f"{FEW} at once")
    conversation = Shape(FEW, 1).spans() - Shape(FEW, 0).spans()
    results = [run(Shape(FEW, spans // conversation), rounds, "") for spans, rounds in SIZES]
    (time_before, memory_before), (time_last, memory_last) = results[-2:]
    if time_last > SLOWER * time_before:
        sys.exit("not linear: a span of the largest capture took "
                 f"{time_last / time_before:.1f} times as long")
    if memory_last > LARGER * memory_before:
        sys.exit(f"not bounded: memory grew {memory_last / memory_before:.1f} times")


def many_at_once(run):
    for what, shapes in CROWDS:
        print(what)
        results = [run(shape, 2, f"{shape.at_once:,}") for shape in shapes]
        few, many = results[0][0], results[-1][0]
        if many > SLOWER * few:
            sys.exit(f"a span of one among {shapes[-1].at_once} took {many / few:.1f} times as long "
                     f"as among {shapes[0].at_once}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        def run(shape, rounds, what):
            return measure(sys.argv[1], sys.argv[2], folder, shape, rounds, what)
        many_spans(run)
        many_at_once(run)


if __name__ == "__main__":
    main()
