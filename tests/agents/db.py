#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks databases by their protocols, without a library: db.py POSTGRES-PORT REDIS-PORT MYSQL-PORT."""

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


def mysql(port):
    connection = socket.create_connection(("127.0.0.1", port))

    def packet(content, sequence=0):
        connection.sendall(struct.pack("<I", len(content) | sequence << 24) + content)

    def answer():
        return read(connection, struct.unpack("<I", read(connection, 4))[0] & 0xffffff)

    def rows():
        ends = 0
        while ends < 2:
            content = answer()
            if content[:1] == b"\xff":
                return
            ends += content[:1] == b"\xfe"

    answer()
    packet(struct.pack("<IIB23x", 0x8a20a, 1 << 24, 45) + b"me\0\x0ageheim1234zoo\0mysql_clear_password\0", 1)
    answer()
    packet(b"geheim1234\0", 3)
    answer()
    packet(b"\x03set password = 'geheim1234'")
    answer()
    for statement in (b"\x03select name from cats where age = \"7\"", b"\x03select * from dogs"):
        packet(statement)
        rows()
    packet(b"\x16select name from cats where name = ? and age > 7")
    for _ in range(5):
        answer()
    packet(b"\x17\1\0\0\0\0\1\0\0\0\0\1\xfe\0\3tom")
    rows()
    packet(b"\x01")
    connection.close()


if __name__ == "__main__":
    postgres(int(sys.argv[1]))
    redis(int(sys.argv[2]))
    mysql(int(sys.argv[3]))
