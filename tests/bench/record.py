#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `ringspan record` sustains without loss, and what it costs.

usage: record.py RINGSPAN TLS_LOAD

For each size of piece a client reads streamed answers from a local TLS server, paced at rising rates,
under `ringspan record`.  Printed are, as medians of several runs: the highest rate at which nothing
was lost, the CPU that ringspan itself took there and its peak memory, what an unpaced stream does,
and how much longer that takes than untraced.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = [100, 1000, 16000]
RATES = [10_000, 20_000, 40_000, 80_000, 160_000]
SECONDS = 2
REPEATS = 3


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "1", "-subj", "/CN=localhost"],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


def run(command):
    """The command's output, its own rusage and how long it took."""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out = process.stdout.read()
        err = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{err}")
    return json.loads(out), usage, time.monotonic() - start


def lost(ringspan, store):
    """Records and bytes that the recording's run says were lost."""
    out = subprocess.run([ringspan, "export", "--store", store, "--format", "ndjson"],
                         check=True, capture_output=True, text=True).stdout
    spans = [json.loads(line) for line in out.splitlines()]
    root = next(s for s in spans if s["attributes"]["ringspan.kind"] == "run")["attributes"]
    return root.get("ringspan.lost.records", 0), root.get("ringspan.lost.bytes", 0)


class Bench:
    def __init__(self, ringspan, load, port, folder):
        self.ringspan, self.load, self.port, self.folder = ringspan, load, port, folder
        self.runs = 0

    def client(self, size, rate):
        count = (rate or 100_000) * SECONDS
        return [self.load, "client", str(self.port), str(count), str(size), "1", str(rate)]

    def traced(self, size, rate):
        self.runs += 1
        store = os.path.join(self.folder, f"{self.runs}.db")
        got, usage, _ = run([self.ringspan, "record", "--quiet", "--store", store, "--"]
                            + self.client(size, rate))
        records, lost_bytes = lost(self.ringspan, store)
        own = usage.ru_utime + usage.ru_stime - got["cpu_seconds"]
        return {"got": got, "lost": records, "lost_bytes": lost_bytes, "cpu": own,
                "rss": usage.ru_maxrss * 1024}

    def median(self, size, rate):
        runs = [self.traced(size, rate) for _ in range(REPEATS)]
        pick = lambda f: statistics.median(f(r) for r in runs)
        return {"lost": pick(lambda r: r["lost"]), "worst": max(r["lost"] for r in runs),
                "rate": pick(lambda r: r["got"]["calls"] / r["got"]["seconds"]),
                "bytes": pick(lambda r: r["got"]["bytes"] / r["got"]["seconds"]),
                "seconds": pick(lambda r: r["got"]["seconds"]),
                "cpu": pick(lambda r: r["cpu"] / r["got"]["seconds"]),
                "rss": pick(lambda r: r["rss"]), "calls": runs[0]["got"]["calls"]}


def show(size, what, m):
    print(f"{size:>6} B  {what:<22} {m['rate']:>9,.0f} calls/s {m['bytes'] / 1e6:>8.1f} MB/s"
          f"  lost {m['lost']:>8,.0f} of {m['calls']:,}  ringspan {100 * m['cpu']:5.1f} % of a CPU,"
          f" {m['rss'] / 2**20:6.1f} MiB", flush=True)


def measure(bench, size):
    best = None
    for rate in RATES:
        m = bench.median(size, rate)
        if m["worst"]:
            break
        if m["rate"] < 0.9 * rate:  # the load itself does not go faster
            best = m
            break
        best = m
    if best:
        show(size, "sustained, none lost", best)
    flat = bench.median(size, 0)
    show(size, "as fast as it goes", flat)
    base = statistics.median(run(bench.client(size, 0))[0]["seconds"] for _ in range(REPEATS))
    print(f"{size:>6} B  untraced {base:.3f} s, traced {flat['seconds']:.3f} s:"
          f" {flat['seconds'] / base:.2f} times", flush=True)


def main():
    ringspan, load = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="ringspan-bench-") as folder:
        cert, key = certificate(folder)
        server = subprocess.Popen([load, "server", cert, key], stdout=subprocess.PIPE, text=True)
        try:
            bench = Bench(ringspan, load, int(server.stdout.readline()), folder)
            print(f"{os.cpu_count()} CPUs, {SECONDS} s a run, medians of {REPEATS}")
            for size in SIZES:
                measure(bench, size)
        finally:
            server.kill()
            server.wait()
    print(f"bench itself: {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s CPU")


if __name__ == "__main__":
    main()
