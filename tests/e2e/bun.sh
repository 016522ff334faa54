#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same agent under Bun, which holds BoringSSL without symbols: $BUN, that in the PATH, or one of
# the npm registry (run.sh).  SSL_free is not found there, so an answer that ends with its connection
# has no end that is seen: not tried.
# needs: root bpf bun
. "$(dirname "$0")/lib.sh"

NODE=$(realpath "$BUN")
start_mock
for api in anthropic chat responses; do
	for client in https fetch; do
		run_case "$client $api" node $api basic 0 --client $client
	done
	run_case "fetch $api, unary, gzip" node $api basic 0 --client fetch --no-stream \
		--accept-encoding gzip
	run_case "fetch $api parallel" node $api parallel 0 --client fetch
done
for client in https fetch; do
	run_case "$client rate" node anthropic rate 0 --client $client
	run_case "$client big" node responses big 0 --client $client
	run_case "$client long" node anthropic long 0 --client $client
	run_case "$client error400" node anthropic error400 1 --client $client
done
