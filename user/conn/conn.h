/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: the two byte streams of each, put in order by position.  Records of one stream may
 * overtake one another by a little (threads); what stays missing is told as a gap, with its size.
 * Knows nothing of what the bytes mean.
 *
 * Of rustls, bytes may come before it is known which connection they belong to.  They wait for SOCK,
 * which makes them the beginning of one, or JOIN, which names another; for a bounded time and number
 * of bytes, then they are taken for a connection of their own.
 */
#ifndef RINGSPAN_CONN_H
#define RINGSPAN_CONN_H

#include "event/event.h"

struct conn {
	uint64_t id; /* the kernel side's: unique in a capture */
	uint32_t tgid;
	uint64_t start;      /* of the process */
	unsigned int src;    /* enum ev_src; 0: not known yet */
	unsigned int proto;  /* enum ev_proto: what the kernel side took a flow for */
	uint64_t file, peer; /* of a flow, as in FLOW; of TLS the socket it sits on, or 0 */
	int fd;              /* of a flow: as which its process has it; -1 else */
	struct ev_addr addr; /* family 0: not known (yet) */
	uint64_t ts_first;
	bool waits; /* not opened yet: its owner does not know of it */
	void *user; /* the owner's */
	struct conn_state *state;
};

struct conn_ops {
	void (*open)(void *ctx, struct conn *c);
	/* The next bytes.  ts: when they were handed over (written) or had arrived (read), ns. */
	void (*data)(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, struct sv bytes);
	void (*gap)(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t missing);
	void (*close)(void *ctx, struct conn *c, uint64_t ts); /* last; free what user holds */
};

struct conn_table;

int conn_table_new(struct conn_table **out, const struct conn_ops *ops, void *ctx);
void conn_table_free(struct conn_table **t); /* without close(): conn_close_all() first */

/*
 * Takes in DATA, SOCK, JOIN, CLOSE, FLOW, FLOW_END, EXEC and EXIT; of every record the time, which ends
 * the wait for stragglers.
 */
int conn_feed(struct conn_table *t, const struct ev_hdr *rec); /* 0 or -ENOMEM */
void conn_close_all(struct conn_table *t, uint64_t ts);

typedef void (*conn_fn)(void *ctx, struct conn *c);
/* Those that are followed at the other end of a connection with that address, oldest first. */
void conn_each_peer(const struct conn_table *t, const struct ev_addr *addr, conn_fn fn, void *ctx);

#endif
