#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# No chain of calls of a BPF program is deeper than the verifiers of old kernels let it be.  $OUT is the
# build folder.
. "$(dirname "$0")/lib.sh"

tests/lint/stack.py "${OUT:-build}/ringspan.bpf.o" 2>&1 |
	verdict "lint stack: every chain of BPF calls fits the stack of old kernels"
