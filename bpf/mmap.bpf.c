/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Libraries that come after exec (dlopen): executable mappings of files not mapped so before. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "emit.bpf.h"
#include "file.bpf.h"
#include "fs.bpf.h"
#include "sys.bpf.h"
#include "thread.bpf.h"

#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define MAX_ERRNO 4095

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SYS_ENTER(mmap_enter)
{
	struct thread_state *t;
	struct file *file;

	if (SYS_ARG(4) & MAP_ANONYMOUS)
		return 0;
	file = fs_file_of(SYS_ARG(5));
	if (!file)
		return 0;
	fs_mapped(file, SYS_ARG(3) & PROT_EXEC);
	if (!(SYS_ARG(3) & PROT_EXEC))
		return 0;
	t = thread_here();
	if (t)
		t->map = file_key(file);
	return 0;
}

SYS_EXIT(mmap_exit)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t = proc ? thread_find() : NULL;
	struct file_key key;
	struct ev_map *e;

	if (!t || !t->map.ino)
		return 0;
	key = t->map;
	t->map.ino = 0;
	if ((unsigned long)SYS_RET >= (unsigned long)-MAX_ERRNO || !key_is_new(&key))
		return 0;
	e = ev_reserve(EV_MAP, sizeof(*e), 0, proc->start);
	if (!e) {
		bpf_map_delete_elem(&mapped, &key); /* told at the next mapping */
		return 0;
	}
	e->dev = key.dev;
	e->ino = key.ino;
	e->addr = SYS_RET;
	ev_submit_now(e);
	return 0;
}
