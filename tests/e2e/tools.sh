#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What tools do on a machine, and humans that are asked before: each scenario with its whole tree,
# trees/NAME.tree; options as of trees.sh.
# needs: root bpf
. "$(dirname "$0")/lib.sh"
tree_options "$@"

export PYTHON SHELL=/bin/bash
ulimit -c 0
start_mock
agent_log=
server=$tests/mock/mcp_server.py

# done_by NAME LANGUAGE SCENARIO [OPTION...]: the tree of an agent whose model asks for what the scenario
# says, with $web for {web} where that is set
web=
done_by() {
	local name=$1 language=$2 scenario=$3
	shift 3
	agent_command "$language" anthropic "$scenario" --toolbox --no-stream "$@"
	agent[-1]+=${web:+" [[web=$web]]"}
	tree_case "$name" "${agent[@]}"
}

# A human, or a pipe that stands in for one, says yes and then no.
yes_no() {
	wait_for 20 requests 1 && sleep 0.3 && echo y
	wait_for 20 requests 2 && sleep 0.3 && echo n
}
: >mock.log
yes_no | done_by approval_pipe python basic --ask
: >mock.log
yes_no | done_by approval_terminal terminal basic --ask

# MCP, with a server that the agent starts and with one that it finds
"$PYTHON" "$server" --http >mcp.ready &
pids+=("$!")
wait_for 20 test -s mcp.ready
url=http://127.0.0.1:$(tr -dc 0-9 <mcp.ready)/mcp
for era in 2025-06-18 2026-07-28; do
	for scenario in mcp elicit; do
		done_by "${scenario}_stdio_$era" python $scenario --mcp "$PYTHON $server" --mcp-era $era
		done_by "${scenario}_http_$era" python $scenario --mcp "$url" --mcp-era $era
	done
done

# What they start
done_by eval python basic --shell eval
done_by terminal python basic --shell pty
done_by reexec python reexec
done_by twins python twins
done_by timeout python timeout --timeout 2
done_by daemon python daemon
tree_record=(--wait) # what is left behind goes on for as long as a recording does by itself
done_by orphan python orphan
tree_record=()
printf 'test:\n\t@exit 1\n' >checks
done_by failing_tests python check
printf '%s\n' "$PYTHON $tests/agents/agent.py --base-url https://127.0.0.1:$mock_port --ca $mock_ca \
	'Help me. [[scenario:basic]]'" >child.sh
done_by agent_in_tool python child

# What they change, whom they ask, where they crash
done_by files python files

cat >pages.py <<-'PY'
	import http.server
	class Pages(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        self.send_response(200)
	        self.send_header("content-length", "5")
	        self.end_headers()
	        self.wfile.write(b"page\n")
	    def log_message(self, *_args):
	        pass
	server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
	print(server.server_port, flush=True)
	server.serve_forever()
PY
"$PYTHON" pages.py >pages.ready &
pids+=("$!")
wait_for 20 test -s pages.ready
web=127.0.0.1:$(cat pages.ready)
done_by web python web

# A program that asks for a page and then crashes in a library, after the moment that a recorder on a busy
# machine needs to look at what was loaded
cat >deep.c <<-'C'
	static int *volatile nowhere;
	int deep(int n) { *nowhere = n; return n + 1; }
	int outer(int n) { return deep(n) + 1; }
C
cat >fault.c <<-'C'
	#include <arpa/inet.h>
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	int outer(int n);
	int main(int argc, char **argv)
	{
		static const char ask[] = "GET /last HTTP/1.1\r\nHost: pages\r\n\r\n";
		struct sockaddr_in a = { .sin_family = AF_INET };
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		char answer[500];

		a.sin_port = htons(atoi(strchr(argv[1], ':') + 1));
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (connect(fd, (void *)&a, sizeof(a)) || write(fd, ask, strlen(ask)) < 0)
			return 1;
		while (!memmem(answer, sizeof(answer), "page", 4))
			if (read(fd, answer, sizeof(answer)) <= 0)
				return 1;
		sleep(1);
		return outer(argc);
	}
C
if "${CC:-cc}" -O0 -fno-omit-frame-pointer -shared -fPIC -o libdeep.so deep.c 2>cc.err &&
	"${CC:-cc}" -O0 -D_GNU_SOURCE -fno-omit-frame-pointer -o fault fault.c -L. -ldeep -Wl,-rpath,"$tmp" 2>cc.err; then
	tree_extra=(--word "libc=$(realpath "$(ldd fault | sed -n 's/.*libc\.so.* => \([^ ]*\) .*/\1/p')")")
	done_by fault python fault
	tree_extra=()
else
	echo "skip - fault: no C compiler"
fi
