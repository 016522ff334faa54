/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Resets of TCP connections while they are open: of the other side, and of this one where something
 * else than close(2) breaks it off.  What close does is in io.bpf.c, as the flow ends with it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "reset.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("?tp_btf/tcp_receive_reset")
int BPF_PROG(reset_received, struct sock *sk)
{
	reset_tell((__u64)sk, EV_RESET_PEER);
	return 0;
}

SEC("?tp_btf/tcp_send_reset")
int BPF_PROG(reset_sent, struct sock *sk)
{
	reset_tell((__u64)sk, EV_RESET_SELF);
	return 0;
}
