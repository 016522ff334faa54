#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An A2A agent to test against, and a client that asks it for everything it has; needs only python3.

Speaks JSON-RPC of 0.3 and of 1.0, unary and as events, and serves its card, all on one free port of
127.0.0.1.  With --serve it is the agent, and prints one JSON line {"port"} when it is ready; else the client.
"""

import argparse
import http.client
import http.server
import json
import sys

CARD = {"name": "Planner", "version": "4", "protocolVersion": "0.3.0", "url": "", "skills": []}
V1 = {"completed": "TASK_STATE_COMPLETED", "failed": "TASK_STATE_FAILED", "working": "TASK_STATE_WORKING"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def reply(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply("application/json", json.dumps(CARD).encode())

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        new = self.headers.get("a2a-version") == "1.0"
        text = asked["params"].get("message", {}).get("messageId", "")

        def task(state):
            found = {"id": "t1", "contextId": "c1", "status": {"state": V1[state] if new else state}}
            return {"task": found} if new else {"kind": "task", **found}

        def said(result):
            return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

        method = asked["method"]
        if method in ("message/stream", "SendStreamingMessage"):
            body = b"".join(b"data: " + json.dumps(said(task(state))).encode() + b"\n\n"
                            for state in ("working", "completed"))
            self.reply("text/event-stream", body)
        elif method in ("message/send", "SendMessage"):
            state = "failed" if text == "bad" else "completed"
            self.reply("application/json", json.dumps(said(task(state))).encode())
        else:
            error = {"code": -32001, "message": "Task not found"}
            self.reply("application/json", json.dumps(
                {"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode())


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def post(number, method, params, **headers):
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        connection.request("POST", "/a2a", json.dumps(body).encode(),
                           {"content-type": "application/json", **headers})
        connection.getresponse().read()

    def message(name):
        return {"message": {"messageId": name, "role": "user", "parts": [{"kind": "text", "text": "hi"}]}}

    connection.request("GET", "/.well-known/agent-card.json")
    connection.getresponse().read()
    post("1", "message/send", message("m1"))
    post("2", "message/stream", message("m2"))
    post("3", "SendMessage", message("bad"), **{"a2a-version": "1.0"})
    post("4", "SendStreamingMessage", message("m4"), **{"a2a-version": "1.0"})
    post("5", "tasks/get", {"id": "none"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--port", type=int, help="of the server, for the client")
    options = parser.parse_args()
    if not options.serve:
        ask(options.port)
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    sys.exit(main())
