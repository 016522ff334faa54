#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks a model with a body of BYTES, in writes of PIECE bytes as fast as it goes, and reads ANSWER bytes.

    burst.py PORT tls|plain BYTES PIECE ANSWER

Prints what it sent and received, as one JSON object.  Nobody is verified: the peer is a test's own.
"""

import json
import socket
import ssl
import sys

HEAD = b'{"model":"gpt-4.1","messages":[{"role":"user","content":"BEGIN '
TAIL = b' END"}]}'
READ = 16384


def main():
    port, kind, size, piece, asked = sys.argv[1:]
    size, piece, asked = int(size), int(piece), int(asked)
    connection = socket.create_connection(("127.0.0.1", int(port)))
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: api.test\r\ncontent-type: application/json\r\n"
            f"content-length: {size}\r\nanswer-bytes: {asked}\r\n\r\n").encode()
    body = memoryview(HEAD + b"x" * (size - len(HEAD) - len(TAIL)) + TAIL)
    connection.sendall(head)
    writes = 0
    for at in range(0, size, piece):
        connection.sendall(body[at:at + piece])
        writes += 1
    got, rest = b"", 0
    while b"\r\n\r\n" not in got:
        got += connection.recv(READ)
    begin = got.index(b"\r\n\r\n") + 4
    rest = begin + asked - len(got)
    while rest:
        rest -= len(connection.recv(min(rest, READ)))
    connection.close()
    print(json.dumps({"writes": writes, "sent": len(head) + size, "received": begin + asked,
                      "body": size, "answer": asked}))


if __name__ == "__main__":
    main()
