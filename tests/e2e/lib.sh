# SPDX-License-Identifier: BSD-2-Clause
# What the end-to-end tests share; sourced by each.  A test prints `ok - NAME`, `not ok - NAME` with
# `# ` lines that say why, or `skip - NAME: REASON`.  Everything lives in $tmp, which is removed.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tests=$(dirname "$here")
root=$(dirname "$tests")
RINGSPAN=$(realpath "${RINGSPAN:-$root/build/ringspan}")
PYTHON=${PYTHON:-/usr/bin/python3}
NODE=${NODE:-node}
DENO=${DENO:-deno}

unset MAKELEVEL MAKEFLAGS MFLAGS # of a make that runs the tests: one that a tool runs would name its level
tmp=$(mktemp -d "${TMPDIR:-/tmp}/e2e.XXXXXX")
pids=()
export ANTHROPIC_API_KEY OPENAI_API_KEY RINGSPAN_STORE XDG_CACHE_HOME NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
ANTHROPIC_API_KEY=sk-ant-api03-THISMUSTNOTLEAK-by-header-$(printf '%066d' 0)AA
OPENAI_API_KEY=sk-proj-THISMUSTNOTLEAK-by-header-$(printf '%0100d' 0)
RINGSPAN_STORE=$tmp/default.db
XDG_CACHE_HOME=$tmp/cache
mkdir "$tmp/cache"
cd "$tmp" || exit 1

cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	cd / && rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 143' TERM INT

# bounded COMMAND...: for what must not hang.
bounded() {
	timeout --foreground -k 5 60 "$@"
}

# result NAME STATUS [FILE]: one line, and what FILE holds when it failed.
result() {
	if [ "$2" -eq 0 ]; then
		echo "ok - $1"
		return
	fi
	echo "not ok - $1"
	[ -z "${3:-}" ] || head -n 60 "$3" | cut -c1-400 | sed 's/^/# /'
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local tries=$(($1 * 20))
	shift
	until "$@" 2>/dev/null; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}

# start_mock [OPTION...]: sets mock_port, mock_ca; the ground truth is mock.log.
start_mock() {
	: >mock.log
	rm -f mock.ready # of one that was started before
	timeout 300 "$PYTHON" "$tests/mock/server.py" --log mock.log "$@" >mock.ready &
	mock_pid=$!
	pids+=("$mock_pid")
	wait_for 20 test -s mock.ready || { echo "Bail out! the mock server does not start"; exit 1; }
	mock_port=$(sed 's/.*"port": \([0-9]*\).*/\1/' mock.ready)
	mock_ca=$(sed 's/.*"ca": "\([^"]*\)".*/\1/' mock.ready)
	export NODE_EXTRA_CA_CERTS=$mock_ca
}

agent_log=agent.log # of the processes that agents start; empty: none

# agent_command LANGUAGE API SCENARIO [OPTION...]: sets the array `agent`.
agent_command() {
	local language=$1 api=$2 scenario=$3 model=claude-sonnet-4-5
	shift 3
	[ "$api" = anthropic ] || model=gpt-4.1
	case $language in
	python | terminal) agent=("$PYTHON" "$tests/agents/agent.py") ;;
	node) agent=("$NODE" "$tests/agents/agent.mjs") ;;
	deno) agent=("$DENO" run --quiet --no-lock --allow-all "$tests/agents/agent.mjs") ;;
	esac
	agent+=(--api "$api" --model "$model" --base-url "https://127.0.0.1:$mock_port"
		--ca "$mock_ca" ${agent_log:+--log "$agent_log"} "$@" "Do as I say. [[scenario:$scenario]]")
	[ "$language" != terminal ] ||
		agent=(script -qec "$(printf '%q ' "${agent[@]}")" /dev/null)
}

requests() {
	[ "$(grep -c '"event": "request"' mock.log)" -ge "$1" ]
}

check_spans() {
	local schema=$root/schemas/span.schema.json
	"$PYTHON" "$here/check.py" --schema "$schema" --truth mock.log --server-port "$mock_port" "$@"
}

# no_secret FILE...: none of them, nor a store's -wal, holds what must not leak.
no_secret() {
	local found
	found=$(grep -al THISMUSTNOTLEAK "$@" 2>/dev/null)
	[ -z "$found" ] || { echo "a secret is in: $found"; return 1; }
}

# same_twice: two replays and the export give the same bytes.
same_twice() {
	bounded "$RINGSPAN" replay c.rsp --format ndjson --payload >replay1.ndjson || return 1
	bounded "$RINGSPAN" replay c.rsp --format ndjson --payload >replay2.ndjson || return 1
	cmp replay1.ndjson replay2.ndjson && cmp replay1.ndjson spans.ndjson
}

# one_error STATUS FILE: a failure that is reported in one clear line.
one_error() {
	if [ "$1" -eq 0 ] || [ "$1" -ge 124 ]; then
		echo "exit code $1"
		return 1
	fi
	[ "$(wc -l <"$2")" -eq 1 ] && grep -q '^ringspan: ' "$2" && return
	echo "not one line that starts with \"ringspan: \":"
	cat "$2"
	return 1
}

# tree_options [--write] [NAME...]: what the arguments of a script that calls tree_case mean: only those
# trees; and what is found is written to trees/, to be read before it is believed.
tree_options() {
	tree_write=()
	[ "${1:-}" != --write ] || { tree_write=(--write) && shift; }
	tree_names=" $* "
}

# tree_case NAME COMMAND...: records the command (with the options in tree_record), which runs in an empty
# folder; the whole tree of its run is that of trees/NAME.tree (see tree.py, which gets the options in
# tree_extra), obeys the schema, and is the same when it is replayed.
tree_extra=() tree_record=()
tree_case() {
	local name=$1
	shift
	case $tree_names in "  " | *" $name "*) ;; *) return 0 ;; esac
	rm -rf db db-* c.rsp run
	mkdir run
	: >mock.log
	{
		# it exits as the command did, which the tree holds; ls -l tells no time; what interpreters
		# read is another machine's
		(cd run && TIME_STYLE=+ bounded "$RINGSPAN" record --files changed "${tree_record[@]}" \
			--store ../db --capture ../c.rsp -- "$@") >out 2>err
		grep -q "nothing lost" err || cat err
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		"$PYTHON" "$here/tree.py" "${tree_write[@]}" "${tree_extra[@]}" \
			--schema "$root/schemas/span.schema.json" --word "ca=$mock_ca" --word "tmp=$tmp" \
			--word "tests=$tests" --word "python=$PYTHON" spans.ndjson "$here/trees/$name.tree"
		bounded "$RINGSPAN" replay c.rsp --format ndjson --payload >replay.ndjson
		cmp replay.ndjson spans.ndjson
	} >problems 2>&1
	! [ -s problems ]
	result "$name" $? problems
}

# agent_tree NAME API SCENARIO [OPTION...]: of agent.py
agent_tree() {
	local name=$1 agent_log=
	shift
	agent_command python "$@"
	tree_case "$name" "${agent[@]}"
}

# scripted_tree NAME: of the script of that name in scripted.py
scripted_tree() {
	tree_case "$1" "$PYTHON" "$tests/agents/scripted.py" --base-url "https://127.0.0.1:$mock_port" \
		--ca "$mock_ca" "$1"
}

# What check.py is asked beside what it always is.
check_options=()

# run_case NAME LANGUAGE API SCENARIO EXIT-CODE [AGENT-OPTION...]: records an agent's run with the mock
# that is running and checks all that can be said about any run.
run_case() {
	local name=$1 language=$2 api=$3 scenario=$4 wanted=$5 status
	shift 5
	rm -f db db-* c.rsp agent.log
	: >mock.log
	: >agent.log
	agent_command "$language" "$api" "$scenario" "$@"
	{
		bounded "$RINGSPAN" record --store db --capture c.rsp -- "${agent[@]}" >out 2>err
		status=$?
		[ $status -eq "$wanted" ] || echo "record exits with $status instead of $wanted"
		[ "$wanted" -ne 0 ] || grep -q MOCK-FINAL-ANSWER out || echo "no final answer"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		bounded "$RINGSPAN" show --store db --payload >show.txt || echo "show fails"
		check_spans --spans spans.ndjson --agent-log agent.log --exit-code "$wanted" \
			"${check_options[@]}"
		same_twice
		no_secret db* c.rsp spans.ndjson show.txt out err
	} >problems 2>&1
	[ -s problems ] && cat err >>problems
	! [ -s problems ]
	result "$name" $? problems
}
