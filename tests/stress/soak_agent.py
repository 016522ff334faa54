#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent that notes all that it does: agent.py, with a line of JSON in $SOAK_TRUTH for each attempt
to ask the model, each tool call and each process, appended in one write, so that programs that it
starts note in the same file.  Each line has the pid, and "agent", the number of the conversation in it.

    SOAK_TRUTH=FILE soak_agent.py --base-url URL --ca FILE [--think SECONDS] [OPTION...] PROMPT...

It knows the tool `task`, too, which is a conversation of its own, in a thread beside this one.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import sys
import threading
import time
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../agents"))
import agent  # noqa: E402  pylint: disable=wrong-import-position

NUMBERS = itertools.count()
TASK = {"task": ("Give a task to another agent.", "prompt")}
agent.RETRIES = 6  # the server comes back
TASK_TOOLS = {"shell": agent.TOOLS["shell"]}


class Truth:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, text):
        os.write(self.fd, text.encode())

    def flush(self):
        pass

    def note(self, what, **facts):
        self.write(json.dumps({"what": what, "pid": os.getpid(), **facts}) + "\n")


class Client(agent.Client):
    """Notes each attempt, and how far its request got."""

    def __init__(self, options, api, truth, number):
        super().__init__(options, api)
        self.truth, self.number, self.calls, self.fact = truth, number, 0, {}

    def ask(self):
        if self.calls:
            time.sleep(random.uniform(0.4, 1.6) * self.options.think)
        self.calls += 1
        return super().ask()

    def exchange(self, body, attempt):
        data = body.encode()
        self.fact = {"agent": self.number, "call": self.calls, "attempt": attempt, "sent": "none",
                     "port": 0, "status": 0, "request_id": "", "whole": False, "body_bytes": len(data)}
        try:
            return self.exchange_noted(data, attempt)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.fact["error"] = repr(error)
            raise agent.Broken(f"the connection broke: {type(error).__name__}") from error
        except agent.Retryable as error:
            self.fact["error"] = repr(error)
            raise
        finally:
            self.truth.note("attempt", **self.fact)

    def exchange_noted(self, data, attempt):
        if not self.connection:
            self.connection = http.client.HTTPSConnection(
                self.url.hostname, self.url.port, context=self.context, timeout=60)
        if not self.connection.sock:
            self.connection.connect()
            self.truth.note("connect", port=self.connection.sock.getsockname()[1])
        self.fact["port"] = self.connection.sock.getsockname()[1]
        headers = {"content-type": "application/json", "user-agent": "soak-agent/1.0 python",
                   "accept-encoding": self.options.accept_encoding,
                   "x-stainless-retry-count": str(attempt),
                   **self.api.headers(os.environ[self.api.key_variable])}
        self.fact["sent"] = "part"
        self.connection.request("POST", self.url.path + self.api.path, data, headers)
        self.fact["sent"] = "all"
        return self.receive(self.connection.getresponse())

    def receive(self, response):
        self.fact["status"] = response.status
        self.fact["request_id"] = (response.getheader("request-id") or response.getheader("x-request-id"))
        answer = super().receive(response)
        self.fact["whole"] = True
        return answer


class Tools(agent.Tools):
    """Notes each call when it is begun and when it is done."""

    def __init__(self, options, mcp, truth, number):
        super().__init__(options, mcp)
        self.truth, self.number, self.log = truth, number, truth

    def run_all(self, calls):
        for call in calls if self.options.ask else []:
            self.truth.note("asking", agent=self.number, id=call.id)
            said = sys.stdin.readline().strip()
            self.truth.note("asked", agent=self.number, id=call.id, said=said)
            if said != "y":
                self.denied.add(call.id)
        with agent.ThreadPoolExecutor(max(1, len(calls))) as pool:
            return list(pool.map(self.run, calls))

    def run(self, call):
        if call.name == "task":
            prompt = json.loads(call.arguments)["prompt"]
            done = call, converse_alone(self.options, self.truth, prompt, call.id), False
        else:
            done = super().run(call)
        self.truth.note("tool", agent=self.number, id=call.id, result=done[1])
        return done


def converse_alone(options, truth, prompt, tool_call):
    """Another agent, with instructions and tools of its own, in this thread."""
    number = next(NUMBERS)
    truth.note("agent", agent=number, tool_call=tool_call, prompt=prompt)
    api = agent.APIS["anthropic"]()
    whole = api.body

    def body(model, stream):
        tools = [{"name": n, "description": d, "input_schema": agent.schema(a)}
                 for n, (d, a) in TASK_TOOLS.items()]
        return {**whole(model, stream), "system": "You look into things.", "tools": tools}

    api.body = body
    alone = types.SimpleNamespace(**{**vars(options), "api": "anthropic", "ask": False,
                                     "model": "claude-sonnet-4-5"})
    client = Client(alone, api, truth, number)
    text = agent.converse(client, Tools(alone, None, truth, number), prompt)
    if client.connection:
        client.connection.close()
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--api", choices=agent.APIS, default="anthropic")
    parser.add_argument("--stream", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--ca", required=True, help="file with the certificates to trust")
    parser.add_argument("--accept-encoding", default="identity", metavar="CODING")
    parser.add_argument("--mcp", metavar="SERVER", help="its URL, or the command that starts it")
    parser.add_argument("--ask", action="store_true", help="a human, before each tool call")
    parser.add_argument("--task", action="store_true", help="other agents may be given tasks")
    parser.add_argument("--think", type=float, default=0, metavar="SECONDS",
                        help="between two questions, about")
    parser.add_argument("prompt", nargs="+", help="the next one when the one before is answered")
    options = parser.parse_args()
    options.model = "claude-sonnet-4-5" if options.api == "anthropic" else "gpt-4.1"
    vars(options).update(traceparent=None, log=None, shell="plain", timeout=None, mcp_log=None,
                         mcp_era="2025-06-18", mcp_transport="pipe")
    truth = Truth(os.environ["SOAK_TRUTH"])
    if options.task:
        agent.TOOLS.update(TASK)
    mcp = agent.open_mcp(options) if options.mcp else None
    number, api = next(NUMBERS), agent.APIS[options.api]()
    client, tools = Client(options, api, truth, number), Tools(options, mcp, truth, number)
    for prompt in options.prompt:
        truth.note("prompt", agent=number, prompt=prompt, parent=os.getppid())
        print(agent.converse(client, tools, prompt), flush=True)
    if mcp:
        mcp.close()
    truth.note("done")


if __name__ == "__main__":
    main()
