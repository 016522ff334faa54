/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets: from a file descriptor to a struct sock, and what is told about one. */
#ifndef RINGSPAN_SOCK_BPF_H
#define RINGSPAN_SOCK_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "config.bpf.h"
#include "state.bpf.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define S_IFMT 00170000
#define S_IFREG 0100000
#define S_IFSOCK 0140000
#define S_IFIFO 0010000
#define S_IFCHR 0020000

static __always_inline bool sock_is_inet(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

/* Where the verifier knows the task, what that points to is read without a call. */
static __always_inline struct file *file_of_fd_typed(__u32 fd)
{
	struct files_struct *files = bpf_get_current_task_btf()->files;
	struct fdtable *fdt = files ? files->fdt : NULL;
	struct file *file = NULL;

	if (fdt && fd < fdt->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
	return file;
}

static __always_inline struct file *file_of_fd(__u32 fd)
{
	struct task_struct *task;
	struct file *file = NULL;
	struct fdtable *fdt;
	struct file **fds;

	if (cfg_task_storage)
		return file_of_fd_typed(fd);
	task = (void *)bpf_get_current_task();
	fdt = BPF_CORE_READ(task, files, fdt);
	fds = BPF_CORE_READ(fdt, fd);
	if (fd < BPF_CORE_READ(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file;
}

static __always_inline struct sock *sock_of_fd(__u32 fd)
{
	struct file *file = file_of_fd(fd);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline __u32 ports_pair(__u16 dport, __u16 num)
{
	return (__u32)dport << 16 | num;
}

/* Both ports in one number. */
static __always_inline __u32 sock_ports(struct sock *sk)
{
	return ports_pair(BPF_CORE_READ(sk, __sk_common.skc_dport),
			  BPF_CORE_READ(sk, __sk_common.skc_num));
}

/* A socket that is being closed keeps its peer's port but has lost its own. */
static __always_inline bool ports_are_both(__u32 ports)
{
	return (ports >> 16) && (ports & 0xffff);
}

/* The inode number: what /proc/PID/fd shows as socket:[N]; a pointer would tell kernel addresses. */
static __always_inline __u64 sock_ino(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

/* ::ffff:a.b.c.d is told as the IPv4 address that it stands for. */
static __always_inline bool addr_is_mapped(const __u8 *a)
{
	const __u32 *w = (const void *)a;

	return w[0] == 0 && w[1] == 0 && w[2] == bpf_htonl(0xffff);
}

static __always_inline void addr_unmap(__u8 *a)
{
	__u32 *w = (void *)a;

	w[0] = w[3];
	w[1] = w[2] = w[3] = 0;
}

struct sockaddr_any {
	__u16 family, port;
	union {
		__u32 v4;
		struct {
			__u32 flow;
			__u8 addr[16];
		} v6;
	};
};

/* The remote address that a process named in a call; out must be zeroed. */
static __always_inline bool addr_of_user(const void *user, struct ev_addr *out)
{
	struct sockaddr_any sa = {};

	/* the larger read may fail at the end of a page */
	if (bpf_probe_read_user(&sa, sizeof(sa), user) && bpf_probe_read_user(&sa, 8, user))
		return false;
	out->family = sa.family;
	out->rport = bpf_ntohs(sa.port);
	if (sa.family == AF_INET)
		*(__u32 *)out->raddr = sa.v4;
	else if (sa.family == AF_INET6)
		__builtin_memcpy(out->raddr, sa.v6.addr, sizeof(out->raddr));
	else
		return false;
	if (sa.family == AF_INET6 && addr_is_mapped(out->raddr)) {
		out->family = AF_INET;
		addr_unmap(out->raddr);
	}
	return true;
}

/* addr must be zeroed. */
static __always_inline void sock_addr(struct sock *sk, struct ev_addr *addr)
{
	addr->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	addr->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	addr->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (addr->family == AF_INET) {
		BPF_CORE_READ_INTO((__u32 *)addr->laddr, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__u32 *)addr->raddr, sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&addr->laddr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
	BPF_CORE_READ_INTO(&addr->raddr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	if (!addr_is_mapped(addr->raddr))
		return;
	addr->family = AF_INET;
	addr_unmap(addr->raddr);
	addr_unmap(addr->laddr);
}

#endif
