// SPDX-License-Identifier: BSD-2-Clause
/* What searches in document and vector stores have in common: see retrieval.h. */
#include "sem/retrieval.h"

#include "base/cleanup.h"

void retrieval_is(struct sem_call *c, const char *api, const char *system)
{
	c->api = api;
	c->operation = "retrieval";
	c->confirmed = true;
	c->db_system = sv(system);
}

void retrieval_source(struct sem_call *c, struct sv name)
{
	if (name.n)
		c->data_source = arena_dup(&c->arena, name);
}

void retrieval_namespace(struct sem_call *c, struct sv name)
{
	if (name.n)
		c->db_namespace = arena_dup(&c->arena, name);
}

void retrieval_text(struct sem_call *c, const struct json *v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (json_is(v, JSON_STRING))
		sem_keep(c, &c->retrieval_query, v);
	if (!json_is(v, JSON_ARRAY))
		return;
	json_for_each (v, e) {
		buf_str(&b, b.len ? "\n" : "");
		buf_sv(&b, json_sv(e));
	}
	if (b.len)
		c->retrieval_query = arena_dup(&c->arena, buf_view(&b));
}

void retrieval_vector(struct sem_call *c, const struct json *v)
{
	if (json_is(v, JSON_ARRAY) && json_is(v->head, JSON_ARRAY))
		v = v->head;
	if (json_is(v, JSON_ARRAY) && json_is(v->head, JSON_NUMBER) && !v->cut)
		c->query_dimensions = (int64_t)v->cnt;
}
