#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Tool calls, and who does them, each scenario with its whole tree (see trees.sh).
# needs: root bpf
. "$(dirname "$0")/lib.sh"
tree_options "$@"

start_mock

agent_tree parallel_tools responses parallel
agent_tree nested_arguments anthropic nested
agent_tree deep_processes anthropic deep
agent_tree invalid_arguments anthropic badargs
agent_tree cut_arguments chat badjson --no-stream
agent_tree unknown_tool chat unknown
scripted_tree unanswered
scripted_tree sub_agents
SUB_AGENT="$PYTHON $tests/agents/agent.py --base-url https://127.0.0.1:$mock_port --ca $mock_ca" \
	agent_tree sub_agent_program anthropic delegate
