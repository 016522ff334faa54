#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Inputs that the fuzzer begins with, and its dictionaries, from what the tests and the sources hold.

    seeds.py BUILD DIR

Fills DIR/TARGET/ and DIR/TARGET.dict: cases of tests/case, captures of tests/golden and the bytes in
them, texts in tests/unit/*.c, images that unit tests in BUILD make of programs, and a few things that
are made here.  Dictionaries are the texts in the parsers' own sources.  See fuzz.h for the pieces.
"""
import ast
import glob
import gzip
import hashlib
import os
import re
import ssl
import struct
import subprocess
import sys
import tempfile
import zlib

MARK = b"\xffFZ"
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
SEED_MAX = 65536


def save(out, target, data):
    if len(data) <= SEED_MAX:
        name = hashlib.sha1(data).hexdigest()[:16]
        with open(os.path.join(out, target, name), "wb") as f:
            f.write(data)


def piece(what, data):
    return MARK + what.encode() + data


# --- cases: tests/case/README.md has the format


def unescape(text, end):
    if text.endswith("\\") and not text.endswith("\\\\"):
        text, end = text[:-1], ""
    table = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
    out, i = b"", 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
        elif text[i + 1] == "x":
            out += bytes.fromhex(text[i + 2:i + 4])
            i += 3
        else:
            out += table[text[i + 1]]
            i += 1
        i += 1
    return out + end.encode()


def case_seed(block, end):
    out, last = b"", None
    for line in block.splitlines():
        if not line or line[0] == "!":
            last = None
            words = line[1:].split()
            if words[:1] == ["end"]:
                out += piece(".", b"")
            elif words[:1] == ["accepted"]:
                out = piece("+", " ".join(words[1:]).encode()) + out
            elif words[:1] == ["gap"]:
                out += piece("-" if words[1] == ">" else "_", b"\x03\x04")
            continue
        if line[0] != last:
            out += piece(line[0], b"")
            last = line[0]
        if line[1:2] == "x":
            out += bytes.fromhex(line[2:].replace(" ", ""))
        else:
            out += unescape(line[2:], end)
    return out


UPGRADE = piece(">", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n") + \
    piece("<", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")


def cases(out):
    ends = {"http1": "\r\n", "http2": "\r\n", "sse": "\n", "jsonrpc": "\n"}
    for path in glob.glob("tests/case/*/*.md"):
        target = path.split("/")[-2]
        for block in re.findall(r"```in\n(.*?)```", open(path).read(), re.S):
            seed = case_seed(block, ends.get(target, ""))
            save(out, target, seed)
            if target in ("http1", "http2"):
                save(out, "seal", b"\1" + seed)
            elif target == "websocket":
                save(out, "seal", b"\1" + UPGRADE + seed)


# --- captures, and the streams in them


def records(data):
    at = struct.unpack_from("<I", data, 12)[0]
    while at < len(data):
        size, kind = struct.unpack_from("<IH", data, at)
        yield kind, data[at:at + size]
        at += (size + 7) & ~7


def captures(out):
    data_kind = int(re.search(r"X\(DATA, (\d+)", open("bpf/event.h").read()).group(1))
    for path in glob.glob("tests/golden/*.rsp"):
        data = open(path, "rb").read()
        for choice in (0, 8, 9, 2, 19, 32 + 9):
            save(out, "capture", bytes([choice]) + data)
        conns = {}
        for kind, rec in records(data):
            if kind != data_kind:
                continue
            conn = struct.unpack_from("<Q", rec, 40)[0]
            direction = rec[72]
            conns.setdefault(conn, []).append((direction, rec[80:]))
        for pieces in conns.values():
            stream = b"".join(piece("><"[d == 0], p) for d, p in pieces)
            target = "http1" if b"HTTP/1.1" in stream else "jsonrpc"
            save(out, target, stream)
            for _, p in pieces:
                if p.startswith(b"data:") or p.startswith(b"event:"):
                    save(out, "sse", p)


# --- texts in C


def literals(path):
    """Each text of a source, with its parts joined."""
    text = re.sub(r"/\*.*?\*/|^\s*#include.*?$", "", open(path).read(), flags=re.S | re.M)
    at, joined, end = 0, "", 0
    for m in LITERAL.finditer(text):
        if joined and text[end:m.start()].strip():
            yield joined
            joined = ""
        joined += m.group(1)
        end = m.end()
    if joined:
        yield joined


def c_bytes(lit):
    try:
        # C ends \x where no hex digit follows; none here is longer than two
        return ast.literal_eval('b"' + lit.replace("\\?", "?") + '"')
    except (SyntaxError, ValueError):
        return None


def texts(pattern):
    for path in sorted(glob.glob(pattern)):
        for lit in literals(path):
            data = c_bytes(lit)
            if data:
                yield os.path.basename(path)[:-2], data


def jsons(pattern):
    for name, data in texts(pattern):
        if data[:1] in b"{[":
            yield name, data.replace(b"'", b'"') if b"{'" in data else data


def apis():
    return re.findall(r"^SEM\((\w+)\)", open("user/sem/sem.def").read(), re.M)


def sem_texts(out):
    names, before = apis(), {}
    paths = [d for _, d in texts("tests/unit/sem_*.c") if d.startswith(b"/")]
    for i, (name, data) in enumerate(jsons("tests/unit/sem_*.c")):
        word = name.split("_")[1]
        own = [k for k, n in enumerate(names) if word in n] or list(range(len(names)))
        api, path = own[i % len(own)], paths[i % len(paths)]
        line = piece("?", b"h.example.com " + path)
        asked = piece(">", before.get(name, b"{}"))
        lines = b"".join(b"data: " + x + b"\n\n" for x in (before.get(name, b"{}"), data))
        save(out, "sem", bytes([api, 0]) + line + piece(">", data))
        save(out, "sem", bytes([api, 0]) + line + asked + piece("<", data))
        save(out, "sem", bytes([api, 1]) + asked + piece("<", lines))
        save(out, "sem", bytes([255, 0]) + line + asked + piece("<", data))
        save(out, "live", asked + piece("<", data))
        save(out, "json", data)
        before[name] = data
    for name, data in jsons("tests/unit/sem_session.c"):
        for host in (b"api.openai.com /v1/realtime?model=m", b"h /ws/google.ai.generativelanguage.v1beta."
                     b"GenerativeService.BidiGenerateContent"):
            save(out, "live", piece("?", host) + piece("<", data) + piece(">", data))


def unit_texts(out):
    sem_texts(out)
    last = b""
    for _, data in jsons("tests/unit/*rpc*.c"):
        save(out, "rpc", piece(">", data) + piece("<", last))
        save(out, "rpc", piece("?", b"POST /v1/message:send") + piece(">", data))
        save(out, "jsonrpc", data + b"\n")
        last = data
    for _, data in jsons("tests/unit/json_schema.c"):
        save(out, "schema", piece(">", data) + piece("<", last))
        last = data
    for unit in ("where", "redact", "cgroup"):
        for _, data in texts("tests/unit/%s.c" % unit):
            save(out, unit, data)
    for _, data in texts("tests/unit/rules.c"):
        save(out, "rules", piece(">", data) + piece("<", last))
        last = data
    for _, data in texts("tests/unit/json.c"):
        save(out, "json", data)
    for how in range(4):
        for which in range(0, 48, 5):
            save(out, "planted", bytes([how, which]) + piece(">", b'a "b\\') + piece("<", b"c\n"))
    for _, data in texts("tests/unit/price.c"):
        if data[:1] == b"{":
            save(out, "prices", piece(">", data) + piece("<", b"gpt-4o"))
    table = open("schemas/prices.json", "rb").read()
    save(out, "prices", piece(">", table) + piece("<", b"claude-opus-4-20250514"))
    for unit in ("ndjson", "sse"):
        for _, data in texts("tests/unit/%s.c" % unit):
            save(out, unit, data)
            save(out, "jsonarray", data)


# --- made here


def message(event, payload):
    def header(name, value):
        return bytes([len(name)]) + name + b"\7" + struct.pack(">H", len(value)) + value

    headers = header(b":event-type", event) + header(b":message-type", b"event")
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head += struct.pack(">I", zlib.crc32(head))
    body = head + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def dns_message():
    question = b"\3api\7example\3com\0" + struct.pack(">HH", 1, 1)
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([10, 0, 0, 1])
    alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 6) + b"\3www\xc0\x10"
    https = b"\xc0\x0c" + struct.pack(">HHIHH", 65, 1, 60, 10, 1) + b"\0\0\1\0\3\2h2\0"
    return struct.pack(">6H", 7, 0x8180, 1, 3, 0, 0) + question + answer + alias + https


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="api.example.com").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def made(out):
    body = b'{"type":"message_start","n":[1,2,3]}' * 20
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = {0: gzip.compress(body), 1: zlib.compress(body), 4: gzip.compress(gzip.compress(body))}
    save(out, "decode", b"\1" + raw.compress(body) + raw.flush())
    zstd = subprocess.run(["zstd", "-c"], input=body, stdout=subprocess.PIPE, check=False)
    packed[3] = zstd.stdout
    for which, data in packed.items():
        save(out, "decode", bytes([which]) + data)
    for which, coding in ((0, b"gzip"), (1, b"deflate"), (3, b"zstd")):
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
        save(out, "seal", b"\1" + piece("<", head % (coding, len(packed[which])) + packed[which]))
    for how in range(0, 128, 7):
        save(out, "packed", bytes([how, 7]) + piece(">", body) + piece("<", b"and so on\n" * 9))
    for letters in range(12):
        save(out, "streamed", bytes([letters, letters * 20]) + piece(">", b"\r\nand 'so on'") +
             piece(">", b"{[ ]}, : 7") + piece(">", b"data: {\"index\": 1}\r\n\r\ndata: [DONE]\n\n"))
    events = message(b"messageStart", b'{"role":"assistant"}') + message(b"chunk", b'{"bytes":"e30="}')
    save(out, "eventstream", events)
    save(out, "sem", bytes([apis().index("bedrock_converse"), 2]) + piece("<", events))
    msg = dns_message()
    save(out, "dns", (struct.pack(">H", len(msg)) + msg) * 2)
    save(out, "tls_hello", client_hello())
    save(out, "jsonarray", b'[{"a":1},{"b":"]"},[1,"\\""]]')
    save(out, "ndjson", b'{"a":1}\r\n\n{"b":2}\n')


# --- programs


LIBRARY = """
int SSL_read(void *s, void *b, int n) { return s && b ? n : -1; }
int SSL_write(void *s, const void *b, int n) { return s && b ? n + 1 : -1; }
int SSL_read_ex(void *s, void *b, unsigned long n, unsigned long *r)
{ *r = SSL_read(s, b, n); return *r > 0; }
int SSL_write_ex(void *s, const void *b, unsigned long n, unsigned long *r)
{ *r = SSL_write(s, b, n); return *r > 0; }
void SSL_free(void *s) { *(int *)s = 0; }
int SSL_clear(void *s) { *(int *)s = 1; return 1; }
long gnutls_record_recv(void *s, void *b, unsigned long n) { return SSL_read(s, b, n); }
long gnutls_record_send(void *s, const void *b, unsigned long n) { return SSL_write(s, b, n); }
void gnutls_deinit(void *s) { *(int *)s = 0; }
const char version[] = "OpenSSL 3.0.19 27 Jan 2026";
"""


def programs(out, build):
    with tempfile.TemporaryDirectory() as tmp:
        env = dict(os.environ, RINGSPAN_IMAGES=tmp)
        for unit in ("gotls", "rustls", "stripped"):
            path = os.path.join(build, "unit", unit)
            if os.path.exists(path):
                subprocess.run([path], env=env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        with open(tmp + "/lib.c", "w") as f:
            f.write(LIBRARY)
        for i, flags in enumerate((["-O2"], ["-O0", "-Wl,--build-id"], ["-O2", "-s"])):
            subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-z,noseparate-code", *flags,
                            "-o", "%s/%d.image" % (tmp, i), tmp + "/lib.c"], check=False)
        for path in sorted(glob.glob(tmp + "/*.image")):
            data = open(path, "rb").read()
            save(out, "elf", data)
            entry = b'{"libs":[{"lib":"openssl","version":"3.0.19","functions":6,"calls":[{"role":0,' \
                b'"at":4096,"code":1}],"sites":[]}]}'
            save(out, "cache", piece(">", entry) + piece("<", data))
    for _, data in jsons("tests/unit/cache.c"):
        save(out, "cache", piece(">", data) + piece("<", b"\x7fELF"))


def code(out):
    path = ssl_library()
    symbols = subprocess.run(["nm", "-D", "--defined-only", "-S", path], stdout=subprocess.PIPE,
                             text=True, check=False).stdout if path else ""
    data = open(path, "rb").read() if path else b""
    for line in symbols.splitlines():
        words = line.split()
        if len(words) == 4 and re.match(r"SSL_(read|write|free|clear|peek|sendfile|accept)", words[3]):
            at, size = int(words[0], 16), int(words[1], 16)
            save(out, "code", b"\0" + data[at:at + size])
            save(out, "code", b"\1" + data[at:at + size])


def ssl_library():
    with open("/proc/self/maps") as f:
        for line in f:
            if "libssl" in line:
                return line.split()[-1]
    return None


# --- dictionaries

WORDS = {
    "capture": "user/sem/*.c user/proto/*.c user/span/rpc*.c",
    "http1": "user/proto/http*.c user/proto/decode.c",
    "http2": "user/proto/http*.c user/proto/decode.c",
    "websocket": "user/proto/websocket.c",
    "jsonrpc": "user/proto/jsonrpc*.c",
    "sem": "user/sem/*.c",
    "live": "user/sem/*live*.c user/sem/*realtime*.c user/sem/session.c",
    "rpc": "user/sem/mcp.c user/sem/a2a.c user/sem/rpc.c",
    "schema": "user/base/json_schema*.c",
    "prices": "user/span/price.c",
    "where": "user/sink/where*.c",
    "rules": "user/span/rules.c",
    "redact": "user/base/redact.c",
    "planted": "user/base/redact.c",
    "packed": "user/base/redact.c",
    "streamed": "user/seal/events.c",
    "seal": "user/proto/http1*.c user/proto/decode.c user/seal/hpack.c",
    "cgroup": "user/proc/cgroup.c",
    "cache": "user/probe/cache_entry.c user/probe/tls*.c",
    "elf": "user/probe/elf.c user/probe/pcln.c user/probe/tls*.c",
}


def dictionary(out, target):
    words = {MARK + w.encode() for w in "><|-_.+?h"}
    for pattern in WORDS.get(target, "").split():
        words |= {d for _, d in texts(pattern) if len(d) <= 48}
    with open(os.path.join(out, target + ".dict"), "w") as f:
        for word in sorted(words):
            f.write('"%s"\n' % "".join("\\x%02x" % b for b in word))


def main():
    build, out = (os.path.abspath(a) for a in sys.argv[1:3])
    os.chdir(TOP)
    for target in re.findall(r"^FUZZ\((\w+)\)", open("tests/fuzz/fuzz.def").read(), re.M):
        os.makedirs(os.path.join(out, target), exist_ok=True)
        dictionary(out, target)
    cases(out)
    captures(out)
    unit_texts(out)
    made(out)
    programs(out, build)
    code(out)


if __name__ == "__main__":
    main()
