#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is every process told as itself where the kernel gives the same process ids again at once?

usage: reuse.py RINGSPAN PROCESSES [OPTION...]

`record` (with OPTIONs) runs a program that starts PROCESSES of again.c, and sets the kernel's last process id
(/proc/sys/kernel/ns_last_pid) back all the time: a few dozen ids go round, within a tenth of a second, as
processes and as threads, while children that the earlier ones left behind are still at work under theirs.

- Every process that was started is in the store once, with its own arguments.
- Each has the exit code and the parent that its number says, the files and the connections that bear it,
  and no other's.
- More than half have an id that another of them had before.

Prints what does not hold and exits 1; else a line of figures.  77: the kernel does not do this here.
"""
import collections
import contextlib
import json
import os
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading

LAST = "/proc/sys/kernel/ns_last_pid"
AT_ONCE = 8
TURN = 8            # started before the ids begin again
AWAY = 12000        # ids from where the kernel is: nobody remembers those
LOWEST = 1000
CHILD_EVERY = 4


def code(number):
    return number % 251 % 248


class Answer(socketserver.StreamRequestHandler):
    """As a model that has nothing to say, and closes."""

    def handle(self):
        length = 0
        while line := self.rfile.readline().strip():
            if line.startswith(b"Content-Length:"):
                length = int(line.split()[1])
        asked = json.loads(self.rfile.read(length))
        body = json.dumps({"id": "x", "object": "chat.completion", "model": asked["model"], "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]}).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def storm(program, count, port, folder):
    """What is recorded."""
    with open(LAST, "r+", encoding="ascii", buffering=1) as last, \
            open("/proc/sys/kernel/pid_max", encoding="ascii") as most:
        before = int(last.read())
        base = (before + AWAY) % (int(most.read()) - LOWEST) + LOWEST
        running = []
        for number in range(1, count + 1):
            if number % TURN == 1:
                os.pwrite(last.fileno(), str(base).encode(), 0)
            child = str(count + number) if number % CHILD_EVERY == 0 else "0"
            running.append(os.posix_spawn(program, ["again", str(number), child, "0", port, folder], {}))
            if len(running) >= AT_ONCE:
                os.waitpid(running.pop(0), 0)
        for pid in running:
            os.waitpid(pid, 0)
        os.pwrite(last.fileno(), str(before).encode(), 0)


class Found:
    """What is in a store: spans of the program, by their number."""

    def __init__(self, store):
        self.processes, self.numbers, self.of = {}, {}, collections.defaultdict(list)
        self.lost, self.problems, above, others = None, [], {}, []
        with contextlib.closing(sqlite3.connect(store)) as db:
            for what, own, parent, name, attributes in db.execute(
                    "SELECT what, span_id, parent_span_id, name, attributes FROM span"):
                attributes, above[own] = json.loads(attributes), parent
                if what == "run":
                    self.lost = attributes.get("ringspan.lost.records", 0)
                elif what == "process":
                    self.processes[own] = attributes, parent
                else:
                    others.append((parent, what, name, attributes))
        for parent, *other in others:
            while parent in above and parent not in self.processes:
                parent = above[parent]  # a turn, an agent
            self.of[parent].append(other)
        for own, (attributes, _) in self.processes.items():
            args = attributes.get("process.command_args", [])
            if len(args) != 6:
                self.problems.append(f"process {own} has the arguments {args}")
            elif int(args[1]) in self.numbers:
                self.problems.append(f"number {args[1]} is there twice")
            else:
                self.numbers[int(args[1])] = own

    def parent(self, number):
        """The number of the process that it is under; 0: of none."""
        above = self.processes[self.numbers[number]][1]
        args = self.processes[above][0].get("process.command_args", []) if above in self.processes else []
        return int(args[1]) if len(args) == 6 else 0

    def not_its_own(self, number, folder):
        """Files and connections of that process that are another's, or that lack."""
        files, addresses, models = set(), set(), set()
        for what, name, attributes in self.of[self.numbers[number]]:
            file = attributes.get("file.path", "")
            if what == "file" and os.path.dirname(file) == folder:
                files.add(os.path.basename(file))
            elif what == "connect" and name == "connect":
                addresses.add(attributes["network.peer.address"])
            elif what == "model_call":
                models.add((attributes.get("gen_ai.request.model"), attributes.get("gen_ai.response.model")))
        numbered = 127 << 24 | 1 << 22 | number
        asks = number % 2 == 0
        parts = range(1 if number % 3 else 4)
        # the last threads may be ended by their process before they do anything
        sure = range(1 if number % 3 or number % 2 == 0 else 4)
        if not {f"{number}.{part}" for part in sure} <= files <= {f"{number}.{part}" for part in parts}:
            yield f"number {number} has the files {sorted(files)}"
        if addresses != ({".".join(str(numbered >> shift & 255) for shift in (24, 16, 8, 0))} if asks else set()):
            yield f"number {number} is connected to {sorted(addresses)}"
        if models != ({(f"again-{number}", f"again-{number}")} if asks else set()):
            yield f"number {number} asked {sorted(models)}"

    def wrong(self, count, folder):
        yield from self.problems
        for number in sorted(self.numbers):
            attributes = self.processes[self.numbers[number]][0]
            ended = attributes.get("process.exit.code", attributes.get("ringspan.incomplete"))
            if ended != code(number):
                yield f"number {number} ended with {ended} instead of {code(number)}"
            above = number - count if number > count else 0
            if self.parent(number) != above:
                yield f"number {number} is under {self.parent(number)}, was started by {above}"
            yield from self.not_its_own(number, folder)
        missing = {n for n in range(1, count + 1)} | {count + n for n in range(CHILD_EVERY, count + 1, CHILD_EVERY)}
        missing -= self.numbers.keys()
        if missing and not self.lost:
            yield f"{len(missing)} processes are not in the store, and nothing is told lost: {sorted(missing)[:5]}"

    def used(self):
        """How often an id was a process's."""
        return collections.Counter(attributes["process.pid"] for attributes, _ in self.processes.values())


def run(ringspan, count, options):
    with tempfile.TemporaryDirectory() as top, Server(("", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ["XDG_CACHE_HOME"] = os.path.join(top, "cache")
        folder, store, program = (os.path.join(top, name) for name in ("files", "db", "again"))
        os.mkdir(folder)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "again.c")
        if subprocess.run([os.environ.get("CC", "cc"), "-O1", "-pthread", "-o", program, source],
                          stderr=subprocess.DEVNULL, check=False).returncode:
            print("no C compiler")
            sys.exit(77)
        done = subprocess.run([ringspan, "record", "--wait", "--store", store, *options, "--", sys.executable, __file__,
                               "--storm", program, str(count), str(server.server_address[1]), folder],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        server.shutdown()
        if done.returncode:
            sys.exit(f"record ended with {done.returncode}\n{done.stderr[-1000:]}")
        found = Found(store)
        problems = [*found.wrong(count, folder)]
    used = found.used()
    if len(used) * 2 > len(found.numbers):
        problems.append(f"{len(found.numbers)} processes had {len(used)} ids: few were given again")
    if problems:
        sys.exit("\n".join(problems[:20]) + f"\n{len(problems)} problems\n{done.stderr[-1000:]}")
    print(f"{len(found.numbers)} processes by {len(used)} ids, one of them {max(used.values())} times: none mixed up, "
          f"{found.lost} records lost")


def main():
    if sys.argv[1] == "--storm":
        storm(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
        return
    if not os.access(LAST, os.W_OK):
        print("ids cannot be given again: no ns_last_pid")
        sys.exit(77)
    run(os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])


if __name__ == "__main__":
    main()
