#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A PostgreSQL, a Redis and a MySQL that say what they are to: as much of each as tests/agents/db.py asks for.

Prints the ports, a line for each, and serves until it is killed.
"""

import socketserver
import struct
import threading


def message(kind, content=b""):
    return kind + struct.pack("!I", len(content) + 4) + content


READY = message(b"Z", b"I")


class Postgres(socketserver.StreamRequestHandler):
    def startup(self):
        while True:
            length, code = struct.unpack("!II", self.rfile.read(8))
            self.rfile.read(length - 8)
            if code >> 16 == 3:
                return
            self.wfile.write(b"N")  # no TLS

    def handle(self):
        self.startup()
        self.wfile.write(message(b"R", struct.pack("!I", 3)))  # in the clear
        self.rfile.read(struct.unpack("!xI", self.rfile.read(5))[0] - 4)
        self.wfile.write(message(b"R", struct.pack("!I", 0)) + READY)
        while kind := self.rfile.read(1):
            text = self.rfile.read(struct.unpack("!I", self.rfile.read(4))[0] - 4)
            if kind == b"Q" and b"dogs" in text:
                self.wfile.write(message(b"E", b"SERROR\0C42P01\0Mno dogs here\0\0") + READY)
            elif kind == b"Q":
                row = message(b"D", struct.pack("!HI", 1, 3) + b"tom")
                self.wfile.write(row + row + message(b"C", b"SELECT 2\0") + READY)


class Redis(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                words.append(self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2])
            self.wfile.write(b"$3\r\ntom\r\n" if words[0] == b"GET" else
                             b"-WRONGTYPE not a list\r\n" if words[0] == b"LPOP" else b"+OK\r\n")


class MySQL(socketserver.StreamRequestHandler):
    OK = b"\0\0\0\2\0\0\0"
    END = b"\xfe\0\0\2\0"
    COLUMN = b"\3def\0\0\0\1n\0\x0c\x2d\0\4\0\0\0\xfd\1\0\x1f\0\0"
    ROWS = [b"\1", COLUMN, END]

    def packets(self, *contents, sequence=1):
        for content in contents:
            self.wfile.write(struct.pack("<I", len(content) | sequence << 24) + content)
            sequence += 1

    def packet(self):
        head = self.rfile.read(4)
        return self.rfile.read(struct.unpack("<I", head)[0] & 0xffffff) if len(head) == 4 else b""

    def handle(self):
        self.packets(b"\x0a8.0.36\0\1\0\0\0scramble\0\xff\xff\x2d\2\0\xff\xff\x15" + bytes(10) +
                     b"scramblescra\0mysql_clear_password\0", sequence=0)
        self.packet()
        self.packets(b"\xfemysql_clear_password\0", sequence=2)
        self.packet()
        self.packets(self.OK, sequence=4)
        while command := self.packet():
            if command[0] == 0x16:
                self.packets(b"\0\1\0\0\0\1\0\1\0\0\0\0", self.COLUMN, self.END, self.COLUMN, self.END)
            elif command[0] == 0x17:
                self.packets(*self.ROWS, b"\0\0\3tom", self.END)
            elif b"dogs" in command:
                self.packets(b"\xff\x7a\x04#42S02no dogs here")
            elif b"select" in command:
                self.packets(*self.ROWS, b"\3tom", b"\3tom", self.END)
            else:
                self.packets(self.OK)


def main():
    for handler in (Postgres, Redis, MySQL):
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
