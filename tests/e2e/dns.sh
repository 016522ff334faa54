#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# DNS in a network of its own: glibc's getaddrinfo, which asks for both kinds of address at once, and
# node's c-ares; names that are not there, lost datagrams, answers by TCP, and datagrams over 1 KB.
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
# The network has its own resolv.conf, too.
cat >network.sh <<-'END'
	ip link set lo up
	printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:2 edns0\n' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf
	"$PYTHON" "$1" --log dns.log >ready &
	server=$!
	for _ in $(seq 100); do
		[ -s ready ] && break
		sleep 0.05
	done
	shift
	"$@"
	status=$?
	kill $server
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
