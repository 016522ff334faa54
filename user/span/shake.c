// SPDX-License-Identifier: BSD-2-Clause
/*
 * TLS handshakes as spans of kind `tls`, beside the connect: from the ClientHello to what ends them, of
 * whatever library, because nothing of it needs to be read but the types of its records.
 */
#include <string.h>
#include "span/flow.h"

void shake_begin(struct trace *t, struct flow *f)
{
	f->shake = (struct tls_shake){ 0 };
	f->shake_cnt = 0;
	f->shake_asks = f->connected;
	f->shake_ts = f->hello.client ? f->ts : 0;
	f->shake_lost = engine_lost(t);
}

static struct span *shake_span(struct run *r, const struct pstate *ps, const struct flow *f,
			       uint64_t ts_end)
{
	struct span *s = engine_span(r, SPAN_TLS, f->shake_ts, ts_end);
	const struct tls_shake *k = &f->shake;

	if (!s)
		return NULL;
	engine_id(s->span_id, r, SPAN_TLS,
		  (uint64_t[4]){ f->tgid, f->start, f->conn, f->shake_ts });
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	span_set_name(s, SV("tls handshake"));
	s->kind = f->shake_asks ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
	span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("tcp"));
	flow_addr(r, s, &f->addr);
	span_set_str(s, ATTR_ID_SERVER_ADDRESS, f->hello.sni);
	span_set_int(s, ATTR_ID_SERVER_PORT, f->shake_asks ? f->addr.rport : f->addr.lport);
	span_set_int(s, ATTR_ID_PROCESS_PID, f->tgid);
	span_set_str(s, ATTR_ID_TLS_PROTOCOL_VERSION, sv(tls_version_text(k->version)));
	if (k->cipher)
		span_set_str(s, ATTR_ID_TLS_CIPHER, tls_cipher_text(&s->arena, k->cipher));
	span_set_str(s, ATTR_ID_TLS_NEXT_PROTOCOL, k->alpn);
	if (k->resumed)
		span_set_bool(s, ATTR_ID_TLS_RESUMED, true);
	if (k->retried)
		span_set_bool(s, ATTR_ID_TLS_RETRIED, true);
	if (k->ts_answer > f->shake_ts)
		span_set_int(s, ATTR_ID_TLS_ANSWER_NS, k->ts_answer - f->shake_ts);
	span_set_bool(s, ATTR_ID_TLS_ESTABLISHED, k->outcome == TLS_DONE);
	return s;
}

static void set_refusal(struct span *s, const struct flow *f)
{
	bool here = f->shake.by_client == f->shake_asks;

	engine_fail(s, sv(f->shake.refusal),
		    here ? SV("this side refused the other's handshake")
			 : SV("the other side refused the handshake"));
}

/* Nothing said how it ended. */
static void set_silence(struct span *s, const struct run *r, const struct flow *f)
{
	if (r->t->ending)
		span_incomplete(s, "unfinished");
	else if (engine_lost(r->t) != f->shake_lost)
		span_incomplete(s, "lost");
	else if (f->reset_by)
		engine_fail(s, SV("ECONNRESET"),
			    f->reset_by == EV_RESET_PEER ? SV("the other side reset the connection")
							 : SV("this side reset the connection"));
	else
		engine_fail(s, SV("closed"), SV("the connection ended before the handshake did"));
}

static void shake_tell(struct flow *f, struct pstate *ps, uint64_t ts_end)
{
	struct run *r = ps->run;

	if (f->tls) /* TLS inside TLS, or begun anew */
		engine_emit(r, &f->tls);
	f->tls = shake_span(r, ps, f, ts_end);
	if (f->shake_asks)
		wait_of_process(r, proc_find(r->t->procs, f->tgid, f->start), f->shake_ts, ts_end);
	if (f->tls && f->shake.outcome == TLS_REFUSED)
		set_refusal(f->tls, f);
	else if (f->tls && f->shake.outcome == TLS_OPEN)
		set_silence(f->tls, r, f);
}

void shake_feed(struct trace *t, struct flow *f, const struct ev_tls *e)
{
	struct pstate *ps = engine_pstate(t, f->tgid, f->start);
	struct tls_record r = {
		.ts = e->hdr.ts,
		.client = e->client,
		.type = e->type,
		.size = e->size,
		.body = event_payload(&e->hdr),
	};

	if (!ps || !f->shake_ts || f->shake.outcome != TLS_OPEN || e->conn != f->conn)
		return;
	f->shake_cnt++;
	f->shake_asks = e->client == (e->dir == EV_WRITE);
	tls_shake_feed(&f->shake, &f->arena, &r);
	if (f->shake.outcome != TLS_OPEN)
		shake_tell(f, ps, f->shake.ts_over);
}

/* Bytes that came without a record say that records were not looked for: nothing is known. */
void shake_over(struct flow *f, struct pstate *ps, const struct ev_flow_end *e, uint64_t ts)
{
	uint64_t seen = e ? e->bytes[f->shake_asks ? EV_READ : EV_WRITE] : 0;

	if (!f->shake_ts || f->shake.outcome != TLS_OPEN)
		return;
	if (e && e->unseen[EV_READ] + e->unseen[EV_WRITE])
		return;
	if (!f->shake_cnt && (!e || seen))
		return;
	shake_tell(f, ps, f->reset_ts ? f->reset_ts : ts);
}
