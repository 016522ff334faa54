#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many agents at once for a long time, and each tree held against what its agent really did.

    soak.py RINGSPAN [--seconds T | --agents N] [--at-once N] [--seed N] ...

Keeps so many agents running against the bundled model server: streams, tools at once, sub-agents in
threads and in programs, retries, errors of every kind, cut answers, MCP over pipes and HTTP, approvals,
crashes, Python and Node.  Now and then the server is killed and started again, and ringspan is
stopped, or killed, and attached again.  Of every agent that ended, the tree that ringspan stored is
held against the agent's own notes and the server's log (soak_tree.py); one that ringspan did not watch
from end to end may lack what it could not see, but must say so and tell nothing that is not true.

Prints a line a minute and a table at the end; exits 1 when a tree was wrong, something was lost without
being counted, or memory grew in the second half.  SEED is what chance begins from.
"""

import argparse
import collections
import json
import os
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import soak_tree

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
PYTHON = "/usr/bin/python3"
SETTLE = 30  # seconds within which a run that ended must be stored as finished
TICK = os.sysconf("SC_CLK_TCK")
APIS = {"anthropic": "anthropic.messages", "chat": "openai.chat", "responses": "openai.responses"}

# name, weight, options, prompts
KINDS = [
    ("text", 4, [], ["soak_text", "soak_text"]),
    ("tools", 6, [], ["soak_tools"]),
    ("unary", 3, ["--no-stream"], ["soak_tools"]),
    ("gzip", 2, ["--accept-encoding", "gzip"], ["soak_long"]),
    ("long", 4, [], ["soak_long"]),
    ("429", 2, [], ["soak_429"]),
    ("500", 2, [], ["soak_500", "soak_text"]),
    ("529", 1, ["--no-stream"], ["soak_529"]),
    ("down", 1, [], ["soak_down"]),
    ("cut", 2, [], ["soak_cut"]),
    ("error", 2, [], ["soak_error"]),
    ("silent", 2, [], ["soak_silent"]),
    ("mcp", 3, ["--mcp", f"{PYTHON} {TESTS}/mock/mcp_server.py"], ["soak_mcp"]),
    ("mcp-http", 2, ["--mcp", "HTTP"], ["soak_mcp"]),
    ("ask", 2, ["--ask"], ["soak_ask"]),
    ("crash", 2, [], ["soak_crash"]),
    ("lead", 3, ["--task"], ["soak_lead"]),
    ("program", 3, [], ["soak_program"]),
    ("node", 3, ["NODE"], ["soak_tools"]),
    ("node-cut", 2, ["NODE"], ["soak_cut"]),
]


class Job:
    """One agent: its process, and what is needed to say what it did."""

    def __init__(self, number, kind, api, folder):
        self.number, self.kind, self.folder = number, kind, folder
        self.api, self.model = APIS[api], "claude-sonnet-4-5" if api == "anthropic" else "gpt-4.1"
        self.truth, self.mcp, self.exit, self.pid = folder + "/truth", None, "", 0
        self.bash = "bash"
        self.watched, self.answered = True, 0
        self.began, self.ended = time.time(), 0.0


class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.tmp = tempfile.mkdtemp(prefix="soak.")
        self.store = self.tmp + "/soak.db"
        self.jobs, self.started, self.ended = {}, 0, 0
        self.recent = collections.deque(maxlen=200)  # jobs that have ended
        self.to_check, self.lock = queue.Queue(), threading.Lock()
        self.wrong, self.right, self.partial, self.lossy = [], collections.Counter(), 0, 0
        self.server = self.mcp_server = self.recorder = None
        self.lives, self.recorders, self.cpu, self.cpu_starts = 0, 0, 0.0, 0.0
        self.samples, self.closing, self.failed = [], [], []
        self.restarts = collections.Counter()
        self.server_truth, self.server_read_at = soak_tree.Server(), 0
        self.server_read = collections.Counter()  # of each life's log
        self.cgroup = None
        self.began = time.time()

    # --- the world that agents live in

    def make_cgroup(self):
        with open("/proc/mounts", encoding="ascii") as mounts:
            root = next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)
        path = f"{root}/rs-soak-{os.getpid()}"
        try:
            os.mkdir(path)
        except OSError as error:
            print(f"no control group can be made: {error}")
            sys.exit(77)
        self.cgroup = path

    def start_server(self, port=0):
        self.lives += 1
        log = f"{self.tmp}/server.{self.lives}.log"
        command = [PYTHON, TESTS + "/mock/server.py", "--log", log, "--port", str(port),
                   "--certificates", self.tmp + "/certificates"]
        for _ in range(50):
            self.server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            line = self.server.stdout.readline()
            if line:
                ready = json.loads(line)
                self.port, self.ca = ready["port"], ready["ca"]
                return
            self.server.wait()
            time.sleep(0.1)
        sys.exit("soak: the model server does not start")

    def start_recorder(self):
        self.recorders += 1
        self.errors = f"{self.tmp}/ringspan.{self.recorders}.err"
        command = [self.options.ringspan, "attach", "--all", "--cgroup", self.cgroup, "--quiet",
                   "--store", self.store, *self.options.given]
        if self.options.capture:
            command += ["--capture", f"{self.tmp}/capture.{self.recorders}.rsp"]
        with open(self.errors, "w", encoding="utf-8") as err:
            self.recorder = subprocess.Popen(command, stderr=err, stdin=subprocess.DEVNULL)
        until = time.time() + 30
        while time.time() < until:
            with open(self.errors, encoding="utf-8") as err:
                if "looking for agents" in err.read():
                    break
            time.sleep(0.05)
        else:
            sys.exit("soak: ringspan does not say that it looks for agents")
        self.processes = [self.recorder.pid, *children(self.recorder.pid)]
        start = sum(map(cpu_of, self.processes))
        self.cpu, self.cpu_starts = self.cpu - start, self.cpu_starts + start

    def stop_recorder(self, how=signal.SIGINT):
        self.cpu = self.cpu_now()
        self.recorder.send_signal(how)
        try:
            self.recorder.wait(60)
        except subprocess.TimeoutExpired:
            self.failed.append("ringspan does not end")
            self.recorder.kill()
            self.recorder.wait()
        with open(self.errors, encoding="utf-8") as err:
            text = err.read()
        if how == signal.SIGKILL:
            return
        if self.recorder.returncode != 0:
            self.failed.append(f"ringspan exits with {self.recorder.returncode}: {text[-500:]}")
        self.closing += [line for line in text.splitlines() if "lost" in line or "warning" in line]

    def cpu_now(self):
        return self.cpu + sum(cpu_of(pid) for pid in self.processes)

    # --- agents

    def start_agent(self):
        self.started += 1
        kinds = [k for k in KINDS if shutil.which("node") or "NODE" not in k[2]]
        if self.options.kind:
            kinds = [k for k in kinds if k[0] in self.options.kind]
        name, _, options, prompts = self.random.choices(kinds, [k[1] for k in kinds])[0]
        api = self.random.choice(sorted(APIS))
        folder = f"{self.tmp}/{self.started:05}"
        os.mkdir(folder)
        with open(f"{folder}/note-{self.started}", "w", encoding="utf-8") as note:
            note.write(f"a note of {self.started}\n")
        job = Job(self.started, name, api, folder)
        base = ["--base-url", f"https://127.0.0.1:{self.port}", "--ca", self.ca]
        said = [f"Do #{job.number}. [[scenario:{prompt}]]" for prompt in prompts]
        if "NODE" in options:
            job.bash = "/bin/bash"
            command = ["node", TESTS + "/agents/agent.mjs", *base, "--api", api, "--model", job.model,
                       "--log", job.truth, "--truth", job.truth, *said]
        else:
            options = [self.mcp_url if o == "HTTP" else o for o in options]
            job.mcp = options[1] if "--mcp" in options else None
            command = [PYTHON, HERE + "/soak_agent.py", *base, "--api", api, *options,
                       "--think", str(self.options.think), *said]
        env = {**os.environ, "SOAK_TRUTH": job.truth,
               "SUB_AGENT": f"{PYTHON} {HERE}/soak_agent.py --base-url https://127.0.0.1:{self.port} "
                            f"--ca {self.ca} --think {self.options.think}",
               "ANTHROPIC_API_KEY": "sk-ant-api03-" + "0" * 93 + "AA",
               "OPENAI_API_KEY": "sk-proj-" + "0" * 100}
        enter = f'echo 0 >{self.cgroup}/cgroup.procs; exec "$@"'
        with open(folder + "/err", "w", encoding="utf-8") as err:
            job.process = subprocess.Popen(
                ["sh", "-c", enter, "sh", *command], cwd=folder, env=env, stderr=err,
                stdout=subprocess.DEVNULL,
                stdin=subprocess.PIPE if name == "ask" else subprocess.DEVNULL)
        job.pid = job.process.pid
        if "NODE" in command or command[0] == "node":
            with open(job.truth, "a", encoding="utf-8") as truth:
                truth.write(json.dumps({"what": "prompt", "pid": job.pid, "agent": 0,
                                        "prompt": said[0]}) + "\n")
        self.jobs[job.pid] = job

    def answer_questions(self, job):
        """As a human would: yes to what is asked first, no to the next."""
        try:
            with open(job.truth, encoding="utf-8") as truth:
                asked = truth.read().count('"asking"')
        except OSError:
            return
        if asked > job.answered:
            time.sleep(0.1)
            job.answered = asked
            try:
                job.process.stdin.write(b"y\n" if asked == 1 else b"n\n")
                job.process.stdin.flush()
            except OSError:
                pass  # it has ended

    def reap(self):
        for pid, job in list(self.jobs.items()):
            if job.kind == "ask":
                self.answer_questions(job)
            code = job.process.poll()
            if code is None:
                continue
            if job.process.stdin:
                job.process.stdin.close()
            job.exit = f"exit {code}" if code >= 0 else f"signal {-code}"
            job.ended = time.time()
            del self.jobs[pid]
            self.ended += 1
            self.recent.append(job)
            self.to_check.put(job)

    # --- what ringspan says of them

    def run_of(self, job):
        """The run's trace id and whether it is finished, or None."""
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10) as db:
            rows = db.execute("SELECT trace_id, unfinished FROM span WHERE what = 'run' AND pid = ? "
                              "AND start_ns > ?", (job.pid, int((job.began - 1) * 1e9))).fetchall()
        db.close()
        return rows[-1] if rows else None

    def is_stored(self, job):
        run = self.run_of(job)
        return run is not None and not run[1]

    def spans_of(self, trace_id):
        done = subprocess.run([self.options.ringspan, "export", "--store", self.store, "--payload",
                               trace_id], capture_output=True, text=True, timeout=60, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def read_server(self):
        """What the server logged since."""
        self.server_read_at = time.time()
        for life in range(1, self.lives + 1):
            if not os.path.exists(f"{self.tmp}/server.{life}.log"):
                continue  # it starts just now
            with open(f"{self.tmp}/server.{life}.log", encoding="utf-8") as log:
                log.seek(self.server_read[life])
                text = log.read()
                whole = text.rpartition("\n")[0]
                self.server_read[life] += len(whole.encode()) + bool(whole)
                self.server_truth.read(life, whole.splitlines())

    def check(self, job):
        with open(job.truth, encoding="utf-8") as lines:
            facts = [json.loads(line) for line in lines]
        run = self.run_of(job)
        until = job.ended + SETTLE
        if not any(fact.get("port") or fact.get("status") for fact in facts) and not job.mcp:
            until = job.ended + 2  # it asked nobody anything
        while job.watched and time.time() < until and (not run or run[1]):
            time.sleep(0.25)
            run = self.run_of(job)
        told = soak_tree.Told(self.spans_of(run[0]) if run else [])
        truth = soak_tree.Truth(job, facts, self.server_truth)
        if job.watched:
            lines = soak_tree.difference(truth, told)
            if run and run[1]:
                lines.append("the run is unfinished though it is over")
        else:
            lines = soak_tree.untrue(truth, told)
            if run and told.run and told.says_whole() and soak_tree.difference(truth, told):
                lines.append("the run does not say that it was watched in part")
        with self.lock:
            if lines and told.lost:
                self.lossy += 1
            elif lines:
                self.wrong.append(job)
                print(f"--- wrong: agent {job.number}, {job.kind} {job.api}, pid {job.pid}, run "
                      f"{run[0] if run else None}, {'whole' if job.watched else 'in part'}",
                      *lines, sep="\n", flush=True)
            else:
                self.right[job.kind] += 1
                self.partial += not job.watched
                if not self.options.keep:
                    shutil.rmtree(job.folder)

    def check_all(self):
        while job := self.to_check.get():
            if self.server_read_at < job.ended:
                self.read_server()
            try:
                self.check(job)
            except Exception as error:  # pylint: disable=broad-except
                with self.lock:
                    self.failed.append(f"agent {job.number} ({job.kind}) cannot be checked: {error!r}")
                    print(self.failed[-1], flush=True)

    # --- time goes by

    def sample(self):
        """Memory of ringspan's processes, in KiB: what each allocated, and the queue between them."""
        told, shared = [], 0
        for pid in self.processes:
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                    values = dict(line.split(":") for line in rollup.read().splitlines()[1:])
                told.append(int(values["Pss_Anon"].split()[0]))
                shared += int(values["Pss_Shmem"].split()[0])
            except (OSError, KeyError):
                told.append(0)
        self.samples.append((time.time() - self.began, self.recorders, [*told, shared]))

    def restart_server(self):
        self.restarts["server"] += 1
        self.server.kill()
        self.server.wait()
        self.start_server(self.port)

    def restart_recorder(self):
        """What runs meanwhile is seen in part, and what ended a moment ago may not be stored yet."""
        how = signal.SIGKILL if self.restarts["ringspan"] % 2 else signal.SIGINT
        self.restarts["ringspan"] += 1
        for job in [*self.jobs.values(), *self.recent]:
            job.watched &= job.ended > 0 and (time.time() - job.ended > SETTLE or self.is_stored(job))
        self.stop_recorder(how)
        self.start_recorder()

    def counts(self):
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10) as db:
            spans = db.execute("SELECT count(*) FROM span").fetchone()[0]
            runs = db.execute("SELECT count(*) FROM span WHERE what = 'run'").fetchone()[0]
        db.close()
        return spans, runs

    def tell(self):
        spans, runs = self.counts()
        memory = self.samples[-1][2] if self.samples else [0]
        elapsed = time.time() - self.began
        print(f"{elapsed:5.0f} s  {len(self.jobs)} agents run, {self.ended} ended, "
              f"{sum(self.right.values())} right ({self.partial} seen in part), {len(self.wrong)} wrong, "
              f"{self.to_check.qsize()} to check; {runs} runs, {spans} spans; "
              f"{' + '.join(f'{m / 1024:.1f}' for m in memory)} MiB, "
              f"CPU {100 * self.cpu_now() / elapsed:.1f} %; load {os.getloadavg()[0]:.1f}", flush=True)

    def over(self):
        if self.options.agents:
            return self.started >= self.options.agents
        return time.time() - self.began >= self.options.seconds

    def run(self):
        next_line = next_start = self.began
        next_server = self.began + self.options.server_every
        next_recorder = self.began + self.options.ringspan_every
        while not self.over():
            now = time.time()
            self.reap()
            while len(self.jobs) < self.options.at_once and next_start <= now and not self.over():
                self.start_agent()
                next_start = max(next_start, now - 0.5) + 0.1  # what a busy machine missed, in part
            if self.options.server_every and now >= next_server:
                self.restart_server()
                next_server = now + self.options.server_every * self.random.uniform(0.7, 1.3)
            if self.options.ringspan_every and now >= next_recorder:
                self.restart_recorder()
                next_recorder = time.time() + self.options.ringspan_every
            if not self.samples or now - self.began - self.samples[-1][0] >= 1:
                self.sample()
            if now >= next_line + 60:
                next_line += 60
                self.tell()
            time.sleep(0.05)
        until = time.time() + 120
        while self.jobs and time.time() < until:
            self.reap()
            time.sleep(0.1)
        for job in self.jobs.values():
            self.failed.append(f"agent {job.number} ({job.kind}) does not end")
            job.process.kill()

    def growth(self):
        """KiB that each process of the last recorder grew from the third to the last quarter."""
        mine = [(at, kib[:2]) for at, number, kib in self.samples if number == self.recorders and all(kib)]
        if len(mine) < 40:
            return None
        middle = [kib for _, kib in mine[len(mine) // 2 : len(mine) * 3 // 4]]
        last = [kib for _, kib in mine[len(mine) * 3 // 4 :]]
        return [median(l) - median(m) for m, l in zip(zip(*middle), zip(*last))]

    def report(self):
        spans, runs = self.counts()
        elapsed = time.time() - self.began
        size = sum(os.path.getsize(self.store + end) for end in ("", "-wal")
                   if os.path.exists(self.store + end))
        names = ("parser", "monitor", "queue")
        print(f"\n{elapsed:.0f} s, seed {self.options.seed}, {self.options.at_once} at once: "
              f"{self.ended} agents, {self.restarts['server']} server restarts, "
              f"{self.restarts['ringspan']} of ringspan")
        print("right:  " + ", ".join(f"{n} {kind}" for kind, n in sorted(self.right.items())))
        print(f"        {sum(self.right.values())} trees, {self.partial} of them seen in part")
        print(f"wrong:  {len(self.wrong)}; {self.lossy} differ by a loss that is told")
        print(f"store:  {runs} runs, {spans} spans, {size / 2**20:.1f} MiB")
        print("lost:   " + ("; ".join(sorted(set(map(str.strip, self.closing)))) or "-"))
        print(f"CPU:    {self.cpu:.1f} s, {100 * self.cpu / elapsed:.1f} % of one, "
              f"{1e6 * self.cpu / max(spans, 1):.0f} ms per 1,000 spans; and {self.cpu_starts:.1f} s for "
              f"{self.recorders} starts")
        for i, name in enumerate(names):
            series = [kib[i] for _, n, kib in self.samples if n == self.recorders and len(kib) > i]
            if series:
                quarters = [median(series[len(series) * q // 4 : max(len(series) * (q + 1) // 4, 1)] or series)
                            for q in range(4)]
                print(f"memory: {name:8}" + "".join(f" {q / 1024:7.1f}" for q in quarters) +
                      f" MiB by quarter, peak {max(series) / 1024:.1f}")
        grown = self.growth()
        if grown is None:
            print("memory: too short to tell whether it grows")
        else:
            for name, kib in zip(names, grown):
                if kib > self.options.grow * 1024:
                    self.failed.append(f"the {name} grew by {kib / 1024:.1f} MiB in the second half")
        for line in self.failed:
            print("FAILED: " + line)

    def close(self):
        for process in (self.recorder, self.server, self.mcp_server):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        for job in self.jobs.values():
            job.process.kill()
            job.process.wait()
        if self.cgroup and os.path.isdir(self.cgroup):
            with open(self.cgroup + "/cgroup.procs", encoding="ascii") as procs:
                for pid in map(int, procs.read().split()):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
            os.rmdir(self.cgroup)
        if self.options.keep or self.wrong or self.failed:
            print(f"soak: all of it is in {self.tmp}")
        else:
            shutil.rmtree(self.tmp)

    def main(self):
        os.mkdir(self.tmp + "/certificates")
        self.make_cgroup()
        self.start_server()
        self.mcp_server = subprocess.Popen([PYTHON, TESTS + "/mock/mcp_server.py", "--http"],
                                           stdout=subprocess.PIPE)
        self.mcp_url = f"http://127.0.0.1:{json.loads(self.mcp_server.stdout.readline())['port']}/mcp"
        os.environ["NODE_EXTRA_CA_CERTS"] = self.ca
        self.start_recorder()
        self.began = time.time()
        checker = threading.Thread(target=self.check_all, daemon=True)
        checker.start()
        self.run()
        self.to_check.put(None)
        checker.join()
        self.stop_recorder()
        self.report()
        return 1 if self.wrong or self.failed else 0


def median(values):
    return sorted(values)[len(values) // 2]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return list(map(int, file.read().split()))


def cpu_of(pid):
    """Seconds of CPU that a process took so far."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ringspan")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--agents", type=int, help="so many in all, in place of --seconds")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--think", type=float, default=3, help="seconds between two questions, about")
    parser.add_argument("--server-every", type=float, default=45, help="seconds; 0: it stays")
    parser.add_argument("--ringspan-every", type=float, default=150, help="seconds; 0: it stays")
    parser.add_argument("--grow", type=float, default=2, help="MiB that are flat")
    parser.add_argument("--kind", action="append", choices=[k[0] for k in KINDS])
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", 1)))
    parser.add_argument("--given", action="append", default=[], metavar="OPTION",
                        help="one that ringspan attach gets, too")
    parser.add_argument("--capture", action="store_true", help="of all that is recorded")
    parser.add_argument("--keep", action="store_true", help="all files")
    soak = Soak(parser.parse_args())
    try:
        return soak.main()
    finally:
        soak.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
