#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# DNS in a network of its own: glibc's getaddrinfo, which asks for both kinds of address at once, and
# node's c-ares; names that are not there, lost datagrams, answers by TCP, and datagrams over 1 KB.  And what
# requests waited for their names.
# needs: root bpf netns
. "$(dirname "$0")/lib.sh"

cat >ask.py <<-'END'
	import socket, sys
	for name in sys.argv[1:]:
	    try:
	        socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
	    except socket.gaierror:
	        pass
END
cat >ask.mjs <<-'END'
	import dns from 'node:dns';
	const resolver = new dns.promises.Resolver({ timeout: 500, tries: 2 });
	for (const name of process.argv.slice(2))
		for (const resolve of ['resolve4', 'resolve6'])
			await resolver[resolve](name).catch(() => {});
END
# Two requests by one connection, and one by another whose address is known already.
cat >get.py <<-'END'
	import http.client, socket, sys
	class Connection(http.client.HTTPConnection):
	    def connect(self):
	        self.sock = socket.create_connection((address, 8080))
	for name in sys.argv[1:]:
	    address = socket.getaddrinfo(name, 8080, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
	    for paths in ("first", "again"), ("other",):
	        connection = Connection(name)
	        for path in paths:
	            connection.request("GET", f"/{path}")
	            connection.getresponse().read()
	        connection.close()
END
cat >web.py <<-'END'
	import http.server, socketserver
	class Server(http.server.ThreadingHTTPServer):
	    server_bind = socketserver.TCPServer.server_bind  # HTTPServer's asks for its own name
	class Handler(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def do_GET(self):
	        self.send_response(200)
	        self.send_header("Content-Length", "2")
	        self.end_headers()
	        self.wfile.write(b"{}")
	server = Server(("10.1.1.1", 8080), Handler)
	print("ready", flush=True)
	server.serve_forever()
END
# The network has its own resolv.conf, too.
cat >network.sh <<-'END'
	ip link set lo up
	ip addr add 10.1.1.1/32 dev lo
	printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:2 edns0\n' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf
	"$PYTHON" "$1" --log dns.log >ready &
	server=$!
	"$PYTHON" web.py >web.ready 2>web.err &
	web=$!
	for _ in $(seq 100); do
		[ -s ready ] && [ -s web.ready ] && break
		sleep 0.05
	done
	shift
	"$@"
	status=$?
	kill $server $web
	exit $status
END

# asked NAME PROGRAM COMMAND...
asked() {
	local name=$1 program=$2
	shift 2
	rm -f db db-* c.rsp ready dns.log
	{
		bounded unshare --net --mount bash network.sh "$tests/mock/dns_server.py" \
			"$RINGSPAN" record --store db --capture c.rsp -- sh -c '"$@"; true' - "$@" \
			{good,missing,slow,big,large,refused}.test >out 2>err || echo "record fails"
		bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson ||
			echo "export fails"
		"$PYTHON" "$here/check_dns.py" --spans spans.ndjson --truth dns.log --program "$program" \
			--schema "$root/schemas/span.schema.json"
		same_twice
	} >problems 2>&1
	[ -s problems ] && cat err >>problems
	! [ -s problems ]
	result "$name" $? problems
}

export PYTHON
asked getaddrinfo ask.py "$PYTHON" ask.py
if "$NODE" --version >/dev/null 2>&1; then
	asked c-ares ask.mjs "$NODE" ask.mjs
else
	echo "skip - c-ares: no node"
fi

{
	rm -f db db-* c.rsp ready web.ready dns.log
	bounded unshare --net --mount bash network.sh "$tests/mock/dns_server.py" \
		"$RINGSPAN" record --store db --capture c.rsp -- "$PYTHON" get.py good.test slow.test >out 2>err ||
		echo "record fails"
	bounded "$RINGSPAN" export --store db --format ndjson >spans.ndjson || echo "export fails"
	"$PYTHON" - <<-'END'
		import json
		spans = [json.loads(line) for line in open("spans.ndjson")]
		def of(kind):
		    return [s for s in spans if s["attributes"]["ringspan.kind"] == kind]
		for name in "good.test", "slow.test":
		    lookups = [s for s in of("dns") if s["attributes"]["dns.question.name"] == name]
		    gets = {s["attributes"]["url.full"].rsplit("/", 1)[1]: s for s in of("http")
		            if name in s["attributes"]["url.full"]}
		    assert len(lookups) == 1 and set(gets) == {"first", "again", "other"}, (name, lookups, gets)
		    took = lookups[0]["end_time_unix_nano"] - lookups[0]["start_time_unix_nano"]
		    told = {path: s["attributes"].get("ringspan.time.dns_ns") for path, s in gets.items()}
		    if told != {"first": took, "again": None, "other": None}:
		        print(f"{name}: the lookup took {took}, told is {told}")
		    if lookups[0]["end_time_unix_nano"] > gets["first"]["start_time_unix_nano"]:
		        print(f"{name}: asked before its name was known")
		    if name == "slow.test" and not (lookups[0]["attributes"].get("ringspan.attempts") == 2
		                                    and took > 900_000_000):
		        print(f"{name}: {lookups[0]}")
	END
	same_twice
} >problems 2>&1
[ -s problems ] && cat err >>problems
! [ -s problems ]
result "the first request of a connection that a name was looked up for has the time of that" $? problems
