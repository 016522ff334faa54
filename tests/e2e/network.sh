#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections over a link that is 20 ms long each way and loses segments: round trips and retransmits are
# those that ss tells, handshakes of any TLS library take the round trips that their version does, what
# fails says why, and the parts of a request add up.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

a=rs$$a b=rs$$b server=10.77.0.2
if ! command -v ip >/dev/null || ! command -v ss >/dev/null || ! [ -c /dev/net/tun ]; then
	echo "skip - network: no iproute2 or no TUN device"
	exit 0
fi
cleanup_net() {
	cleanup
	ip netns del $a 2>/dev/null
	ip netns del $b 2>/dev/null
}
trap cleanup_net EXIT
if ! ip netns add $a 2>err || ! ip netns add $b 2>>err; then
	echo "skip - network: no namespace can be made here"
	exit 0
fi

# in_a COMMAND..., in_b COMMAND...: at the two ends of the link.  Not for what runs in the background: a
# function would be killed there, and not its command.
in_a() { ip netns exec $a "$@"; }
in_b() { ip netns exec $b "$@"; }

# start_link [OPTION...]: from 10.77.0.1 in $a to $server in $b
start_link() {
	: >link.ready
	timeout 300 "$PYTHON" "$tests/mock/link.py" $a $b --delay 20 "$@" >link.ready 2>link.err &
	link_pid=$!
	pids+=($link_pid)
	wait_for 20 test -s link.ready || return 1
	ip -n $a addr add 10.77.0.1 peer $server dev link0 && ip -n $a link set link0 mtu 1500 up &&
		ip -n $a link set lo up && ip -n $b link set lo up &&
		ip -n $b addr add $server peer 10.77.0.1 dev link0 && ip -n $b link set link0 mtu 1500 up
}

# recorded COMMAND...: its spans are spans.ndjson, and those of its capture are the same
recorded() {
	rm -rf db db-* c.rsp
	in_a timeout -k 5 60 "$RINGSPAN" record --store db --capture c.rsp -- "$@" >out 2>err
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson &&
		grep -q "nothing lost" err && same_twice
}

# checked NAME: a Python program on stdin, which has `spans`, by kind, and prints what is wrong
checked() {
	cat >check.py
	"$PYTHON" - >>problems 2>&1 <<-'END'
		import json, sys
		spans = {}
		for line in open("spans.ndjson"):
		    span = json.loads(line)
		    span["ns"] = span["end_time_unix_nano"] - span["start_time_unix_nano"]
		    spans.setdefault(span["attributes"]["ringspan.kind"], []).append(span)
		exec(compile(open("check.py").read(), "check", "exec"))
	END
	[ -s problems ] && cat err >>problems
	! [ -s problems ]
	result "$1" $? problems
}

# --- round trips and retransmits

cat >upload.py <<'END'
# Sends, is told that all has come, and leaves the connection alone until it may end.
import os, socket, sys, time
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
client.sendall(bytes(200000))
client.recv(1)
open("idle", "w").close()
while not os.path.exists("go"):
    time.sleep(0.05)
client.close()
END
cat >sink.py <<'END'
import socket
server = socket.create_server(("10.77.0.2", 0))
print(server.getsockname()[1], flush=True)
connection, _ = server.accept()
left = 200000
while left:
    left -= len(connection.recv(left))
connection.send(b".")
connection.recv(1)
END
start_link --drop-every 30 || { echo "not ok - network: the link does not start"; exit 1; }
ip netns exec "$b" timeout 100 "$PYTHON" sink.py >port &
pids+=($!)
wait_for 20 test -s port
: >problems
{
	in_a timeout -k 5 60 "$RINGSPAN" record --store db --capture c.rsp -- "$PYTHON" upload.py $server "$(cat port)" >out 2>err &
	record_pid=$!
	wait_for 40 test -e idle || echo "the upload does not end"
	in_a ss -tinH "dport = :$(cat port)" >ss.txt
	touch go
	wait $record_pid || echo "record fails"
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	same_twice
} >>problems 2>&1
checked "round trips, retransmits and bytes are those of ss" <<'END'
import re
ss = open("ss.txt").read()
def told(pattern):
    return re.search(pattern, ss)
retrans = int(told(r" retrans:\d+/(\d+)")[1])
rtt, least = float(told(r" rtt:([\d.]+)/")[1]), float(told(r" minrtt:([\d.]+)")[1])
connect, = spans["connect"]
own = {key[len("ringspan.connection."):]: value for key, value in connect["attributes"].items()}
if retrans < 3:
    print("the link lost nothing", ss)
if own.get("retransmits") != retrans:
    print("retransmits", own.get("retransmits"), "of ss", retrans)
for key, ms in ("rtt_ns", rtt), ("rtt_min_ns", least):
    if abs(own.get(key, 0) - ms * 1e6) > 1000:  # ss rounds to us
        print(key, own.get(key), "of ss", ms, "ms")
if own.get("sent_bytes") != 200000 or own.get("received_bytes") != 1:
    print("bytes", own.get("sent_bytes"), own.get("received_bytes"))
if connect["ns"] < 40e6 or rtt < 40:
    print("faster than the link", connect["ns"], rtt)
END
kill $link_pid
wait $link_pid 2>/dev/null

# --- TLS

if ! command -v openssl >/dev/null || ! command -v curl >/dev/null; then
	echo "skip - network: no openssl or no curl"
	exit 0
fi
start_link || { echo "not ok - network: the link does not start again"; exit 1; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=api.test \
	-addext subjectAltName=DNS:api.test 2>>err

# s_server PORT OPTION...
s_server() {
	local port=$1
	shift
	ip netns exec "$b" timeout 300 openssl s_server -quiet -www -key key.pem -cert cert.pem -accept "$port" "$@" \
		>/dev/null 2>>s_server.err &
	pids+=($!)
	wait_for 20 eval "in_b ss -tlnH 'sport = :$port' | grep -q ."
}
s_server 4431
s_server 4432 -tls1_3
to=(--resolve "api.test:4431:$server" --resolve "api.test:4432:$server" --resolve "api.test:4433:$server")

cat >phases.py <<'END'
# One connection, used twice: the parts of the first request, and none of them on the second.
RTT = 40e6
def phases(version, round_trips):
    connect, = spans["connect"]
    shake, = spans["tls"]
    first, second = spans["http"]
    time = {key[len("ringspan.time."):]: value for key, value in first["attributes"].items()
            if key.startswith("ringspan.time.")}
    again = {key for key in second["attributes"] if key.startswith("ringspan.time.")}
    own = shake["attributes"]
    if (own.get("tls.protocol.version"), own.get("tls.established")) != (version, True):
        print("handshake", own)
    if not own.get("tls.cipher", "").startswith("TLS_") or own.get("server.address") != "api.test":
        print("handshake", own)
    if shake["status"]["code"] != "UNSET" or shake["parent_span_id"] != connect["parent_span_id"]:
        print("handshake", shake)
    if shake["ns"] < round_trips * RTT or time["tls_ns"] != shake["ns"]:
        print("handshake of", shake["ns"], time)
    if time["connect_ns"] != connect["ns"] or connect["ns"] < RTT:
        print("connect of", connect["ns"], time)
    if time["first_byte_ns"] < RTT or time["first_byte_ns"] + time["transfer_ns"] != first["ns"]:
        print("exchange of", first["ns"], time)
    # one after the other, and what is between them is the program's own
    if not connect["end_time_unix_nano"] <= shake["start_time_unix_nano"] \
            or not shake["end_time_unix_nano"] <= first["start_time_unix_nano"]:
        print("they overlap")
    if again & {"ringspan.time.connect_ns", "ringspan.time.tls_ns", "ringspan.time.dns_ns"} \
            or "ringspan.time.first_byte_ns" not in again:
        print("the second request tells", again)
END
: >problems
# s_server -www closes behind each answer: what keeps a connection is http.server
cat >keep.py <<'END'
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
server = http.server.ThreadingHTTPServer(("10.77.0.2", 4433), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
END
ip netns exec "$b" timeout 300 "$PYTHON" keep.py 2>>s_server.err &
pids+=($!)
wait_for 20 eval "in_b ss -tlnH 'sport = :4433' | grep -q ."
for version in 1.3 1.2; do
	: >problems
	recorded curl -s --http1.1 --cacert cert.pem --tls-max $version "${to[@]}" \
		https://api.test:4433/a https://api.test:4433/b >>problems 2>&1 || echo "no recording" >>problems
	trips=1
	[ $version = 1.3 ] || trips=2
	{ cat phases.py; echo "phases('$version', $trips)"; } | checked "TLS $version takes the round trips of it ($trips)"
done
bounded "$RINGSPAN" latency --by host --store db --json >latency.json
"$PYTHON" - >problems 2>&1 <<'END'
import json
parts = {r["part"]: r for r in json.load(open("latency.json"))["rows"] if r["name"] == "api.test"}
counts = {part: row["calls"] for part, row in parts.items()}
if counts != {"connect": 1, "tls": 1, "round trip": 1, "request": 2, "wait": 2, "transfer": 2, "exchange": 2}:
    print(counts)
if sum(parts[p]["total_ns"] for p in ("request", "wait", "transfer")) != parts["exchange"]["total_ns"]:
    print("the parts do not add up", parts)
if parts["round trip"]["max_ns"] < 40e6 or parts["connect"]["max_ns"] < 40e6 or parts["tls"]["max_ns"] < 80e6:
    print("faster than the link", parts)
END
! [ -s problems ]
result "latency by host has the parts" $? problems

# --- what fails

# fails NAME ERROR-TYPE ESTABLISHED-VERSION COMMAND...
fails() {
	local name=$1 type=$2
	shift 2
	: >problems
	recorded "$@" >>problems 2>&1 || echo "no recording" >>problems
	checked "$name" <<END
shake, = spans["tls"]
own = shake["attributes"]
if (shake["status"]["code"], own.get("error.type"), own.get("tls.established")) != ("ERROR", "$type", False):
    print(shake)
if any("ringspan.content" in span["attributes"] for of in spans.values() for span in of):
    print("it says that content was not seen")
if own["server.port"] != int("${port:-0}"):
    print("port", own)
END
}
port=4431 fails "a certificate of nobody" unknown_ca curl -s "${to[@]}" https://api.test:4431/
port=4432 fails "a version that the server has not" protocol_version \
	curl -sk --tls-max 1.2 "${to[@]}" https://api.test:4432/
cat >rude.py <<'END'
# Takes a ClientHello and closes, or breaks off.
import socket, struct, sys
server = socket.create_server(("10.77.0.2", 4434))
while True:
    connection, _ = server.accept()
    hello = connection.recv(65536)
    if b"reset" in hello:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
END
ip netns exec "$b" timeout 300 "$PYTHON" rude.py 2>>s_server.err &
pids+=($!)
wait_for 20 eval "in_b ss -tlnH 'sport = :4434' | grep -q ."
port=4434 fails "a server that closes" closed curl -sk --resolve "close.test:4434:$server" https://close.test:4434/
port=4434 fails "a server that resets" ECONNRESET curl -sk --resolve "reset.test:4434:$server" \
	https://reset.test:4434/
: >problems
checked "... and the connection tells who" <<'END'
connect, = spans["connect"]
if connect["attributes"].get("ringspan.connection.reset") != "peer" or \
        [event["name"] for event in connect["events"]] != ["reset"]:
    print(connect)
END

# --- a server that lets connections wait

cat >slow.py <<'END'
# Accepts when somebody has waited for it.
import select, socket, time
server = socket.create_server(("10.77.0.1", 4435))
open("listens", "w").close()
select.select([server], [], [])
time.sleep(0.2)
connection, _ = server.accept()
connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
connection.close()
END
cat >ask.py <<'END'
import socket
client = socket.create_connection(("10.77.0.1", 4435))
client.sendall(b"GET / HTTP/1.1\r\nHost: slow\r\n\r\n")
while client.recv(4096):
    pass
END
: >problems
(wait_for 30 test -e listens && in_b timeout 60 "$PYTHON" ask.py) 2>>s_server.err &
recorded "$PYTHON" slow.py >>problems 2>&1 || echo "no recording" >>problems
checked "a server's connection waits in the backlog" <<'END'
accept, = spans["connect"]
http, = spans["http"]
waited = accept["attributes"].get("ringspan.time.accept_queue_ns")
if (accept["name"], accept["kind"], http["kind"]) != ("accept", "SERVER", "SERVER"):
    print(accept, http)
if waited != accept["ns"] or waited < 200e6 or http["attributes"].get("ringspan.time.accept_queue_ns") != waited:
    print("it waited", waited, accept["ns"], http["attributes"])
if accept["attributes"].get("ringspan.backlog.length") != 0 or accept["attributes"].get("ringspan.backlog.max", 0) < 1:
    print(accept["attributes"])
END
