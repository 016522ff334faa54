// SPDX-License-Identifier: BSD-2-Clause
/* The protocols on JSON-RPC: picks one, and does what all have in common.  See rpc.h. */
#include "sem/rpc.h"

#include "base/cleanup.h"
#include "base/limits.h"

#define RPC(name) extern const struct rpc_ops rpc_##name;
#include "sem/rpc.def"
#undef RPC

static const struct rpc_ops *const protocols[] = {
#define RPC(name) &rpc_##name,
#include "sem/rpc.def"
#undef RPC
};

void rpc_facts_init(struct rpc_facts *f)
{
	*f = (struct rpc_facts){ 0 };
	arena_init(&f->arena, LIMIT_JSON_ARENA);
}

void rpc_facts_fini(struct rpc_facts *f)
{
	arena_fini(&f->arena);
}

const struct rpc_ops *rpc_claim(const struct jsonrpc_msg *m, const struct http_msg *http)
{
	const struct rpc_ops *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		int score = protocols[i]->claim(m, http);

		if (score > best_score) {
			best = protocols[i];
			best_score = score;
		}
	}
	return best;
}

const struct rpc_ops *rpc_claim_rest(struct rpc_facts *f, const struct http_msg *http)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!protocols[i]->rest)
			continue;
		f->method = protocols[i]->rest(f, http);
		if (f->method.n)
			return protocols[i];
	}
	return NULL;
}

void rpc_request(const struct rpc_ops *ops, struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	if (!f->method.n)
		f->method = arena_dup(&f->arena, m->method);
	ops->request(f, m);
}

void rpc_answer(const struct rpc_ops *ops, struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	if (m->kind != JSONRPC_ERROR) {
		ops->answer(f, m);
		return;
	}
	f->failed = true;
	f->status_code = rpc_text(f, m->error, "code");
	f->error_type = f->status_code.n ? f->status_code : SV("_OTHER");
	f->error_message = rpc_text(f, m->error, "message");
}

struct sv rpc_text(struct rpc_facts *f, const struct json *obj, const char *key)
{
	const struct json *v = json_get(obj, key);

	if (!json_is(v, JSON_STRING) && !json_is(v, JSON_NUMBER))
		return (struct sv){ NULL, 0 };
	return arena_dup(&f->arena, v->s);
}

struct sv rpc_path(const struct http_msg *http)
{
	struct sv target = http->target;

	return sv_token(&target, '?');
}
