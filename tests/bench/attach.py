#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long `ringspan attach --all` takes to join a machine with many processes, and to leave it.

usage: attach.py RINGSPAN [PROCESSES]

Half of the processes sleep, half have OpenSSL mapped.  Attaching ends when ringspan says so, leaving
when it has ended after SIGINT; medians of several runs.  A file that got its probes twice is an error.
"""
import collections
import os
import re
import signal
import ssl  # noqa: F401 -- maps libssl, in the children too
import statistics
import subprocess
import sys
import tempfile
import time

REPEATS = 5


def waiting_child():
    """A process that has what this one has mapped, and does nothing."""
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def start(count):
    sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(count // 2)]
    return sleepers, [waiting_child() for _ in range(count - count // 2)]


def stop(sleepers, children):
    for process in sleepers:
        process.kill()
        process.wait()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def said(path, text):
    with open(path, encoding="utf-8", errors="replace") as f:
        return re.search(text, f.read())


def attach_once(ringspan, log):
    """Seconds to attach and to leave, processes that were found, and files with probes."""
    with open(log, "w", encoding="utf-8") as err:
        begun = time.monotonic()
        process = subprocess.Popen([ringspan, "attach", "--all", "--no-store", "-v"], stderr=err)
    while not (found := said(log, r"looking for agents among (\d+)")):
        if process.poll() is not None:
            with open(log, encoding="utf-8", errors="replace") as f:
                sys.exit(f"attach ended with {process.returncode}\n{f.read()}")
        time.sleep(0.005)
    attached = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait()
    left = time.monotonic()
    with open(log, encoding="utf-8", errors="replace") as f:
        files = collections.Counter(re.findall(r"(\w+ functions hooked in [^:]*)", f.read()))
    if files and max(files.values()) > 1:
        sys.exit(f"probed twice: {files.most_common(1)}")
    return attached - begun, left - attached, int(found.group(1)), len(files)


def main():
    ringspan = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    sleepers, children = start(count)
    try:
        with tempfile.TemporaryDirectory() as folder:
            runs = [attach_once(ringspan, os.path.join(folder, "log")) for _ in range(REPEATS)]
    finally:
        stop(sleepers, children)
    attach, leave = (statistics.median(run[i] for run in runs) for i in (0, 1))
    worst = max(run[0] for run in runs), max(run[1] for run in runs)
    print(f"{os.cpu_count()} CPUs, medians of {REPEATS}, worst in brackets")
    print(f"attach --all among {runs[-1][2]} processes, probes in {runs[-1][3]} files:  "
          f"attach {attach:.2f} s ({worst[0]:.2f}), leave {leave:.2f} s ({worst[1]:.2f})")


if __name__ == "__main__":
    main()
