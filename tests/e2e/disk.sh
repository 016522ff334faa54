#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a recording writes to cannot be written to for a while, or any more: full, locked, removed, read-only.
# The command does not notice; it is said once; what can come back does.
# needs: root bpf
. "$(dirname "$0")/lib.sh"

if ! unshare -m mount -t tmpfs -o size=64k tmpfs /mnt 2>/dev/null; then
	echo "skip - disks that are full or read-only: no tmpfs can be mounted"
	exit 0
fi
export RINGSPAN tmp

# on_disk SIZE COMMAND: in a mount namespace with a file system of that size at $disk
export disk=$tmp/disk
mkdir "$disk"
on_disk() {
	size=$1 timeout 60 unshare -m bash -c \
		'mount -t tmpfs -o size=$size tmpfs "$disk" && eval "$1"' bash "$2" >setup 2>&1
}
# said N TEXT FILE: so often
said() {
	[ "$(grep -c "^ringspan: .*$2" "$3")" -eq "$1" ]
}

# full for two seconds, in which 20 processes run and end
on_disk 4m '
	"$RINGSPAN" record --quiet --store "$disk/db" -- sh -c "
		sleep 0.6
		head -c 5000000 /dev/zero >\"\$disk/ballast\" 2>/dev/null
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			uname >/dev/null
		done
		sleep 1.4
		rm \"\$disk/ballast\"
		sleep 2.5
		exit 7" >out 2>err
	echo $? >status
	"$RINGSPAN" export --store "$disk/db" --format ndjson >spans.ndjson
	"$RINGSPAN" show --store "$disk/db" >show'
[ "$(cat status)" -eq 7 ]
result "a disk that is full for a while: the command's exit code" $? err
said 1 "the disk is full; free some space" err
result "... it is said once, with what to do" $? err
said 1 "can be written to again; nothing that waited is lost" err && said 0 "could not be stored" err
result "... and it comes back by itself, before the end" $? err
[ "$(grep -c '"name":"uname"' spans.ndjson)" -eq 20 ] && ! grep -q unfinished spans.ndjson &&
	! grep -q incomplete show
result "... with everything that waited" $? show

# and for good: what was stored before stays
on_disk 1m '
	"$RINGSPAN" record --quiet --store "$disk/db" -- true
	"$RINGSPAN" record --quiet --store "$disk/db" -- sh -c "
		sleep 0.6
		head -c 2000000 /dev/zero >\"\$disk/ballast\" 2>/dev/null
		for i in 1 2 3 4 5 6 7 8 9 10; do
			sh -c \"exit 0\" \$(head -c 100000 /dev/urandom | base64 -w0 | head -c 100000)
		done" >out 2>err
	echo $? >status
	"$RINGSPAN" runs --store "$disk/db" --json >runs.json'
[ "$(cat status)" -eq 1 ] && said 1 "store .* could not be stored" err && said 1 "lost: .*spans that could not be stored" err
result "a disk that stays full: counted, and the exit code says so" $? err
[ "$(grep -o '"trace_id"' runs.json | wc -l)" -ge 1 ]
result "... what was there before is there" $? runs.json

# the capture's disk
on_disk 256k '
	"$RINGSPAN" record --quiet --no-store --capture "$disk/c.rsp" -- sh -c "
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			sh -c \"exit 0\" \$(head -c 16000 /dev/zero | tr \"\\\\0\" x)
		done" >out 2>err
	echo $? >status
	"$RINGSPAN" replay "$disk/c.rsp" --format ndjson >replay.ndjson 2>replay.err
	echo $? >>status'
said 1 "cannot write capture .*No space left on device; it ends here" err && [ "$(head -1 status)" -eq 1 ]
result "a capture whose disk is full ends, and the exit code says so" $? err
said 1 "cut off at byte" replay.err && [ "$(grep -c '"name":"sh"' replay.ndjson)" -ge 5 ]
result "... and is replayed as far as it goes" $? replay.err

# read-only from the beginning
on_disk 1m '
	"$RINGSPAN" record --quiet --store "$disk/db" -- true
	mount -o remount,ro "$disk"
	"$RINGSPAN" record --store "$disk/db" -- touch started >out 2>err
	echo $? >status
	"$RINGSPAN" runs --store "$disk/db" --json >runs.json'
[ "$(cat status)" -eq 1 ] && ! [ -e started ] && one_error 1 err && said 1 "mounted read-only; remount it" err
result "on a read-only file system nothing is started, and it is said why" $? err
[ "$(grep -o '"trace_id"' runs.json | wc -l)" -eq 1 ]
result "... and its store can be read" $? runs.json

# It becomes read-only under the recorder, as a file system does in which the kernel finds an error.  mount
# gives the loop device back with the file system, whoever ends first.
export PATH=$PATH:/usr/sbin:/sbin
on_ext4() {
	timeout 60 unshare -m bash -c 'mount -o loop,errors=remount-ro image "$disk" &&
		broken=/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$disk")")/trigger_fs_error &&
		[ -w "$broken" ] && export broken && eval "$1"' bash "$1" >setup 2>&1
}
case="a file system that becomes read-only"
if ! { truncate -s 32M image && mkfs.ext4 -q image; } 2>err; then
	echo "skip - $case: no mkfs.ext4"
elif ! on_ext4 true; then
	echo "skip - $case: no loop device, or no error can be made in it"
else
	cat >breaks.sh <<-'END'
		uname >/dev/null
		until "$RINGSPAN" export --store "$disk/db" --format ndjson | grep -q '"uname"'; do sleep 0.1; done
		echo 1 >"$broken"
		for i in 1 2 3; do hostname >/dev/null; done
		until [ -s err ]; do sleep 0.1; done
		sleep 1.5
		exit 7
	END
	on_ext4 '
		"$RINGSPAN" record --quiet --store "$disk/db" -- true
		"$RINGSPAN" record --quiet --store "$disk/db" -- sh breaks.sh >out 2>err
		echo $? >status
		umount "$disk"
		e2fsck -fy image
		mount -o loop image "$disk"
		"$RINGSPAN" runs --store "$disk/db" --json >runs.json
		"$RINGSPAN" export --store "$disk/db" --format ndjson >spans.ndjson
		"$RINGSPAN" record --quiet --store "$disk/db" -- sh -c "exit 3"
		echo $? >>status'
	[ "$(head -1 status)" -eq 7 ]
	result "$case: the command's exit code" $? err
	said 1 "mounted read-only; remount it" err && ! grep -q recover err
	result "... it is said once, with what to do" $? err
	said 1 "store .* could not be stored" err && said 1 "lost: .*spans that could not be stored" err
	result "... what could not be stored is counted" $? err
	[ "$(grep -o '"trace_id"' runs.json | wc -l)" -eq 2 ] && grep -q '"name":"uname"' spans.ndjson
	result "... what was there before is there once it is repaired" $? spans.ndjson
	[ "$(tail -1 status)" -eq 3 ]
	result "... and its store is written to again" $? setup
fi

# and back, as after a remount, for which ext4 wants all files to be closed: what it says is said to SQLite
cat >shim.c <<'END'
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
/* no write to LOG while there is FLAG */
static int is_refused(int fd)
{
	struct stat a, b;
	if (stat(getenv("FLAG"), &a) || stat(getenv("LOG"), &b) || fstat(fd, &a) ||
	    a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return 0;
	errno = EROFS;
	return 1;
}
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return is_refused(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}
END
if ! "${CC:-cc}" -O1 -shared -fPIC -o shim.so shim.c 2>err; then
	echo "skip - a file system that was read-only for a while: no C compiler"
else
	FLAG=$tmp/refused LOG=$tmp/back-wal LD_PRELOAD=$tmp/shim.so bounded "$RINGSPAN" record --quiet --store back -- \
		sh -c 'unset LD_PRELOAD
		sleep 0.5
		touch "$FLAG"
		for i in 1 2 3; do hostname >/dev/null; done
		until [ -s err ]; do sleep 0.1; done
		rm "$FLAG"
		until grep -q again err; do sleep 0.1; done
		exit 7' >out 2>err
	[ $? -eq 7 ] && said 1 "mounted read-only; remount it" err &&
		said 1 "can be written to again; nothing that waited is lost" err
	result "a file system that was read-only for a while is written to again" $? err
	"$RINGSPAN" export --store back --format ndjson >spans.ndjson
	[ "$(grep -c '"name":"hostname"' spans.ndjson)" -eq 3 ] && ! grep -q store_readonly spans.ndjson
	result "... with what waited" $? spans.ndjson
fi

# removed, and what is there then is a new one
bounded "$RINGSPAN" record --quiet --store gone -- sh -c '
	sleep 0.8
	rm gone gone-wal gone-shm
	sleep 0.1
	sh -c "exit 3"
	sleep 1' >out 2>err
[ $? -eq 0 ] && said 1 "was removed or replaced" err
result "a store that is removed meanwhile is told, once" $? err
"$RINGSPAN" export --store gone --format ndjson >spans.ndjson && grep -q '"process.exit.code":3' spans.ndjson &&
	grep '"ringspan.kind":"run"' spans.ndjson | grep -q store_removed
result "... and made anew; the run says that something is missing" $? spans.ndjson

# locked for three seconds
bounded "$RINGSPAN" record --quiet --store locked -- "$PYTHON" -c '
import sqlite3, subprocess, time
time.sleep(0.8)
db = sqlite3.connect("locked", isolation_level=None, timeout=10)
db.execute("begin immediate")
subprocess.run(["sh", "-c", "exit 4"])
time.sleep(3)
db.execute("rollback")
time.sleep(2.5)' >out 2>err
[ $? -eq 0 ] && said 1 "another writer has it locked; end that one" err && said 1 "can be written to again" err
result "a store that another has locked for long comes back" $? err
"$RINGSPAN" export --store locked --format ndjson | grep -q '"process.exit.code":4'
result "... with what was recorded meanwhile" $?

# no reader any more: as with any program, by SIGPIPE or by its word
for verb in "export --format ndjson" "show" "spans"; do
	# shellcheck disable=SC2086
	bounded "$RINGSPAN" $verb --store gone 2>err | head -c 1 >out
	status=${PIPESTATUS[0]}
	{ [ "$status" -lt 124 ] || [ "$status" -eq 141 ]; } && [ "$(wc -l <err)" -le 1 ]
	result "a reader of ${verb%% *} that goes away" $? err err
done
