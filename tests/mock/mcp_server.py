#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An MCP server to test against, over standard input and output or over HTTP; needs only python3.

Speaks the sessions of 2024-11-05 to 2025-11-25 and the stateless 2026-07-28, whichever a request is
of.  Its tools answer at once, in steps with progress and logs, with an error, by asking a human or the
client's model, or when they are cancelled.  --http serves /mcp on a free port of 127.0.0.1 and prints
one JSON line {"port"} when it is ready; --cert and --key make it HTTPS.
"""

import argparse
import http.server
import itertools
import json
import queue
import ssl
import subprocess
import sys
import threading
import time
import uuid

STATELESS = "2026-07-28"
OWN = "io.modelcontextprotocol/"
INFO = {"name": "small-tools", "version": "1.2"}
TOOLS = {
    "lookup": ("Finds what a key stands for", "key"),
    "count": ("Counts in steps", "steps"),
    "fail": ("Fails", "why"),
    "remove": ("Removes a file when a human agrees", "path"),
    "summarise": ("Has the client's model summarise", "text"),
    "sleep": ("Sleeps until it is over or cancelled", "seconds"),
}


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Peer:
    """One client: what was asked of it, and what it took back."""

    def __init__(self):
        self.ids = itertools.count(1)
        self.answers, self.cancelled = {}, {}

    def ask(self, send, method, params):
        number = next(self.ids)
        self.answers[number] = queue.Queue()
        send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        answer = self.answers[number].get(timeout=20)
        return answer.get("result", {})

    def take(self, message):
        """True for what needs no answer."""
        if "method" not in message:
            self.answers[message["id"]].put(message)
            return True
        if message["method"] == "notifications/cancelled":
            self.cancelled[message["params"]["requestId"]].set()
        return "id" not in message


class Call:
    """One request, and how it reaches its client while it lasts."""

    def __init__(self, peer, message, send):
        self.peer, self.message, self.send = peer, message, send
        self.params = message.get("params", {})
        self.meta = self.params.get("_meta", {})
        self.stateless = OWN + "protocolVersion" in self.meta

    def note(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def answer(self):
        """The answer, or None when the request was cancelled."""
        stop = self.peer.cancelled[self.message["id"]] = threading.Event()
        try:
            result = self.result()
        except Refused as error:
            return {"jsonrpc": "2.0", "id": self.message["id"],
                    "error": {"code": error.code, "message": str(error)}}
        if self.stateless:
            result.setdefault("resultType", "complete")
            result["_meta"] = {OWN + "serverInfo": INFO}
        return None if stop.is_set() else {"result": result, "jsonrpc": "2.0",
                                           "id": self.message["id"]}

    def result(self):
        method = self.message["method"]
        capabilities = {"tools": {}, "logging": {}}
        if method == "initialize":
            return {"protocolVersion": self.params["protocolVersion"], "serverInfo": INFO,
                    "capabilities": capabilities}
        if method == "server/discover":
            return {"supportedVersions": [STATELESS], "capabilities": capabilities}
        if method == "tools/list":
            return {"tools": [
                {"name": name, "description": text, "inputSchema": {
                    "type": "object", "properties": {key: {"type": "string"}}, "required": [key]}}
                for name, (text, key) in TOOLS.items()]}
        if method != "tools/call":
            raise Refused(-32601, "Method not found")
        name = self.params["name"]
        if name not in TOOLS:
            raise Refused(-32602, f"Unknown tool: {name}")
        found = getattr(self, name)(self.params["arguments"][TOOLS[name][1]])
        if isinstance(found, dict):
            return found
        return {"content": [{"type": "text", "text": found}]}

    def lookup(self, key):
        said = subprocess.run(["printf", "%s", "value of " + key], stdout=subprocess.PIPE, text=True)
        return said.stdout

    def count(self, steps):
        token = self.meta.get("progressToken")
        for step in range(1, int(steps) + 1):
            if token is not None:
                self.note("notifications/progress", {
                    "progressToken": token, "progress": step, "total": int(steps),
                    "message": f"step {step}"})
            time.sleep(0.01)
        self.note("notifications/message", {"level": "info", "logger": "count", "data": "counted"})
        return f"counted to {steps}"

    def fail(self, why):
        return {"content": [{"type": "text", "text": why}], "isError": True}

    def remove(self, path):
        ask = {"message": f"Remove {path}?", "requestedSchema": {"type": "object", "properties": {}}}
        if not self.stateless:
            said = self.peer.ask(self.send, "elicitation/create", ask)
        elif "inputResponses" in self.params:
            said = self.params["inputResponses"]["sure"]
        else:
            return {"resultType": "input_required", "requestState": "s1", "inputRequests": {
                "sure": {"method": "elicitation/create", "params": ask}}}
        return "removed" if said["action"] == "accept" else "kept"

    def summarise(self, text):
        said = self.peer.ask(self.send, "sampling/createMessage", {
            "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
            "maxTokens": 50})
        return said["content"]["text"]

    def sleep(self, seconds):
        self.peer.cancelled[self.message["id"]].wait(float(seconds))
        return "slept"


def serve_standard():
    """A thread for each request, because their answers may wait for what is read here."""
    peer, lock = Peer(), threading.Lock()

    def send(message):
        with lock:
            sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
            sys.stdout.buffer.flush()

    def answer(message):
        said = Call(peer, message, send).answer()
        if said:
            send(said)

    for line in sys.stdin.buffer:
        message = json.loads(line)
        if not peer.take(message):
            threading.Thread(target=answer, args=(message,)).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_args):
        pass

    def peer(self):
        return self.server.sessions.get(self.headers.get("mcp-session-id"))

    def reply(self, status, value=None, **extra):
        body = json.dumps(value).encode() if value else b""
        self.send_response(status)
        for name, text in extra.items():
            self.send_header(name.replace("_", "-"), text)
        if body:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def event(self, message):
        """The first makes the answer a stream; that ends with the connection's chunk of length 0."""
        if not self.streams:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.streams = True
        data = b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stateless = self.headers.get("mcp-protocol-version") == STATELESS
        if stateless and self.headers.get("mcp-method") != message["method"]:
            self.reply(400, {"jsonrpc": "2.0", "id": message["id"],
                             "error": {"code": -32020, "message": "Header mismatch"}})
            return
        self.streams = False
        extra = {}
        peer = Peer() if stateless else self.peer()
        if message.get("method") == "initialize":
            extra["mcp_session_id"] = session = uuid.uuid4().hex
            peer = self.server.sessions[session] = Peer()
        if not peer:
            self.reply(404)
        elif peer.take(message):
            self.reply(202)
        else:
            self.finish_call(Call(peer, message, self.event).answer(), extra)

    def finish_call(self, said, extra):
        if not self.streams:
            self.reply(200, said, **extra)
            return
        if said:
            self.event(said)
        self.wfile.write(b"0\r\n\r\n")

    def do_DELETE(self):
        self.reply(200 if self.server.sessions.pop(self.headers.get("mcp-session-id"), None) else 404)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context, self.sessions = context, {}

    def get_request(self):
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--http", action="store_true", help="not over standard input and output")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    if not options.http:
        serve_standard()
        return
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    server = Server(context)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
