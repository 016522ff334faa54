#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A store that is locked, full, or used by several at once: what was in it stays.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

run_count() { # STORE
	"$RINGSPAN" runs --store "$1" --json | grep -o '"trace_id"' | wc -l
}

"$RINGSPAN" record --store db -- true >out 2>err
[ "$(run_count db)" -eq 1 ]
result "a run without a model call is recorded" $? err
[ "$(stat -c %a db)" = 600 ]
result "a store is for its owner alone" $?

"$PYTHON" -c 'import sqlite3, time
db = sqlite3.connect("db", isolation_level=None)
db.execute("begin immediate")
open("locked", "w").close()
time.sleep(60)' &
lock_pid=$!
pids+=("$lock_pid")
wait_for 10 test -e locked
bounded "$RINGSPAN" record --store db -- sh -c 'touch ran; exit 5' >out 2>err
status=$?
[ $status -ne 0 ] && grep -q '^ringspan: .*lock' err
result "a locked store is told" $? err
[ $status -lt 124 ]
result "... without waiting for ever" $?
[ "$(run_count db)" -eq 1 ]
result "a locked store can be read" $?
kill $lock_pid
wait $lock_pid 2>/dev/null
"$RINGSPAN" record --store db -- true >out 2>err && [ "$(run_count db)" -eq 2 ]
result "... and is whole when the lock is gone" $? err

for n in 1 2 3; do
	"$RINGSPAN" record --store db -- sh -c "sleep 0.5; exit $n" >out.$n 2>err.$n &
	writers[n]=$!
done
for n in 1 2 3; do
	wait "${writers[n]}"
	[ $? -eq $n ] || echo "writer $n failed: $(cat err.$n)"
done >problems
[ "$(run_count db)" -eq 5 ] || echo "$(run_count db) runs instead of 5" >>problems
! [ -s problems ]
result "three writers at once" $? problems

for n in 1 2 3; do
	"$RINGSPAN" record --quiet --store small -- sh -c "exit $n"
done 2>err
"$RINGSPAN" record --quiet --store small --store-size 1k -- sleep 3 >out 2>err
[ "$(run_count small)" -eq 1 ] && grep -q '^ringspan: .*oldest is removed' err
result "runs that are over make room for one that goes on" $? err
"$RINGSPAN" runs --store small >out
grep -q '^3 older runs were removed' out
result "... and are told of" $? out
"$RINGSPAN" prune --store small --store-age 1d >out && [ "$(run_count small)" -eq 1 ]
result "prune: what is within the limits stays" $? out
run=$("$RINGSPAN" runs --store small --json | grep -o '"trace_id":"[0-9a-f]*' | cut -d'"' -f4)
"$RINGSPAN" prune --store small "$run" >out && [ "$(run_count small 2>/dev/null)" -eq 0 ]
result "prune: a run that is named goes" $? out
! "$RINGSPAN" prune --store none >out 2>err && ! [ -e none ]
result "prune: no store is made where there is none" $? err

if ! unshare -m mount -t tmpfs -o size=64k tmpfs /mnt 2>/dev/null; then
	echo "skip - a store on a full disk: no tmpfs can be mounted"
	exit 0
fi
start_mock
agent_command python anthropic big
export RINGSPAN tmp
unshare -m bash -c '
	mkdir "$tmp/full" && mount -t tmpfs -o size=1m tmpfs "$tmp/full" || exit 99
	"$RINGSPAN" record --store "$tmp/full/db" -- true || exit 98
	export ballast="$tmp/full/ballast"
	timeout 60 "$RINGSPAN" record --store "$tmp/full/db" -- \
		sh -c "head -c 2000000 /dev/zero >\"\$ballast\"; exec \"\$@\"" sh "$@" >out 2>err
	timeout 60 "$RINGSPAN" record --store "$tmp/full/db" -- touch started >out2 2>err2
	echo $? >status
	rm "$ballast"
	"$RINGSPAN" runs --store "$tmp/full/db" --json >runs.json
' full "${agent[@]}" >setup 2>&1
result "a store on a full disk: the test itself" $? setup
grep -q '^ringspan: .*full' err
result "a disk that fills up is told" $? err
grep -q MOCK-FINAL-ANSWER out
result "the agent does not notice a disk that fills up" $? err
grep -q '^ringspan: .*full' err2 && [ "$(cat status)" -eq 1 ] && ! [ -e started ]
result "on a full disk nothing is started" $? err2
grep -q '"trace_id"' runs.json
result "what was there before the disk was full is there" $?
