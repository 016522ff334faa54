#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Recording without being root: with the capabilities that the unit of `make install` gives, and no others.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

if ! command -v setpriv >/dev/null; then
	echo "skip - recording with four capabilities: no setpriv"
	exit 0
fi
unit=inst/lib/systemd/system/ringspan.service
mkdir home && chown 65534:65534 home && chmod 755 "$tmp"
make -s -C "$root" install OUT="$(dirname "$RINGSPAN")" PREFIX="$tmp/inst" >out 2>&1 &&
	grep -q "^ExecStart=$tmp/inst/bin/ringspan attach --all" $unit
result "make install writes a unit with the path of the program" $? out

# as_nobody CAPABILITIES COMMAND...
as_nobody() {
	local caps=-all${1:+,$1}
	shift
	env XDG_CACHE_HOME="$tmp/home" setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
		--inh-caps="$caps" --ambient-caps="$caps" --bounding-set="$caps" "$@"
}
caps=$(sed -n 's/^CapabilityBoundingSet=//p' $unit | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')

as_nobody "$caps" inst/bin/ringspan doctor --store home/db >out 2>err
result "doctor: these capabilities are enough" $? out
as_nobody +bpf inst/bin/ringspan doctor --store home/db >out 2>err
[ $? -eq 1 ] && grep -q '^off .*CAP_PERFMON is missing' out && grep -q '^off .*CAP_SYS_PTRACE is missing' out &&
	grep -q '^off .*CAP_DAC_READ_SEARCH is missing' out
result "doctor: each that is missing is named" $? out
as_nobody "" inst/bin/ringspan record --store home/db -- touch home/started >out 2>err
one_error $? err >problems && grep -q 'CAP_BPF and CAP_PERFMON are missing' err && ! [ -e home/started ]
result "record without them starts nothing, and says what is missing" $? err

start_mock
chmod 755 "$(dirname "$mock_ca")" # the agent is nobody, too
chmod 644 "$mock_ca"
agent_log=
agent_command python anthropic parallel
as_nobody "$caps" inst/bin/ringspan record --store home/db --capture home/c.rsp -- "${agent[@]}" >out 2>err
result "record: the agent runs" $? err
inst/bin/ringspan export --store home/db --format ndjson --payload >spans.ndjson 2>err
check_spans --spans spans.ndjson >problems
result "record: all that was said is seen" $? problems

# somebody else's processes, as the unit does it
: >mock.log
trace=()
command -v strace >/dev/null && trace=(strace -f -qq -e signal=none -o "$tmp/calls")
touch calls && chown 65534:65534 calls
as_nobody "$caps" "${trace[@]}" "$tmp/inst/bin/ringspan" attach --all --store home/all >out 2>err &
attach_pid=$!
pids+=("$attach_pid")
wait_for 60 grep -q 'Ctrl-C ends it' err
agent_command python anthropic basic
"${agent[@]}" >agent.out 2>&1
result "attach: an agent of another user runs" $? agent.out
sleep 1
for pid in $(pgrep -f "^$tmp/inst/bin/ringspan attach"); do
	[ "$(cat "/proc/$pid/comm")" != ringspan ] || kill -INT "$pid"
done
wait $attach_pid
result "attach: it ends when it is told to" $? err
inst/bin/ringspan spans --store home/all --where "host=127.0.0.1 and kind=model_call" --json >spans.ndjson 2>>err
[ "$(grep -c . spans.ndjson)" -ge "$(grep -c '"event": "request"' mock.log)" ]
result "attach: its calls are seen" $? err

if ! command -v systemd-analyze >/dev/null; then
	echo "skip - the unit: no systemd-analyze"
	exit 0
fi
systemd-analyze verify --man=no "$tmp/$unit" >out 2>&1 && ! [ -s out ]
result "the unit has no mistakes" $? out
if ! [ -s calls ]; then
	echo "skip - what the unit's filter of system calls lets through: no strace"
	exit 0
fi
"$PYTHON" - "$unit" calls >problems <<'PY'
import re, subprocess, sys
unit, calls = sys.argv[1:]
sets, name = {}, None
for line in subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True).stdout.splitlines():
    if line.startswith("@"):
        name = line.strip()
        sets[name] = set()
    elif name and line.strip() and not line.strip().startswith("#"):
        sets[name].add(line.strip())

def expand(what):
    return set().union(*map(expand, sets[what])) if what in sets else {what}

allowed = set()
for line in open(unit):
    m = re.match(r"SystemCallFilter=(~?)(.*)", line)
    for what in m.group(2).split() if m else ():
        allowed = allowed - expand(what) if m.group(1) else allowed | expand(what)
made = {m.group(1) for m in map(re.compile(r"^\d+ +(\w+)\(").match, open(calls)) if m}
made -= {"execve"}  # systemd's own
print(*sorted(c for c in made if c not in allowed), sep="\n", end="")
PY
! [ -s problems ]
result "the unit's filter lets all through that is called" $? problems
