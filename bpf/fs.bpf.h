/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that traced processes change.  In fs.bpf.c; global functions, which the verifier proves once
 * and not at each call, and which take nothing but numbers, because kernels before 5.12 allow no more.
 */
#ifndef RINGSPAN_FS_BPF_H
#define RINGSPAN_FS_BPF_H

#include "maps.bpf.h"

/* A descriptor of the file is about to be closed; refs: those of the file that there are. */
extern int fs_close(__u64 file, __u64 refs);
/* The last thread of the current process ends. */
extern int fs_exit(__u32 tgid);

/* A write call moved n bytes into the file. */
static __always_inline void fs_wrote(struct file *file, __u64 n)
{
	__u64 key = (__u64)file;
	struct fs_file *f = bpf_map_lookup_elem(&fs_files, &key);

	if (f)
		__sync_fetch_and_add(&f->bytes, n);
}

#endif
