#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes damaged copies of a capture file: cut, of another version, and hostile.

The damage is the same every time.  The file begins with 8 bytes of magic, two of byte order and two
of version, 16 bytes in all; a record begins with its size in four bytes (schemas/capture.md).
"""

import os
import random
import struct
import sys

HEADER = 16
COPIES = 10


def records(data):
    """Offsets of the records."""
    at = HEADER
    while at + 4 <= len(data):
        size = struct.unpack_from("<I", data, at)[0]
        if size < 8:
            return
        yield at
        at += (size + 7) // 8 * 8


def flip(data, dice, count):
    for _ in range(count):
        data[dice.randrange(HEADER, len(data))] = dice.randrange(256)
    return data


def main():
    source, folder = sys.argv[1:]
    with open(source, "rb") as file:
        data = file.read()
    os.makedirs(folder, exist_ok=True)
    offsets = list(records(data))

    def save(name, content):
        with open(os.path.join(folder, name + ".rsp"), "wb") as out:
            out.write(content)

    save("version", data[:10] + b"\xff\x7f" + data[12:])
    save("byteorder", data[:8] + data[9:7:-1] + data[10:])
    for number in range(COPIES):
        dice = random.Random(number)
        save(f"cut-{number:02}", data[: len(data) * (number + 1) // (COPIES + 1) - 3])
        save(f"flipped-{number:02}", flip(bytearray(data), dice, 2**number))
        start, end = sorted(dice.sample(offsets, 2))
        save(f"spliced-{number:02}", data[:start] + data[end:] + data[start:end])
        broken = bytearray(data)
        for at in dice.sample(offsets, min(8, len(offsets))):
            size = dice.choice((0, 1, 7, 40, 0x7FFFFFFF, 0xFFFFFFFF))
            struct.pack_into("<I", broken, at, size)
        save(f"lengths-{number:02}", broken)


if __name__ == "__main__":
    main()
