#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A name server to test against: 127.0.0.1 port 53, UDP and TCP; needs only python3 and a network
namespace of its own.

Answers by the first label: good, missing (NXDOMAIN), slow (only when it is asked again), big (does not
fit into a datagram), large (fits with EDNS: over a kilobyte), refused.  Prints a line when it is ready.
--log FILE gets a JSON line for every question: the ground truth.
"""

import argparse
import ipaddress
import json
import socket
import socketserver
import struct
import threading

A, AAAA = 1, 28
TYPES = {A: "A", AAAA: "AAAA"}
TRUNCATED, NXDOMAIN, REFUSED = 0x0200, 3, 5
RECORDS = {"big": 64, "large": 64}  # the latter over a kilobyte with either kind
asked = set()
log = None


def question(message):
    """The name's labels, its type, and where the question ends."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return labels, struct.unpack_from(">H", message, at + 1)[0], at + 5


def addresses(label, kind):
    first = ipaddress.ip_address("10.1.1.1" if kind == A else "fd00::1")
    return [(first + i).packed for i in range(RECORDS.get(label, 1))] if kind in (A, AAAA) else []


def answer(message, udp):
    """None when it is to be lost."""
    labels, kind, end = question(message)
    label = labels[0].lower()
    if log:
        print(json.dumps({"name": ".".join(labels).lower(), "type": TYPES.get(kind, str(kind)),
                          "udp": udp}), file=log, flush=True)
    if label == "slow" and kind == A and kind not in asked:
        asked.add(kind)
        return None
    flags = 0x8180
    found = addresses(label, kind)
    if label in ("missing", "refused"):
        flags |= NXDOMAIN if label == "missing" else REFUSED
        found = []
    if label == "big" and udp:
        flags |= TRUNCATED
        found = []
    records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(a)) + a for a in found)
    head = message[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0)
    return head + message[12:end] + records


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        while size := self.rfile.read(2):
            said = answer(self.rfile.read(struct.unpack(">H", size)[0]), udp=False)
            self.wfile.write(struct.pack(">H", len(said)) + said)


def main():
    global log
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=argparse.FileType("w"))
    log = parser.parse_args().log
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 53))
    tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 53), Tcp)
    tcp.daemon_threads = True
    threading.Thread(target=tcp.serve_forever, daemon=True).start()
    print("ready", flush=True)
    while True:
        message, sender = udp.recvfrom(4096)
        said = answer(message, udp=True)
        if said:
            udp.sendto(said, sender)


if __name__ == "__main__":
    main()
