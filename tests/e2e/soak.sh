#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Agents of every kind at once, with errors, a model server that is killed and comes back, and a ringspan
# that is stopped and attached again: each tree is what its agent did.  `make soak` does so for long.
# needs: root bpf cgroup2
. "$(dirname "$0")/lib.sh"

TMPDIR=$tmp timeout -k 10 280 "$PYTHON" "$tests/stress/soak.py" "$RINGSPAN" --agents 30 --at-once 10 --think 0.3 \
	--server-every 8 --ringspan-every 20 >out 2>&1
status=$?
if [ $status -eq 77 ]; then
	echo "skip - trees of agents at once: $(tail -n 1 out)"
	exit 0
fi
result "trees of agents at once" $status out
