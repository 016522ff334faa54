#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 200 conversations at once, in one process and over four HTTP/2 connections: 200 right trees (see
# trees.sh), and in each what the mock answered to that one; and 50 that say the same first.
# needs: root bpf node
. "$(dirname "$0")/lib.sh"
tree_options "$@"

start_mock
timeout 300 "$NODE" "$tests/mock/h2.mjs" "$mock_port" "$mock_ca" >h2.port 2>h2.err &
pids+=($!)
wait_for 20 test -s h2.port
result "HTTP/2 in front of the mock" $? h2.err

# how many pieces an answer comes in is up to the one in front, and which conversation is the first on a
# connection to the scheduler
tree_extra=(--fold '#[0-9]{3}' --measured 'ringspan[.]stream[.]chunks'
	--drop 'ringspan[.]time[.](connect|tls)_ns' --word "node=$(command -v "$NODE")")
tree_case many "$NODE" "$tests/agents/many.mjs" --base-url "https://127.0.0.1:$(cat h2.port)" \
	--ca "$mock_ca"
"$PYTHON" "$here/check_many.py" mock.log spans.ndjson 200 >problems 2>&1
result "each conversation has what was answered to it" $? problems

tree_case many_alike "$NODE" "$tests/agents/many.mjs" --base-url "https://127.0.0.1:$(cat h2.port)" \
	--ca "$mock_ca" --alike --count 50
