#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What happens between an agent and its model, each scenario with its whole tree: trees/NAME.tree.
#
#	tests/e2e/trees.sh [--write] [NAME...]		also trees_tools.sh, trees_chains.sh, trees_many.sh
#
# --write takes what is found for what is expected: read the difference, line by line.
# needs: root bpf
. "$(dirname "$0")/lib.sh"
tree_options "$@"

start_mock

agent_tree retry_429 anthropic rate
agent_tree retry_529 anthropic over --no-stream
agent_tree retry_500 chat e500
agent_tree cut_stream anthropic cut
agent_tree cut_unary responses cut --no-stream
agent_tree stream_error chat streamerror
agent_tree no_answer anthropic silent
agent_tree gave_up chat down --no-stream
agent_tree reasoning responses think
agent_tree thinking anthropic think
agent_tree refused_chat chat refused
agent_tree refused_anthropic anthropic refused --no-stream
agent_tree filtered chat filtered
