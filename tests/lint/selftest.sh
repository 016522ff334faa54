#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Shows that each rule passes a good sample and finds a bad one.
lint=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/lint.XXXXXX")
trap 'rm -rf "$tmp" "$tmp.out"' EXIT
cd "$tmp" || exit 1
failed=0
bsd='/* SPDX-License-Identifier: BSD-2-Clause */'

sample() { # FILE LINE...
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$1"
}

good_tree() {
	rm -rf "${tmp:?}"/*
	sample user/base/buf.h "$bsd" 'int buf_add(int n);'
	sample user/base/buf.c "$bsd" '#include "base/buf.h"' 'int buf_add(int n) { return n; }'
	sample user/proto/http1.c "$bsd" '#include "base/buf.h"' 'int x = buf_add(1);'
	sample user/probe/probe.c "$bsd" '#include <bpf/libbpf.h>' '#include "ringspan.skel.h"'
	sample user/cli/show.c "$bsd" '#include "base/buf.h"' 'fprintf(stderr, "usage");'
	sample bpf/tls.bpf.c '// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause'
	sample schemas/span.schema.json '{' '"$comment": "SPDX-License-Identifier: BSD-2-Clause"' '}'
}

verdict() { # WHAT STATUS
	if [ "$2" -eq 0 ]; then
		echo "ok - lint selftest: $1"
	else
		echo "not ok - lint selftest: $1"
		sed 's/^/# /' "$tmp.out"
		failed=1
	fi
}

passes() { # RULE
	good_tree
	"$lint/$1.sh" >"$tmp.out" 2>&1
	verdict "$1 passes a good tree" $?
}

finds() { # RULE FILE LINE...
	good_tree
	sample "${@:2}"
	! "$lint/$1.sh" >"$tmp.out" 2>&1 && grep -q "^# $2\\b" "$tmp.out"
	verdict "$1 finds ${*: -1}" $?
}

for rule in layers spdx text public; do
	passes $rule
done
finds layers user/base/a.c "$bsd" '#include "span/span.h"'
finds layers user/conn/a.c "$bsd" '#include "proto/http1.h"'
finds layers user/proto/a.c "$bsd" '#include "event/event.h"'
finds layers user/sem/a.c "$bsd" '#include "proto/http1.h"'
finds layers user/other/a.c "$bsd" '#include "base/buf.h"'
finds layers user/span/a.c "$bsd" '#include <bpf/libbpf.h>'
finds layers user/cli/a.c "$bsd" '#include "ringspan.skel.h"'
finds spdx user/base/a.c '/* no licence */'
finds spdx bpf/a.bpf.c "$bsd" # not a licence for the kernel
finds spdx schemas/a.json '{}'
finds text user/span/a.c "$bsd" 'fprintf(stderr, "x");'
finds text user/span/a.c "$bsd" "/* TO""DO: later */"
finds text user/span/a.c "$bsd" "char *p = \"/ro""ot/x\";"
finds text user/span/a.c "$bsd" '        int spaces;'
finds text user/span/a.c "$bsd" $' \tint mixed;'
finds text user/span/a.c "$bsd" 'int trailing; '
finds text user/span/a.c "$bsd" '// int dead;'
finds text tests/a.py '# SPDX-License-Identifier: BSD-2-Clause' $'\tpass'
finds public user/base/a.h "$bsd" 'int nobody_calls_me(void);'
if ! "$lint/format.sh" | grep -q '^skip'; then
	finds format user/base/a.c "$bsd" 'int   not_formatted ;'
fi
exit $failed
