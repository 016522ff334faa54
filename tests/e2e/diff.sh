#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Two runs are compared: exit codes, text and JSON.
. "$(dirname "$0")/lib.sh"

for name in demo rate; do
	"$RINGSPAN" replay --store db "$tests/golden/$name.rsp" >/dev/null
done
bounded "$RINGSPAN" diff --store db 212d39df c6f50c8a >out 2>err
[ $? -eq 1 ] && ! [ -s err ]
result "runs that differ: exit code 1" $? err
grep -q '^~ tool calls  *2  *1$' out && grep -q '^-   execute_tool shell  .*echo two; exit 3.*error' out &&
	grep -q '^~   chat claude-sonnet-4-5  142>19 tok -> 153>24 tok' out
result "what differs is shown" $? out
bounded "$RINGSPAN" diff --store db 212d39df 212d39df >out 2>err
[ $? -eq 0 ] && [ "$(wc -l <out)" -eq 9 ]
result "the same run: exit code 0, and totals alone" $? out
bounded "$RINGSPAN" diff --store db --json --all 212d39df c6f50c8a >out 2>err
"$PYTHON" -c 'import json
d = json.load(open("out"))
assert not d["same"] and d["a"]["tool_calls"] == 2 and d["b"]["tool_calls"] == 1
changes = [(i["change"], i["kind"]) for i in d["items"]]
assert changes.count(("changed", "model_call")) == 2, changes
assert ("only_a", "tool_call") in changes and len(changes) == 5, changes' 2>err
result "as JSON" $? err
bounded "$RINGSPAN" diff --store db 212d39df ffffffff >out 2>err
[ $? -eq 2 ] && [ "$(wc -l <err)" -eq 1 ]
result "a run that is not there: exit code 2" $? err
