/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files by what stat(2) calls them, and which of them were mapped executable before. */
#ifndef RINGSPAN_FILE_BPF_H
#define RINGSPAN_FILE_BPF_H

#include <bpf/bpf_core_read.h>
#include "maps.bpf.h"

/* st_dev as user space sees it: the kernel keeps 12 bits of major above 20 bits of minor. */
static __always_inline __u64 user_dev(__u32 dev)
{
	__u64 major = dev >> 20, minor = dev & 0xfffff;

	return major << 8 | (minor & 0xff) | (minor & ~0xffULL) << 12;
}

static __always_inline struct file_key file_key(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct file_key key = {
		.dev = user_dev(BPF_CORE_READ(inode, i_sb, s_dev)),
		.ino = BPF_CORE_READ(inode, i_ino),
	};

	return key;
}

static __always_inline bool key_is_new(struct file_key *key)
{
	__u8 one = 1;

	return !bpf_map_update_elem(&mapped, key, &one, BPF_NOEXIST);
}

/* True once a file. */
static __always_inline bool file_is_new(struct file *file)
{
	struct file_key key = file_key(file);

	return key_is_new(&key);
}

#endif
