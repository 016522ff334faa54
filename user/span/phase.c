// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the time of an HTTP exchange went on the network: what was waited for before its request could be
 * sent, where the connection was made for it, and what it waited for afterwards.
 */
#include "span/flow.h"

static const struct flow *flow_of(const struct exchange *x)
{
	const struct conn *c = x->http->stream->conn;

	return flow_find(x->run->t, c->tgid, c->start, c->file);
}

/* enum ev_reset_by, while it went on; 0: nobody */
static unsigned int reset_by(const struct exchange *x)
{
	const struct flow *f = flow_of(x);

	return f && f->reset_ts > x->req_first ? f->reset_by : 0;
}

/* A request may be handed over before the last of the handshake is sent: that part is the request's. */
static void set_tls(struct span *s, const struct flow *f, const struct exchange *x)
{
	uint64_t over = f->shake.ts_over < x->req_first ? f->shake.ts_over : x->req_first;

	if (x->tls && f->shake.outcome == TLS_DONE && f->shake_ts && over >= f->shake_ts)
		span_set_int(s, ATTR_ID_TLS_NS, over - f->shake_ts);
}

/* Of the first exchange of a connection that was seen to begin. */
static void set_before(struct span *s, const struct exchange *x)
{
	const struct flow *f = flow_of(x);

	if (!f)
		return;
	if (x->client && f->connected_ts && f->connected_ts <= x->req_first) {
		if (f->dns_known)
			span_set_int(s, ATTR_ID_DNS_NS, f->dns_ns);
		span_set_int(s, ATTR_ID_CONNECT_NS, f->connected_ts - f->connect_ts);
		set_tls(s, f, x);
	}
	if (!x->client && f->accepted) {
		if (f->queue_known)
			span_set_int(s, ATTR_ID_QUEUE_NS, f->queue_ns);
		set_tls(s, f, x);
	}
}

void phases_set(struct span *s, const struct exchange *x)
{
	unsigned int by = reset_by(x);

	if (by && !x->response_done)
		span_set_str(s, ATTR_ID_RESET, by == EV_RESET_PEER ? SV("peer") : SV("self"));
	if (!x->req_first)
		return;
	if (x->first)
		set_before(s, x);
	if (x->req_last >= x->req_first)
		span_set_int(s, ATTR_ID_CLIENT_NS, x->req_last - x->req_first);
	if (!x->response_seen || x->resp_first < x->req_first)
		return;
	span_set_int(s, ATTR_ID_FIRST_BYTE_NS, x->resp_first - x->req_first);
	span_set_int(s, ATTR_ID_TRANSFER_NS, x->resp_last - x->resp_first);
}
