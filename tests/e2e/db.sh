#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What programs ask databases: scripted ones, and PostgreSQL and MariaDB themselves where they are installed.
# Who they are stands in no capture and no store.
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
wait_for 20 sh -c '[ "$(wc -l <ports)" -eq 3 ]'
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
mysql|SET|set password = ?||
mysql|SELECT cats|select name from cats where age = ?|2|
mysql|SELECT dogs|select * from dogs||1146
mysql|SELECT cats|select name from cats where name = ? and age > ?|1||{"0": "tom"}
END

# mariadb NAME OPTION...: statements are asked by the client with these options.
mariadb_asks() {
	local name=$1
	shift
	MYSQL_PWD=geheim-my bounded "$RINGSPAN" record --store db --capture c.rsp -- mariadb --no-defaults \
		-u tester "$@" zoo <statements.sql >out 2>err
	grep -q "nothing lost" err
	result "$name: the client asks" $? err
	statements "$name" <<'END'
mariadb|SET|set password = password(?)||
mariadb|CREATE cats|create or replace table cats (name text, age int)||
mariadb|INSERT cats|insert into cats values (?, ?), (?, ?)||
mariadb|SELECT cats|select name, repeat(?, ?) from cats where name like ?|1|
mariadb|SELECT dogs|select * from dogs||1146
END
}

run_mariadb() {
	local data=$PWD/my port
	port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
	mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db \
		--user=root >initdb.log 2>&1
	result "a MariaDB is made" $? initdb.log
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
	mariadbd --no-defaults --datadir="$data" --socket="$PWD/my.sock" --port="$port" --bind-address=127.0.0.1 \
		--user=root --skip-name-resolve --ssl-cert="$PWD/cert.pem" --ssl-key="$PWD/key.pem" >my.log 2>&1 &
	pids+=($!)
	wait_for 30 mariadb --no-defaults -u root -S "$PWD/my.sock" -e "create database zoo; \
		create user 'tester'@'%' identified by 'geheim-my'; grant all on zoo.* to 'tester'@'%'"
	cat >statements.sql <<'END'
set password = password('geheim-my');
create or replace table cats (name text, age int);
insert into cats values ('tom', 7), ('felix', 8);
select name, repeat("abcdefgh", 100) from cats where name like "f%";
select * from dogs;
END
	mariadb_asks "MariaDB" -h 127.0.0.1 -P "$port" --skip-ssl
	mariadb_asks "MariaDB, compressed" -h 127.0.0.1 -P "$port" --skip-ssl --compress
	mariadb_asks "MariaDB, by TLS" -h 127.0.0.1 -P "$port" --ssl
	mariadb_asks "MariaDB, by a Unix socket" -S "$PWD/my.sock"
}

if command -v mariadbd >/dev/null && command -v mariadb >/dev/null && command -v mariadb-install-db >/dev/null; then
	run_mariadb
else
	echo "skip - no MariaDB server is installed"
fi

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
printf '%s\n' '\set age 3 + 4' 'select name from cats where age = :age;' >bound.sql
PGPASSWORD=geheim-pg bounded "$RINGSPAN" record --store db --capture c.rsp -- \
	"$bin/pgbench" -n -M prepared -t 2 -f bound.sql -h "$PWD/pg" -U tester postgres >out 2>err
grep -q "nothing lost" err
result "pgbench asks" $? err
statements "PostgreSQL, prepared" <<'END'
postgresql|SELECT cats|select name from cats where age = $1|1||{"0": "7"}
postgresql|SELECT cats|select name from cats where age = $1|1||{"0": "7"}
END
