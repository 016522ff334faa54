// SPDX-License-Identifier: BSD-2-Clause
/*
 * Qdrant: POST /collections/{collection}/points/{search,query,recommend,discover}, each also as a
 * /batch of searches or in /groups.  The documents of a batch follow each other.
 */
#include "base/cleanup.h"
#include "sem/retrieval.h"

#define DEPTH 4 /* a batch of groups of hits */

static bool is_search(struct sv path)
{
	static const char *const verbs[] = { "search", "query", "recommend", "discover" };
	long at = sv_find(path, SV("/points/"));
	struct sv rest, verb;

	if (at < 0 || !sv_has(path, "/collections/"))
		return false;
	rest = sv_sub(path, (size_t)at + strlen("/points/"), path.n);
	verb = sv_token(&rest, '/');
	if (rest.n && !sv_is(rest, "batch") && !sv_is(rest, "groups"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (sv_is(verb, verbs[i]))
			return true;
	return false;
}

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && is_search(r->path) ? 60 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	c->data_source = sem_path_model(&c->arena, r->path, "/collections/");
}

/* A vector, a named one, or for /query one of many ways to say what is meant. */
static void take_query(struct sem_call *c, const struct json *q)
{
	static const char *const inside[] = { "vector", "nearest" };

	for (size_t i = 0; i < ARRAY_SIZE(inside) && json_is(q, JSON_OBJECT); i++)
		if (json_get(q, inside[i]))
			q = json_get(q, inside[i]);
	retrieval_vector(c, q);
	retrieval_text(c, json_get(q, "text")); /* the service makes the vector, by `model` */
	sem_keep(c, &c->request_model, json_get(q, "model"));
}

static void request(struct sem_call *c, const struct json *body)
{
	static const char *const asked[] = { "vector", "query", "prefetch", "positive", "target" };
	const struct json *first = json_path(body, "searches.0");
	bool sure = false;

	if (first)
		body = first;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		sure |= json_get(body, asked[i]) != NULL;
	if (!sure)
		return;
	retrieval_is(c, "qdrant.search", "qdrant");
	take_query(c, json_get(body, json_get(body, "vector") ? "vector" : "query"));
	sem_keep_float(&c->top_k, json_get(body, "limit"));
}

static void take_points(struct sem_call *c, const struct json *v, int depth)
{
	static const char *const lists[] = { "points", "groups", "hits" };

	if (!depth || (json_is(v, JSON_OBJECT) && json_get(v, "score"))) {
		sem_document(c, json_get(v, "id"), "score", json_get(v, "score"));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (json_is(json_get(v, lists[i]), JSON_ARRAY))
			take_points(c, json_get(v, lists[i]), depth);
	if (json_is(v, JSON_ARRAY))
		json_for_each (v, e)
			take_points(c, e, depth - 1);
}

static void response(struct sem_call *c, const struct json *body)
{
	take_points(c, json_get(body, "result"), DEPTH);
}

const struct sem_ops sem_qdrant = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
