#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Containers as they see files: overlays over a shared layer, and a root of their own.
# needs: root bpf overlayfs
. "$(dirname "$0")/lib.sh"

if ! "${CC:-cc}" -O2 -o post "$tests/agents/post.c" -lssl -lcrypto 2>cc.err; then
	echo "skip - overlay: no OpenSSL to link"
	exit 0
fi
start_mock

# an overlay's upper layer cannot be on every filesystem; on this one it can
mkdir layers containers
mount -t tmpfs layers layers && mount -t tmpfs containers containers || exit 1

leave_overlays() {
	umount -R -l layers containers
	cleanup
}
trap leave_overlays EXIT

# The image: the client and what it needs.
mkdir -p layers/image/{proc,dev}
ldd post | grep -o '/[^ ]*' | while read -r lib; do
	mkdir -p "layers/image$(dirname "$lib")"
	cp -L "$lib" "layers/image$lib"
done
cp post layers/image/post
ssl=$(ldd post | grep -o '/[^ ]*libssl[^ ]*')

# container NAME: its root in containers/NAME/top
container() {
	mkdir -p "containers/$1/upper" "containers/$1/scratch" "containers/$1/top"
	mount -t overlay overlay "containers/$1/top" -o "lowerdir=layers/image,upperdir=containers/$1/upper,workdir=containers/$1/scratch"
}

body='{"model":"gpt-4.1","messages":[{"role":"user","content":"[[scenario:long]]"}]}'
printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
	"$OPENAI_API_KEY" "${#body}" "$body" >request

# in_containers NAME...: a request from each, one after the other, in one run; each with its own
# mount namespace and root.
in_containers() {
	local name script=''
	for name; do
		script+="unshare --mount --root=$tmp/containers/$name/top /post $mock_port < <(sleep 1; cat request); "
	done
	rm -f db db-*
	: >mock.log
	bounded "$RINGSPAN" record -v --quiet --store db -- bash -c "$script" >out 2>err || echo "record fails"
	bounded "$RINGSPAN" export --store db --format ndjson --payload >spans.ndjson
	check_spans --spans spans.ndjson --at-least $#
}

# hooked COUNT: so many libraries in containers got probes of their own
hooked() {
	[ "$(grep -c 'openssl functions hooked in .*/containers/.*libssl' err)" -eq "$1" ] && return
	echo "not $1 libraries have probes:"
	grep hooked err
}

container one
container two
{ in_containers one two; hooked 1; } >problems 2>&1
! [ -s problems ]
result "two containers that share a layer" $? problems

# a library of its own: copied up, and as another file
container own
cp -L "$ssl" "containers/own/top$ssl.new" && mv "containers/own/top$ssl.new" "containers/own/top$ssl"
container up
touch -c -a "containers/up/top$ssl" && chmod 700 "containers/up/top$ssl"
{ in_containers one own up; hooked 3; } >problems 2>&1
! [ -s problems ]
result "containers with a library of their own" $? problems
