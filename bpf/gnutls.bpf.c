/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plaintext at the functions of GnuTLS. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "tls.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline struct tls_call *enter(struct pt_regs *ctx, __u32 dir, enum tls_told told)
{
	return call_enter(ctx, PT_REGS_PARM1(ctx), dir, EV_SRC_GNUTLS, told);
}

static __always_inline void recv_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_READ, TLS_RESULT);
}

static __always_inline void packet_enter(struct pt_regs *ctx, const bool modern)
{
	struct tls_call *c = enter(ctx, EV_READ, TLS_PACKET);

	if (c)
		c->out = PT_REGS_PARM2(ctx);
}

static __always_inline void send_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_WRITE, TLS_QUEUED);
}

static __always_inline void sendfile_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_WRITE, TLS_UNSEEN);
}

static __always_inline void uncork_enter(struct pt_regs *ctx, const bool modern)
{
	enter(ctx, EV_WRITE, TLS_NOTHING);
}

UPROBE_PROG("?uprobe", gnutls_recv_enter, recv_enter)
UPROBE_PROG("?uprobe", gnutls_packet_enter, packet_enter)
UPROBE_PROG("?uprobe", gnutls_send_enter, send_enter)
UPROBE_PROG("?uprobe", gnutls_sendfile_enter, sendfile_enter)
UPROBE_PROG("?uprobe", gnutls_uncork_enter, uncork_enter)
