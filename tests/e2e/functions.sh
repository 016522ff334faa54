#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Functions that the user names: spans with arguments and results, nested as called, of a program that says
# itself what it did; probes that Python has built in; and what cannot be had is said.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

secret=sk-ant-api03-THISMUSTNOTLEAK-by-argument-000000000000AA
cat >victim.c <<-'C'
	#include <setjmp.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	#define FUNC __attribute__((noipa))
	static jmp_buf back;
	static volatile int sink;
	FUNC long fact(long n) { long m = n < 2 ? 1 : fact(n - 1); sink++; return n < 2 ? 1 : n * m; }
	static char hello[16];
	FUNC char *greet(const char *name, int times) { sink += times; return name[0] ? strcpy(hello, "hello") : NULL; }
	FUNC int jumps(int n) { sink += n; if (n) longjmp(back, 1); return 0; }
	FUNC int outer(int n) { int got = setjmp(back) ? 7 : jumps(n); sink += got; return got; }
	FUNC int forever(int n) { sink += n; exit(n); }
	int main(int argc, char **argv) {
		if (argc > 2) while (access(argv[2], F_OK)) usleep(10000);
		printf("%ld %s %d\n", fact(4), greet(argv[1], -3), outer(1));
		fflush(stdout);
		return forever(argc == 2 ? 0 : 5);
	}
C
if ! "${CC:-cc}" -O1 -o victim victim.c 2>cc.err; then
	echo "skip - functions: no C compiler"
	exit 0
fi
asked=(--uprobe "$PWD/victim:fact(%ld) = %ld" --uprobe "$PWD/victim:greet(%s, %d) = %s"
	--uprobe "$PWD/victim:jump*(%d)" --uprobe "$PWD/victim:outer = %d" --uprobe "$PWD/victim:forever(%d)")

# calls FILE: "name args return end parent" of each function span, in order of their beginning; and what
# the schema does not allow.
calls() {
	PYTHONPATH=$here "$PYTHON" - "$1" "$root/schemas/span.schema.json" <<-'PY'
		import json, sys
		from schema import Validator

		with open(sys.argv[2], encoding="utf-8") as file:
		    allowed = Validator(json.load(file))
		spans = [json.loads(line) for line in open(sys.argv[1])]
		by_id = {s["span_id"]: s for s in spans}
		for s in sorted((s for s in spans if s["attributes"]["ringspan.kind"] == "function"),
		                key=lambda s: s["start_time_unix_nano"]):
		    a, up = s["attributes"], by_id[s["parent_span_id"]]
		    for error in allowed.errors(s):
		        print("schema:", s["name"], error)
		    if not up["start_time_unix_nano"] <= s["start_time_unix_nano"] <= s["end_time_unix_nano"]:
		        print("times of", s["name"])
		    function = up["attributes"]["ringspan.kind"] == "function"
		    print(s["name"], json.dumps(a.get("ringspan.function.args")),
		          json.dumps(a.get("ringspan.function.return")), a.get("ringspan.function.end", "-"),
		          up["name"] if function else up["attributes"]["ringspan.kind"])
	PY
}

bounded "$RINGSPAN" record --store db --capture c.rsp "${asked[@]}" -- ./victim $secret >out 2>err
code=$?
{
	[ $code -eq 0 ] && [ "$(cat out)" = "24 hello 7" ] || echo "the program: $code $(cat out)"
	"$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	calls spans.ndjson >found
	cat >wanted <<-END
		fact [4] 24 - run
		fact [3] 6 - fact
		fact [2] 2 - fact
		fact [1] 1 - fact
		greet ["${secret//?/*}", -3] "hello" - run
		outer null 7 - run
		jumps [1] null left outer
		forever [0] null exit run
	END
	sort wanted >wanted.sorted
	# how much of a secret stays to be recognised is not what this is about
	sed 's/\["[^"]*\*\*[^"]*"/["'"${secret//?/*}"'"/' found | sort | diff wanted.sorted - || cat found
	grep -q '"ringspan.functions.calls":8' spans.ndjson || echo "the run does not count 8 calls"
} >problems 2>&1
! [ -s problems ] || cat err >>problems
! [ -s problems ]
result "calls with arguments, results, and who called whom" $? problems

no_secret db* c.rsp err spans.ndjson >problems
result "... a secret in an argument is masked" $? problems

same_twice >problems 2>&1
result "... a replay gives the same" $? problems

"$RINGSPAN" show --store db >show.txt
grep -q 'fact  (1) = 1 ' show.txt && grep -q 'jumps  (1) · ended by left' show.txt
result "... and they are shown" $? show.txt

"$RINGSPAN" latency --store db --by span >latency.txt && grep -q '^fact  *4 ' latency.txt
result "... with percentiles" $? latency.txt

# One that runs already, and one beside it that is not traced.
./victim beside "$PWD/go" >/dev/null & pids+=("$!")
./victim traced "$PWD/go" >/dev/null &
pid=$!
pids+=("$pid")
bounded "$RINGSPAN" attach -p $pid --store db2 "${asked[@]}" 2>err2 &
attach=$!
wait_for 30 grep -q "attached" err2 || sleep 3
touch go
wait $attach
"$RINGSPAN" export --store db2 --format ndjson >spans.ndjson
[ "$(calls spans.ndjson | grep -c .)" -eq 8 ] && ! grep -q beside spans.ndjson &&
	[ "$(grep -o '"process.pid":[0-9]*' spans.ndjson | sort -u)" = "\"process.pid\":$pid" ]
result "a process that runs already, and none beside it" $? err2

# One that is still in its functions when the recording ends.
cat >stays.c <<-'C'
	#include <stdio.h>
	#include <unistd.h>
	#define FUNC __attribute__((noipa))
	static volatile int sink;
	static char waits[] = "_aits"; /* in memory by then: what is not can be read when a call ends only */
	FUNC int inner(const char *why, int n) { puts(why); fflush(stdout); pause(); return sink += n; }
	FUNC int middle(int n) { int got = inner(waits, n + 1); sink++; return got; }
	int main(int argc, char **argv) {
		while (access(argv[1], F_OK)) usleep(10000);
		waits[0] = 'w';
		return middle(argc);
	}
C
if "${CC:-cc}" -O1 -o stays stays.c 2>cc.err; then
	./stays "$PWD/stay" >stays.out &
	pid=$!
	pids+=("$pid")
	timeout --foreground -k 5 60 "$RINGSPAN" attach -p $pid --store db4 --capture c.rsp --uprobe "$PWD/stays:inner(%s, %d) = %d" \
		--uprobe "$PWD/stays:middle(%d)" 2>err4 &
	attach=$!
	wait_for 30 grep -q "attached" err4 || sleep 3
	touch stay
	wait_for 20 grep -q waits stays.out
	kill $attach # background jobs do not hear of SIGINT
	wait $attach
	{
		"$RINGSPAN" export --store db4 --format ndjson --payload >spans.ndjson
		calls spans.ndjson | sort >found
		printf '%s\n' 'inner ["waits", 3] null - middle' 'middle [2] null - run' | diff - found
		[ "$(grep -c '"ringspan.incomplete":\["unfinished"\].*"ringspan.kind":"function"\|"ringspan.kind":"function".*"ringspan.incomplete":\["unfinished"\]' spans.ndjson)" -eq 2 ] ||
			echo "not two that are unfinished"
		same_twice
	} >problems 2>&1
	[ -s problems ] && cat err4 >>problems
	! [ -s problems ]
	result "calls that go on when the recording ends are told as unfinished" $? problems
fi

{
	for bad in "$PWD/victim:nothing" "$PWD/victim:fact+0x1" "$PWD/victim.c:main"; do
		bounded "$RINGSPAN" record --no-store --uprobe "$bad" -- true >/dev/null 2>err && echo "$bad is taken"
		grep -q "$bad" err || { echo "$bad:"; cat err; }
	done
	bounded "$RINGSPAN" record --no-store --usdt "$PWD/victim:no:probe" -- true 2>err && echo "a probe is taken"
	grep -q "readelf -n" err || cat err
	bounded "$RINGSPAN" record --no-store --uprobe 'libnotthere:f' -- true 2>err || echo "not recorded"
	grep -q "no file that was in use is called so" err || cat err
} >problems 2>&1
! [ -s problems ]
result "what is not there is said" $? problems

# An exception passes three probed functions.
cat >throws.cc <<-'CC'
	#include <cstdio>
	#include <stdexcept>
	#define FUNC extern "C" __attribute__((noipa))
	static volatile int sink;
	FUNC int throws(int n) { sink += n; if (n) throw std::runtime_error("x"); return 1; }
	FUNC int passes(int n) { int got = throws(n); sink += got; return got; }
	FUNC int catches(int n) { try { return passes(n); } catch (const std::exception &) { sink++; } return 5; }
	int main() { printf("%d\n", catches(1)); return 0; }
CC
if "${CXX:-c++}" -O1 -o throws throws.cc 2>cc.err; then
	bounded "$RINGSPAN" record --store db3 --uprobe "$PWD/throws:*s[e]s(%d) = %d" \
		--uprobe "$PWD/throws:catches(%d) = %d" --uprobe "$PWD/throws:throws" \
		-- ./throws >out 2>err
	code=$?
	"$RINGSPAN" export --store db3 --format ndjson >spans.ndjson
	calls spans.ndjson >found
	[ $code -eq 0 ] && [ "$(cat out)" = 5 ] && grep -q '^catches \[1\] 5 - run$' found &&
		grep -q '^passes \[1\] null left catches$' found && grep -q '^throws null null left passes$' found
	result "an exception passes probed functions" $? found
else
	echo "skip - an exception passes probed functions: no C++ compiler"
fi

if command -v go >/dev/null 2>&1 && printf 'package main\nfunc main() { println(1) }\n' >main.go &&
	HOME=$tmp go build -o gone main.go 2>go.err; then
	bounded "$RINGSPAN" record --no-store --uprobe "$PWD/gone:main.main" -- ./gone >out 2>err
	[ $? -ne 0 ] && grep -q "is a program of Go" err
	result "a program of Go is refused" $? err
else
	echo "skip - a program of Go is refused: no Go compiler"
fi

# Python's own probes; 3.11 tells the end of every function, but of few that they begin.
if ! readelf -n "$(realpath "$PYTHON")" 2>/dev/null | grep -q function__return; then
	echo "skip - Python's own probes: $PYTHON has none"
	exit 0
fi
cat >probes.py <<-'PY'
	import gc

	def leaf(n):
	    return n

	def tree(n):
	    return leaf(n) if n == 0 else tree(n - 1) + tree(n - 1)

	gc.disable()
	tree(2)
	kept = [[]]
	kept[0].append(kept)
	del kept
	print("collected", gc.collect())
PY
py=$(realpath "$PYTHON")
bounded "$RINGSPAN" record --store db4 --capture c.rsp --usdt "$py:python:function__return" \
	--usdt "$py:python:gc__start" -- "$PYTHON" -S probes.py >out 2>err
"$RINGSPAN" export --store db4 --format ndjson --payload >spans.ndjson
"$PYTHON" - "$(sed 's/collected //' out)" >problems 2>&1 <<-'PY'
	import collections, json, sys

	spans = [json.loads(line) for line in open("spans.ndjson")]
	calls = [s for s in spans if s["attributes"]["ringspan.kind"] == "function"]
	mine = collections.Counter(s["name"] for s in calls
	                           if s["attributes"].get("code.file.path", "").endswith("probes.py"))
	if mine != {"leaf": 4, "tree": 7, "<module>": 1}:
	    print(mine)
	if not all(s["start_time_unix_nano"] == s["end_time_unix_nano"] for s in calls if s["name"] == "leaf"):
	    print("a return lasts")
	full = [s for s in calls if s["name"] == "python:gc" and s["attributes"]["ringspan.function.args"] == [2]]
	counts = [s["attributes"]["ringspan.function.return"] for s in full]
	if int(sys.argv[1]) not in counts:
	    print("collected", sys.argv[1], "but told", counts)
	if any(s["end_time_unix_nano"] <= s["start_time_unix_nano"] for s in full):
	    print("a collection takes no time")
PY
! [ -s problems ]
result "Python's own probes: functions that return, and collections" $? problems
same_twice >problems 2>&1
result "... a replay gives the same" $? problems
