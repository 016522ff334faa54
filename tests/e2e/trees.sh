#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What happens between an agent and its model, each scenario with its whole tree: trees/NAME.tree.
#
#	tests/e2e/trees.sh [--write] [NAME...]
#
# --write takes what is found for what is expected: read the difference, line by line.
# needs: root bpf
. "$(dirname "$0")/lib.sh"
tree_options "$@"

start_mock
agent_log=

# agent_tree NAME LANGUAGE API SCENARIO [OPTION...]: the tree of one of the bundled agents
agent_tree() {
	local name=$1
	shift
	agent_command "$@"
	tree_case "$name" "${agent[@]}"
}

agent_tree retry_429 python anthropic rate
agent_tree retry_529 python anthropic over --no-stream
agent_tree retry_500 python chat e500
agent_tree cut_stream python anthropic cut
agent_tree parallel_tools python responses parallel
