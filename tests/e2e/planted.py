#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Plants secrets wherever one can be, and looks for them in all that ringspan wrote.

    planted.py plan FILE                 makes them up: a JSON object {place: secret}
    planted.py server FILE               answers, and hands some of them back; prints its port
    planted.py agent FILE PORT [H2PORT]  sends them
    planted.py tool FILE                 an MCP server on stdin and stdout
    planted.py check FILE FOLDER         counts what was looked for; says what was found
    planted.py seen FILE FOLDER          says what was not found
"""
import base64
import ctypes
import gzip
import hashlib
import json
import os
import random
import re
import socket
import socketserver
import sqlite3
import string
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

rnd = random.SystemRandom()

WORD = string.ascii_letters + string.digits


def word(n):
    return "".join(rnd.choice(WORD) for _ in range(n))


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# What they look like.  The part that must not be seen begins behind the prefix.
SHAPES = {
    "sk": lambda: ("sk-proj-", word(40)),
    "ant": lambda: ("sk-ant-api03-", word(60)),
    "aws": lambda: ("AKIA", "".join(rnd.choice(string.ascii_uppercase + string.digits) for _ in range(16))),
    "ghp": lambda: ("ghp_", word(36)),
    "free": lambda: ("", word(24)),
    "jwt": lambda: (b64url(b'{"alg":"HS256"}') + ".", b64url(b'{"sub":"%s"}' % word(20).encode()) + "." + word(43)),
    "pem": lambda: ("", "MII" + word(180)),
}

PLACES = {
    # name: shape
    "request header authorization": "free", "request header x-api-key": "free",
    "request header cookie": "free", "request header basic": "free",
    "request header own, token": "ghp", "response header set-cookie": "free",
    "response header, token": "sk", "query key": "free", "query token": "aws",
    "request body prompt": "ant", "request body member": "free",
    "request body pem": "pem", "request body jwt": "jwt",
    "request body url": "free", "request body nested JSON": "free",
    "request body cut": "ant", "response body": "sk", "response body, chunked": "ghp",
    "response body, byte by byte": "ant", "error text": "sk",
    "gzip response": "ant", "gzip response member": "free", "gzip request": "ghp",
    "argv option": "free", "argv option=": "free", "argv token": "ghp",
    "argv header": "free", "argv url": "free", "argv assignment": "free",
    "argv of a shell": "free", "file name": "ghp", "environment": "free",
    "MCP stdio arguments": "ghp", "MCP stdio member": "free", "MCP stdio result": "sk",
    "MCP stdio error": "ant", "MCP HTTP header": "free", "MCP HTTP arguments": "aws",
    "stdout": "ant", "stderr": "free", "stdout pem": "pem",
    "WebSocket header": "free", "WebSocket frame": "sk", "WebSocket member": "free",
    "WebSocket answer": "ghp", "WebSocket deflated": "sk", "redis password": "free",
    "HTTP/2 authorization": "free", "HTTP/2 x-api-key again": "free",
    "HTTP/2 x-api-key": "free", "HTTP/2 cookie": "free", "HTTP/2 query": "free",
    "HTTP/2 own, token": "ghp", "HTTP/2 set-cookie": "free", "HTTP/2 body": "ant",
    "HTTP/2 gzip response": "sk",
    "tool call argument": "free", "tool call token": "ghp",
    "response body, cut by chunks": "ghp", "response body, cut by events": "ant",
    "response body, cut by events and records": "sk", "tool call member, cut by events": "free",
    "tool call token, cut by events": "ghp", "WebSocket, cut by events": "ant",
}


class Plan:
    def __init__(self, path):
        self.places = json.load(open(path))

    def __getitem__(self, name):
        return "".join(self.places[name])


def plan(path):
    json.dump({name: SHAPES[shape]() for name, shape in PLACES.items()}, open(path, "w"))


# --- the server

def answer(text):
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4.1",
                       "choices": [{"index": 0, "finish_reason": "stop",
                                    "message": {"role": "assistant", "content": text}}],
                       "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}).encode()


def deltas(text, end=b'"stop"', delta=b'{"role":"assistant","content":%s}'):
    """Events of a model that says a few letters in each."""
    for i in range(0, len(text), 7):
        yield (b'data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4.1","choices":[{"index":0,'
               b'"delta":%s,"finish_reason":%s}]}\n\n'
               % (delta % json.dumps(text[i:i + 7]).encode(), b"null" if i + 7 < len(text) else end))


def ws_frame(payload, mask=None, deflated=False, opcode=1):
    head = bytes([0x80 | (0x40 if deflated else 0) | opcode])
    head += bytes([(0x80 if mask else 0) | 126]) + struct.pack(">H", len(payload))
    if mask:
        payload = bytes(c ^ mask[i % 4] for i, c in enumerate(payload))
    return head + (mask or b"") + payload


def ws_deflate(text):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (z.compress(text) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


def read_head(f):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = f.readline()
        if not line:
            return None
        head += line
    return head.decode("latin-1")


class Server(socketserver.StreamRequestHandler):
    def handle(self):
        first = self.rfile.peek(1)[:1]
        if first == b"*":  # redis
            while self.rfile.readline().strip().decode("latin-1") != S["redis password"]:
                pass
            self.wfile.write(b"+OK\r\n")
            return
        while True:
            head = read_head(self.rfile)
            if not head:
                return
            length = re.search(r"(?i)content-length: (\d+)", head)
            body = self.rfile.read(int(length.group(1))) if length else b""
            self.reply(head, body)

    def send(self, status, extra, body):
        self.wfile.write((f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{extra}"
                          f"Content-Length: {len(body)}\r\n\r\n").encode() + body)

    def reply(self, head, body):
        path = head.split(" ")[1]
        if path.startswith("/v1/realtime"):
            return self.websocket(head)
        if path.startswith("/mcp"):
            return self.send("200 OK", "", json.dumps(
                {"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": {"content": []}}).encode())
        case = re.search(r"(?i)x-case: (\w+)", head).group(1)
        if case == "plain":
            self.send("200 OK", f"Set-Cookie: id={S['response header set-cookie']}; Path=/\r\n"
                                f"X-Given: {S['response header, token']}\r\n", answer("Key " + S["response body"]))
        elif case == "error":
            self.send("401 Unauthorized", "", json.dumps({"error": {
                "message": "Incorrect API key provided: " + S["error text"], "type": "invalid_request_error",
                "code": "invalid_api_key"}}).encode())
        elif case == "gzip":
            text = json.dumps({"password": S["gzip response member"]})
            self.send("200 OK", "Content-Encoding: gzip\r\n",
                      gzip.compress(answer("It is " + S["gzip response"] + " " + text)))
        elif case == "chunked":
            text = answer("It is " + S["response body, chunked"])
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
        elif case == "calls":
            arguments = {"cmd": f"in --password {S['tool call argument']} {S['tool call token']}"}
            self.send("200 OK", "", json.dumps({
                "id": "chatcmpl-3", "object": "chat.completion", "model": "gpt-4.1", "choices": [{
                    "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": [{
                        "id": "call_1", "type": "function", "function": {
                            "name": "log", "arguments": json.dumps(arguments)}}]}}]}).encode())
        elif case == "cutchunk":
            text = answer("It is " + S["response body, cut by chunks"])
            at = text.index(S["response body, cut by chunks"].encode()) + 9
            self.chunks("application/json", text[:at], text[at:])
        elif case == "events":
            self.chunks("text/event-stream", *deltas("It is " + S["response body, cut by events"]), b"data: [DONE]\n\n")
        elif case == "flushed":
            arguments = json.dumps({"cmd": "in " + S["tool call token, cut by events"],
                                    "password": S["tool call member, cut by events"]})
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for event in (*deltas("It is " + S["response body, cut by events and records"], b"null"),
                          b'data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4.1","choices":[{"index":0,'
                          b'"delta":{"tool_calls":[{"index":0,"id":"call_9","type":"function","function":'
                          b'{"name":"log","arguments":""}}]},"finish_reason":null}]}\n\n',
                          *deltas(arguments, b'"tool_calls"', b'{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}'),
                          b"data: [DONE]\n\n"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                time.sleep(0.005)
            self.wfile.write(b"0\r\n\r\n")
        else:
            text = answer("It is " + S["response body, byte by byte"])
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                             % len(text))
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for c in text:
                self.request.sendall(bytes([c]))

    def chunks(self, kind, *pieces):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % (
            kind.encode(), b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)))

    def websocket(self, head):
        key = re.search(r"(?i)sec-websocket-key: (\S+)", head).group(1)
        accept = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        deflate = "deflate" in head
        extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
        self.wfile.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"{extension}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        self.rfile.read(4)
        if not deflate:
            text = "It is " + S["WebSocket, cut by events"]
            for i in range(0, len(text), 6):
                self.wfile.write(ws_frame(json.dumps({
                    "type": "response.output_text.delta", "event_id": "e", "response_id": "resp_1", "item_id": "item_1",
                    "output_index": 0, "content_index": 0, "delta": text[i:i + 6]}).encode()))
        done = json.dumps({"type": "response.done", "response": {
            "id": "resp_1", "status": "completed", "output": [{"type": "message", "role": "assistant", "content": [
                {"type": "text", "text": "So " + ("it is." if deflate else S["WebSocket answer"])}]}],
            "usage": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2}}}).encode()
        self.wfile.write(ws_frame(ws_deflate(done) if deflate else done, deflated=deflate))
        self.rfile.read(200)


def server():
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as srv:
        print(srv.server_address[1], flush=True)
        srv.serve_forever()


# --- the agent

def chat(*messages, **more):
    return json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": m} for m in messages],
                       **more}).encode()


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_answer(s):
    f = s.makefile("rb")
    head = read_head(f)
    length = re.search(r"(?i)content-length: (\d+)", head)
    if length:
        return f.read(int(length.group(1)))
    while size := int(f.readline(), 16):
        f.read(size + 2)
    return f.readline()


def post(port, case, body, headers="", query="", pieces=None):
    s = connect(port)
    head = (f"POST /v1/chat/completions{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Case: {case}\r\n"
            f"Content-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n").encode()
    whole = head + body
    for piece in pieces(whole) if pieces else [whole]:
        s.sendall(piece)
        time.sleep(0.02 if pieces else 0)
    read_answer(s)
    s.close()


def cut_in(secret):
    def cut(whole):
        at = whole.index(secret.encode()) + len(secret) // 2
        return [whole[:at], whole[at:at + 3], whole[at + 3:]]
    return cut


def http1(port):
    basic = base64.b64encode(f"me:{S['request header basic']}".encode()).decode()
    pem = "-----BEGIN PRIVATE KEY-----\n" + S["request body pem"] + "\n-----END PRIVATE KEY-----\n"
    nested = json.dumps({"cmd": json.dumps({"api_key": S["request body nested JSON"]})})
    post(port, "plain", chat("The key is " + S["request body prompt"], pem, "with " + S["request body jwt"],
                             "at postgres://me:" + S["request body url"] + "@db/x", nested,
                             password=S["request body member"]),
         f"Authorization: Bearer {S['request header authorization']}\r\n"
         f"X-Api-Key: {S['request header x-api-key']}\r\nCookie: a={S['request header cookie']}\r\n"
         f"Proxy-Authorization: Basic {basic}\r\nX-Mine: {S['request header own, token']}\r\n",
         f"?key={S['query key']}&a={S['query token']}")
    post(port, "plain", chat("The key is " + S["request body cut"]), pieces=cut_in(S["request body cut"]))
    post(port, "error", chat("And?"))
    post(port, "gzip", chat("Packed?"))
    post(port, "plain", gzip.compress(chat("Packed " + S["gzip request"])), "Content-Encoding: gzip\r\n")
    post(port, "chunked", chat("In chunks?"))
    post(port, "cutchunk", chat("Cut?"))
    post(port, "calls", chat("Which?"))
    post(port, "events", chat("In events?"))
    post(port, "flushed", chat("In events, one by one?"))
    post(port, "bytes", chat("In bytes?"))


def redis(port):
    s = connect(port)
    s.sendall(f"*2\r\n$4\r\nAUTH\r\n$24\r\n{S['redis password']}\r\n".encode())
    s.recv(100)
    s.close()


def mcp(port):
    call = lambda i, arguments: json.dumps({"jsonrpc": "2.0", "id": i, "method": "tools/call",
                                            "params": {"name": "look", "arguments": arguments}}) + "\n"
    tool = subprocess.Popen([sys.executable, __file__, "tool", sys.argv[2]], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    for line in (call(1, {"with": S["MCP stdio arguments"], "password": S["MCP stdio member"]}), call(2, {})):
        tool.stdin.write(line.encode())
        tool.stdin.flush()
        tool.stdout.readline()
    tool.stdin.close()
    tool.wait()
    s = connect(port)
    body = call(3, {"with": S["MCP HTTP arguments"]}).encode()
    s.sendall((f"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nMcp-Session-Id: a\r\n"
               f"Authorization: Bearer {S['MCP HTTP header']}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
    read_answer(s)
    s.close()


def tool():
    for i, line in enumerate(sys.stdin, 1):
        reply = {"jsonrpc": "2.0", "id": i}
        if i == 1:
            reply["result"] = {"content": [{"type": "text", "text": "It is " + S["MCP stdio result"]}]}
        else:
            reply["error"] = {"code": -1, "message": "no access with " + S["MCP stdio error"]}
        print(json.dumps(reply), flush=True)


def websocket(port, deflate):
    s = connect(port)
    extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else ""
    s.sendall((f"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
               f"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extension}"
               f"Authorization: Bearer {S['WebSocket header']}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    f = s.makefile("rb")
    read_head(f)
    text = "Key " + S["WebSocket deflated" if deflate else "WebSocket frame"]
    item = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": text}]}}
    if not deflate:
        item["password"] = S["WebSocket member"]
    first = json.dumps(item).encode()
    frame = ws_frame(ws_deflate(first) if deflate else first, mask=os.urandom(4), deflated=deflate)
    for piece in [frame] if deflate else [frame[:130], frame[130:]]:
        s.sendall(piece)
        time.sleep(0.02)
    ask = b'{"type":"response.create"}'
    s.sendall(ws_frame(ws_deflate(ask) if deflate else ask, mask=os.urandom(4), deflated=deflate))
    f.read(4)
    time.sleep(0.1)
    s.close()


def http2(port):
    def curl(*more, query=""):
        subprocess.run(["sh", "-c", "exec curl -sS --http2-prior-knowledge --config - >/dev/null"], check=True, text=True,
                       input="\n".join([f'url = "http://127.0.0.1:{port}/v1/chat/completions{query}"',
                                        f"data = {json.dumps(chat('Key ' + S['HTTP/2 body']).decode())}",
                                        'header = "content-type: application/json"', *more]))
    curl(f'header = "authorization: Bearer {S["HTTP/2 authorization"]}"',
         f'header = "x-api-key: {S["HTTP/2 x-api-key"]}"', f'header = "cookie: a={S["HTTP/2 cookie"]}"',
         f'header = "x-mine: {S["HTTP/2 own, token"]}"',
         f'header = "x-api-key: {S["HTTP/2 x-api-key again"]}"',
         query=f'?key={S["HTTP/2 query"]}')


def commands():
    run = lambda *argv: subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    run("/bin/echo", "--password", S["argv option"], "--token=" + S["argv option="], S["argv token"])
    run("/bin/echo", "-H", "Authorization: Bearer " + S["argv header"], "https://me:" + S["argv url"] + "@host/x")
    run("/bin/echo", "DB_PASSWORD=" + S["argv assignment"])
    run("sh", "-c", "/bin/echo --password '" + S["argv of a shell"] + "'; true")
    open(S["file name"], "w").close()
    os.unlink(S["file name"])
    print("out", S["stdout"], flush=True)
    print("-----BEGIN RSA PRIVATE KEY-----\n" + S["stdout pem"] + "\n-----END RSA PRIVATE KEY-----", flush=True)
    print("failed: password=" + S["stderr"], file=sys.stderr, flush=True)


def agent(port, h2_port):
    assert os.environ["PLANTED"] == S["environment"]
    http1(port)
    redis(port)
    mcp(port)
    websocket(port, False)
    websocket(port, True)
    commands()
    if h2_port:
        http2(h2_port)


# --- the search

def forms(secret):
    """How a text may have it: as it is, in base64 at any of three places, in hex, in URLs, in JSON."""
    raw = secret.encode()
    yield "plain", raw
    yield "first half", raw[:len(raw) // 2]
    yield "second half", raw[len(raw) // 2:]
    for skip in range(3):
        coded = base64.b64encode(b"\0" * skip + raw)
        yield f"base64 {skip}", coded[4 if skip else 0:-4]
    yield "hex", raw.hex().encode()
    yield "URL", urllib.parse.quote(secret, safe="").encode()
    yield "percent", "".join(f"%{c:02x}" for c in raw).encode()
    yield "JSON", json.dumps(secret)[1:-1].encode()


# RFC 7541, Appendix B: the code is canonical, so that its lengths tell it.
HUFFMAN_LENGTHS = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b080606060505050606060606"
    "060607080f060c0a0d06070707070707070707070707070707070707070707070807080d130d0e060f050605060506060605070706060605"
    "06070605050607070707070f0b0e0d1c14161414161616171617171717171817181816171817171717151617161717181615141616171715"
    "1716161815161717151516151716171714161616171616171a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b"
    "14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a")


def huffman_code():
    code, last, table = 0, 0, {}
    for length, symbol in sorted((n, s) for s, n in enumerate(HUFFMAN_LENGTHS)):
        code <<= length - last
        table[length, code] = symbol
        code, last = code + 1, length
    return table


HUFFMAN = huffman_code()


def huffman(data):
    out, code, length = bytearray(), 0, 0
    for bit in "".join(f"{c:08b}" for c in data):
        code, length = code << 1 | (bit == "1"), length + 1
        if (length, code) in HUFFMAN:
            out.append(HUFFMAN[length, code])
            code = length = 0
    return bytes(out)


def number(data, at, bits):
    value, shift = data[at] & ((1 << bits) - 1), 0
    at += 1
    if value < (1 << bits) - 1:
        return value, at
    while True:
        value, shift, at = value + ((data[at] & 127) << shift), shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def hpack_strings(block):
    """The strings of a header block, RFC 7541 6; what names they belong to does not matter here."""
    at = 0
    while at < len(block):
        first = block[at]
        bits = 7 if first & 0x80 else 6 if first & 0x40 else 5 if first & 0x20 else 4
        index, at = number(block, at, bits)
        if first & 0x80 or bits == 5:
            continue
        for _ in range(1 if index else 2):
            coded = block[at] & 0x80
            length, at = number(block, at, 7)
            text, at = block[at:at + length], at + length
            yield huffman(text) if coded else text


def http2_parts(stream):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    at = len(preface) if stream.startswith(preface) else 0
    while at + 9 <= len(stream):
        length, kind, flags = int.from_bytes(stream[at:at + 3], "big"), stream[at + 3], stream[at + 4]
        frame, at = stream[at + 9:at + 9 + length], at + 9 + length
        if kind == 1:
            yield "HTTP/2 header", b"\n".join(hpack_strings(frame[5 if flags & 0x20 else 0:]))
        elif kind == 0:
            yield "HTTP/2 data", frame


def websocket_parts(stream):
    at, z = stream.index(b"\r\n\r\n") + 4, zlib.decompressobj(-15)
    while at + 4 <= len(stream):
        first, length = stream[at], stream[at + 1] & 127
        masked = stream[at + 1] & 128
        at += 2
        if length == 126:
            length, at = struct.unpack(">H", stream[at:at + 2])[0], at + 2
        mask, at = (stream[at:at + 4], at + 4) if masked else (bytes(4), at)
        text, at = bytes(c ^ mask[i % 4] for i, c in enumerate(stream[at:at + length])), at + length
        yield ("unpacked", z.decompress(text + b"\0\0\xff\xff")) if first & 0x40 else ("WebSocket", text)


def strings(value, place=()):
    """Those of a JSON value, each with the keys and indices that lead there."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(child, place + (key,))


def joined(events):
    """What stands at one place in all of them, one behind the other."""
    texts = {}
    for event in events:
        try:
            for place, text in strings(json.loads(event)):
                texts[place] = texts.get(place, "") + text
        except ValueError:
            pass
    return "\n".join(texts.values()).encode("utf-8", "replace")


def events_of(body):
    for line in body.splitlines():
        if line.startswith(b"data:") or line.startswith(b"{"):
            yield line.removeprefix(b"data:")


def bodies(stream):
    """Those of HTTP/1, without the borders of chunks."""
    for head in re.finditer(rb"(?s)(?:^|\n)(?:HTTP/1\.|[A-Z]+ /)[^\n]*\n.*?\r\n\r\n", stream):
        at, body = head.end(), b""
        if not re.search(rb"(?i)transfer-encoding: *chunked", head.group()):
            yield stream[at:]
            continue
        while size := re.match(rb"([0-9a-fA-F]+)[^\n]*\n", stream[at:]):
            length, at = int(size.group(1), 16), at + size.end()
            body, at = body + stream[at:at + length], at + length + 2
        yield body


def unpacked(text):
    at = text.find(b"\x1f\x8b\x08")
    while at >= 0:
        try:
            yield "unpacked", zlib.decompressobj(31).decompress(text[at:])
        except zlib.error:
            pass
        at = text.find(b"\x1f\x8b\x08", at + 1)


def capture_parts(data):
    """Every stream as it was on the wire, and what is in it."""
    streams, at = {}, 16
    while at + 40 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if kind == 4:
            key = data[at + 16:at + 20], data[at + 24:at + 32], data[at + 40:at + 48], data[at + 72]
            length = struct.unpack_from("=I", data, at + 64)[0]
            streams[key] = streams.get(key, b"") + data[at + 80:at + 80 + length]
        at += size + 7 & ~7
    for stream in streams.values():
        yield "stream", stream
        if stream.startswith(b"PRI * HTTP/2") or stream[3:9] == b"\4\0\0\0\0\0":
            for how, part in http2_parts(stream):
                yield how, part
                yield from unpacked(part)
        elif re.match(rb"GET /v1/realtime|HTTP/1.1 101", stream):
            messages = list(websocket_parts(stream))
            yield from messages
            yield "joined", joined(text for _, text in messages)
        for body in bodies(stream):
            yield "body", body
            yield "joined", joined(events_of(body))
        yield from unpacked(stream)


def store_parts(path):
    zstd = ctypes.CDLL("libzstd.so.1")
    for data, size in sqlite3.connect(path).execute("SELECT data, size FROM blob"):
        if data[:4] == b"\x28\xb5\x2f\xfd":
            room = ctypes.create_string_buffer(size)
            zstd.ZSTD_decompress(room, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
            yield "blob", room.raw


def parts_of(path):
    data = open(path, "rb").read()
    yield "bytes", data
    if path.endswith(".rsp"):
        yield from capture_parts(data)
    elif path.endswith(".db"):
        yield from store_parts(path)


def files_in(folder):
    for path, _, names in os.walk(folder):
        yield from (os.path.join(path, name) for name in names)


def check(folder):
    """What is found: a line each, and then 1."""
    needles = [(place, form, text) for place in PLACES
               for form, text in forms(S.places[place][1])]
    found, looked, size, cnt = set(), 0, 0, 0
    for path in files_in(folder):
        cnt += 1
        for how, data in parts_of(path):
            looked, size = looked + 1, size + len(data)
            for place, form, text in needles:
                if text in data:
                    found.add((place, form, os.path.relpath(path, folder), how))
    for f in sorted(found):
        print("%s, %s: in %s, %s" % f)
    print(f"{len(PLACES)} secrets, {len(needles)} forms, {cnt} files, {looked} parts, {size} bytes: "
          f"{len(found)} found", file=sys.stderr)
    return 1 if found else 0


def seen(folder):
    """Of a recording that kept them all: the places that are not found."""
    data = [part for path in files_in(folder) for _, part in parts_of(path)]
    missing = [p for p in PLACES
               if not any(text in d for form, text in forms(S.places[p][1]) if "half" not in form for d in data)]
    print("\n".join(missing))
    return 0 if missing == ["environment"] else 1


def main():
    global S
    verb = sys.argv[1]
    if verb == "plan":
        return plan(sys.argv[2])
    S = Plan(sys.argv[2])
    if verb == "server":
        server()
    elif verb == "agent":
        agent(int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    elif verb == "tool":
        tool()
    elif verb == "seen":
        sys.exit(seen(sys.argv[3]))
    else:
        sys.exit(check(sys.argv[3]))


if __name__ == "__main__":
    main()
