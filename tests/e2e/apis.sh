#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every API, streamed and unary, plain and compressed, from python over TLS.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
for api in anthropic chat responses; do
	for mode in --stream --no-stream; do
		run_case "python $api $mode" python $api basic 0 $mode
		run_case "python $api $mode, gzip" python $api basic 0 $mode --accept-encoding gzip
	done
	run_case "python $api --no-stream, deflate" python $api basic 0 --no-stream --accept-encoding deflate
done
