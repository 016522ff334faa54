/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plaintext of NSS at the calls of NSPR that read and write files of any kind.  A file is a stack of
 * layers (struct PRFileDesc, prio.h), and TLS is the layer that has NSS's table of methods.  A
 * connection is named by what that layer keeps, which stays where it is whatever is put above it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "tls.bpf.h"

#define LAYERS_MAX 4     /* TLS is searched in so many from the top */
#define IO_LAYER_HEAD -3 /* identity of what only holds a stack: PR_IO_LAYER_HEAD */
#define MSG_PEEK 2       /* PR_MSG_PEEK */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct layer {
	__u64 methods, secret, lower, higher, dtor;
	__s32 identity;
	__u32 pad;
};

/* What the TLS layer of a file keeps; 0: it has none. */
static __always_inline __u64 tls_of(const struct proc_state *proc, __u64 file)
{
	struct layer l;
	int i;

	for (i = 0; i < LAYERS_MAX; i++) {
		if (!file || bpf_probe_read_user(&l, sizeof(l), (void *)file))
			return 0;
		if (l.methods == proc->nss_methods)
			return l.secret;
		file = l.lower;
	}
	return 0;
}

static __always_inline void enter(struct pt_regs *ctx, __u32 dir, enum tls_told told)
{
	struct proc_state *proc = traced_here();
	__u64 tls = proc && proc->nss_methods ? tls_of(proc, PT_REGS_PARM1(ctx)) : 0;

	if (tls)
		call_enter(ctx, tls, dir, EV_SRC_NSS, told);
}

static __always_inline void read_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_READ, TLS_RESULT);
}

static __always_inline void recv_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_READ, PT_REGS_PARM4(ctx) & MSG_PEEK ? TLS_NOTHING : TLS_RESULT);
}

static __always_inline void write_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_WRITE, TLS_RESULT);
}

/* Rare: counted, and its content not told. */
static __always_inline void writev_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_WRITE, TLS_UNSEEN);
}

static __always_inline void close_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();
	__u64 tls = proc && proc->nss_methods ? tls_of(proc, PT_REGS_PARM1(ctx)) : 0;

	if (tls)
		conn_free(proc, tls);
}

static __always_inline void import_exit(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();
	__u64 file = PT_REGS_RC(ctx);
	struct layer l;

	if (!proc || !file || bpf_probe_read_user(&l, sizeof(l), (void *)file))
		return;
	if (l.identity == IO_LAYER_HEAD && bpf_probe_read_user(&l, sizeof(l), (void *)l.lower))
		return;
	proc->nss_methods = l.methods;
	conn_close(proc,
		   l.secret); /* one that was there before, and was not closed by PR_Close() */
}

UPROBE_PROG("?uprobe", nss_read_enter, read_enter)
UPROBE_PROG("?uprobe", nss_recv_enter, recv_enter)
UPROBE_PROG("?uprobe", nss_write_enter, write_enter)
UPROBE_PROG("?uprobe", nss_writev_enter, writev_enter)
UPROBE_PROG("?uprobe", nss_close_enter, close_enter)
UPROBE_PROG("?uretprobe", nss_import_exit, import_exit)
