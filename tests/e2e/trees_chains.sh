#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What belongs to which conversation, and what is beside it, each scenario with its whole tree (see
# trees.sh).
# needs: root bpf
. "$(dirname "$0")/lib.sh"
tree_options "$@"

start_mock

agent_tree two_turns chat text --no-stream "And again. [[scenario:text]]"
scripted_tree interrupted
scripted_tree hand_off
scripted_tree compaction
scripted_tree edited
scripted_tree by_response_id
scripted_tree by_conversation_id
scripted_tree beside
agent_tree context anthropic text \
	--traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
scripted_tree through_a_service
scripted_tree retrieval
