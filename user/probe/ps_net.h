/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes have a connection to port 443: TLS by TCP, QUIC by UDP. */
#ifndef RINGSPAN_PROBE_PS_NET_H
#define RINGSPAN_PROBE_PS_NET_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/map.h"

struct ps_net {
	struct map spaces; /* network namespaces that were read */
	struct map socks;  /* inode numbers of sockets: PS_TCP, PS_UDP */
};

void ps_net_fini(struct ps_net *n);
/* Looks at the sockets of a process where its network namespace has such connections at all. */
void ps_net_look(struct ps_net *n, pid_t pid, bool *tcp, bool *udp);

#endif
