#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CPU profiles: functions by name, whose time it was, the same from a capture, and forms that others read.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >burn.c <<'EOF'
#include <string.h>
volatile unsigned long sink;
#define BURN(name)                                       \
	__attribute__((noinline)) void name(unsigned long n) \
	{                                                    \
		while (n--)                                      \
			sink += n * n;                               \
	}
BURN(left)
BURN(right)
BURN(both_more)
BURN(both_less)
int main(int argc, char **argv)
{
	if (argc > 1)
		(strcmp(argv[1], "left") ? right : left)(200000000);
	for (int i = 0; argc < 2 && i < 10; i++) {
		both_more(30000000);
		both_less(10000000);
	}
	return sink == 1;
}
EOF
if ! ${CC:-cc} -O0 -fno-omit-frame-pointer -o burn burn.c 2>/dev/null; then
	echo "skip - profiles: no C compiler"
	exit 0
fi

# count NAME: samples with that frame in the folded stacks of standard input.
count() {
	awk -v name="$1" '{
		n = $NF
		sub(/ [0-9]+$/, "")
		cnt = split($0, f, ";")
		for (i = 1; i <= cnt; i++)
			if (f[i] == name) {
				sum += n
				break
			}
	} END { print sum + 0 }'
}

"$RINGSPAN" record --quiet --store db --capture c.rsp --profile 499 -- ./burn >out 2>err
"$RINGSPAN" profile --store db >stored
{
	more=$(count both_more <stored) less=$(count both_less <stored) all=$(count burn <stored)
	[ "$less" -gt 0 ] && [ "$more" -gt "$less" ] || echo "both_more $more, both_less $less"
	[ $((more + less)) -gt $((all / 2)) ] || echo "$more + $less of $all"
	[ "$(count main <stored)" -ge $((more + less)) ] || echo "main has less than what it calls"
	grep -q 'ringspan profile [0-9a-f]\{8\} --table' err || echo "record does not tell of it"
	grep -q "nothing lost" err || echo "something is lost"
} >problems 2>&1
! [ -s problems ] || cat err stored >>problems
! [ -s problems ]
result "functions of a program, by what they burn" $? problems

"$RINGSPAN" profile --capture c.rsp >replayed
cmp stored replayed >problems 2>&1 &&
	"$RINGSPAN" profile --store db --svg >1.svg && "$RINGSPAN" profile --capture c.rsp --svg >2.svg &&
	cmp 1.svg 2.svg >>problems 2>&1
result "the same of a capture" $? problems

"$RINGSPAN" profile --store db --json >profile.json
"$RINGSPAN" profile --store db --table --limit 2 >table
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
import xml.etree.ElementTree as ET
p = json.load(open("profile.json"))
folded = {}
for line in open("stored"):
    stack, n = line.rstrip("\n").rsplit(" ", 1)
    folded[stack] = int(n)
assert sum(folded.values()) == p["samples"] == sum(s["samples"] for s in p["stacks"]), p["samples"]
assert {";".join(s["frames"]): s["samples"] for s in p["stacks"]} == folded
assert sum(f["self"] for f in p["functions"]) <= p["samples"]
top = p["functions"][0]
assert top["name"] == "both_more" and top["file"].endswith("/burn") and top["code"] == "file", top
titles = [t.text for t in ET.parse("1.svg").iter("{http://www.w3.org/2000/svg}title")]
assert any(t.startswith("both_more (") for t in titles), titles
lines = open("table").read().split("\n")
assert lines[0].startswith("%d samples, " % p["samples"]), lines[0]
assert "both_more" in lines[3], lines
EOF
! [ -s problems ]
result "folded stacks, JSON, table and flame graph tell the same" $? problems

# fails COMMAND...: in one clear line.
fails() {
	"$@" >out 2>err
	one_error $? err
}
{
	fails "$RINGSPAN" profile --store db ffffffff
	fails "$RINGSPAN" profile --store db --svg --table
	fails "$RINGSPAN" profile --store db --by day
	fails "$RINGSPAN" record --store db --profile=0 -- true
	fails "$RINGSPAN" record --store db --profile 1000000 -- true
} >problems
! [ -s problems ]
result "what cannot be is told in one line" $? problems

rm -f db db-*
"$RINGSPAN" record --quiet --store db -- ./burn left >out 2>err
"$RINGSPAN" profile --store db >out 2>err
[ $? -eq 1 ] && grep -q -e "--profile" err && ! [ -s out ]
result "no samples are taken where none were asked for" $? err

start_mock
rm -f db db-* c.rsp
agent_command python anthropic burn
bounded "$RINGSPAN" record --quiet --store db --capture c.rsp --profile 499 -- "${agent[@]}" >out 2>err
"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
"$PYTHON" - "$RINGSPAN" >problems 2>&1 <<'EOF'
import json
import subprocess
import sys

def profile(*arguments):
    text = subprocess.run([sys.argv[1], "profile", "--store", "db", *arguments],
                          capture_output=True, text=True, check=True).stdout
    return [line.rsplit(" ", 1)[0].split(";") for line in text.splitlines()]

calls = [span for span in map(json.loads, open("spans.ndjson"))
         if span["attributes"]["ringspan.kind"] == "tool_call"]
assert len(calls) == 2, calls
for call in calls:
    wanted = call["attributes"]["gen_ai.tool.call.arguments"]["command"].split()[1]
    stacks = profile(call["span_id"])
    found = {name for name in ("left", "right") if any(name in stack for stack in stacks)}
    assert found == {wanted}, (wanted, found)
groups = set()
for stack in profile("--by", "tool"):
    groups.add(stack[0])
    if "left" in stack or "right" in stack:
        assert stack[0].startswith("execute_tool "), stack
assert "[no tool]" in groups, groups # the agent itself, before it was asked for anything
assert not any(stack[0].startswith("[a span") for stack in profile("--by", "span"))
EOF
! [ -s problems ] || cat err >>problems
! [ -s problems ]
result "of two tools at once each has its own" $? problems

generated="functions that node made have its names"
if command -v "$NODE" >/dev/null; then
	cat >burn.mjs <<'EOF'
import fs from 'node:fs'
function burnInNode(n) { let sum = 0; for (let i = 0; i < n; i++) sum += Math.sqrt(i) * i % 7; return sum }
let sum = 0
for (let i = 0; i < 600; i++) sum += burnInNode(300000)
fs.unlinkSync(`/tmp/perf-${process.pid}.map`)
EOF
	rm -f db db-*
	"$RINGSPAN" record --quiet --store db --capture c.rsp --profile 499 -- \
		"$NODE" --perf-basic-prof burn.mjs >out 2>err
	"$RINGSPAN" profile --store db >folded
	"$RINGSPAN" profile --capture c.rsp | cmp - folded && grep -q 'burnInNode.*_\[j\] [0-9]*$' folded
	result "$generated" $? folded
else
	echo "skip - $generated: no node"
fi
