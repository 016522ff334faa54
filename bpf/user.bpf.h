/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading what a program's memory holds. */
#ifndef RINGSPAN_USER_BPF_H
#define RINGSPAN_USER_BPF_H

/*
 * A text, with its NUL: its bytes, up to size (then it may be longer), or -errno.  Of an empty one older
 * kernels' strncpy_from_user_nofault() neither counts the NUL nor writes it (6.1; not 6.18).
 */
static __always_inline long user_text(char *dst, __u32 size, __u64 from)
{
	long n = bpf_probe_read_user_str(dst, size, (void *)from);

	if (n)
		return n;
	*dst = '\0';
	return 1;
}

#endif
