/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hooks.  A row is used when its feature is there, and `without` is not. */
#include "probe/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/detach.h"
#include "probe/func.h"
#include "probe/uprobe.h"

struct hook {
	const char *prog;
	const char
		*table; /* in bpf/sys.bpf.c, by the call's number; NULL: its section says where */
	int call;
	enum feat need;
	bool reads; /* only where files that are read are of interest */
};

/* clang-format off */
#define ENTER(prog, call) { prog, "sys_enters", SYS_##call, FEAT_SYSCALLS, false }
#define EXIT(prog, call) { prog, "sys_exits", SYS_##call, FEAT_SYSCALLS, false }
#define EXIT_READS(prog, call) { prog, "sys_exits", SYS_##call, FEAT_SYSCALLS, true }
#define POINT(prog, need) { prog, NULL, 0, need, false }
#define IO_CALL(call) ENTER("io_" #call, call), EXIT("io_done", call)
#define FS_CALL(call) EXIT("fs_done", call)
#define FS_OPEN(call) EXIT("fs_open_done", call)
/* clang-format on */

static const struct hook hooks[] = {
	POINT("proc_fork", FEAT_ATTACH),
	POINT("proc_exec", FEAT_ATTACH),
	POINT("proc_exit", FEAT_ATTACH),
	POINT("sched_switch", FEAT_ATTACH),
	POINT("signal_deliver", FEAT_ATTACH),
	POINT("connect_state", FEAT_SYSCALLS),
	ENTER("connect_enter", connect),
	EXIT("connect_exit", connect),
	POINT("accept_state", FEAT_SYSCALLS),
	ENTER("accept_listen", listen),
	ENTER("accept_enter", accept),
	ENTER("accept_enter", accept4),
	EXIT("accept_exit", accept),
	EXIT("accept_exit", accept4),
	POINT("reset_received", FEAT_ATTACH),
	POINT("reset_sent", FEAT_ATTACH),
	ENTER("mmap_enter", mmap),
	EXIT("mmap_exit", mmap),
	POINT("tie_send", FEAT_SOCKLEN),
	POINT("tie_recv", FEAT_SOCKLEN),
	/* what runtimes use on pipes, sockets and terminals; the two of many datagrams are glibc's resolver */
	IO_CALL(read),
	IO_CALL(readv),
	IO_CALL(recvfrom),
	IO_CALL(recvmsg),
	IO_CALL(recvmmsg),
	IO_CALL(write),
	IO_CALL(writev),
	IO_CALL(pwrite64),
	IO_CALL(pwritev),
	IO_CALL(sendto),
	IO_CALL(sendmsg),
	IO_CALL(sendmmsg),
	/* a flow's end in time: tcp has a state for it, other files only this */
	ENTER("io_close", close),
	POINT("io_sock_state", FEAT_SYSCALLS),
	/* TLS that moves into the kernel turns ciphertext into plaintext */
	ENTER("io_setsockopt", setsockopt),
	/* files that are opened, and what is done with them and to paths */
	EXIT_READS("fs_pread", pread64),
	EXIT_READS("fs_pread", preadv),
	EXIT_READS("fs_pread", preadv2),
	EXIT("fs_pwrite", pwritev2),
	EXIT("fs_sendfile", sendfile),
	EXIT("fs_copy", copy_file_range),
	EXIT("fs_sync", fsync),
	EXIT("fs_sync", fdatasync),
	EXIT("fs_sync", sync_file_range),
	ENTER("fs_exec", execve),
	ENTER("fs_exec", execveat),
	FS_OPEN(openat),
	FS_OPEN(openat2),
	FS_CALL(unlinkat),
	FS_CALL(renameat2),
	FS_CALL(mkdirat),
	FS_CALL(linkat),
	FS_CALL(symlinkat),
	FS_CALL(truncate),
	ENTER("fs_dup", dup3),
#ifdef SYS_renameat /* newer machines have only what takes flags, too */
	FS_CALL(renameat),
#endif
#ifdef SYS_open /* ... and only what takes a directory */
	FS_OPEN(open),
	FS_OPEN(creat),
	FS_CALL(unlink),
	FS_CALL(rmdir),
	FS_CALL(rename),
	FS_CALL(mkdir),
	FS_CALL(link),
	FS_CALL(symlink),
	ENTER("fs_dup", dup2),
#endif
	/* last: all that they jump to is there by then */
	POINT("sys_exit", FEAT_SYSCALLS),
	POINT("sys_enter", FEAT_SYSCALLS),
};

_Static_assert(ARRAY_SIZE(hooks) + 2 <= HOOKS_MAX, "HOOKS_MAX: two are those of func.c");

static bool is_used(const struct hook *h, const struct features *f, enum files_mode files)
{
	return f->of[h->need].on && (!h->reads || files != FILES_CHANGED);
}

/* What copies payload comes twice, see guard.bpf.h. */
static struct bpf_program *find_program(const struct bpf_object *obj, const struct hook *h,
					const struct features *f)
{
	struct bpf_program *prog = NULL;
	char old[64];

	snprintf(old, sizeof(old), "%s_old", h->prog);
	if (!f->of[FEAT_LOOP].on)
		prog = bpf_object__find_program_by_name(obj, old);
	return prog ? prog : bpf_object__find_program_by_name(obj, h->prog);
}

static void select_uprobe(struct bpf_program *prog, const struct features *f)
{
	const char *name = bpf_program__name(prog);
	size_t len = strlen(name);
	bool old = len > 4 && strcmp(name + len - 4, "_old") == 0;

	bpf_program__set_autoload(prog, old != f->of[FEAT_LOOP].on &&
						(f->of[FEAT_MULTI].on || f->of[FEAT_UPROBE].on));
	if (f->of[FEAT_MULTI].on)
		bpf_program__set_expected_attach_type(prog, UPROBE_TYPE_MULTI);
}

/*
 * What is remembered of a thread is in one of two places, see task.bpf.h and thread.bpf.h.  What uses
 * a map that is not there is dead code to the verifier, by cfg_task_storage.
 */
static void select_threads(struct bpf_object *obj, bool storage)
{
	static const char *const hung[] = { "thread_storage", "task_states" };
	static const char *const table[] = { "threads", "thread_zero", "task_states_old",
					     "task_zero" };

	for (size_t i = 0; i < ARRAY_SIZE(hung); i++)
		bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, hung[i]), storage);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, table[i]), !storage);
}

void hooks_select(struct bpf_object *obj, const struct features *f, enum files_mode files)
{
	struct bpf_program *prog;

	bpf_object__for_each_program (prog, obj) {
		if (funcs_owns(prog))
			continue;
		if (bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE)
			select_uprobe(prog, f);
		else if (strcmp(bpf_program__name(prog), "proc_rows") == 0 ||
			 strcmp(bpf_program__name(prog), "thread_rows") == 0)
			bpf_program__set_autoload(prog, true);
		else if (strcmp(bpf_program__name(prog), "vma_rows") == 0)
			bpf_program__set_autoload(prog, f->of[FEAT_VMA].on);
	}
	select_threads(obj, f->of[FEAT_STORAGE].on);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (!is_used(&hooks[i], f, files))
			continue;
		prog = find_program(obj, &hooks[i], f);
		bpf_program__set_autoload(prog, true);
	}
}

static int put_in_table(const struct bpf_object *obj, const struct hook *h,
			const struct bpf_program *prog)
{
	int table = bpf_object__find_map_fd_by_name(obj, h->table), fd = bpf_program__fd(prog);

	return bpf_map_update_elem(table, &h->call, &fd, BPF_ANY);
}

int hooks_attach(struct hook_links *links, struct bpf_object *obj, const struct features *f,
		 enum files_mode files)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct hook *h = &hooks[i];
		struct bpf_link *link = NULL;
		struct bpf_program *prog;
		int err;

		if (!is_used(h, f, files))
			continue;
		prog = find_program(obj, h, f);
		if (h->table) {
			err = put_in_table(obj, h, prog);
		} else {
			link = bpf_program__attach(prog);
			err = link ? 0 : -errno;
		}
		if (err)
			return log_err(err, "cannot attach %s: %s; see `ringspan doctor`", h->prog,
				       strerror(-err));
		if (link)
			links->of[links->cnt++] = link;
	}
	return 0;
}

void hooks_detach(struct hook_links *links, struct detach *d)
{
	while (links->cnt)
		detach_link(d, links->of[--links->cnt]);
}
