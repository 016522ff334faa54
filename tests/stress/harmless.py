#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does what is traced notice when ringspan is killed, or comes and goes?

usage: harmless.py RINGSPAN KILLS LEAVES [SEED]

Clients talk TLS to a model server without a pause.  KILLS times ringspan attaches to them and is killed with
SIGKILL at a random moment: before it is ready, while it records, while it leaves, or its privileged process
alone.  LEAVES times it attaches, to them or to all of the machine (--all), and is told to leave by SIGINT.
After each round

- no client has failed or stopped;
- what ringspan had in the kernel is gone: its programs, maps and links, by their ids;
- the code of the clients is what their files hold: no probe was left in it;
- a client has as many descriptors and mappings as after the first round, and no more memory;
- after a kill the store is whole and opens, and the capture replays; after SIGINT ringspan has ended by itself,
  with a store that is whole.

A further client, with libraries of its own, is never named to ringspan: what a request takes of time and CPU is
also told as a multiple of what it takes that one at the same time, which tells whether anything stays slow.

At the end no program without a process, and no probe by name in tracefs, is left of it.  Prints what does
not hold and exits 1; else lines of figures, of which those of time are for the reader, and no test.
"""
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import kernel

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = 3
LONGEST = 1.5      # seconds until the moment of a kill; attaching takes about a third of it
LEAVING = 0.3      # ... from SIGINT on
STUCK = 240        # seconds that nothing of this may take
QUIET = 2          # seconds before, and after all rounds, in which only the clients run
LOOK = 0.1         # seconds between two looks at what ringspan has
MEMORY_KB = 8192   # that a client may have more of at the end: its own allocator's ways
# What a round may ask for beside the usual: more kinds of probes that can be left.
EXTRAS = ([], [], ["--profile"], ["--logs", "--files", "all"], ["--uprobe", "libssl.so.3:SSL_read() = %d"])


class Clients:
    """The server and who asks it."""

    def __init__(self, folder):
        self.folder = folder
        self.enter("before")
        self.server = subprocess.Popen([os.path.join(HERE, "../mock/server.py")], stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.server.stdout.readline())
        command = [sys.executable, os.path.join(HERE, "client.py"), str(ready["port"]), ready["ca"], folder]
        other = os.path.join(folder, "other")  # probes belong to files
        os.mkdir(other)
        environments = [kernel.own_libraries(folder)] * CLIENTS + [kernel.own_libraries(other)]
        self.all = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
                    for environment in environments]
        self.pids = [c.pid for c in self.all[:CLIENTS]]  # the last is one to compare with
        for c in self.all:
            c.stdout.readline()  # the first answer is there

    def enter(self, phase):
        path = os.path.join(self.folder, "phase")
        with open(path + ".new", "w", encoding="ascii") as f:
            f.write(phase)
        os.rename(path + ".new", path)

    def state(self):
        return [(kernel.descriptors(pid), kernel.mappings(pid)) for pid in self.pids]

    def memory(self):
        return [kernel.status_kb(pid, "VmRSS") for pid in self.pids]

    def problems(self, state):
        for c in self.all:
            if c.poll() is not None:
                yield f"client {c.pid} has ended with {c.returncode}"
        if not any(c.returncode is not None for c in self.all):
            for pid in self.pids:
                for name in kernel.changed_code(pid, self.folder):
                    yield f"{name} in client {pid} is not as its file is"
            if state and not kernel.in_time(lambda: self.state() == state):  # it opens files itself
                yield f"descriptors and mappings of the clients were {state}, are {self.state()}"

    def finish(self):
        """What they noted; None of one that failed."""
        self.enter("stop")
        for c in self.all:
            said = c.communicate(timeout=STUCK)[0]
            yield json.loads(said) if c.returncode == 0 else None

    def stop(self):
        for process in [*self.all, self.server]:
            process.terminate()
            process.wait()


class Ringspan:
    """... attached, for a round."""

    def __init__(self, ringspan, what, store, folder):
        self.store, self.capture = store, os.path.join(folder, "c.rsp")
        self.ringspan, self.log = ringspan, os.path.join(folder, "log")
        command = [ringspan, "attach", "--quiet", "--store", store, "--capture", self.capture, *what]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)
        self.had, self.peak = set(), [0, 0]
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def look(self):
        pids = [self.process.pid, *kernel.children(self.process.pid)][:2]
        self.had |= kernel.held(self.process.pid)
        for i, pid in enumerate(pids):
            self.peak[i] = max(self.peak[i], kernel.status_kb(pid, "VmHWM"))

    def watch(self):
        while not self.over.wait(LOOK):
            self.look()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_ready(self):
        until = time.monotonic() + STUCK
        while not re.search("attached to|looking for", self.said()) and self.process.poll() is None:
            if time.monotonic() > until:
                return
            time.sleep(0.02)

    def end(self, *steps):
        """Signals with the seconds before each; then waits.  Seconds from the first on; the exit code."""
        begun = time.monotonic()
        for how, after, alone in steps:
            time.sleep(after)
            self.look()
            whom = kernel.children(self.process.pid) if alone else [self.process.pid]
            for pid in whom:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
        try:
            code = self.process.wait(timeout=STUCK)
        except subprocess.TimeoutExpired:
            code = None
            self.process.kill()
            self.process.wait()
        self.over.set()
        self.watcher.join()
        return time.monotonic() - begun, code

    def left(self):
        if left := kernel.still_there(self.had):
            yield f"left in the kernel: {left}"

    def files(self):
        if os.path.exists(self.store):
            yield from store_problems(self.store)
            yield from self.run("runs", "--store", self.store)
        if os.path.exists(self.capture):
            yield from self.run("replay", self.capture)

    def run(self, *arguments):
        """Must end by itself, if only to say that there is nothing in it."""
        code = subprocess.run([self.ringspan, *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=STUCK, check=False).returncode
        if code not in (0, 1):
            yield f"{arguments[0]} ends with {code}"


def store_problems(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            yield f"the store: {found}"


class Rounds:
    """All of them, and what is to be told in the end."""

    def __init__(self, ringspan, clients, rng, folder):
        self.ringspan, self.clients, self.rng, self.folder = ringspan, clients, rng, folder
        self.problems, self.kinds, self.had, self.names = [], {}, 0, set()
        self.state, self.memory = None, None
        self.leaves, self.peaks = [], []

    def note(self, kind, problems):
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        for problem in problems:
            self.problems.append(f"round {sum(self.kinds.values())}, {kind}: {problem}")
            print(self.problems[-1], flush=True)

    def one(self, kind, what, how, store=None):
        """how: of Ringspan.end(), or a function that gives that, and waits before.  What does not hold."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            self.clients.enter("while")
            r = Ringspan(self.ringspan, what, store or os.path.join(place, "db"), place)
            took, code = r.end(*how(r))
            problems = [*r.left(), *self.clients.problems(self.state)]
            self.clients.enter("between")
            problems += r.files()
            if code is None:
                problems.append("it does not end")
            if problems:
                problems.append(f"attach {' '.join(what)} ended with {code}\n{r.said()[-500:]}")
            self.had += len(r.had)
        if self.state is None:  # the first has mapped what the kernel needs for probes
            self.state, self.memory = self.clients.state(), self.clients.memory()
        self.note(kind, problems)
        return took, code, r

    def targets(self):
        return [word for pid in self.clients.pids for word in ("-p", str(pid))] + self.rng.choice(EXTRAS)

    def kill(self):
        after = self.rng.uniform(0, LONGEST)
        kind = self.rng.choice(("killed", "killed", "killed", "killed while it leaves", "its monitor killed"))
        if kind == "killed":
            self.one(kind, self.targets(), lambda r: [(signal.SIGKILL, after, False)])
        elif kind == "killed while it leaves":
            leave = self.rng.uniform(0, LEAVING)
            self.one(kind, self.targets(),
                     lambda r: [(signal.SIGINT, after, False), (signal.SIGKILL, leave, False)])
        else:
            # nothing is to be waited for when there is none yet: it is told to end, too
            _, code, r = self.one(kind, self.targets(),
                                  lambda r: [(signal.SIGKILL, after, True), (signal.SIGTERM, 1, False)])
            if code not in (0, 1, -signal.SIGTERM):
                self.note(kind, [f"it ended with {code}"])

    def leave(self, store):
        what = self.rng.choice((self.targets(), self.targets(), ["--all"]))
        after = self.rng.uniform(0, LONGEST / 3)

        def how(r):
            r.wait_ready()
            r.look()
            self.names |= {name for number, name in kernel.programs().items() if ("prog", number) in r.had}
            return [(signal.SIGINT, after, False)]

        took, code, r = self.one("left", what, how, store)
        self.leaves.append(took)
        self.peaks.append(r.peak)
        if code != 0:
            self.note("left", [f"it ended with {code}"])


def median_of(noted, phase, name, scale):
    all_of_them = [value for each in noted for value in each[phase][name]]
    return f"{statistics.median(all_of_them) / scale:.2f}" if all_of_them else "-"


def ratio(noted, phase, name):
    """Of those that were traced now and then to the one that never was by its pid."""
    traced, other = ([value for each in some for value in each[phase][name]] for some in
                     (noted[:CLIENTS], noted[CLIENTS:]))
    return f"{statistics.median(traced) / statistics.median(other):.2f}" if traced and other else "-"


def report(rounds, noted, slab, tracefs):
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(rounds.kinds.items()))
    requests = sum(phase["requests"] for each in noted for phase in each.values())
    grown = [now - then for now, then in zip(rounds.last_memory, rounds.memory)]
    print(f"rounds: {kinds}")
    print(f"clients: {requests} requests, none failed; memory {', '.join(f'{kb:+d}' for kb in grown)} kB; descriptors "
          f"and mappings as before; kernel: {rounds.had} programs, maps and links seen, none left; "
          f"tracefs {tracefs:+d} probes; unreclaimable {slab:+d} kB (whole machine)")
    for name, what, scale in (("cpu", "ms of CPU a request", 1e6), ("clock", "ms a request", 1e6),
                              ("call", "ns a system call", 1)):
        print(f"{what}: " + ", ".join(f"{phase} {median_of(noted[:CLIENTS], phase, name, scale)}"
                                      for phase in ("before", "while", "after")) +
              "; times an untraced client's " + ", ".join(ratio(noted, phase, name)
                                                       for phase in ("before", "while", "after")) + " (medians)")
    if rounds.leaves:
        main, monitor = zip(*rounds.peaks)
        print(f"leaving: median {statistics.median(rounds.leaves):.2f} s, longest {max(rounds.leaves):.2f} s; peak memory "
              f"{min(main) / 1024:.0f} to {max(main) / 1024:.0f} MB and {min(monitor) / 1024:.0f} to "
              f"{max(monitor) / 1024:.0f} MB of its two processes")


def play(rounds, kills, leaves):
    """In an order of their own; the store that those share which leave is whole in the end."""
    store = os.path.join(rounds.folder, "left.db")
    order = [True] * kills + [False] * leaves
    rounds.rng.shuffle(order)
    for kill in order:
        if kill:
            rounds.kill()
        else:
            rounds.leave(store)
        if any("has ended" in problem for problem in rounds.problems):
            break
    rounds.note("the end", [f"a program without a process: {left}" for left in kernel.without_owner(rounds.names)])
    del rounds.kinds["the end"]
    rounds.last_memory = rounds.clients.memory()
    if rounds.memory and max(now - then for now, then in zip(rounds.last_memory, rounds.memory)) > MEMORY_KB:
        rounds.problems.append(f"memory of the clients was {rounds.memory} kB, is {rounds.last_memory} kB")


def main():
    ringspan, kills, leaves = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 and sys.argv[4] else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    slab, tracefs = kernel.unreclaimable_kb(), list(kernel.tracefs_probes())
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = os.path.join(folder, "cache")
        clients = Clients(folder)
        try:
            time.sleep(QUIET)
            rounds = Rounds(ringspan, clients, random.Random(seed), folder)
            play(rounds, kills, leaves)
            clients.enter("after")
            time.sleep(QUIET)
            noted = list(clients.finish())
        finally:
            clients.stop()
    if None in noted:
        rounds.problems.append("a client failed")
    more = set(kernel.tracefs_probes()) - set(tracefs)
    if any("ringspan" in line for line in more):
        rounds.problems.append(f"probes by name: {more}")
    if rounds.problems:
        sys.exit("\n".join(["", *rounds.problems, f"seed {seed}"]))
    report(rounds, noted, kernel.unreclaimable_kb() - slab, len(more))


if __name__ == "__main__":
    main()
