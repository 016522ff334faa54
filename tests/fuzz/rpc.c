// SPDX-License-Identifier: BSD-2-Clause
/*
 * The protocols of rpc.def.  Pieces: '>' a request or notification, '<' its answer, '?' an HTTP request
 * that is no JSON-RPC, "METHOD target".
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "proto/jsonrpc.h"
#include "sem/rpc.h"

struct rpc_state {
	const struct rpc_ops *ops;
	struct rpc_facts facts;
	struct http_msg http;
};

static void look_at(const struct rpc_facts *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const struct sv texts[] = {
		f->method,        f->target,        f->tool,           f->prompt,
		f->uri,           f->client_name,   f->server_name,    f->protocol_version,
		f->traceparent,   f->tracestate,    f->progress_token, f->model,
		f->approval_mode, f->status_code,   f->task_id,        f->task_state,
		f->context_id,    f->error_message,
	};

	json_write(&b, f->arguments);
	json_write(&b, f->result);
	json_write(&b, f->tools);
	json_write(&b, f->schemas);
	json_write(&b, f->ids);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		buf_sv(&b, texts[i]);
}

static void on_message(void *ctx, const struct jsonrpc_msg *m)
{
	struct rpc_state *st = ctx;
	struct mcp_note note;
	struct arena a;

	if (m->kind == JSONRPC_RESULT || m->kind == JSONRPC_ERROR) {
		if (st->ops)
			rpc_answer(st->ops, &st->facts, m);
		return;
	}
	arena_init(&a, 0);
	mcp_note(&note, &a, m);
	arena_fini(&a);
	st->ops = rpc_claim(m, st->http.target.n ? &st->http : NULL);
	if (st->ops)
		rpc_request(st->ops, &st->facts, m);
}

static void rpc_run(struct sv input)
{
	struct rpc_state st = { .ops = NULL };
	struct sv piece;
	char what;

	rpc_facts_init(&st.facts);
	while (fuzz_piece(&input, &what, &piece)) {
		struct jsonrpc_text t = { .text = piece, .ts_first = 1, .ts_last = 2 };

		if (what == '?') {
			st.http.method = sv_token(&piece, ' ');
			st.http.target = piece;
			st.ops = rpc_claim_rest(&st.facts, &st.http);
			continue;
		}
		jsonrpc_read(&t, on_message, &st);
	}
	look_at(&st.facts);
	rpc_facts_fini(&st.facts);
}

const struct fuzz_target fuzz_rpc = { "rpc", rpc_run, NULL };
