#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same from node, whose TLS library is inside its executable.
# needs: root bpf node
. "$(dirname "$0")/lib.sh"

start_mock
for api in anthropic chat responses; do
	for client in https fetch; do
		run_case "$client $api" node $api basic 0 --client $client
		run_case "$client $api, unary, gzip" node $api basic 0 --client $client --no-stream \
			--accept-encoding gzip
	done
	run_case "fetch $api parallel" node $api parallel 0 --client fetch
done
for client in https fetch; do
	run_case "$client rate" node anthropic rate 0 --client $client
	run_case "$client cut" node chat cut 0 --client $client
	run_case "$client big" node responses big 0 --client $client
	run_case "$client long" node anthropic long 0 --client $client
	run_case "$client close" node chat close 0 --client $client
	run_case "$client error400" node anthropic error400 1 --client $client
done
