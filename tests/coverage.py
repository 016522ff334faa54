#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Prints which part of each room's lines the tests ran: coverage.py PROGRAM PROFILE...

PROGRAM is the instrumented ringspan, profiles are what programs with the same objects left.
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile


def tool(name):
    return shutil.which(name + "-14") or shutil.which(name)


def summary(program, profiles):
    with tempfile.TemporaryDirectory() as tmp:
        merged = os.path.join(tmp, "merged")
        subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", merged, *profiles], check=True)
        out = subprocess.run([tool("llvm-cov"), "export", "-summary-only", program,
                              "-instr-profile", merged], check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)["data"][0]["files"]


def main():
    program, profiles = sys.argv[1], sys.argv[2:]
    rooms, total = collections.defaultdict(lambda: [0, 0]), [0, 0]
    for f in summary(program, profiles):
        path = f["filename"].split("/user/")
        if len(path) < 2 or "/" not in path[-1]:
            continue  # the generated skeleton, main.c
        for of in (rooms[path[-1].split("/")[0]], total):
            of[0] += f["summary"]["lines"]["covered"]
            of[1] += f["summary"]["lines"]["count"]
    for room in sorted(rooms):
        print("# coverage %-9s %6d of %6d lines %5.1f %%" % (room, *rooms[room],
                                                            100 * rooms[room][0] / rooms[room][1]))
    print("# coverage %-9s %6d of %6d lines %5.1f %%" % ("all", *total, 100 * total[0] / total[1]))


if __name__ == "__main__":
    main()
