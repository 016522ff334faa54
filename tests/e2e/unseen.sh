#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Connections whose content cannot be seen are listed with the reason: TLS of an unknown library, QUIC,
# bytes that go by io_uring.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

# A server that takes what comes, answers with bytes that mean nothing and is closed.
cat >server.py <<-'END'
	import socket, threading
	server = socket.create_server(("127.0.0.1", 0))
	datagrams = socket.socket(type=socket.SOCK_DGRAM)
	datagrams.bind(server.getsockname())
	def answer_datagrams():
	    while True:
	        data, sender = datagrams.recvfrom(2048)
	        datagrams.sendto(bytes(200), sender)
	threading.Thread(target=answer_datagrams, daemon=True).start()
	print(server.getsockname()[1], flush=True)
	while True:
	    connection, _ = server.accept()
	    hello = connection.recv(65536)
	    # of TLS a ServerHello, without what it should hold
	    connection.sendall((b"\x16" if hello[0] == 0x16 else b"\x17") + b"\x03\x03\x00\x40" + b"\2" + bytes(63))
	    if hello[0] == 0x16:
	        connection.recv(65536)
	    connection.close()
END
# What a TLS library sends first, made before anything is traced.
cat >hello.py <<-'END'
	import ssl
	context = ssl.create_default_context()
	context.set_alpn_protocols(["h2", "http/1.1"])
	out = ssl.MemoryBIO()
	try:
	    context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="api.example.com").do_handshake()
	except ssl.SSLWantReadError:
	    open("hello", "wb").write(out.read())
END
cat >tls.py <<-'END'
	import socket, sys
	client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	client.sendall(open("hello", "rb").read())
	client.recv(69, socket.MSG_WAITALL)
	client.sendall(b"\x17\x03\x03\x00\x40" + bytes(64)) # as if its handshake were over
	while client.recv(4096):
	    pass
	client.close()
END
cat >quic.py <<-'END'
	import socket, sys
	client = socket.socket(type=socket.SOCK_DGRAM)
	client.connect(("127.0.0.1", int(sys.argv[1])))
	client.send(b"\xc3\0\0\0\1\x08" + bytes(1194))
	client.recv(2048)
	client.close()
END
# checked ATTRIBUTE=VALUE...: the only connection of the run has these attributes.
checked() {
	"$PYTHON" - "$@" <<-'END'
		import json, sys
		spans = [json.loads(line) for line in open("spans.ndjson")]
		found = [s for s in spans if s["attributes"].get("ringspan.content") == "not_seen"]
		if len(found) != 1:
		    sys.exit(f"{len(found)} spans of content that was not seen: {[s['name'] for s in found]}")
		attributes = found[0]["attributes"]
		attributes["advice"] = bool(found[0]["status"]["message"])
		for wanted in sys.argv[1:]:
		    key, value = wanted.split("=", 1)
		    if str(attributes.get(key)) != value:
		        print(f"{key}: {attributes.get(key)!r} instead of {value!r}")
	END
}

# unseen NAME REASON COMMAND... -- ATTRIBUTE=VALUE...
unseen() {
	local name=$1 reason=$2 command=() status
	shift 2
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	shift
	rm -f db db-* c.rsp
	bounded "$RINGSPAN" record --store db --capture c.rsp -- "${command[@]}" "$port" >out 2>err
	status=$?
	if [ $status -eq 77 ]; then
		echo "skip - $name: not allowed here"
		return
	fi
	{
		[ $status -eq 0 ] || echo "record exits with $status"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
		checked "ringspan.content.reason=$reason" "network.peer.port=$port" advice=True "$@"
		bounded "$RINGSPAN" show --store db >show.txt
		grep -q "1 connection whose content was not seen: .*($reason)" show.txt ||
			echo "show does not tell"
		grep -q "1 connection whose content was not seen" err || echo "record does not tell"
		same_twice
	} >problems 2>&1
	[ -s problems ] && cat err >>problems
	! [ -s problems ]
	result "$name" $? problems
}

"$PYTHON" hello.py
timeout 300 "$PYTHON" server.py >port &
pids+=($!)
wait_for 20 test -s port
port=$(cat port)

unseen "tls of an unknown library" tls_library_unknown "$PYTHON" tls.py -- ringspan.kind=tls \
	server.address=api.example.com "ringspan.tls.hello.alpn=['h2', 'http/1.1']" \
	"ringspan.connection.sent_bytes=$(($(stat -c %s hello) + 69))" ringspan.connection.received_bytes=69
unseen quic quic "$PYTHON" quic.py -- ringspan.kind=tls network.transport=udp \
	ringspan.connection.sent_bytes=1200 ringspan.connection.received_bytes=200
if "${CC:-cc}" -O2 -o uring "$tests/agents/uring.c" 2>cc.err; then
	unseen io_uring io_uring_or_sendfile ./uring -- ringspan.kind=connect \
		ringspan.connection.unseen_bytes=123 ringspan.connection.received_bytes=69
else
	echo "skip - io_uring: no header of it, or no compiler"
fi
