#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What programs ask databases: scripted ones, and PostgreSQL itself where it is installed.  Who they are
# stands in no capture and no store.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

# statements NAME: those of the store are the ones on stdin, also from the capture; without the password.
statements() {
	local name=$1
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	"$PYTHON" "$here/check_db.py" spans.ndjson 2>problems
	result "$name: each statement, with what came of it" $? problems
	bounded "$RINGSPAN" replay c.rsp --store db-replay >/dev/null 2>err &&
		bounded "$RINGSPAN" export --store db-replay --format ndjson --payload | sort >replayed.ndjson
	sort spans.ndjson | cmp - replayed.ndjson >problems 2>&1
	result "$name: also from the capture" $? problems
	! grep -q -a geheim c.rsp db spans.ndjson
	result "$name: the password is in none of it" $?
	rm -rf db db-* c.rsp
}

"$PYTHON" "$tests/mock/databases.py" >ports &
pids+=($!)
wait_for 20 sh -c '[ "$(wc -l <ports)" -eq 2 ]'
bounded "$RINGSPAN" record --store db --capture c.rsp -- "$PYTHON" "$tests/agents/db.py" $(cat ports) >out 2>err
grep -q "nothing lost" err
result "scripted servers are asked" $? err
statements "scripted" <<'END'
postgresql|SELECT cats|select name from cats where age = ?|2|
postgresql|SELECT dogs|select * from dogs||42P01
redis|AUTH|AUTH ?||
redis|SET|SET cat ?||
redis|GET|GET cat||
redis|LPOP|LPOP cat||WRONGTYPE
END

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
if ! [ -x "$bin/initdb" ] || ! id postgres >/dev/null 2>&1; then
	echo "skip - no PostgreSQL server is installed"
	exit 0
fi
as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
mkdir pg && chown postgres pg && chmod 755 .
echo geheim-pg >pg/password
"${as_postgres[@]}" "$bin/initdb" -D pg/data -U tester -A scram-sha-256 --pwfile=pg/password >initdb.log 2>&1
result "a cluster is made" $? initdb.log
"${as_postgres[@]}" "$bin/postgres" -D pg/data -k "$PWD/pg" -c listen_addresses= >pg.log 2>&1 &
pids+=($!)
wait_for 30 "$bin/pg_isready" -q -h "$PWD/pg"
PGPASSWORD=geheim-pg bounded "$RINGSPAN" record --store db --capture c.rsp -- \
	"$bin/psql" -h "$PWD/pg" -U tester postgres -c "create table cats (name text, age int)" \
	-c "insert into cats values ('tom', 7), ('felix', 8)" \
	-c "select name from cats where name like 'f%'" -c "select * from dogs" >out 2>err
grep -q "nothing lost" err
result "psql asks" $? err
statements "PostgreSQL" <<'END'
postgresql|CREATE cats|create table cats (name text, age int)||
postgresql|INSERT cats|insert into cats values (?, ?), (?, ?)||
postgresql|SELECT cats|select name from cats where name like ?|1|
postgresql|SELECT dogs|select * from dogs||42P01
END
