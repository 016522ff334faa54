#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What being traced costs an agent.

usage: agent.py RINGSPAN [RUNS] [MODE...]

The bundled agent asks the bundled model server over TLS for streamed answers, and runs with bash what
they ask for: RUNS runs, of which every second one is under `ringspan record`.

    paced   20 turns a minute, a minute's answers in pieces of a word, as a model sends them: the
            session has 5 turns, and its beginning weighs four times as much as in a minute's
    flat    20 turns, one after the other

Told are the CPU time of the agent and of all that it started, by wait4(2), and how long it took, without
what ringspan does before and after; and the CPU time of ringspan itself.  How much more it was is told
of the medians and, because the machine drifts, as the median of the differences of neighbours, with the
quarter that is less and the quarter that is more.  Needs root.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
MODES = {"paced": ("working_slowly", "20 turns a minute"), "flat": ("working", "flat out")}


def measure(out, command):
    """Runs the command and leaves what it took in a file."""
    begin = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    with open(out, "w", encoding="ascii") as file:
        json.dump({"wall": time.monotonic() - begin, "cpu": usage.ru_utime + usage.ru_stime}, file)
    sys.exit(os.waitstatus_to_exitcode(status))


class Bench:
    def __init__(self, ringspan, folder, ready):
        self.ringspan, self.folder = os.path.abspath(ringspan), folder
        self.agent = [sys.executable, os.path.join(TESTS, "agents", "agent.py"), "--base-url",
                      f"https://127.0.0.1:{ready['port']}", "--ca", ready["ca"]]

    def run(self, scenario, traced):
        """Seconds that it took, CPU seconds of the agent, and of ringspan."""
        out = os.path.join(self.folder, "out")
        command = [sys.executable, os.path.abspath(__file__), "--measure", out, *self.agent,
                   f"Look at what there is. [[scenario:{scenario}]]"]
        if traced:
            command = [self.ringspan, "record", "--quiet", "--store",
                       os.path.join(self.folder, "store.db"), "--", *command]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        if status:
            sys.exit(f"{' '.join(command)}: status {status}")
        with open(out, encoding="ascii") as file:
            took = json.load(file)
        return took["wall"], took["cpu"], usage.ru_utime + usage.ru_stime - took["cpu"]

    def compare(self, scenario, runs):
        """The runs that were not traced, and those that were."""
        self.run(scenario, False)  # what is read from the disk is there by then
        seen = ([], [])
        for i in range(runs):
            traced = (i + i // 2) % 2  # each goes first as often as the other
            seen[traced].append(self.run(scenario, traced))
        return seen


def spread(values, unit, scale):
    low, middle, high = statistics.quantiles([v * scale for v in values], n=4)
    return f"{middle:8.1f} {unit} ({low:.1f} to {high:.1f})"


def table(name, plain, traced):
    print(f"{name}: {len(plain)} runs each in turn, medians (quartiles), load {os.getloadavg()[0]:.0f}")
    for k, what in ((1, "CPU of the agent"), (0, "wall time")):
        before, after = [run[k] for run in plain], [run[k] for run in traced]
        more = [b / a * 100 - 100 for a, b in zip(before, after)]
        low, middle, high = statistics.quantiles(more, n=4)
        over = statistics.median(after) / statistics.median(before) * 100 - 100
        print(f"  {what:18}{spread(before, 'ms', 1000)}   traced {spread(after, 'ms', 1000)}")
        print(f"  {'':18}{over:+.1f} % of the medians, neighbours {middle:+.1f} % ({low:+.1f} to {high:+.1f})")
    added = statistics.median(r[1] for r in traced) - statistics.median(r[1] for r in plain)
    wall = statistics.median(r[0] for r in traced)
    print(f"  {'added CPU':18}{added * 1000:8.1f} ms, {added / wall * 100:.2f} % of a CPU")
    own = [run[2] for run in traced]
    base = statistics.median(run[2] for run in plain)  # the wrapper's
    print(f"  {'ringspan itself':18}{spread([v - base for v in own], 'ms', 1000)}, with its start and end")


def main():
    ringspan = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    os.environ.update(ANTHROPIC_API_KEY="no-real-key", PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [sys.executable, os.path.join(TESTS, "mock", "server.py")], stdout=subprocess.PIPE,
            text=True) as server:
        os.chdir(folder)
        try:
            bench = Bench(os.path.join(START, ringspan), folder, json.loads(server.stdout.readline()))
            for mode in sys.argv[3:] or MODES:
                scenario, name = MODES[mode]
                table(name, *bench.compare(scenario, runs))
        finally:
            server.terminate()


START = os.getcwd()
if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        measure(sys.argv[2], sys.argv[3:])
    main()
