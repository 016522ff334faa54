// SPDX-License-Identifier: BSD-2-Clause
/* One driver for each parser: feeds it, and writes what it gives as README.md here says. */
#include "case.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "proto/grpc.h"
#include "proto/http1.h"
#include "proto/http2.h"
#include "proto/jsonrpc.h"
#include "proto/sse.h"
#include "proto/websocket.h"

void case_die(const char *what)
{
	fprintf(stderr, "case: %s\n", what);
	exit(2);
}

void case_log_quoted(struct buf *b, struct sv s)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c == '\r')
			buf_str(b, "\\r");
		else if (c == '\n')
			buf_str(b, "\\n");
		else if (c == '"' || c == '\\')
			buf_fmt(b, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			buf_fmt(b, "\\x%02x", c);
		else
			buf_ch(b, c);
	}
	buf_ch(b, '"');
}

/* --- HTTP */

struct http1_state {
	struct http1 *h;
	struct log *log;
};

static const char *const flag_names[] = { "complete",        "hole",      "cut",
					  "joined",          "undecoded", "body-cap",
					  "close-delimited", "unpaired",  "head-cap",
					  "head-unknown" };

static void log_who(struct log *l, const struct http_msg *m)
{
	buf_fmt(&l->text, "%c %" PRIu64 " ", m->dir == HTTP_REQUEST ? '>' : '<', m->seq);
}

static void log_flush(struct log *l)
{
	if (!l->body.len)
		return;
	log_who(l, l->body_msg);
	buf_fmt(&l->text, "body@%" PRIu64 " ", l->body_ts);
	case_log_quoted(&l->text, buf_view(&l->body));
	buf_ch(&l->text, '\n');
	buf_clear(&l->body);
}

static void log_fields(struct log *l, const struct http_msg *m, const char *kind,
		       const struct http_field *f, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		log_who(l, m);
		buf_fmt(&l->text, "%s " SV_FMT ": ", kind, SV_ARG(f[i].name));
		case_log_quoted(&l->text, f[i].value);
		buf_ch(&l->text, '\n');
	}
}

static void log_number(struct log *l, const char *name, uint64_t v)
{
	if (v)
		buf_fmt(&l->text, " %s=%" PRIu64, name, v);
}

static void log_start(struct log *l, const struct http_msg *m, const char *kind)
{
	log_who(l, m);
	if (m->dir == HTTP_REQUEST)
		buf_fmt(&l->text, "%s " SV_FMT " " SV_FMT " %d.%d\n", kind, SV_ARG(m->method),
			SV_ARG(m->target), m->major, m->minor);
	else
		buf_fmt(&l->text, "%s %d \"" SV_FMT "\" %d.%d\n", kind, m->status,
			SV_ARG(m->reason), m->major, m->minor);
	log_fields(l, m, "field", m->fields, m->field_cnt);
}

static void log_done(struct log *l, const struct http_msg *m)
{
	log_fields(l, m, "trailer", m->trailers, m->trailer_cnt);
	log_who(l, m);
	buf_str(&l->text, "done");
	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (m->flags & (1u << i))
			buf_fmt(&l->text, " %s", flag_names[i]);
	}
	log_number(l, "pos", m->pos);
	log_number(l, "wire", m->wire_body);
	log_number(l, "body", m->body_len);
	log_number(l, "missing", m->missing);
	buf_fmt(&l->text, " first=%" PRIu64, m->ts_first);
	log_number(l, "head", m->ts_head);
	log_number(l, "start", m->ts_body);
	buf_fmt(&l->text, " last=%" PRIu64 "\n", m->ts_last);
}

static void on_head(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_start(ctx, m, "head");
}

static void on_interim(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_start(ctx, m, "interim");
	log_done(ctx, m);
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct log *l = ctx;

	if (!bytes.n)
		case_die("an empty piece of body was given");
	if (l->body_msg != m || l->body_ts != ts)
		log_flush(l);
	l->body_msg = m;
	l->body_ts = ts;
	buf_sv(&l->body, bytes);
}

static void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	struct log *l = ctx;

	log_flush(l);
	log_who(l, m);
	buf_fmt(&l->text, "hole %" PRIu64 "\n", n);
}

static void on_done(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_done(ctx, m);
}

static const struct http_ops http_case_ops = {
	.head = on_head,
	.interim = on_interim,
	.body = on_body,
	.hole = on_hole,
	.done = on_done,
};

static int http1_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	struct http1_state *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	(void)answer;
	st->log = log;
	*state = st;
	return http1_new(&st->h, &http_case_ops, log);
}

static void http1_case_bytes(void *state, const struct step *step, struct sv piece)
{
	struct http1_state *st = state;

	if (http1_feed(st->h, step->dir, step->ts, piece))
		case_die("out of memory");
}

static void http1_case_gap(void *state, const struct step *step)
{
	struct http1_state *st = state;

	http1_gap(st->h, step->dir, step->ts, step->missing);
}

static void http1_case_end(void *state, uint64_t ts)
{
	struct http1_state *st = state;

	http1_end(st->h, ts);
}

static void http1_case_close(void *state, struct log *log)
{
	struct http1_state *st = state;

	log_flush(log);
	if (http1_upgraded(st->h))
		buf_str(&log->text, "upgraded\n");
	http1_free(&st->h);
	free(st);
}

static int http2_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	(void)answer;
	return http2_new((struct http2 **)state, &http_case_ops, log);
}

static void http2_case_bytes(void *state, const struct step *step, struct sv piece)
{
	if (http2_feed(state, step->dir, step->ts, piece))
		case_die("out of memory");
}

static void http2_case_gap(void *state, const struct step *step)
{
	http2_gap(state, step->dir, step->ts, step->missing);
}

static void http2_case_end(void *state, uint64_t ts)
{
	(void)ts;
	http2_end(state);
}

static void http2_case_close(void *state, struct log *log)
{
	struct http2 *h = state;

	log_flush(log);
	http2_free(&h);
}

/* --- sse */

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct log *l = ctx;

	buf_fmt(&l->text, "event@%" PRIu64 "..%" PRIu64 " ", ev->ts_first, ev->ts_last);
	case_log_quoted(&l->text, ev->data);
	if (ev->event.n) {
		buf_str(&l->text, " event=");
		case_log_quoted(&l->text, ev->event);
	}
	if (ev->id.n) {
		buf_str(&l->text, " id=");
		case_log_quoted(&l->text, ev->id);
	}
	if (ev->unterminated)
		buf_str(&l->text, " unterminated");
	if (ev->cut)
		buf_str(&l->text, " cut");
	buf_ch(&l->text, '\n');
}

static int sse_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	(void)answer;
	return sse_new((struct sse **)state, on_event, log);
}

static void sse_case_bytes(void *state, const struct step *step, struct sv piece)
{
	if (sse_feed(state, step->ts, piece))
		case_die("out of memory");
}

static void sse_case_gap(void *state, const struct step *step)
{
	(void)step;
	sse_gap(state);
}

static void sse_case_end(void *state, uint64_t ts)
{
	sse_end(state, ts);
}

static void sse_case_close(void *state, struct log *log)
{
	struct sse *s = state;

	(void)log;
	sse_free(&s);
}

/* --- websocket */

static void on_message(void *ctx, const struct websocket_message *m)
{
	static const char *const flags[] = { "cut", "hole", "undecoded" };
	static const char *const ops[] = { [WEBSOCKET_TEXT] = "text",
					   [WEBSOCKET_BINARY] = "binary",
					   [WEBSOCKET_CLOSE] = "close",
					   [WEBSOCKET_PING] = "ping",
					   [WEBSOCKET_PONG] = "pong" };
	struct log *l = ctx;

	buf_fmt(&l->text, "%c %s@%" PRIu64 "..%" PRIu64 " ", m->dir == HTTP_REQUEST ? '>' : '<',
		ops[m->op], m->ts_first, m->ts_last);
	case_log_quoted(&l->text, m->data);
	log_number(l, "wire", m->wire);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (m->flags & (1u << i))
			buf_fmt(&l->text, " %s", flags[i]);
	}
	buf_ch(&l->text, '\n');
}

static int websocket_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	return websocket_new((struct websocket **)state, answer, on_message, log);
}

static void websocket_case_bytes(void *state, const struct step *step, struct sv piece)
{
	if (websocket_feed(state, step->dir, step->ts, piece))
		case_die("out of memory");
}

static void websocket_case_gap(void *state, const struct step *step)
{
	websocket_gap(state, step->dir, step->missing);
}

static void websocket_case_end(void *state, uint64_t ts)
{
	(void)ts;
	websocket_end(state);
}

static void websocket_case_close(void *state, struct log *log)
{
	static const char *const lost[] = { "> lost\n", "< lost\n" };
	struct websocket *w = state;

	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		if (websocket_is_lost(w, dir))
			buf_str(&log->text, lost[dir]);
	}
	websocket_free(&w);
}

/* --- grpc */

static void on_grpc(void *ctx, const struct grpc_message *m)
{
	static const char *const flags[] = { "compressed", "trailers", "cut", "hole", "joined" };
	struct log *l = ctx;

	buf_fmt(&l->text, "message@%" PRIu64 "..%" PRIu64 " ", m->ts_first, m->ts_last);
	case_log_quoted(&l->text, m->data);
	log_number(l, "size", m->size);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (m->flags & (1u << i))
			buf_fmt(&l->text, " %s", flags[i]);
	}
	buf_ch(&l->text, '\n');
}

static int grpc_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	(void)answer;
	return grpc_new((struct grpc **)state, on_grpc, log);
}

static void grpc_case_bytes(void *state, const struct step *step, struct sv piece)
{
	grpc_feed(state, step->ts, piece);
}

static void grpc_case_gap(void *state, const struct step *step)
{
	grpc_gap(state, step->missing);
}

static void grpc_case_end(void *state, uint64_t ts)
{
	(void)ts;
	grpc_end(state);
}

static void grpc_case_close(void *state, struct log *log)
{
	struct grpc *g = state;

	if (grpc_is_lost(g))
		buf_str(&log->text, "lost\n");
	grpc_free(&g);
}

/* --- jsonrpc */

static void log_json(struct log *l, const char *name, const struct json *v)
{
	if (!v)
		return;
	buf_fmt(&l->text, " %s=", name);
	json_write(&l->text, v);
}

static void on_jsonrpc(void *ctx, const struct jsonrpc_msg *m)
{
	static const char *const kinds[] = { [JSONRPC_REQUEST] = "request",
					     [JSONRPC_NOTIFICATION] = "notification",
					     [JSONRPC_RESULT] = "result",
					     [JSONRPC_ERROR] = "error" };
	const char *quote = m->id_is_string ? "\"" : "";
	struct log *l = ctx;

	buf_fmt(&l->text, "%s@%" PRIu64 "..%" PRIu64, kinds[m->kind], m->ts_first, m->ts_last);
	if (m->id.n)
		buf_fmt(&l->text, " id=%s" SV_FMT "%s", quote, SV_ARG(m->id), quote);
	if (m->method.n)
		buf_fmt(&l->text, " method=" SV_FMT, SV_ARG(m->method));
	log_json(l, "params", m->params);
	log_json(l, "result", m->result);
	log_json(l, "error", m->error);
	log_number(l, "wire", m->wire);
	buf_fmt(&l->text, "%s%s\n", m->batch ? " batch" : "", m->cut ? " cut" : "");
}

static int jsonrpc_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	(void)answer;
	return jsonrpc_new((struct jsonrpc **)state, on_jsonrpc, log);
}

static void jsonrpc_case_bytes(void *state, const struct step *step, struct sv piece)
{
	if (jsonrpc_feed(state, step->ts, piece))
		case_die("out of memory");
}

static void jsonrpc_case_gap(void *state, const struct step *step)
{
	jsonrpc_gap(state, step->missing);
}

static void jsonrpc_case_end(void *state, uint64_t ts)
{
	(void)ts;
	jsonrpc_end(state);
}

static void jsonrpc_case_close(void *state, struct log *log)
{
	struct jsonrpc *j = state;

	if (jsonrpc_skipped(j))
		buf_fmt(&log->text, "skipped %" PRIu64 "\n", jsonrpc_skipped(j));
	jsonrpc_free(&j);
}

static const struct driver drivers[] = {
	{ "http1", "\r\n", http1_case_open, http1_case_bytes, http1_case_gap, http1_case_end,
	  http1_case_close },
	{ "http2", "\r\n", http2_case_open, http2_case_bytes, http2_case_gap, http2_case_end,
	  http2_case_close },
	{ "jsonrpc", "\n", jsonrpc_case_open, jsonrpc_case_bytes, jsonrpc_case_gap,
	  jsonrpc_case_end, jsonrpc_case_close },
	{ "sse", "\n", sse_case_open, sse_case_bytes, sse_case_gap, sse_case_end, sse_case_close },
	{ "grpc", "", grpc_case_open, grpc_case_bytes, grpc_case_gap, grpc_case_end,
	  grpc_case_close },
	{ "websocket", "", websocket_case_open, websocket_case_bytes, websocket_case_gap,
	  websocket_case_end, websocket_case_close },
};

const struct driver *case_driver(struct sv name)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (sv_is(name, drivers[i].name))
			return &drivers[i];
	}
	return sv_is(name, "mysql") ? &case_mysql : sv_is(name, "postgres") ? &case_postgres : NULL;
}
