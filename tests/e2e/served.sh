#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A service that answers 20 requests at once, and asks the model for each of them in the trace that it is
# in: what it asked is under the request that it asked it for.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
bounded "$RINGSPAN" record --store db --capture c.rsp -- "$PYTHON" "$tests/agents/scripted.py" \
	--base-url "https://127.0.0.1:$mock_port" --ca "$mock_ca" many_through_a_service >out 2>err
grep -q "nothing lost" err
result "a service and who asks it are recorded" $? err
bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
"$PYTHON" "$here/check_served.py" spans.ndjson 20 2>problems
result "each model call is under its request" $? problems
bounded "$RINGSPAN" replay c.rsp --store db-replay >/dev/null 2>err &&
	bounded "$RINGSPAN" export --store db-replay --format ndjson --payload | sort >replayed.ndjson
sort spans.ndjson | cmp - replayed.ndjson >problems 2>&1
result "and when it is replayed" $? problems
