#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What --payload none, meta and full keep on disk, on the terminal and in exports: of content nothing, a
# structure, or all; and at each level the same tree, with the same links, tokens and costs.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

start_mock
agent_command python anthropic files
agent[-1]="HUSH-prompt ${agent[-1]}"
bounded "$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err
result "it is recorded" $? err

# outputs STORE FOLDER [LEVEL]: what each verb that reads the store writes.
outputs() {
	local store=$1 to=$2 level=(${3:+"$3"})
	mkdir -p "$to"
	bounded "$RINGSPAN" export --store "$store" --payload "${level[@]}" >"$to/ndjson"
	bounded "$RINGSPAN" export --store "$store" --format otlp-json --payload "${level[@]}" >"$to/otlp"
	bounded "$RINGSPAN" show --store "$store" --payload "${level[@]}" >"$to/show"
	bounded "$RINGSPAN" show --follow --store "$store" --payload "${level[@]}" >"$to/follow"
	bounded "$RINGSPAN" spans --store "$store" --json --payload "${level[@]}" >"$to/spans"
	bounded "$RINGSPAN" spans --store "$store" --payload "${level[@]}" >"$to/table"
}
said='HUSH-prompt|With the shell|careful assistant|echo one|Two at once'
for level in full meta none; do
	bounded "$RINGSPAN" replay c.rsp --store "db-$level" --payload $level >"replay-$level" 2>>err
	outputs "db-$level" "stored-$level"
	outputs db "read-$level" $level
	cmp "stored-$level/ndjson" "read-$level/ndjson" >problems 2>&1
	result "$level: a store that was kept so, and one that is read so, give the same" $? problems
done
for word in "HUSH-prompt" "With the shell" "careful assistant" "echo one" "Two at once"; do
	grep -L "$word" stored-full/ndjson stored-full/otlp
done >problems
! [ -s problems ]
result "full: what was said is there" $? problems
for level in meta none; do
	grep -alE "$said" "replay-$level" "db-$level"* stored-$level/* read-$level/* >problems
	! [ -s problems ]
	result "$level: nothing of what was said" $? problems
done
grep -q '<[0-9]* bytes>' stored-meta/ndjson && grep -q '"role":"user"' stored-meta/ndjson &&
	grep -q '"cmd":"<\|"command":"<' stored-meta/ndjson
result "meta: roles, lengths and the names of arguments" $? stored-meta/ndjson
"$PYTHON" - >problems 2>&1 <<'END'
import json

DROPPED = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments",
           "gen_ai.tool.call.result", "file.path", "ringspan.files.changes", "exception.message")
KEPT = ("ringspan.kind", "ringspan.link", "ringspan.cost.usd", "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens", "gen_ai.tool.name", "gen_ai.request.model", "process.exit.code")

def shape(level):
    spans = [json.loads(line) for line in open(f"stored-{level}/ndjson")]
    for s in spans:
        if level != "none":
            continue
        for key in DROPPED:
            assert key not in s["attributes"], (s["name"], key)
        assert len(s["attributes"].get("process.command_args", [])) <= 1
        assert "?" not in s["attributes"].get("url.full", "")
        assert not s["status"].get("message"), s
    return [(s["span_id"], s["parent_span_id"], s["start_time_unix_nano"], s["end_time_unix_nano"],
             s["status"]["code"], s["links"] and [l["span_id"] for l in s["links"]],
             [s["attributes"].get(k) for k in KEPT]) for s in spans]

full = shape("full")
assert any(s[6][1] in ("exact", "argument") for s in full)
for level in "meta", "none":
    assert shape(level) == full, level
END
! [ -s problems ]
result "the same tree, links, tokens and costs at each level" $? problems

# step_at LEVEL: what top says of the agent while its tool runs
step_at() {
	bounded "$RINGSPAN" top --replay "$tests/golden/demo.rsp" --at 200ms --json --payload "$1" |
		"$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["agents"][0]["step"])'
}
printf '%s\n' "$(step_at full)" "$(step_at meta)" "$(step_at none)" >problems
printf '%s\n' "shell echo two; exit 3" "shell <16 bytes>" "shell" | cmp -s - problems
result "top shows no more of a step" $? problems

rm -rf db db-*
bounded "$RINGSPAN" record --payload none --store db -- "${agent[@]}" >out 2>err
cat db* err | grep -aqE "$said|notes"
[ $? -eq 1 ] && [ "$("$RINGSPAN" spans --store db --where 'kind=tool_call' --json | wc -l)" -gt 0 ]
result "none: nothing of it is stored or told while it is recorded" $? err
for option in --capture=x.rsp --logs; do
	bounded "$RINGSPAN" record --payload meta $option --store db -- true >out 2>err
	status=$?
	[ -e x.rsp ] && echo "x.rsp is there" >>err
	one_error $status err >problems
	result "meta: ${option%%=*} is refused" $? problems
done
