#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A tool that crashes in native code: the process says where, with its stack, under the tool call.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cat >crash.c <<-'C'
	static int *volatile nowhere;
	int deep(int n) { *nowhere = n; return n + 1; }
	int middle(int n) { return deep(n) + 1; }
	int outer(int n) { return middle(n) + 1; }
C
# a recorder on a busy machine needs a moment to look at what was loaded
cat >crash.py <<-'PY'
	import ctypes, sys, time
	library = ctypes.CDLL("./libcrash.so")
	time.sleep(1)
	library.outer(1) if sys.argv[1:] else ctypes.string_at(1)
PY
if ! "${CC:-cc}" -O0 -fno-omit-frame-pointer -shared -fPIC -o libcrash.so crash.c 2>cc.err; then
	echo "skip - crash: no C compiler"
	exit 0
fi
ulimit -c 0
start_mock
run_case "an agent goes on when its tool has crashed" python anthropic crash 0

"$PYTHON" - >problems 2>&1 <<-'PY'
	import json

	spans = [json.loads(line) for line in open("spans.ndjson")]
	by_id = {s["span_id"]: s for s in spans}
	crashed = [s for s in spans if "exception.type" in s["attributes"]]
	if len(crashed) != 2:
	    raise SystemExit(f"{len(crashed)} processes with an exception instead of 2")
	for span, method, message in zip(crashed, ("frame_pointer", None), ("at 0x0", "at 0x1")):
	    a = span["attributes"]
	    lines = a.get("exception.stacktrace", "").splitlines()
	    if a["exception.type"] != "SIGSEGV" or a["exception.message"] != "SEGV_MAPERR " + message:
	        print("exception:", a["exception.type"], a["exception.message"])
	    if a.get("ringspan.process.signal") != 11 or a["thread.id"] != a["process.pid"]:
	        print("signal or thread:", a)
	    if not lines or not lines[0].startswith("#0 "):
	        print("stack:", lines)
	    if method and a["ringspan.stack.method"] != method:
	        print("method:", a["ringspan.stack.method"])
	    shell = by_id[span["parent_span_id"]]
	    tool = by_id[shell["parent_span_id"]]
	    if shell["name"] != "bash" or tool["attributes"]["ringspan.kind"] != "tool_call":
	        print("it hangs under", shell["name"], tool["name"])
	stack = crashed[0]["attributes"]["exception.stacktrace"].splitlines()
	for line, function in zip(stack, ("deep", "middle", "outer")):
	    if f" {function}+0x" not in line or "/libcrash.so+0x" not in line:
	        print("frame:", line)
PY
! [ -s problems ]
result "... each process with its signal and stack, under its tool call" $? problems

"$RINGSPAN" spans --store db --where 'exception.type=SIGSEGV and exception.stacktrace~"middle"' --json >found
[ "$(grep -o '"span_id"' found | wc -l)" -eq 1 ]
result "... found by a function of its stack" $? found

"$RINGSPAN" show --store db >show.txt
grep -q 'ended by signal 11 (Segmentation fault) in deep (libcrash.so) · called by middle < outer' show.txt
result "... and shown with who called it" $? show.txt

"$RINGSPAN" record --store db2 -- "$PYTHON" -X faulthandler -c \
	'import ctypes, time; ctypes.CDLL("./libcrash.so"); time.sleep(1); ctypes.CDLL("./libcrash.so").outer(1)' \
	>out 2>err
"$RINGSPAN" spans --store db2 --where 'exception.stacktrace~"#2 outer"' >found
grep -q 'signal 11' found
result "with a handler that lets the signal end it" $? err

# It is gone before anybody can look at what it has mapped.
cat >now.c <<-'C'
	static int *volatile nowhere;
	static int deep(int n) { *nowhere = n; return n + 1; }
	int main(int argc, char **argv) { (void)argv; return deep(argc); }
C
"${CC:-cc}" -O0 -fno-omit-frame-pointer -o now now.c
"$RINGSPAN" record --store db3 -- bash -c './now; ./now; sleep 0.5' >out 2>err
"$RINGSPAN" spans --store db3 --where 'exception.stacktrace~"#0 deep"' --json >found
[ "$(grep -o '"span_id"' found | wc -l)" -eq 2 ]
result "a program that crashes at once" $? err
