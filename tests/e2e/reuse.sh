#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel gives the same process ids again within a tenth of a second: who had one before is not mixed up
# with who has it now.  `make storm` does so for longer.
# alone: the machine's process ids are given again to whoever starts one meanwhile
# needs: root bpf
. "$(dirname "$0")/lib.sh"

for options in "" "--files all --profile --logs"; do
	# shellcheck disable=SC2086
	TMPDIR=$tmp timeout -k 10 120 "$PYTHON" "$tests/stress/reuse.py" "$RINGSPAN" 600 --quiet $options >out 2>&1
	status=$?
	if [ $status -eq 77 ]; then
		echo "skip - process ids that are used again: $(tail -n 1 out)"
		exit 0
	fi
	result "process ids that are used again${options:+, with $options}" $status out
done
