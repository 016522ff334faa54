#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad stores, captures and options: one clear line, an exit code, and nothing lost.
. "$(dirname "$0")/lib.sh"

fails() { # NAME COMMAND...
	local name=$1
	shift
	bounded "$@" >out 2>err </dev/null
	one_error $? err >problems
	result "$name" $? problems
}

fails_as_usage() { # NAME COMMAND...
	local name=$1
	shift
	bounded "$@" >out 2>err </dev/null
	[ $? -eq 2 ] && [ -s err ]
	result "$name" $? err
}

fails_as_usage "no such verb" "$RINGSPAN" nosuchverb
fails_as_usage "no such option" "$RINGSPAN" runs --nosuchoption
fails_as_usage "record without a command" "$RINGSPAN" record
fails_as_usage "attach without a pid" "$RINGSPAN" attach
fails_as_usage "attach to what is no pid" "$RINGSPAN" attach -p x1
fails_as_usage "no such format" "$RINGSPAN" export --format nosuch
[ "$("$RINGSPAN" --version)" = "ringspan 0.1.0" ]
result "--version" $?

# stores
fails "a store that is not there" "$RINGSPAN" runs --store nosuch.db
[ ! -e nosuch.db ]
result "... is not made by reading" $?
echo "this is my thesis, and no store" >thesis.txt
cp thesis.txt thesis.orig
for verb in runs show export spans; do
	fails "$verb: not a store" "$RINGSPAN" $verb --store thesis.txt
done
fails "record: not a store" "$RINGSPAN" record --store thesis.txt -- true
cmp -s thesis.txt thesis.orig
result "what is not a store stays as it was" $?
"$PYTHON" -c 'import sqlite3
db = sqlite3.connect("other.db")
db.execute("create table mine (x)")
db.execute("insert into mine values (42)")
db.commit()'
cp other.db other.orig
fails "somebody else's database" "$RINGSPAN" runs --store other.db
fails "record: somebody else's database" "$RINGSPAN" record --store other.db -- true
cmp -s other.db other.orig
result "somebody else's database stays as it was" $?
fails "a folder that cannot be made" "$RINGSPAN" record --store /sys/nosuch/ringspan.db -- true
fails "a store that is a folder" "$RINGSPAN" runs --store "$tmp"

# captures
fails "a capture that is not there" "$RINGSPAN" replay nosuch.rsp
fails "not a capture" "$RINGSPAN" replay thesis.txt
fails "an empty capture" "$RINGSPAN" replay /dev/null
capture=$(find "$tests/golden" -name '*.rsp' | sort | head -n 1)
if [ -z "$capture" ]; then
	echo "skip - hostile captures: no golden capture"
	exit 0
fi
"$PYTHON" "$here/damage.py" "$capture" damaged
fails "a capture of another version" "$RINGSPAN" replay damaged/version.rsp
fails "a capture of another byte order" "$RINGSPAN" replay damaged/byteorder.rsp
for kind in cut flipped spliced lengths; do
	{
		for file in damaged/$kind-*.rsp; do
			timeout 20 "$RINGSPAN" replay "$file" --format ndjson --payload >out 2>err
			status=$?
			[ $status -lt 124 ] || echo "$file: exit code $status"
			[ "$(grep -c 'ERROR: AddressSanitizer\|runtime error' err)" -eq 0 ] || head -n 5 err
		done
		[ -e "$file" ] || echo "no damaged captures"
	} >problems 2>&1
	! [ -s problems ]
	result "captures, $kind: no crash, no hang" $? problems
done
"$RINGSPAN" replay "$capture" --format ndjson >whole.ndjson 2>err
"$RINGSPAN" replay damaged/cut-05.rsp --format ndjson >part.ndjson 2>err
one_error 1 err >problems && [ -s part.ndjson ]
result "a cut capture gives what came before the cut, and says so" $? problems
