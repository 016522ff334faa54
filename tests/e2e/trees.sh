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

# agent_tree NAME API SCENARIO [OPTION...]: of agent.py
agent_tree() {
	local name=$1
	shift
	agent_command python "$@"
	tree_case "$name" "${agent[@]}"
}

# scripted_tree NAME: of the script of that name
scripted_tree() {
	tree_case "$1" "$PYTHON" "$tests/agents/scripted.py" --base-url "https://127.0.0.1:$mock_port" \
		--ca "$mock_ca" "$1"
}

# model calls and their attempts
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
agent_tree context anthropic text \
	--traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
scripted_tree through_a_service

# tools
agent_tree parallel_tools responses parallel
agent_tree nested_arguments anthropic nested
agent_tree deep_processes anthropic deep
agent_tree invalid_arguments anthropic badargs
agent_tree cut_arguments chat badjson --no-stream
agent_tree unknown_tool chat unknown
scripted_tree unanswered
scripted_tree interrupted

# answers that are none
agent_tree refused_chat chat refused
agent_tree refused_anthropic anthropic refused --no-stream
agent_tree filtered chat filtered

# conversations
scripted_tree sub_agents
SUB_AGENT="$PYTHON $tests/agents/agent.py --base-url https://127.0.0.1:$mock_port --ca $mock_ca" \
	agent_tree sub_agent_program anthropic delegate
scripted_tree hand_off
scripted_tree compaction
scripted_tree edited
scripted_tree by_response_id
scripted_tree by_conversation_id
scripted_tree beside
scripted_tree retrieval
agent_tree two_turns chat text --no-stream "And again. [[scenario:text]]"
