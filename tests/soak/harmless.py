#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does what is traced notice when ringspan is killed, or comes and goes?

usage: harmless.py RINGSPAN ROUNDS [SEED]

Clients talk TLS to a model server without a pause.  In every other round ringspan attaches to them
and is killed with SIGKILL at a random moment, in the others it is told to leave by SIGINT.  After each round

- no client has failed or stopped;
- what ringspan had in the kernel is gone: its programs, maps and links, by their ids;
- the code of the clients is what their files hold: no probe was left in it;
- the store opens and is whole, the capture replays;
- a client has as many descriptors as before.

Prints what does not hold and exits 1; else one line with the rounds, the requests and how long they took
before, while and after ringspan was there (medians, for the reader: no test).
"""
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = 3
LONGEST = 1.5  # seconds that a round lasts; attaching takes about a third of it
PAUSE = 0.002  # seconds between two requests of a client
GONE = 20      # seconds that the kernel may take to free what a killed process had
KINDS = {"prog_id": "prog", "map_id": "map", "link_id": "link"}


def client(port, ca, stop):
    """Requests until `stop` is there; then a JSON line with their beginnings and lengths, in seconds."""
    body = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 100,
                       "messages": [{"role": "user", "content": "hello " * 200}]})
    headers = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    took = []
    while not os.path.exists(stop):
        begun = time.monotonic()
        connection.request("POST", "/v1/messages", body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200 or content["type"] != "message":
            sys.exit(f"the answer is {answer.status} {content}")
        if not took:
            print("ready", flush=True)
        took.append((round(begun, 6), round(time.monotonic() - begun, 6)))
        time.sleep(PAUSE)
    print(json.dumps(took))


def held(pid):
    """What a process has in the kernel: (kind, id)."""
    found = set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as f:
                found.update((KINDS[key], int(value)) for key, value in
                             re.findall(r"^(prog_id|map_id|link_id):\s*(\d+)", f.read(), re.M))
    except OSError:
        pass  # it has just ended, or closed that one
    return found


def still_there(things):
    left = set()
    for kind in {kind for kind, _ in things}:
        listed = subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, check=True).stdout
        ids = {entry["id"] for entry in json.loads(listed or b"[]")}
        left.update(thing for thing in things if thing[0] == kind and thing[1] in ids)
    return left


def own_libraries(folder):
    """Copies of the TLS libraries for the clients: what others on this machine probe is not these."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for path in {line.split()[-1] for line in maps if re.search(r"/lib(ssl|crypto)\.so", line)}:
            shutil.copy(path, folder)
    return dict(os.environ, LD_LIBRARY_PATH=folder)


def changed_code(pid, folder):
    """Mappings in a process of the folder's files that can be executed and differ from the file."""
    changed = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, mode, offset, _, inode, *path = line.split(maxsplit=5)
            if "x" not in mode or inode == "0" or not path[0].startswith(folder):
                continue
            begin, end = (int(at, 16) for at in span.split("-"))
            with open(path[0].strip(), "rb") as file:
                file.seek(int(offset, 16))
                want = file.read(end - begin)
            memory.seek(begin)
            if memory.read(len(want)) != want:
                changed.append(path[0].strip())
    return changed


class Round:
    """ringspan for a while."""

    def __init__(self, ringspan, pids, folder):
        self.store, self.capture = os.path.join(folder, "db"), os.path.join(folder, "c.rsp")
        self.ringspan, self.had, self.watching = ringspan, set(), True
        command = [ringspan, "attach", "--quiet", "--store", self.store, "--capture", self.capture]
        for pid in pids:
            command += ["-p", str(pid)]
        self.begun = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def watch(self):
        while self.watching:
            self.had |= held(self.process.pid)
            time.sleep(0.02)

    def end(self, how):
        self.had |= held(self.process.pid)
        self.process.send_signal(how)
        self.watching = False
        self.process.wait(timeout=300)
        self.watcher.join()
        return time.monotonic()

    def problems(self, how):
        if how == signal.SIGINT and self.process.returncode not in (0, 1):  # 1: told before it had begun
            yield f"ringspan ended with {self.process.returncode}"
        until = time.monotonic() + GONE
        while (left := still_there(self.had)) and time.monotonic() < until:
            time.sleep(0.1)
        if left:
            yield f"left in the kernel: {sorted(left)}"
        if os.path.exists(self.store):
            with sqlite3.connect(self.store) as db:
                if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                    yield f"the store: {found}"
            yield from self.run("runs", "--store", self.store)
        if os.path.exists(self.capture):
            yield from self.run("replay", self.capture)

    def run(self, *arguments):
        """Must end by itself, if only to say that there is nothing in it."""
        code = subprocess.run([self.ringspan, *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=120, check=False).returncode
        if code not in (0, 1):
            yield f"{arguments[0]} ends with {code}"


def descriptors(pids):
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]


def start_server(folder):
    server = subprocess.Popen([os.path.join(HERE, "../mock/server.py")], stdout=subprocess.PIPE, text=True)
    ready = json.loads(server.stdout.readline())
    return server, ready["port"], ready["ca"]


def start_clients(folder, port, ca):
    stop = os.path.join(folder, "stop")
    environment = own_libraries(folder)
    clients = [subprocess.Popen([sys.executable, __file__, "--client", str(port), ca, stop], env=environment,
                                stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)]
    for c in clients:
        c.stdout.readline()  # the first answer is there
    time.sleep(1)  # what is taken before the first round
    return clients, stop


def run_rounds(ringspan, rounds, rng, pids, folder):
    """Problems, and when ringspan was there."""
    problems, there, kills, begin = [], [], 0, descriptors(pids)
    for n in range(rounds):
        how = signal.SIGINT if n % 2 else signal.SIGKILL
        kills += how == signal.SIGKILL
        with tempfile.TemporaryDirectory(dir=folder) as place:
            r = Round(ringspan, pids, place)
            time.sleep(rng.uniform(0, LONGEST))
            there.append((r.begun, r.end(how)))
            found = list(r.problems(how))
        found += [f"{pid}: {path} is not as its file is" for pid in pids for path in changed_code(pid, folder)]
        if descriptors(pids) != begin:
            found.append(f"descriptors of the clients: {begin}, now {descriptors(pids)}")
        problems += [f"round {n}, {how.name}: {problem}" for problem in found]
    return problems, there, kills


def milliseconds(took):
    return f"{1000 * statistics.median(took):.2f} ms ({len(took)})" if took else "none"


def report(rounds, kills, answers, there):
    before = [took for begun, took in answers if begun < there[0][0]]
    during = [took for begun, took in answers if any(b <= begun < e for b, e in there)]
    after = [took for begun, took in answers if begun > there[-1][1]]
    print(f"{rounds} rounds, {kills} ended by SIGKILL; {len(answers)} requests of {CLIENTS} clients, none failed; "
          f"median before {milliseconds(before)}, while {milliseconds(during)}, after {milliseconds(after)}")


def main():
    if sys.argv[1] == "--client":
        client(int(sys.argv[2]), sys.argv[3], sys.argv[4])
        return
    ringspan, rounds = sys.argv[1], int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with tempfile.TemporaryDirectory() as folder:
        server, port, ca = start_server(folder)
        clients = []
        try:
            clients, stop = start_clients(folder, port, ca)
            problems, there, kills = run_rounds(ringspan, rounds, rng, [c.pid for c in clients], folder)
            time.sleep(1)
            with open(stop, "w", encoding="ascii"):
                pass
            answers = []
            for c in clients:
                said = c.communicate(timeout=120)[0]
                if c.returncode:
                    problems.append(f"a client failed: {c.returncode}")
                else:
                    answers += json.loads(said)
        finally:
            for process in [*clients, server]:
                process.terminate()
                process.wait()
    if problems:
        sys.exit("\n".join(problems))
    report(rounds, kills, answers, there)


if __name__ == "__main__":
    main()
