// SPDX-License-Identifier: BSD-2-Clause
/* What spans tell of an HTTP exchange, whatever it is for. */
#include <string.h>
#include "span/engine.h"

struct sv exchange_url(struct arena *a, const struct exchange *x)
{
	if (sv_starts(x->target, "http://") || sv_starts(x->target, "https://"))
		return x->target; /* absolute form, RFC 9112 3.2.2 */
	return arena_fmt(a, "%s://" SV_FMT SV_FMT, x->tls ? "https" : "http", SV_ARG(x->host),
			 SV_ARG(x->target));
}

struct sv exchange_server(const struct exchange *x, struct sv *port)
{
	struct sv host = x->host, name;

	if (host.n && host.p[0] == '[') { /* IPv6, RFC 3986 3.2.2 */
		host = sv_sub(host, 1, host.n);
		name = sv_token(&host, ']');
		host = sv_sub(host, 1, host.n);
	} else {
		name = sv_token(&host, ':');
	}
	*port = host;
	return name;
}

static void set_server(struct span *s, const struct exchange *x)
{
	struct sv text;
	int64_t port;

	span_set_str(s, ATTR_ID_SERVER_ADDRESS, exchange_server(x, &text));
	if (sv_i64(text, &port))
		port = x->client ? x->addr.rport : x->addr.lport;
	if (port)
		span_set_int(s, ATTR_ID_SERVER_PORT, port);
}

static void set_holes(struct span *s, const struct exchange *x)
{
	static const struct {
		unsigned int flag;
		const char *reason;
	} reasons[] = {
		{ HTTP_HOLE, "hole" },           { HTTP_JOINED, "joined" },
		{ HTTP_UNDECODED, "undecoded" }, { HTTP_BODY_CAP | HTTP_HEAD_CAP, "cap" },
		{ HTTP_UNPAIRED, "unpaired" },   { HTTP_HEAD_UNKNOWN, "header_unknown" },
	};
	unsigned int flags = x->req_flags | x->resp_flags;
	/* who has read the answer's last word may reset the stream instead of waiting for its end */
	bool over = x->call && x->call->terminated && !x->call->bad_events;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (flags & reasons[i].flag)
			span_incomplete(s, reasons[i].reason);
	if (x->req_flags & HTTP_CUT || (x->resp_flags & HTTP_CUT && !over) || !x->response_seen)
		span_incomplete(s, x->run->t->ending ? "unfinished" : "cut");
	if (x->req_missing + x->resp_missing)
		span_set_int(s, ATTR_ID_MISSING_BYTES, x->req_missing + x->resp_missing);
	if (x->req_over + x->resp_over)
		span_set_int(s, ATTR_ID_CUT_BYTES, x->req_over + x->resp_over);
}

/* What the request tells, and where it goes. */
static void describe_request(struct span *s, const struct exchange *x, const struct ev_addr *addr)
{
	s->kind = x->client ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
	span_set_str(s, ATTR_ID_HTTP_METHOD, x->method);
	if (x->status)
		span_set_int(s, ATTR_ID_HTTP_STATUS, x->status);
	span_set_int(s, ATTR_ID_HTTP_REQUEST_BODY, x->req_wire);
	if (x->host.n)
		span_set_str(s, ATTR_ID_URL_FULL, exchange_url(&s->arena, x));
	set_server(s, x);
	span_set_str(s, ATTR_ID_USER_AGENT, x->user_agent);
	span_set_str(s, ATTR_ID_NET_PROTOCOL, SV("http"));
	span_set_str(s, ATTR_ID_NET_PROTOCOL_VERSION,
		     x->http_major == 2 ? SV("2")
		     : x->http_minor    ? SV("1.1")
					: SV("1.0"));
	flow_addr(x->run, s, addr);
	span_set_int(s, ATTR_ID_PROCESS_PID, x->tgid);
	span_set_int(s, ATTR_ID_CONNECTION, x->conn_id);
}

void exchange_describe(struct span *s, const struct exchange *x)
{
	describe_request(s, x, &x->addr);
	span_set_int(s, ATTR_ID_HTTP_RESPONSE_BODY, x->resp_wire);
	peer_context(x->run, s, x->traceparent, x->tracestate);
	phases_set(s, x);
	set_holes(s, x);
}

void exchange_id(char out[HEX64], const struct exchange *x, enum span_what what)
{
	if (x->own_span[0] && what != SPAN_ATTEMPT)
		memcpy(out, x->own_span, HEX64);
	else
		engine_id(out, x->run, what,
			  (uint64_t[4]){ x->tgid, x->proc_start, x->conn_id, x->seq });
}

struct span *exchange_span(const struct exchange *x, enum span_what what)
{
	uint64_t first = x->req_first ? x->req_first : x->resp_first;
	uint64_t last = x->response_seen ? x->resp_last : x->req_last;
	struct pstate *ps = engine_pstate(x->run->t, x->tgid, x->proc_start);
	struct span *s = engine_span(x->run, what, first, last);

	if (!s)
		return NULL;
	if (ps)
		memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	exchange_id(s->span_id, x, what);
	exchange_describe(s, x);
	return s;
}

void exchange_place(struct span *s, const struct exchange *x)
{
	/* low cardinality, as OpenTelemetry asks of a name: the address is in url.full */
	span_set_name(s, x->method.n ? x->method : SV("HTTP"));
	if (x->parent_span[0])
		memcpy(s->parent_span_id, x->parent_span, sizeof(s->parent_span_id));
	span_set_str(s, ATTR_ID_LINK, sv(x->link));
}

/* A request that waits for its answer, or for the rest of it. */
static struct span *in_flight(const struct exchange *x)
{
	const struct proc *p = proc_find(x->run->t->procs, x->tgid, x->proc_start);
	const struct pstate *ps = p ? p->user : NULL;
	struct span *s = engine_span(x->run, SPAN_HTTP, x->req_first, x->run->t->now);

	if (!s)
		return NULL;
	if (ps && ps->run)
		memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	exchange_id(s->span_id, x, SPAN_HTTP);
	exchange_place(s, x);
	describe_request(s, x, &x->http->stream->conn->addr);
	return s;
}

void exchange_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct exchange *x = r->exchanges; x; x = x->run_next) {
		bool plain = x->client && x->request_done && !x->call && !x->rpc;
		struct span *s = plain ? in_flight(x) : NULL;

		open_give(w, r, &s);
	}
}
