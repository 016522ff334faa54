#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# top: agents that are each at one thing are told to be at that; the screen shows them, in a terminal of any
# size that it leaves as it was.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cgroup_root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
own=$cgroup_root/rs-top-$$
terminal=rs-top-$$ # tmux's server
agent_log=
start_mock

leave() {
	tmux -L "$terminal" kill-server 2>/dev/null
	cleanup
	# what the agents' tools left behind is in there, and nothing else
	[ ! -d "$own" ] || xargs -r kill -KILL <"$own/cgroup.procs" 2>/dev/null
	[ ! -d "$own" ] || wait_for 5 rmdir "$own"
}
trap leave EXIT

# Others may run agents on this machine at the same time: only what is in our control group is looked at.
if [ -n "$cgroup_root" ] && mkdir "$own"; then
	narrow=(--all --cgroup "$own")
else
	echo "skip - other agents of this machine are kept out: no cgroup can be made"
	narrow=(--all)
fi

inside() {
	[ ! -d "$own" ] || echo 0 >"$own/cgroup.procs" || exit 126
	exec "$@"
}

# agent NAME OPTION...: in the background; its pid is in the file pid-NAME, and nobody types.
agent() {
	local name=$1
	shift
	agent_command "$@"
	[ -e "in-$name" ] || : >"in-$name"
	(
		inside "${agent[@]}"
	) >"out-$name" 2>"err-$name" <"in-$name" 7>&- 8>&- &
	echo $! >"pid-$name"
	pids+=("$!")
}

# told FILE NAME=STATE...: lines of top --json come to say that of these agents; and what they do so far.
told() {
	"$PYTHON" - "$@" <<'EOF'
import json, sys, time
want = dict(pair.split("=") for pair in sys.argv[2:])
pids = {name: int(open("pid-" + name).read()) for name in want if name != "asks"}
end, found = time.time() + 60, {}
with open(sys.argv[1]) as lines:
    while time.time() < end and found != want:
        line = lines.readline()
        if not line.endswith("\n"):
            lines.seek(lines.tell() - len(line))
            time.sleep(0.05)
            continue
        agents = json.loads(line)["agents"]
        by_pid = {agent["pid"]: agent for agent in agents}
        for name, state in want.items():
            if name == "asks": # below script(1), which has another pid
                others = [a for a in agents if a["pid"] not in pids.values()]
                agent = next((a for a in others if a["state"] == state), None)
            else:
                agent = by_pid.get(pids[name])
            if agent and agent["state"] == state:
                found[name] = state
for name in want.keys() - found.keys():
    print(name, "is not told to be", want[name], "but:", line)
EOF
}

mkfifo in-asks in-stays
exec 7<>in-asks 8<>in-stays
env --default-signal=INT timeout --foreground 200 "$RINGSPAN" top --json -i 200ms "${narrow[@]}" \
	>top.json 2>top.err 7>&- 8>&- &
top=$!
pids+=("$top")
wait_for 30 test -s top.json
result "a line each interval" $? top.err
agent waits python anthropic ponder
agent streams python anthropic crawl
agent runs python anthropic nap
agent throttled python chat crowded
agent loops python anthropic loop
agent stays python chat text --stay
agent asks terminal anthropic basic --ask
told top.json waits=waiting streams=streaming runs=tool throttled=throttled loops=stuck stays=idle \
	asks=approval >problems 2>&1
! [ -s problems ]
result "each agent is told to be at what it is at" $? problems

"$PYTHON" - "$(cat pid-runs)" "$(cat pid-throttled)" "$(cat pid-streams)" >problems 2>&1 <<'EOF'
import json, sys
lines = [json.loads(line) for line in open("top.json") if line.endswith("\n")]
runs, throttled, streams = (
    next(a for line in reversed(lines) for a in line["agents"] if a["pid"] == int(pid))
    for pid in sys.argv[1:])
assert runs["step"] == "shell sleep 90", runs
assert runs["turns"] == 1 and runs["model_calls"] == 1 and runs["tool_calls"] == 1, runs
assert runs["processes"] >= 2 and runs["rss_bytes"] > 1 << 20 and runs["output_tokens"] > 0, runs
assert throttled["why"].startswith("429") and throttled["retry_unix_nano"] > lines[-1]["time_unix_nano"], throttled
assert streams["streamed_tokens"] > 0 and streams["cost_usd"] is None, streams
rates = [a["tokens_per_second"] for line in lines for a in line["agents"] if a["pid"] == streams["pid"]]
assert max(r for r in rates if r is not None) > 0, rates
own = lines[-1]["ringspan"]
programs = {p["name"]: p for p in own["bpf_programs"]}
assert own["cpu"] is not None and own["rss_bytes"] > 1 << 20, own
assert programs["sys_exit"]["runs"] > 0 and programs["sys_exit"]["run_ns"] > 0, programs
assert abs(own["bpf_cpu"] - sum(p["cpu"] or 0 for p in programs.values())) < 1e-6, own
EOF
! [ -s problems ]
result "... with its step, numbers, and what ringspan takes itself" $? problems

"$RINGSPAN" top --once -i 200ms -p "$(cat pid-waits)" >once.txt 2>once.err
grep -q "^ *$(cat pid-waits) agent.py *unknown" once.txt && grep -q '^1 agent · 1 unknown$' once.txt
result "one table; of who did nothing since, nothing is made up" $? once.txt

echo >&8
told top.json stays=ended >problems 2>&1
! [ -s problems ]
result "an agent that ends is told to have ended" $? problems
echo y >&7 # the human
kill -INT "$top"
wait_for 10 eval "! kill -0 $top"
wait "$top"
status=$?
[ "$status" -eq 0 ] && ! [ -s top.err ]
result "an interrupt ends it, quietly" $? top.err

screen() {
	tmux -L "$terminal" capture-pane -p >screen.txt && grep -q -- "$1" screen.txt
}

keys() {
	tmux -L "$terminal" send-keys "$@"
}

# shows NAME PATTERN: the screen comes to.
shows() {
	wait_for 20 screen "$2"
	result "$1" $? screen.txt
}

for wrong in '' '--sort size' '--at 1s' '-p 1 --all' '--replay x --all'; do
	# shellcheck disable=SC2086 # words
	"$RINGSPAN" top $wrong </dev/null >out 2>wrong.err
	[ $? -eq 2 ] && [ "$(wc -l <wrong.err)" -eq 1 ] && ! [ -s out ] || echo "top $wrong: not refused"
done >problems
! [ -s problems ]
result "what makes no sense is refused, and so is a screen without a terminal" $? problems

{
	"$RINGSPAN" top --replay "$tests/golden/think.rsp" --at 300ms --json
	"$RINGSPAN" top --replay "$tests/golden/demo.rsp" --at 200ms --json
} >replay.json 2>replay.err
sed 's/.*"state":"\([a-z]*\)".*"step":"\([^"]*\)".*/\1 \2/' replay.json >states
printf 'streaming claude-sonnet-4-5\ntool shell echo two; exit 3\n' | cmp - states
result "a capture tells what was so at a time" $? replay.json

if ! command -v tmux >/dev/null; then
	echo "skip - the screen in a terminal: no tmux"
	exit 0
fi
tmux -L "$terminal" -f /dev/null new-session -d -x 80 -y 24 \
	"env -u NO_COLOR '$RINGSPAN' top ${narrow[*]} -i 200ms; echo exit code \$?; stty -a; sleep 300" 7>&- 8>&-
shows "the screen is there at 80x24, without agents" 'no agent yet'
agent again python anthropic crawl
agent naps python anthropic nap
shows "an agent that streams" "$(cat pid-again) agent.py  *streaming"
shows "... and one whose tool runs" "$(cat pid-naps) agent.py  *tool .*shell sleep 90"
tmux -L "$terminal" capture-pane -p >screen.txt
[ "$(wc -L <screen.txt)" -le 80 ] && [ "$(wc -l <screen.txt)" -eq 24 ] && grep -q '^q quit' screen.txt
result "it fits" $? screen.txt
tmux -L "$terminal" capture-pane -pe | grep -q "$(printf '\033\[36mstreaming')"
result "states have colours" $? screen.txt
keys /
keys NAP Enter
shows "a filter is told" 'only: NAP'
keys Escape
keys / sleep Enter
shows "... and lets one through" 'only: sleep'
grep -q 'shell sleep 90' screen.txt && ! grep -q "$(cat pid-again)" screen.txt
result "... and not the other" $? screen.txt
keys Enter
shows "enter shows its tree" 'execute_tool shell  .*sleep 90'
tmux -L "$terminal" resize-window -x 120 -y 30
shows "which follows the terminal's size" 'invoke_agent agent.py.*█'
wait_for 20 eval 'screen invoke_agent && [ "$(wc -L <screen.txt)" -gt 80 ]'
result "... to all of its columns" $? screen.txt
keys q
shows "q leads back to the table, which has more columns now" 'IN  *OUT .*MEM'
keys '?'
shows "help" 'approval  *a human is asked'
keys q b
shows "what ringspan takes by program" '^sys_exit '
keys q
shows "and back" 'only: sleep'
tmux -L "$terminal" resize-window -x 40 -y 8
shows "it does with little room" 'ringspan top'
tmux -L "$terminal" resize-window -x 80 -y 24
keys q
shows "q leaves" 'exit code 0'
wait_for 20 screen ' icanon ' && grep -q ' echo ' screen.txt && ! grep -q 'AGENT  *STATE' screen.txt
result "... and the terminal is as it was" $? screen.txt

tmux -L "$terminal" kill-server
terminal=$terminal-2 # the first one is still busy ending
tmux -L "$terminal" -f /dev/null new-session -d -x 80 -y 24 \
	"sh -c 'echo \$\$ >top.pid; exec \"\$@\"' sh '$RINGSPAN' top ${narrow[*]} -i 200ms; echo exit code \$?; stty -a; sleep 300" 7>&- 8>&-
wait_for 20 screen 'ringspan top'
kill -TERM "$(cat top.pid)"
shows "a signal ends it" 'exit code 0'
wait_for 20 screen ' icanon ' && grep -q ' echo ' screen.txt
result "... and the terminal is as it was" $? screen.txt

tmux -L "$terminal" kill-server
terminal=$terminal-3
tmux -L "$terminal" -f /dev/null new-session -d -x 80 -y 24 \
	"sh -c 'ulimit -c 0; echo \$\$ >top.pid; exec \"\$@\"' sh '$RINGSPAN' top ${narrow[*]} -i 200ms; echo exit code \$?; stty -a; sleep 300" 7>&- 8>&-
wait_for 20 screen 'ringspan top'
kill -SEGV "$(cat top.pid)"
shows "a fault of its own ends it" 'exit code 139'
wait_for 20 screen ' icanon ' && grep -q ' echo ' screen.txt && ! grep -q 'AGENT  *STATE' screen.txt
result "... and the terminal is as it was" $? screen.txt
