#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A model server to test against: HTTPS on a free port of 127.0.0.1; needs python3 and openssl.

Speaks Anthropic Messages, OpenAI Chat Completions and OpenAI Responses, unary and streamed (see
apis.py); what it says is chosen by "[[scenario:NAME]]" in the prompt (see scenarios.py).  Requests
without a prompt have one answer each (see others.py).  Prints one JSON line {"port", "ca"} when it is
ready.  --log FILE gets the ground truth, one JSON object a line: every request and every answer, with
ids, tool calls, tokens and bytes.
"""

import argparse
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import apis
import others
import scenarios

EXTENSIONS = """\
subjectAltName = IP:127.0.0.1, DNS:localhost
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
"""


def make_certificates(folder):
    """A CA and a leaf for 127.0.0.1, both valid for two days; returns the three files' paths."""

    def path(name):
        return os.path.join(folder, name)

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, stderr=subprocess.DEVNULL)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    with open(path("leaf.ext"), "w", encoding="ascii") as out:
        out.write(EXTENSIONS)
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=mock CA",
            "-addext", "keyUsage = critical, keyCertSign",
            "-keyout", path("ca.key"), "-out", path("ca.pem"))
    openssl("req", *new_key, "-subj", "/CN=localhost",
            "-keyout", path("leaf.key"), "-out", path("leaf.csr"))
    openssl("x509", "-req", "-days", "2", "-extfile", path("leaf.ext"), "-CAcreateserial",
            "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-in", path("leaf.csr"), "-out", path("leaf.pem"))
    return path("ca.pem"), path("leaf.pem"), path("leaf.key")


def find_certificates(folder):
    """Those that are there already, or new ones."""
    paths = tuple(os.path.join(folder, name) for name in ("ca.pem", "leaf.pem", "leaf.key"))
    return paths if all(map(os.path.exists, paths)) else make_certificates(folder)


class Log:
    """The ground truth.  Lines come in the order in which things happened."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()
        self.seq = 0
        self.faults = {}

    def write(self, event, **fields):
        if not self.file:
            return
        with self.lock:
            line = {"event": event, "time_unix_nano": time.time_ns(), **fields}
            self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self.file.flush()

    def next_seq(self):
        with self.lock:
            self.seq += 1
            return self.seq

    def fault_is_due(self, key):
        """Every other time that it is asked with this key."""
        with self.lock:
            self.faults[key] = not self.faults.get(key, False)
            return self.faults[key]


class Body:
    """The body of an answer: applies content coding and framing, and counts bytes at each layer."""

    def __init__(self, out, coding, framing):
        self.out, self.framing = out, framing
        windows = {"gzip": 31, "deflate": 15}
        self.packer = zlib.compressobj(wbits=windows[coding]) if coding else None
        self.plain_bytes = self.content_bytes = self.wire_bytes = 0

    def pack(self, data, last=False):
        self.plain_bytes += len(data)
        if self.packer:
            data = self.packer.compress(data)
            data += self.packer.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        self.content_bytes += len(data)
        return data

    def send(self, data):
        """Sends bytes that are packed already."""
        if self.framing == "chunked" and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.wire_bytes += len(data)
        self.out.write(data)
        self.out.flush()

    def end(self, data):
        if data:
            self.send(data)
        if self.framing == "chunked":
            self.wire_bytes += 5
            self.out.write(b"0\r\n\r\n")
        self.out.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0

    def log_message(self, *_args):
        pass

    def do_GET(self):
        self.handle_request()

    def do_POST(self):
        self.handle_request()

    def handle_request(self):
        log = self.server.log
        self.seq = log.next_seq()
        self.began = time.monotonic()
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.wire = apis.FORMATS.get(self.path.split("?")[0])
        facts = {
            "seq": self.seq,
            "port": self.client_address[1],
            "method": self.command,
            "path": self.path,
            "headers": [name.lower() for name in self.headers],
            "retry": int(self.headers.get("x-stainless-retry-count", 0)),
            "body_bytes": len(raw),
        }
        answer = others.ANSWERS.get((self.command, self.path))
        if answer:
            log.write("request", **facts)
            self.send_unary(200, answer(json.loads(raw)))
            return
        try:
            self.request_read = self.wire and self.wire.read(json.loads(raw))
        except (ValueError, KeyError, TypeError):
            self.request_read = None
        request = self.request_read
        if not request:
            log.write("request", **facts)
            status = 400 if self.wire else 404
            self.send_unary(status, (self.wire or apis.FORMATS["/v1/messages"]).error(status))
            return
        name, number, turn = scenarios.choose(request.prompt, request.rounds)
        log.write("request", **facts, api=self.wire.api, model=request.model, stream=request.stream,
                  prompt=request.prompt, scenario=name, turn=number, tool_results=request.results)
        try:
            self.answer(request, turn, raw)
        except OSError:
            log.write("aborted", seq=self.seq)
            self.close_connection = True

    def answer(self, request, turn, raw):
        time.sleep(turn.wait)
        faulty = turn.status or turn.cut or turn.stream_error or turn.silent
        due = faulty and (turn.lasting or self.server.log.fault_is_due((request.prompt, raw)))
        if due and turn.silent:
            self.cut_off()
            return
        status = turn.status if due else 0
        if due and turn.stream_error and not request.stream:
            status = 500
        if status:
            extra = {"retry-after": str(turn.retry_after)} if status == 429 else {}
            self.send_unary(status, self.wire.error(status), extra=extra)
            return
        reply = self.make_reply(request, turn, raw)
        framing = "close" if turn.close else None
        if not request.stream:
            body = self.wire.unary(reply, request)
            self.send_unary(200, body, reply, framing, cut=due and turn.cut)
            return
        events = list(self.wire.stream(reply, request))
        if due and turn.stream_error:
            events[len(events) // 2 :] = [self.wire.stream_error()]
            reply.finish = ""
        self.send_stream(events, reply, framing or "chunked", turn.pace, cut=due and turn.cut)

    def make_reply(self, request, turn, raw):
        calls = []
        for call in turn.calls:
            name = call.name or next((n for n in request.tools if call.kind in n.lower()), None)
            if name:
                key = call.key or request.tools.get(name, "input")
                argument = scenarios.filled(call.argument, request.prompt)
                arguments = apis.compact({key: argument, **dict(call.more)})
                call_id = call.id or apis.new_id(self.wire.call_prefix)
                calls.append(apis.ToolCall(call_id, name, arguments,
                                           invalid=bool(call.key or call.name)))
        finish = turn.finish or ("tool" if calls else "stop")
        if turn.token_limit and calls:
            whole = self.wire.arguments_are_object and not request.stream
            calls[-1].arguments = "{}" if whole else calls[-1].arguments[:-12]
            finish = "length"
        output = len(turn.text) + len(turn.reasoning) + sum(len(c.arguments) for c in calls)
        usage = apis.Usage(len(raw) // 4 + 1, output // 4 + 1)
        if turn.reasoning:
            usage.reasoning = len(turn.reasoning) // 4
            usage.cache_read = usage.input // 2
            usage.cache_write = usage.input // 4 if self.wire.api == "anthropic.messages" else 0
        model = apis.MODELS.get(request.model, request.model)
        reply_id = apis.new_id(self.wire.prefix)
        text = turn.text.replace("{seq}", f"{self.seq:03}")
        return apis.Reply(reply_id, model, text, turn.reasoning, calls, usage, finish)

    def send_head(self, status, content_type, coding, framing, length, extra):
        self.request_id = apis.new_id("req_")
        self.status = status
        self.send_response(status)
        self.send_header("content-type", content_type)
        if framing == "chunked":
            self.send_header("transfer-encoding", "chunked")
        elif framing == "close":
            self.send_header("connection", "close")
        else:
            self.send_header("content-length", str(length))
        if coding:
            self.send_header("content-encoding", coding)
        if self.wire:
            seconds = time.monotonic() - self.began
            extra = {**self.wire.headers(self.request_id, seconds), **extra}
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()

    def coding(self, allowed):
        accepted = self.headers.get("accept-encoding", "")
        return next((coding for coding in allowed if coding in accepted), None)

    def send_unary(self, status, value, reply=None, framing=None, extra=None, cut=False):
        coding = self.coding(("gzip", "deflate"))
        body = Body(self.wfile, coding, framing)
        data = body.pack(apis.compact(value).encode(), last=True)
        self.send_head(status, "application/json", coding, framing, len(data), extra or {})
        if cut:
            body.content_bytes = len(data) // 2
            body.send(data[: len(data) // 2])
            self.note(body, reply, cut=True)
            self.cut_off()
            return
        body.wire_bytes = len(data)
        self.note(body, reply)
        body.end(data)
        self.finish_connection(framing)

    def send_stream(self, events, reply, framing, pace, cut=False):
        coding = self.coding(("gzip",))
        body = Body(self.wfile, coding, framing)
        self.send_head(200, "text/event-stream; charset=utf-8", coding, framing, 0, {})
        if cut:
            half = events[len(events) // 2]
            events[len(events) // 2 :] = [half[: len(half) // 2]]
        for event in events[:-1]:
            body.send(body.pack(event))
            time.sleep(max(pace, self.server.pace))
        if cut:
            body.send(body.pack(events[-1]))
            self.note(body, reply, cut=True)
            self.cut_off()
            return
        last = body.pack(events[-1], last=True)
        self.note(body, reply)
        body.end(last)
        self.finish_connection(framing)

    def note(self, body, reply, cut=False):
        """Logs an answer before its last byte goes out, so that a client that has it finds it."""
        facts = {
            "seq": self.seq,
            "status": self.status,
            "request_id": self.request_id,
            "plain_bytes": body.plain_bytes,
            "content_bytes": body.content_bytes,
            "wire_bytes": body.wire_bytes,
            "cut": cut,
        }
        if reply:
            facts.update(response_id=reply.id, model=reply.model, usage=vars(reply.usage),
                         finish=self.wire.finish.get(reply.finish),
                         tool_calls=[vars(call) for call in reply.calls])
        self.server.log.write("response", **facts)

    def cut_off(self):
        """Ends the TCP connection without a word from TLS or HTTP."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def finish_connection(self, framing):
        if framing != "close":
            return
        self.close_connection = True
        self.connection.settimeout(2)
        self.connection.unwrap()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, context, log, pace, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.context, self.log, self.pace = context, log, pace

    def get_request(self):
        """The handshake is left to the connection's thread."""
        connection, address = super().get_request()
        connection = self.context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, _request, _address):
        """A client that goes away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(_request, _address)


def stop(*_args):
    """Once: timeout(1) signals the process and its group, and cleaning up takes a moment."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", help="file that gets the ground truth")
    parser.add_argument("--pace", type=float, default=0, help="milliseconds between two events")
    parser.add_argument("--port", type=int, default=0, help="a free one, where it is not given")
    parser.add_argument("--certificates", metavar="DIR",
                        help="where they are, or are made and stay: of a server that is started again")
    parser.add_argument("--tls", choices=("1.2", "1.3"), default="1.3", help="the newest version that it speaks")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="mock-") as folder:
        ca, certificate, key = find_certificates(options.certificates or folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["http/1.1"])
        context.maximum_version = ssl.TLSVersion["TLSv" + options.tls.replace(".", "_")]
        server = Server(context, Log(options.log), options.pace / 1000, options.port)
        print(json.dumps({"port": server.server_port, "ca": ca}), flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
