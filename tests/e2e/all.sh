#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# attach --all: of many processes exactly the agents become runs, with their tools; of the others nothing
# is shown, stored or captured; and nothing is left in the kernel.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

cgroup_root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
own=$cgroup_root/rs-all-$$
secret=BYSTANDERS-OWN-AFFAIR
start_mock

leave() {
	echo 0 >"$cgroup_root/cgroup.procs"
	cleanup
	rmdir "$own" 2>/dev/null
}

# Others may run agents on this machine at the same time: only what is in our control group is looked at.
if [ -n "$cgroup_root" ] && mkdir "$own"; then
	trap leave EXIT
	narrow=(--cgroup "$own")
else
	echo "skip - other agents of this machine are kept out: no cgroup can be made"
	narrow=()
fi

# inside COMMAND...: in our control group.
inside() {
	[ ${#narrow[@]} -eq 0 ] || echo 0 >"$own/cgroup.procs" || exit 126
	exec "$@"
}

# agent NAME OPTION...: in the background once the file go-NAME is there.
agent() {
	local name=$1
	shift
	agent_command "$@"
	(
		until [ -e "go-$name" ]; do sleep 0.05; done
		inside "${agent[@]}"
	) >"out-$name" 2>"err-$name" &
	pids+=("$!")
}

finished() {
	wait_for 30 grep -q MOCK-FINAL-ANSWER "out-$1" || echo "agent $1 does not finish"
}

kinds() {
	grep -c "\"ringspan.kind\": *\"$1\"" spans.ndjson
}

# What is no agent, though it speaks TLS and HTTP, and what does nothing at all.
bystander() {
	(inside "$PYTHON" - "$mock_port" "$mock_ca" "$secret" <<-'PY'
		import http.client, ssl, sys, time
		port, ca, secret = sys.argv[1:]
		for i in range(100):
		    c = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=10,
		                                    context=ssl.create_default_context(cafile=ca))
		    try:
		        c.request("POST", "/" + secret, body='{"text": "%s"}' % (secret * 100),
		                  headers={"Content-Type": "application/json"})
		        c.getresponse().read()
		    except (OSError, http.client.HTTPException):
		        pass
		    c.close()
		    time.sleep(0.05)
	PY
	) >/dev/null 2>&1 &
	pids+=("$!")
	(inside curl -sk --retry 2 "https://127.0.0.1:$mock_port/$secret") >/dev/null 2>&1 &
	pids+=("$!")
	(inside sleep 300) &
	pids+=("$!")
}

bystander
agent one python anthropic basic
env --default-signal=INT timeout --foreground 120 "$RINGSPAN" attach --all "${narrow[@]}" --store db \
	--capture c.rsp >attach.out 2>attach.err &
attach_pid=$!
pids+=("$attach_pid")
{
	wait_for 20 grep -q "looking for agents" attach.err || echo "it does not say that it looks for agents"
	touch go-one
	finished one
	agent two python chat tools # starts when all is set up already
	touch go-two
	finished two
	bystander
	sleep 1
	kill -INT $attach_pid
	wait_for 10 eval "! kill -0 $attach_pid" || echo "it does not end"
	"$RINGSPAN" replay c.rsp --format ndjson --payload >spans.ndjson || echo "replay fails"
	[ "$(kinds run)" -eq 2 ] || echo "$(kinds run) runs instead of 2"
	[ "$(grep -c '"name": *"run agent.py"' spans.ndjson)" -eq 2 ] || echo "not the agents' runs"
	[ "$(kinds model_call)" -eq 6 ] || echo "$(kinds model_call) model calls instead of 6"
	[ "$(kinds tool_call)" -eq 4 ] || echo "$(kinds tool_call) tool calls instead of 4"
	! grep '"ringspan.incomplete"' spans.ndjson || echo "something was missed"
	grep -q "nothing lost" attach.err || echo "something is lost"
	grep -aq '2 agents among' attach.err || echo "the end does not tell of two agents"
} >problems 2>&1
! [ -s problems ] || cat attach.err >>problems
! [ -s problems ]
result "two agents among others, one of them started later" $? problems

grep -q '"ringspan.kind": *"process"' spans.ndjson && grep -q '"process.executable.name": *"bash"' spans.ndjson
result "... with the processes of their tools" $?

! grep -al "$secret" db* c.rsp attach.out attach.err spans.ndjson >problems
result "... and nothing of the others is kept or shown" $? problems

# An agent that reads half of an answer before it is attached to: of the other half nobody knew whose it is.
cat >half.py <<'END'
import http.client, http.server, json, os, ssl, sys, time

ANSWER = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4.1", "choices": [{
    "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Half. " * 100}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER[:300])
        open("asked", "w").close()
        while not os.path.exists("attached"):
            time.sleep(0.02)
        self.wfile.write(ANSWER[300:])

    def log_message(self, *args):
        pass


def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


def ask(port):
    context = ssl._create_unverified_context()
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    for question in "One?", "Two?":
        client.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "gpt-4.1", "messages": [{"role": "user", "content": question}]}))
        client.getresponse().read()
    client.close()


ask(int(sys.argv[1])) if len(sys.argv) > 1 else serve()
END
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost 2>/dev/null
"$PYTHON" half.py >half.port 2>half.err &
pids+=($!)
wait_for 20 test -s half.port || cat half.err
(inside "$PYTHON" half.py "$(cat half.port)") >half.out 2>&1 &
half_pid=$!
pids+=($half_pid)
wait_for 20 test -e asked
env --default-signal=INT timeout --foreground 60 "$RINGSPAN" attach --all "${narrow[@]}" --store half.db >half.attach 2>&1 &
attach_pid=$!
pids+=($attach_pid)
{
	wait_for 20 grep -q "looking for agents" half.attach || echo "it does not say that it looks for agents"
	touch attached
	wait $half_pid || cat half.out
	kill -INT $attach_pid
	wait_for 10 eval "! kill -0 $attach_pid" || echo "it does not end"
	grep -aq 'lost: [0-9]* bytes that agents moved before they were known to be any$' half.attach ||
		cat half.attach
} >problems 2>&1
! [ -s problems ]
result "what an agent read before it was known to be one is told as that" $? problems

mine=$(bpftool prog show 2>/dev/null | grep -c "pids ringspan($attach_pid)")
[ "$mine" -eq 0 ]
result "no program is left when it has ended" $?
