#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks databases by their protocols, without a library: db.py POSTGRES-PORT REDIS-PORT."""

import socket
import struct
import sys


def read(connection, n):
    data = b""
    while len(data) < n:
        data += connection.recv(n - len(data))
    return data


def until_ready(connection):
    while True:
        kind, length = struct.unpack("!cI", read(connection, 5))
        content = read(connection, length - 4)
        if kind == b"Z":
            return
        if kind == b"R" and content == struct.pack("!I", 3):
            connection.sendall(b"p" + struct.pack("!I", 15) + b"geheim1234\0")


def postgres(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(struct.pack("!II", 8, 80877103))  # TLS?
    assert read(connection, 1) == b"N"
    params = b"user\0me\0database\0zoo\0\0"
    connection.sendall(struct.pack("!II", len(params) + 8, 3 << 16) + params)
    until_ready(connection)
    for statement in (b"select name from cats where age = 7\0", b"select * from dogs\0"):
        connection.sendall(b"Q" + struct.pack("!I", len(statement) + 4) + statement)
        until_ready(connection)
    connection.sendall(b"X" + struct.pack("!I", 4))
    connection.close()


def redis(port):
    connection = socket.create_connection(("127.0.0.1", port))
    answers = connection.makefile("rb")
    for words in (["AUTH", "geheim1234"], ["SET", "cat", "tom"], ["GET", "cat"], ["LPOP", "cat"]):
        text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        connection.sendall(text.encode())
        if answers.readline().startswith(b"$"):
            answers.readline()
    connection.close()


if __name__ == "__main__":
    postgres(int(sys.argv[1]))
    redis(int(sys.argv[2]))
