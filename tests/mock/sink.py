#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Takes requests of any size and answers with as many bytes as they ask for: sink.py CERT KEY.

Prints two ports on a line, of TLS and of plain TCP.  The header `answer-bytes` says how long the body of the
answer is: a chat completion with its usage at the end.  One connection at a time on each port.
"""

import socket
import ssl
import sys
import threading

PIECE = 65536
HEAD = b'{"id":"chatcmpl-1","model":"gpt-4.1","choices":[{"index":0,"message":{"role":"assistant","content":"FIRST '
TAIL = b' LAST"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}'


def answer(out, size):
    out.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              b"content-length: %d\r\n\r\n" % size + HEAD)
    left = size - len(HEAD) - len(TAIL)
    while left:
        piece = b"a" * min(left, PIECE)
        out.write(piece)
        left -= len(piece)
    out.write(TAIL)
    out.flush()


def serve(connection):
    with connection, connection.makefile("rb") as lines, connection.makefile("wb") as out:
        while lines.readline():
            fields = {}
            while (line := lines.readline().strip()):
                name, _, value = line.partition(b":")
                fields[name.lower()] = int(value) if value.strip().isdigit() else value
            left = fields[b"content-length"]
            while left:
                left -= len(lines.read(min(left, PIECE)))
            answer(out, fields[b"answer-bytes"])


def listen(context, ports):
    server = socket.create_server(("127.0.0.1", 0))
    ports.append(server.getsockname()[1])

    def run():
        while True:
            connection, _ = server.accept()
            try:
                serve(context.wrap_socket(connection, server_side=True) if context else connection)
            except OSError as error:
                print(error, file=sys.stderr)

    threading.Thread(target=run, daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[1:])
    ports = []
    listen(context, ports)
    listen(None, ports)
    print(*ports, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
