/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of MCP and A2A in the trace: an agent, two servers, their pipes and sockets. */
#ifndef RINGSPAN_TEST_RPC_TEST_H
#define RINGSPAN_TEST_RPC_TEST_H

#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define SERVER 11
#define OTHER 12
#define MODEL 99 /* connection to the model API */

struct world {
	struct trace *trace;
	struct told told;
	uint64_t pos[100][2];
};

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	told_add(&w->told, s);
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static void run_program(struct world *w, uint64_t ts, uint32_t tgid, uint32_t parent,
			const char *path)
{
	if (parent != 1)
		feed(w, record_fork(ts, parent, tgid));
	feed(w, record_exec(ts, tgid, parent, path, path, strlen(path) + 1));
}

static int setup(void **state)
{
	static const struct trace_cfg cfg = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w || trace_new(&w->trace, &cfg, on_span, w))
		return -1;
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	run_program(w, 2 * MS, AGENT, 1, "/bin/agent");
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	told_fini(&w->told);
	free(w);
	return 0;
}

static inline struct ev_flow *flow(uint64_t ts, uint32_t tgid, uint64_t conn, unsigned int src,
				   uint64_t file)
{
	struct ev_flow *f = record(EV_FLOW, sizeof(*f), ts, tgid, NULL, 0);

	f->conn = conn;
	f->src = src;
	f->file = file;
	f->fd = 5 + conn;
	f->proto = EV_PROTO_JSONRPC;
	return f;
}

static inline void pipe_end(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn,
			    uint64_t file, int fd)
{
	struct ev_flow *f = flow(ts, tgid, conn, EV_SRC_PIPE, file);

	f->fd = fd;
	feed(w, f);
}

static inline void peer_end(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn,
			    unsigned int src, uint64_t file, uint64_t peer)
{
	struct ev_flow *f = flow(ts, tgid, conn, src, file);

	f->peer = peer;
	feed(w, f);
}

static void bytes(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn, unsigned int src,
		  int dir, const char *text)
{
	struct ev_data *d = record_data(ts, tgid, conn, dir, w->pos[conn][dir], text, strlen(text));

	d->src = src;
	feed(w, d);
	w->pos[conn][dir] += strlen(text);
}

static inline void on_pipe(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn, int dir,
			   const char *text)
{
	bytes(w, ts, tgid, conn, EV_SRC_PIPE, dir, text);
}

static inline void on_socket(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn, int dir,
			     const char *text)
{
	bytes(w, ts, tgid, conn, EV_SRC_STREAM, dir, text);
}

/* The model asks that process for tools: a JSON array of tool_use blocks. */
static inline void model_asks_of(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn,
				 const char *blocks)
{
	static const char ask[] = "{\"model\":\"claude-x\",\"messages\":[]}";
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		strlen(ask), ask);
	bytes(w, ts, tgid, conn, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_fmt(&body,
		"{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\","
		"\"content\":%s,\"stop_reason\":\"tool_use\","
		"\"usage\":{\"input_tokens\":5,\"output_tokens\":3}}",
		blocks);
	buf_clear(&b);
	buf_fmt(&b,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, tgid, conn, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

static inline void model_asks(struct world *w, uint64_t ts, const char *blocks)
{
	model_asks_of(w, ts, AGENT, MODEL, blocks);
}

static void end(struct world *w)
{
	trace_end(w->trace);
}

static inline const struct span *named(const struct world *w, enum span_what what, const char *name)
{
	for (size_t i = 0; i < w->told.cnt; i++)
		if (w->told.spans[i]->what == what && sv_is(w->told.spans[i]->name, name))
			return w->told.spans[i];
	fail_msg("no span %s", name);
	return NULL;
}

static inline bool says(const struct span *s, const char *reason)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e) {
		if (json_str_is(e, reason))
			return true;
	}
	return false;
}

#endif
