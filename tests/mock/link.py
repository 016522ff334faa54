#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A link between two network namespaces that is as slow as it is told: a TUN device in each, and this
program, which hands packets over with a delay, and drops some of those that carry data.

    link.py NAMESPACE-A NAMESPACE-B --delay MS [--drop-every N]

Prints "ready" when the devices, link0 in both, are there.  --drop-every N: of the segments of 500 bytes
and more that go from A to B, the Nth, 2Nth ... is dropped, the first time that it is sent.
"""

import argparse
import ctypes
import fcntl
import heapq
import os
import select
import struct
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000
TCP = 6


def device(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"link0", IFF_TUN | IFF_NO_PI))
    return fd


class Dropper:
    def __init__(self, every):
        self.every, self.count, self.seen = every, 0, set()

    def drops(self, packet):
        head = (packet[0] & 15) * 4
        if not self.every or packet[0] >> 4 != 4 or packet[9] != TCP or len(packet) < 500:
            return False
        segment = bytes(packet[head:head + 8])  # ports and sequence number
        if segment in self.seen:
            return False
        self.seen.add(segment)
        self.count += 1
        return self.count % self.every == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--drop-every", type=int, default=0)
    args = parser.parse_args()
    a, b = device(args.a), device(args.b)
    others, dropper = {a: b, b: a}, Dropper(args.drop_every)
    waiting, number = [], 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, fd, packet = heapq.heappop(waiting)
            try:
                os.write(fd, packet)
            except OSError:  # the other device is down
                pass
        wait = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        for fd in select.select([a, b], [], [], wait)[0]:
            packet = os.read(fd, 65536)
            if fd == a and dropper.drops(packet):
                continue
            number += 1
            heapq.heappush(waiting, (time.monotonic() + args.delay / 1000, number, others[fd], packet))


main()
