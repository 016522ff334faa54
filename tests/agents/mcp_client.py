#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client of MCP servers over pipes, a socketpair, a terminal or HTTP; needs only python3.

As a program it asks for everything that tests/mock/mcp_server.py has, and logs each request with its
name, times and error: the ground truth of what a tracer must tell.  agent.py uses it for its tools.
"""

import argparse
import http.client
import itertools
import json
import os
import pty
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
import tty
import urllib.parse
from dataclasses import dataclass, field

STATELESS = "2026-07-28"
OWN = "io.modelcontextprotocol/"
INFO = {"name": "small-client", "version": "0.9"}


class Failed(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


class Stdio:
    """A server as a child; lines go over whatever kind of file it gets as 0 and 1."""

    def __init__(self, kind, argv, receive):
        self.receive = receive
        if kind == "pipe":
            self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.out, self.lines = self.child.stdin.fileno(), self.child.stdout.fileno()
        elif kind == "socketpairs":
            asks, answers = socket.socketpair(), socket.socketpair()
            self.child = subprocess.Popen(argv, stdin=asks[1], stdout=answers[1])
            asks[1].close()
            answers[1].close()
            self.out, self.lines = asks[0].detach(), answers[0].detach()
        else:
            if kind == "pty":
                ours, theirs = pty.openpty()
                tty.setraw(theirs)
            else:
                pair = socket.socketpair()
                ours, theirs = (end.detach() for end in pair)
            self.child = subprocess.Popen(argv, stdin=theirs, stdout=theirs)
            os.close(theirs)
            self.out = self.lines = ours
        self.kind, self.pid = kind, self.child.pid
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        rest = b""
        try:
            while more := os.read(self.lines, 65536):
                *lines, rest = (rest + more).split(b"\n")
                for line in lines:
                    self.receive(json.loads(line))
        except OSError:
            pass  # a terminal whose other side is closed

    def send(self, message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.out, data):]

    def close(self):
        """A terminal has no end of its input, so what is behind one is told to go."""
        if self.kind == "pipe":
            self.child.stdin.close()
        elif self.kind == "pty":
            self.child.terminate()
        else:
            socket.socket(fileno=self.out).shutdown(socket.SHUT_WR)
        self.child.wait()


class Http:
    """One POST a message; what the answer holds, JSON or events, is received as it comes."""

    pid = None

    def __init__(self, url, ca, receive, headers):
        self.url, self.receive, self.headers = urllib.parse.urlsplit(url), receive, headers
        self.context = ssl.create_default_context(cafile=ca) if self.url.scheme == "https" else None
        self.session = None

    def connect(self):
        if self.context:
            return http.client.HTTPSConnection(self.url.netloc, context=self.context, timeout=30)
        return http.client.HTTPConnection(self.url.netloc, timeout=30)

    def send(self, message):
        headers = {"content-type": "application/json",
                   "accept": "application/json, text/event-stream", **self.headers(message)}
        if self.session:
            headers["mcp-session-id"] = self.session
        connection = self.connect()
        connection.request("POST", self.url.path, json.dumps(message).encode(), headers)
        answer = connection.getresponse()
        self.session = answer.getheader("mcp-session-id", self.session)
        if answer.status not in (200, 202):
            error = {"code": answer.status, "message": answer.reason}
            self.receive({"id": message.get("id"), "error": error})
        elif "event-stream" in answer.getheader("content-type", ""):
            for line in answer:
                if line.startswith(b"data: "):
                    self.receive(json.loads(line[6:]))
        elif answer.status == 200:
            self.receive(json.loads(answer.read()))
        connection.close()

    def close(self):
        if not self.session:
            return
        connection = self.connect()
        connection.request("DELETE", self.url.path, headers={"mcp-session-id": self.session})
        connection.getresponse().read()
        connection.close()


@dataclass
class Options:
    era: str
    transport: str = "pipe"
    url: str = None  # over HTTP instead
    ca: str = None  # file with the certificates to trust
    command: list = field(default_factory=list)
    log: str = None


class Client:
    def __init__(self, options):
        self.era = options.era
        self.log = open(options.log, "a", encoding="utf-8") if options.log else None
        self.lock = threading.Lock()
        self.ids, self.answers, self.asked = itertools.count(0), {}, []
        if options.url:
            self.transport = Http(options.url, options.ca, self.receive, self.headers)
        else:
            self.transport = Stdio(options.transport, options.command, self.receive)

    def headers(self, message):
        headers = {"mcp-protocol-version": self.era}
        if self.era == STATELESS and "method" in message:
            headers["mcp-method"] = message["method"]
            if "name" in message.get("params", {}):
                headers["mcp-name"] = message["params"]["name"]
        return headers

    def receive(self, message):
        if "method" not in message:
            self.answers[message["id"]].put(message)
        elif "id" in message:
            result = self.as_asked(message["method"])
            threading.Thread(target=self.transport.send, args=(
                {"jsonrpc": "2.0", "id": message["id"], "result": result},)).start()

    def as_asked(self, method):
        self.note_truth(name=method, by="server", pid=os.getpid())
        if method == "sampling/createMessage":
            return {"role": "assistant", "model": "small-model", "stopReason": "endTurn",
                    "content": {"type": "text", "text": "short"}}
        time.sleep(0.05)  # a human reads
        return {"action": "accept", "content": {}}

    def note_truth(self, **facts):
        if not self.log:
            return
        with self.lock:
            self.log.write(json.dumps(facts) + "\n")
            self.log.flush()

    def request(self, method, params=None, cancel_after=None):
        params = dict(params or {})
        number = next(self.ids)
        if self.era == STATELESS:
            params["_meta"] = {**params.get("_meta", {}), OWN + "protocolVersion": self.era,
                               OWN + "clientInfo": INFO, OWN + "clientCapabilities": {}}
        name = " ".join(filter(None, (method, params.get("name"))))
        message = {"method": method, "params": params, "jsonrpc": "2.0", "id": number}
        self.answers[number] = queue.Queue()
        began = time.time_ns()
        error = None
        try:
            if cancel_after:
                return self.cancelled(message, cancel_after)
            self.transport.send(message)
            answer = self.answers[number].get(timeout=30)
            if "error" in answer:
                error = str(answer["error"]["code"])
                raise Failed(answer["error"])
            if answer["result"].get("isError"):
                error = "tool_error"
            return answer["result"]
        finally:
            if cancel_after:
                error = "cancelled"
            self.note_truth(name=name, by="client", pid=os.getpid(), peer=self.transport.pid,
                            start=began, end=time.time_ns(), error=error)

    def cancelled(self, message, after):
        sender = threading.Thread(target=self.transport.send, args=(message,), daemon=True)
        sender.start()
        time.sleep(after)
        self.notify("notifications/cancelled", {"requestId": message["id"], "reason": "too slow"})

    def notify(self, method, params=None):
        self.transport.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def start(self):
        if self.era == STATELESS:
            self.request("server/discover")
        else:
            self.request("initialize", {"protocolVersion": self.era, "clientInfo": INFO,
                                        "capabilities": {"elicitation": {}, "sampling": {}}})
            self.notify("notifications/initialized")
        return self.request("tools/list")["tools"]

    def call(self, tool, arguments, **more):
        return self.request("tools/call", {"name": tool, "arguments": arguments, **more})

    def call_text(self, tool, arguments):
        """What the tool says, and whether that is an error."""
        result = self.call(tool, arguments)
        if result.get("resultType") == "input_required":
            time.sleep(0.05)  # a human reads
            result = self.call(tool, arguments, requestState=result["requestState"],
                               inputResponses={name: {"action": "accept", "content": {}}
                                               for name in result["inputRequests"]})
        return result["content"][0]["text"], result.get("isError", False)

    def close(self):
        self.transport.close()


def ask_everything(client):
    client.start()
    print(client.call_text("lookup", {"key": "k1"}))
    client.call("count", {"steps": "3"}, _meta={"progressToken": "p1"})
    client.call("fail", {"why": "the disk is full"})
    removed = client.call("remove", {"path": "/tmp/x"})
    if removed.get("resultType") == "input_required":
        time.sleep(0.05)
        client.call("remove", {"path": "/tmp/x"}, requestState=removed["requestState"],
                    inputResponses={"sure": {"action": "accept", "content": {}}})
    else:
        client.call("summarise", {"text": "long " * 20})
        client.request("tools/call", {"name": "sleep", "arguments": {"seconds": "5"}},
                       cancel_after=0.1)
    try:
        client.call("nothing", {})
    except Failed as error:
        print(error)
    client.call("lookup", {"key": "k" * 100_000})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transport", choices=("pipe", "socketpair", "socketpairs", "pty"), default="pipe")
    parser.add_argument("--era", metavar="REVISION", default="2025-06-18")
    parser.add_argument("--url", help="over HTTP instead")
    parser.add_argument("--ca", help="file with the certificates to trust")
    parser.add_argument("--log", help="file that gets a line for every request")
    parser.add_argument("command", nargs="*")
    client = Client(Options(**vars(parser.parse_args())))
    try:
        ask_everything(client)
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
