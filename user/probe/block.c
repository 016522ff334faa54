/* SPDX-License-Identifier: BSD-2-Clause */
/* What each system call waits for; see block.h.  What is not here waits for something else. */
#include "probe/block.h"

#include <string.h>
#include "base/cleanup.h"
#include "event/syscall.h"

static const struct block_call {
	const char *name;
	__u8 block;
} calls[] = {
	{ "futex", EV_BLOCK_LOCK },
	{ "futex_wait", EV_BLOCK_LOCK },
	{ "futex_waitv", EV_BLOCK_LOCK },
	{ "flock", EV_BLOCK_LOCK },
	{ "fcntl", EV_BLOCK_LOCK },
	{ "semop", EV_BLOCK_LOCK },
	{ "semtimedop", EV_BLOCK_LOCK },
	{ "poll", EV_BLOCK_POLL },
	{ "ppoll", EV_BLOCK_POLL },
	{ "select", EV_BLOCK_POLL },
	{ "pselect6", EV_BLOCK_POLL },
	{ "epoll_wait", EV_BLOCK_POLL },
	{ "epoll_pwait", EV_BLOCK_POLL },
	{ "epoll_pwait2", EV_BLOCK_POLL },
	{ "io_uring_enter", EV_BLOCK_POLL },
	{ "io_getevents", EV_BLOCK_POLL },
	{ "io_pgetevents", EV_BLOCK_POLL },
	{ "wait4", EV_BLOCK_CHILD },
	{ "waitid", EV_BLOCK_CHILD },
	/* the parent of CLONE_VFORK: until the child runs a program */
	{ "vfork", EV_BLOCK_CHILD },
	{ "clone", EV_BLOCK_CHILD },
	{ "clone3", EV_BLOCK_CHILD },
	{ "nanosleep", EV_BLOCK_SLEEP },
	{ "clock_nanosleep", EV_BLOCK_SLEEP },
	/* until the journal is on the disk */
	{ "sync", EV_BLOCK_DISK },
	{ "syncfs", EV_BLOCK_DISK },
	{ "fsync", EV_BLOCK_DISK },
	{ "fdatasync", EV_BLOCK_DISK },
	{ "sync_file_range", EV_BLOCK_DISK },
	{ "msync", EV_BLOCK_DISK },
	{ "read", BLOCK_BY_FILE },
	{ "readv", BLOCK_BY_FILE },
	{ "pread64", BLOCK_BY_FILE },
	{ "preadv", BLOCK_BY_FILE },
	{ "preadv2", BLOCK_BY_FILE },
	{ "write", BLOCK_BY_FILE },
	{ "writev", BLOCK_BY_FILE },
	{ "pwrite64", BLOCK_BY_FILE },
	{ "pwritev", BLOCK_BY_FILE },
	{ "pwritev2", BLOCK_BY_FILE },
	{ "connect", BLOCK_BY_FILE },
	{ "accept", BLOCK_BY_FILE },
	{ "accept4", BLOCK_BY_FILE },
	{ "recvfrom", BLOCK_BY_FILE },
	{ "recvmsg", BLOCK_BY_FILE },
	{ "recvmmsg", BLOCK_BY_FILE },
	{ "sendto", BLOCK_BY_FILE },
	{ "sendmsg", BLOCK_BY_FILE },
	{ "sendmmsg", BLOCK_BY_FILE },
	{ "sendfile", BLOCK_BY_FILE },
	{ "splice", BLOCK_BY_FILE },
	{ "getdents64", BLOCK_BY_FILE },
};

void block_of_calls(__u8 of[SYS_CALLS])
{
	memset(of, EV_BLOCK_OTHER, SYS_CALLS);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int nr = syscall_number(syscall_machine(), sv(calls[i].name));

		if (nr >= 0 && nr < SYS_CALLS)
			of[nr] = calls[i].block;
	}
}
