#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Conversations, told by nothing but their messages, each scenario with its whole tree (see trees.sh).
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
