#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What ringspan is for, in one minute: a bundled agent asks a bundled model server over TLS and runs
# the tools that the model asks for; ringspan watches from outside and shows the run.  Without root a
# recorded run is replayed instead.
#
#	tests/demo/demo.sh [RINGSPAN]

tests=$(cd "$(dirname "$0")/.." && pwd)
ringspan=$(realpath "${1:-${RINGSPAN:-$tests/../build/ringspan}}")
python=${PYTHON:-/usr/bin/python3}
if ! [ -x "$ringspan" ]; then
	echo "there is no $ringspan; run make first" >&2
	exit 1
fi

replay_instead() {
	local capture
	echo "Tracing needs root (sudo make demo).  This is the replay of a recorded run instead:"
	echo
	for capture in "$tests"/golden/demo.rsp "$tests"/golden/*.rsp; do
		[ -e "$capture" ] && exec "$ringspan" replay "$capture" --format tree
	done
	echo "there is no recorded run in $tests/golden" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || replay_instead

folder=$(mktemp -d "${TMPDIR:-/tmp}/demo.XXXXXX")
mock=
cleanup() {
	[ -z "$mock" ] || kill "$mock" 2>/dev/null
	wait "$mock" 2>/dev/null
	cd / && rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$folder" || exit 1
export RINGSPAN_STORE=$folder/demo.db COLUMNS=${COLUMNS:-110}
export ANTHROPIC_API_KEY=no-real-key PYTHONDONTWRITEBYTECODE=1

timeout 300 "$python" "$tests/mock/server.py" --pace 15 >ready &
mock=$!
for ((i = 0; i < 200; i++)); do
	[ -s ready ] && break
	sleep 0.05
done
if ! [ -s ready ]; then
	echo "the model server does not start; it needs python3 and openssl" >&2
	exit 1
fi
port=$(sed 's/.*"port": \([0-9]*\).*/\1/' ready)
ca=$(sed 's/.*"ca": "\([^"]*\)".*/\1/' ready)

for scenario in rate parallel; do
	agent=("$python" "$tests/agents/agent.py" --base-url "https://127.0.0.1:$port" --ca "$ca"
		"Write a greeting into a file and read it back. [[scenario:$scenario]]")
	echo "\$ ringspan record -- agent.py --base-url https://127.0.0.1:$port ... [[scenario:$scenario]]"
	"$ringspan" record -- "${agent[@]}" || exit
	echo
	echo "\$ ringspan show"
	"$ringspan" show || exit
	echo
done
echo "\$ ringspan runs"
"$ringspan" runs
