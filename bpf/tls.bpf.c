/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plaintext at the functions of OpenSSL's API (BoringSSL's is the same).  A program per function, so
 * that it can do without attach cookies, which came with 5.15.  tls_exit and tls_free_enter serve
 * the other libraries as well.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "tls.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void ssl_enter(struct pt_regs *ctx, __u32 dir, enum tls_told told, __u64 out)
{
	struct tls_call *c = call_enter(ctx, PT_REGS_PARM1(ctx), dir, EV_SRC_OPENSSL, told);

	if (c)
		c->out = out;
}

static __always_inline void read_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_READ, TLS_RESULT, 0);
}

static __always_inline void write_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_WRITE, TLS_RESULT, 0);
}

static __always_inline void read_ex_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_READ, TLS_OUT, PT_REGS_PARM4(ctx));
}

static __always_inline void write_ex_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_WRITE, TLS_OUT, PT_REGS_PARM4(ctx));
}

static __always_inline void write_ex2_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_WRITE, TLS_OUT, PT_REGS_PARM5(ctx));
}

static __always_inline void sendfile_enter(struct pt_regs *ctx, const bool modern)
{
	ssl_enter(ctx, EV_WRITE, TLS_UNSEEN, 0);
}

static __always_inline void free_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();

	if (proc)
		conn_free(proc, PT_REGS_PARM1(ctx));
}

static __always_inline void clear_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();

	if (proc)
		conn_close(proc, PT_REGS_PARM1(ctx));
}

UPROBE_PROG("?uprobe", tls_read_enter, read_enter)
UPROBE_PROG("?uprobe", tls_write_enter, write_enter)
UPROBE_PROG("?uprobe", tls_read_ex_enter, read_ex_enter)
UPROBE_PROG("?uprobe", tls_write_ex_enter, write_ex_enter)
UPROBE_PROG("?uprobe", tls_write_ex2_enter, write_ex2_enter)
UPROBE_PROG("?uprobe", tls_sendfile_enter, sendfile_enter)
UPROBE_PROG("?uretprobe", tls_exit, call_exit)
UPROBE_PROG("?uprobe", tls_free_enter, free_enter)
UPROBE_PROG("?uprobe", tls_clear_enter, clear_enter)
