#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What ps says of processes that run: ready, traced, refused, and in which container.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

# holder [PRELOAD]: a process that has the machine's TLS library mapped, or that one; sets $held
holder() {
	rm -f held
	"$PYTHON" -c 'import ctypes, pathlib, sys, time
if sys.argv[1:]: ctypes.CDLL(sys.argv[1])
else: import ssl
pathlib.Path("held").touch(); time.sleep(60)' "$@" &
	held=$!
	pids+=("$held")
	wait_for 10 test -e held
}

# field NAME: of the process in ps.json
field() {
	"$PYTHON" -c 'import json, sys; print(json.load(open("ps.json"))[sys.argv[1]])' "$1"
}

# says NAME PATTERN...: pairs, each a field of the process and what it must look like
says() {
	local value
	while [ $# -gt 0 ]; do
		value=$(field "$1")
		# shellcheck disable=SC2053 # it is meant to be a pattern
		[[ $value == $2 ]] || echo "$1 is \"$value\", not $2"
		shift 2
	done
}

# check NAME: all is well where nothing was printed
check() {
	! [ -s problems ]
	result "$1" $? problems
}

holder
{
	bounded "$RINGSPAN" ps -p $held --json >ps.json || echo "exit code $?"
	says pid $held runtime python state ready program 'python3*' tls "*'library': 'openssl'*'found_by': 'name'*" blind ''
	bounded "$RINGSPAN" ps >ps.txt
	grep -q "^ *$held  ready  *python  *openssl.*by name" ps.txt || { echo "not in the list:"; cat ps.txt; }
} >problems 2>&1
check "a process with OpenSSL mapped"

sleep 60 &
pids+=($!)
{
	bounded "$RINGSPAN" ps | grep "^ *$! " && echo "a process without TLS is listed"
	bounded "$RINGSPAN" ps --all | grep -q "^ *$!  no tls .*sleep" || echo "it is not listed with --all"
	bounded "$RINGSPAN" ps --all --json | "$PYTHON" -c 'import json, sys
for line in sys.stdin: json.loads(line)' || echo "not a JSON object a line"
} >problems 2>&1
check "a process without TLS"

# the same library, with the begin of SSL_read gone
cp -L "$("$PYTHON" -c 'import _ssl; print([l.split()[-1] for l in open("/proc/self/maps") if "libssl" in l][0])')" damaged.so
at=$(nm -D damaged.so | sed -n 's/^\([0-9a-f]*\) T SSL_read@.*/\1/p')
printf '\314\314\314\314' | dd of=damaged.so bs=1 seek=$((16#$at)) conv=notrunc status=none
holder "$tmp/damaged.so"
{
	bounded "$RINGSPAN" ps -p $held --json >ps.json
	says state blind blind '*SSL_read*do not begin a function*'
} >problems 2>&1
check "a library that is refused, with the reason"

"$RINGSPAN" record --quiet --store db -- sh -c 'echo $$ >traced; sleep 20; true' >out 2>err &
recorder=$!
pids+=("$recorder")
wait_for 20 test -s traced
{
	bounded "$RINGSPAN" ps -p "$(cat traced)" --json >ps.json
	says state traced program '*sh'
} >problems 2>&1
check "a process that another ringspan records"
kill -INT "$recorder"

group=$(findmnt -rno TARGET -t cgroup2 | head -n 1)
if [ -n "$group" ]; then
	id=$(printf '%016x%016x%016x%016x' 9 $$ 7 8)
	mkdir -p "$group/ringspan-ps-$$/docker-$id.scope"
	holder
	echo $held >"$group/ringspan-ps-$$/docker-$id.scope/cgroup.procs"
	{
		bounded "$RINGSPAN" ps -p $held --json >ps.json
		says container_id "$id" pod_uid ''
		bounded "$RINGSPAN" ps | grep -q "^ *$held .* ${id:0:12} " || echo "no container in the list"
	} >problems 2>&1
	check "a process in a container"
	kill $held
	wait $held 2>/dev/null
	wait_for 5 rmdir "$group/ringspan-ps-$$/docker-$id.scope" "$group/ringspan-ps-$$"
else
	echo "skip - a process in a container: no cgroup2 is mounted"
fi

bounded "$RINGSPAN" ps -p 4194304 >out 2>err
one_error $? err >problems
check "no such process"
