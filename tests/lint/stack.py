#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Prints each BPF program whose deepest chain of calls takes more than 512 bytes of stack.

usage: stack.py OBJECT

The verifier adds up the frames of a chain, each rounded up to 32 bytes and none below that; callbacks, as of bpf_loop(),
are called by who names them (check_max_stack_depth() in kernel/bpf/verifier.c). Newer kernels round to 16 where they
have a JIT, so what one of them takes an old one may refuse: this tells without it.
"""
import re
import subprocess
import sys

MAX_BPF_STACK = 512
FRAME = 32
INSN = 8
BPF_PSEUDO_CALL = "85 10"  # a call of a function in the object, not of a helper


class Function:
    def __init__(self, section):
        self.section, self.stack, self.calls, self.imm = section, 0, [], 0


class Object:
    def __init__(self, path):
        self.functions, self.at = {}, {}
        said = subprocess.run(["llvm-objdump-14", "-d", "-r", path], capture_output=True, text=True, check=True).stdout
        section, function = None, None
        for line in said.splitlines():
            if found := re.match(r"Disassembly of section (.*):", line):
                section = found[1]
            elif found := re.match(r"([0-9a-f]+) <(.*)>:", line):
                if not found[2].startswith("LBB"):
                    function = self.functions.setdefault(found[2], Function(section))
                    self.at[section, int(found[1], 16)] = found[2]
            elif function:
                self.instruction(function, line)

    @staticmethod
    def instruction(function, line):
        used = [int(n, 0) for n in re.findall(r"r10 - (0x[0-9a-f]+|\d+)", line)]
        # a copy of r10 that is moved down; r1 += -1 of a number is no deeper than what is really used
        used += [int(n, 0) for n in re.findall(r"r\d+ \+= -(0x[0-9a-f]+|\d+)", line) if int(n, 0) <= MAX_BPF_STACK]
        function.stack = max([function.stack, *used])
        found = re.match(r"\s+(\d+):\s+((?:[0-9a-f]{2}[ \t]){8})", line)
        if found:
            function.imm = int.from_bytes(bytes.fromhex(found[2])[4:8], "little", signed=True)
            if found[2].startswith(BPF_PSEUDO_CALL):
                function.calls.append([int(found[1]), function.imm, None])
        elif line.endswith("R_BPF_64_64\t.text"):
            function.calls.append([0, function.imm // INSN - 1, ".text"])
        elif (found := re.search(r"R_BPF_64_32\s+(\S+)", line)) and function.calls:
            function.calls[-1][2] = found[1]

    def called(self, function):
        for at, offset, symbol in function.calls:
            if symbol and symbol != ".text":
                yield symbol
            elif symbol:
                yield self.at.get((".text", (offset + 1) * INSN))
            else:
                yield self.at.get((function.section, (at + 1 + offset) * INSN))

    def deepest(self, name):
        """Bytes of the deepest chain from there, and its functions; a kfunc has no frame."""
        function = self.functions.get(name)
        if not function:
            return 0, []
        size, chain = max((self.deepest(callee) for callee in self.called(function)), default=(0, []))
        return size + max(FRAME, -(-function.stack // FRAME) * FRAME), [f"{name} {function.stack}", *chain]


def main():
    obj = Object(sys.argv[1])
    programs = [name for name, function in obj.functions.items() if function.section != ".text"]
    if not programs:
        sys.exit(f"{sys.argv[1]} has no programs")
    for name in programs:
        size, chain = obj.deepest(name)
        if size > MAX_BPF_STACK:
            print(f"{size} bytes: {' > '.join(chain)}")


if __name__ == "__main__":
    main()
