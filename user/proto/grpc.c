// SPDX-License-Identifier: BSD-2-Clause
/* The messages of a gRPC body: see grpc.h. */
#include "proto/grpc.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"

#define PREFIX 5
#define FLAGS 0x81 /* that are defined */

struct grpc {
	grpc_message_fn fn;
	void *ctx;
	unsigned char prefix[PREFIX];
	size_t have;   /* bytes of the prefix */
	uint64_t left; /* bytes of the message that are to come, once the prefix is whole */
	bool joined, lost;
	struct grpc_message m; /* the one that is open */
	struct buf data;
};

int grpc_new(struct grpc **out, grpc_message_fn fn, void *ctx)
{
	struct grpc *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->fn = fn;
	g->ctx = ctx;
	g->data.max = LIMIT_GRPC_MESSAGE;
	*out = g;
	return 0;
}

void grpc_free(struct grpc **g)
{
	if (!*g)
		return;
	buf_fini(&(*g)->data);
	free(*g);
	*g = NULL;
}

bool grpc_is_lost(const struct grpc *g)
{
	return g->lost;
}

static void give(struct grpc *g)
{
	g->m.data = buf_view(&g->data);
	if (g->data.err)
		g->m.flags |= GRPC_CUT;
	g->fn(g->ctx, &g->m);
	buf_clear(&g->data);
	g->data.err = 0;
	g->m = (struct grpc_message){ 0 };
	g->have = 0;
}

static void begin(struct grpc *g)
{
	const unsigned char *p = g->prefix;

	g->left = (uint64_t)p[1] << 24 | p[2] << 16 | p[3] << 8 | p[4];
	g->lost = (p[0] & ~FLAGS) || (g->joined && g->left > LIMIT_GRPC_MESSAGE);
	g->m.size = g->left;
	g->m.flags = (p[0] & 1 ? GRPC_COMPRESSED : 0) | (p[0] & 0x80 ? GRPC_TRAILERS : 0) |
		     (g->joined ? GRPC_JOINED : 0);
	g->joined = false;
	if (!g->lost && !g->left)
		give(g);
}

/* As much of the message as there is room for. */
static void keep(struct grpc *g, struct sv bytes)
{
	size_t room = g->data.max - g->data.len;

	if (bytes.n > room)
		g->m.flags |= GRPC_CUT;
	buf_sv(&g->data, sv_sub(bytes, 0, room));
}

void grpc_feed(struct grpc *g, uint64_t ts, struct sv bytes)
{
	while (bytes.n && !g->lost) {
		size_t n = 1;

		if (!g->have)
			g->m.ts_first = ts;
		g->m.ts_last = ts;
		if (g->have < PREFIX) {
			g->prefix[g->have++] = (unsigned char)bytes.p[0];
			if (g->have == PREFIX)
				begin(g);
		} else {
			n = bytes.n < g->left ? bytes.n : g->left;
			keep(g, sv_sub(bytes, 0, n));
			g->left -= n;
			if (!g->left)
				give(g);
		}
		bytes = sv_sub(bytes, n, bytes.n);
	}
}

void grpc_gap(struct grpc *g, uint64_t missing)
{
	if (!missing || g->lost)
		return;
	if (g->have == PREFIX) {
		uint64_t n = missing < g->left ? missing : g->left;

		g->m.flags |= GRPC_HOLE;
		g->left -= n;
		missing -= n;
		if (!g->left)
			give(g);
	}
	if (!missing)
		return;
	g->have = 0; /* of a prefix that came in part nothing can be told */
	g->joined = true;
}

void grpc_end(struct grpc *g)
{
	if (g->lost || g->have < PREFIX)
		return;
	g->m.flags |= GRPC_CUT;
	give(g);
}
