#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Go's crypto/tls, in executables without symbols, however they are linked.
# needs: root bpf go
. "$(dirname "$0")/lib.sh"

export GO111MODULE=off GOCACHE=$tmp/cache CGO_ENABLED=0
start_mock
for mode in exe pie; do
	if ! go build -buildmode=$mode -ldflags='-s -w' -o client "$tests/agents/client.go" 2>build; then
		result "go $mode" 1 build
		continue
	fi
	for scenario in basic big; do
		rm -f db db-* c.rsp
		: >mock.log
		{
			bounded "$RINGSPAN" record --store db --capture c.rsp -- ./client \
				"https://127.0.0.1:$mock_port" "$mock_ca" 12 \
				"Do as I say. [[scenario:$scenario]]" >out 2>err || echo "record fails"
			[ "$(grep -c '^200 OK <nil>$' out)" -eq 12 ] || cat out
			bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
				echo "export fails"
			check_spans --spans spans.ndjson
			same_twice
			no_secret db* c.rsp spans.ndjson out err
		} >problems 2>&1
		! [ -s problems ]
		result "go $mode $scenario" $? problems
	done
done
