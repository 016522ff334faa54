#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What processes and tool calls change in the file system, and what they read.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

mkdir work
cd work || exit 1
cat >change.py <<'EOF'
import os, shutil, tempfile
os.makedirs("src/deep")
with open("src/a.c", "w") as f:
    f.write("x" * 1234)
with tempfile.NamedTemporaryFile(dir=".") as f:
    f.write(b"y" * 100)
with open("src/new", "w") as f:
    f.write("z" * 50)
os.replace("src/new", "config.json")
shutil.copyfile("config.json", "src/deep/copy")
os.remove("gone")
os.symlink("a.c", "src/link")
open("config.json").read()
EOF
touch gone config.json
real=$(realpath .)
"$RINGSPAN" record --store ../db --capture ../c.rsp -- \
	bash -c "$PYTHON change.py; echo hi >>log; cat log | tee out >/dev/null" >../out 2>../err
cd .. || exit 1
"$RINGSPAN" spans --store db --where 'kind=file' --json >files.json 2>>err
"$RINGSPAN" spans --store db --json >spans.json 2>>err
"$PYTHON" - "$real" >problems 2>&1 <<'EOF'
import json, os, sys
real = sys.argv[1]
files = [json.loads(line) for line in open("files.json")]
spans = {s["span_id"]: s for s in map(json.loads, open("spans.json"))}
got, read = {}, {}
for s in files:
    a = s["attributes"]
    path = a["file.path"]
    if not path.startswith(real + "/"):
        continue
    path = path[len(real) + 1:]
    parent = spans[s["parent_span_id"]]
    assert parent["attributes"]["process.pid"] == a["process.pid"]
    assert parent["start_time_unix_nano"] <= s["start_time_unix_nano"] <= s["end_time_unix_nano"]
    if "ringspan.file.change" not in a:
        assert path not in read, path
        read[path] = a["ringspan.file.read_bytes"]
        continue
    assert path not in got, path
    got[path] = (a["ringspan.file.change"], a.get("ringspan.file.written_bytes"))
want = {
    "src": ("dir_created", None), "src/deep": ("dir_created", None), "src/a.c": ("created", 1234),
    "config.json": ("written", 50), "src/deep/copy": ("created", 50), "gone": ("removed", None),
    "src/link": ("linked", None), "log": ("created", 3), "out": ("created", 3),
}
assert got == want, got
# shutil copies config.json, then it is read
assert read.pop("change.py") >= os.path.getsize(real + "/change.py"), read
assert read == {"config.json": 100, "log": 3}, read
(run,) = [s for s in spans.values() if not s["parent_span_id"]]
assert run["attributes"]["ringspan.files.removed"] == 1, run["attributes"]
assert run["attributes"]["ringspan.files.temporary"] >= 1, run["attributes"]
EOF
! [ -s problems ]
result "each change and what is read is told once, with path and bytes, under its process" $? problems
bounded "$RINGSPAN" replay c.rsp --format ndjson >replay.ndjson &&
	bounded "$RINGSPAN" export --store db --format ndjson | cmp - replay.ndjson
result "a replay gives the same" $?

"$RINGSPAN" latency --store db --by file --json >latency.json 2>>err
"$PYTHON" - "$real" >problems 2>&1 <<'EOF'
import json, sys
rows = {r["name"]: r for r in json.load(open("latency.json"))["rows"]}
config = rows[sys.argv[1] + "/config.json"]
assert config["calls"] == 2 and config["bytes"] == 150, config  # it was read, and made anew
assert 0 < config["max_ns"] <= config["total_ns"], config
EOF
! [ -s problems ] && "$RINGSPAN" latency --store db --by file | grep -q 'USES *ERRORS *BYTES'
result "latency --by file has uses, bytes and time" $? problems

cat >many.sh <<'EOF'
mkdir many && for i in $(seq 3000); do echo "$i" >"many/$i"; done
EOF
"$RINGSPAN" record --store db2 -- bash many.sh >out 2>err
"$RINGSPAN" spans --store db2 --where 'kind=file' --json >files.json 2>>err
"$RINGSPAN" spans --store db2 --where 'kind=run' --json >run.json 2>>err
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
a = json.loads(open("run.json").read())["attributes"]
spans = sum(1 for line in open("files.json")
            if "ringspan.file.change" in json.loads(line)["attributes"])
assert spans == 51, spans  # the directory is another process's
assert spans + a["ringspan.files.untold"] == 3001, a
assert a["ringspan.files.created"] >= 1000, a
EOF
! [ -s problems ]
result "3000 files are 50 spans, and all are counted" $? problems

mkdir -p tree/node_modules/x && for i in $(seq 200); do echo "$i" >"tree/$i"; done
echo module >tree/node_modules/x/index.js
for which in changed read all; do
	"$RINGSPAN" record --store "db-$which" --files "$which" -- \
		bash -c 'grep -r nothing tree; cat tree/missing; echo >out.txt' >out 2>err
	"$RINGSPAN" spans --store "db-$which" --where 'kind=file' --json >"$which.json" 2>>err
	"$RINGSPAN" spans --store "db-$which" --json >"$which-spans.json" 2>>err
	"$RINGSPAN" show --store "db-$which" >"$which.txt" 2>>err
done
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
def load(which):
    files = [json.loads(line) for line in open(which + ".json")]
    spans = [json.loads(line) for line in open(which + "-spans.json")]
    (run,) = [s for s in spans if not s["parent_span_id"]]
    grep = [s for s in spans if s["attributes"].get("process.executable.name") == "grep"]
    return files, run["attributes"], grep[0]["attributes"]
def paths(files, at):
    return [s["attributes"]["file.path"] for s in files if at in s["attributes"]["file.path"]]
files, run, grep = load("changed")
assert len(files) == 1 and files[0]["attributes"]["file.path"].endswith("/out.txt"), files
assert "ringspan.files.read" not in run, run
files, run, grep = load("read")
assert len(paths(files, "/tree/")) == 50, paths(files, "/tree/")
assert not paths(files, "node_modules") and not paths(files, ".so"), paths(files, ".so")
assert grep["ringspan.files.read"] == 201 and grep["ringspan.files.packages"] == 1, grep
assert grep["ringspan.files.read_bytes"] == 692 + 7, grep
assert grep["ringspan.files.read_untold"] == 150, grep
assert not [s for s in files if "error.type" in s["attributes"]]
files, run, grep = load("all")
assert paths(files, "libc.so"), paths(files, ".so")
(missing,) = [s for s in files if s["attributes"]["file.path"].endswith("/tree/missing")]
assert missing["attributes"]["error.type"] == "ENOENT", missing
assert missing["status"]["code"] == "UNSET", missing
EOF
! [ -s problems ] && grep -q 'grep .* read 201 files 699 B' read.txt && ! grep -q ' read ' changed.txt
result "what is asked for is told: changes, what is read, or all" $? problems

start_mock
run_case "an agent's tool that writes a file (python, anthropic, basic)" python anthropic basic 0
"$PYTHON" - >problems 2>&1 <<'EOF'
import json
tools = [s["attributes"] for s in map(json.loads, open("spans.ndjson"))
         if s["attributes"]["ringspan.kind"] == "tool_call"]
write, read = tools
(change,) = write["ringspan.files.changes"]
assert change["path"].endswith("/hello.txt") and change["bytes"] == 20, change
assert change["change"] == "created", change
assert "ringspan.files.changes" not in read, read
assert [f for f in read["ringspan.files.reads"] if f["path"].endswith("/hello.txt")], read
assert "hello.txt" not in str(write.get("ringspan.files.reads")), write
EOF
! [ -s problems ] && grep -q 'wrote .*/hello.txt 20 B' show.txt &&
	grep -q 'read .*/hello.txt 20 B' show.txt
result "... says so, and one that reads says that" $? problems
