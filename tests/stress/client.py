#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks a model server over TLS without a pause, and notes what each request took.

usage: client.py PORT CA FOLDER

FOLDER/phase holds the name of the phase that it is in; it ends where that is "stop", and prints a JSON
object of what was noted in each: requests, nanoseconds of a request on the clock and of its CPU time, and of
a system call.  Takes no more memory the longer it runs: of each phase the last SAMPLES are kept.
"""
import array
import http.client
import json
import os
import ssl
import sys
import time

SAMPLES = 4096
CALLS = 200    # system calls of which the time is taken at once
PAUSE = 0.002  # seconds between two requests
BODY = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 100,
                   "messages": [{"role": "user", "content": "hello " * 200}]})
HEADERS = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}


class Phase:
    """What was noted in one."""

    def __init__(self):
        self.requests = 0
        self.figures = {name: array.array("Q", bytes(8 * SAMPLES)) for name in ("clock", "cpu", "call")}

    def note(self, **took):
        for name, value in took.items():
            self.figures[name][self.requests % SAMPLES] = value
        self.requests += 1

    def told(self):
        kept = min(self.requests, SAMPLES)
        return {"requests": self.requests, **{name: list(f[:kept]) for name, f in self.figures.items()}}


def system_call():
    """Nanoseconds of one, the loop around it not taken off."""
    begun = time.thread_time_ns()
    for _ in range(CALLS):
        os.getppid()
    return (time.thread_time_ns() - begun) // CALLS


def ask(connection):
    connection.request("POST", "/v1/messages", BODY, HEADERS)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    if answer.status != 200 or content["type"] != "message":
        sys.exit(f"the answer is {answer.status} {content}")


def main():
    port, ca, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=120)
    phases = {name: Phase() for name in ("before", "while", "between", "after")}
    told = False
    while True:
        with open(os.path.join(folder, "phase"), encoding="ascii") as f:
            name = f.read()
        if name == "stop":
            break
        begun, cpu = time.monotonic_ns(), time.thread_time_ns()
        ask(connection)
        phases[name].note(clock=time.monotonic_ns() - begun, cpu=time.thread_time_ns() - cpu, call=system_call())
        if not told:
            print("ready", flush=True)
            told = True
        time.sleep(PAUSE)
    print(json.dumps({name: phase.told() for name, phase in phases.items()}))


if __name__ == "__main__":
    main()
