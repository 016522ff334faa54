#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is traced does not notice that ringspan is killed, or comes and goes; processes in thousands and
# arguments in megabytes are kept apart and bounded.  A few rounds of what `make harmless` and `make
# storm` do for long.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

# tried NAME COMMAND...
tried() {
	local name=$1
	shift
	timeout --foreground -k 5 250 "$PYTHON" "$@" >out 2>&1
	result "$name" $? out
	grep -v '^seed' out | sed 's/^/# /'
}

tried "killed at random moments, and coming and going: nothing is left, nobody fails" \
	"$tests/stress/harmless.py" "$RINGSPAN" 6 5 1
tried "a storm of processes, and arguments as long as they may be: none is mixed up, memory is bounded" \
	"$tests/stress/storm.py" "$RINGSPAN" 500 0 5
