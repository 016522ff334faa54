/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hooks.  A row is used when its feature is there, and `without` is not. */
#include "probe/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <linux/perf_event.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/detach.h"
#include "probe/tracefs.h"
#include "probe/uprobe.h"

struct hook {
	const char *prog;
	const char *event; /* in tracefs; NULL: what the program's section names */
	enum feat need;
	enum feat without; /* FEAT_CNT: nothing */
};

#define IO_CALL(call)                                                          \
	{ "io_" #call, "syscalls/sys_enter_" #call, FEAT_SYSCALLS, FEAT_CNT }, \
	{                                                                      \
		"io_done", "syscalls/sys_exit_" #call, FEAT_SYSCALLS, FEAT_CNT \
	}

#define FS_CALL(call)                                                          \
	{ "fs_" #call, "syscalls/sys_enter_" #call, FEAT_SYSCALLS, FEAT_CNT }, \
	{                                                                      \
		"fs_done", "syscalls/sys_exit_" #call, FEAT_SYSCALLS, FEAT_CNT \
	}

static const struct hook hooks[] = {
	{ "proc_fork", NULL, FEAT_ATTACH, FEAT_CNT },
	{ "proc_exec", NULL, FEAT_ATTACH, FEAT_CNT },
	{ "proc_exit", NULL, FEAT_ATTACH, FEAT_CNT },
	{ "signal_deliver", NULL, FEAT_ATTACH, FEAT_CNT },
	{ "connect_state", NULL, FEAT_SYSCALLS, FEAT_CNT },
	{ "connect_enter", "syscalls/sys_enter_connect", FEAT_SYSCALLS, FEAT_CNT },
	{ "connect_exit", "syscalls/sys_exit_connect", FEAT_SYSCALLS, FEAT_CNT },
	{ "mmap_enter", "syscalls/sys_enter_mmap", FEAT_SYSCALLS, FEAT_CNT },
	{ "mmap_exit", "syscalls/sys_exit_mmap", FEAT_SYSCALLS, FEAT_CNT },
	{ "tie_send", NULL, FEAT_SOCKLEN, FEAT_CNT },
	{ "tie_recv", NULL, FEAT_SOCKLEN, FEAT_CNT },
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
	{ "io_close", "syscalls/sys_enter_close", FEAT_SYSCALLS, FEAT_CNT },
	{ "io_sock_state", NULL, FEAT_SYSCALLS, FEAT_CNT },
	/* TLS that moves into the kernel turns ciphertext into plaintext */
	{ "io_setsockopt", "syscalls/sys_enter_setsockopt", FEAT_SYSCALLS, FEAT_CNT },
	/* what changes files */
	FS_CALL(openat),
	FS_CALL(openat2),
	FS_CALL(unlinkat),
	FS_CALL(renameat2),
	FS_CALL(mkdirat),
	FS_CALL(linkat),
	FS_CALL(symlinkat),
	FS_CALL(truncate),
	{ "fs_dup", "syscalls/sys_enter_dup3", FEAT_SYSCALLS, FEAT_CNT },
#ifdef SYS_renameat /* newer machines have only what takes flags, too */
	FS_CALL(renameat),
#endif
#ifdef SYS_open /* ... and only what takes a directory */
	FS_CALL(open),
	FS_CALL(creat),
	FS_CALL(unlink),
	FS_CALL(rmdir),
	FS_CALL(rename),
	FS_CALL(mkdir),
	FS_CALL(link),
	FS_CALL(symlink),
	{ "fs_dup", "syscalls/sys_enter_dup2", FEAT_SYSCALLS, FEAT_CNT },
#endif
};

_Static_assert(ARRAY_SIZE(hooks) <= HOOKS_MAX, "HOOKS_MAX");

static bool is_used(const struct hook *h, const struct features *f)
{
	return f->of[h->need].on && (h->without == FEAT_CNT || !f->of[h->without].on);
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

void hooks_select(struct bpf_object *obj, const struct features *f)
{
	struct bpf_program *prog;

	bpf_object__for_each_program (prog, obj) {
		if (bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE)
			select_uprobe(prog, f);
		else if (strcmp(bpf_program__name(prog), "proc_rows") == 0)
			bpf_program__set_autoload(prog, true);
		else if (strcmp(bpf_program__name(prog), "vma_rows") == 0)
			bpf_program__set_autoload(prog, f->of[FEAT_VMA].on);
	}
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (!is_used(&hooks[i], f))
			continue;
		prog = find_program(obj, &hooks[i], f);
		bpf_program__set_autoload(prog, true);
	}
}

static struct bpf_link *attach_event(struct bpf_program *prog, int tracefs, const char *event)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = PERF_TYPE_TRACEPOINT };
	struct bpf_link *link;
	int fd, id = tracefs_id(tracefs, event);

	if (id < 0) {
		errno = -id;
		return NULL;
	}
	attr.config = id;
	/* the program runs on every CPU: it belongs to the tracepoint, not to the event */
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link)
		close(fd);
	return link;
}

int hooks_attach(struct hook_links *links, struct bpf_object *obj, const struct features *f)
{
	_cleanup_close_ int tracefs = f->of[FEAT_SYSCALLS].on ? tracefs_open() : -1;

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct hook *h = &hooks[i];
		struct bpf_program *prog;
		struct bpf_link *link;

		if (!is_used(h, f))
			continue;
		prog = find_program(obj, h, f);
		link = h->event ? attach_event(prog, tracefs, h->event) : bpf_program__attach(prog);
		if (!link)
			return log_err(-errno, "cannot attach %s to %s: %s; see `ringspan doctor`",
				       h->prog, h->event ? h->event : "its tracepoint",
				       strerror(errno));
		links->of[links->cnt++] = link;
	}
	return 0;
}

void hooks_detach(struct hook_links *links, struct detach *d)
{
	while (links->cnt)
		detach_link(d, links->of[--links->cnt]);
}
