// SPDX-License-Identifier: BSD-2-Clause
/*
 * Weaviate's searches in GraphQL: POST /v1/graphql with Get and a search operator.  The query is not
 * parsed, only looked through: the answer is JSON and names the class.
 */
#include "base/cleanup.h"
#include "sem/retrieval.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/v1/graphql") ? 30 : 0;
}

static struct sv behind(struct sv s, const char *word)
{
	long at = sv_find(s, sv(word));

	return at < 0 ? (struct sv){ NULL, 0 } : sv_sub(s, (size_t)at + strlen(word), s.n);
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static struct sv first_name(struct sv s)
{
	size_t from = 0, n;

	while (from < s.n && !is_name(s.p[from]))
		from++;
	for (n = from; n < s.n && is_name(s.p[n]);)
		n++;
	return sv_sub(s, from, n - from);
}

/* limit: 3 */
static void take_limit(struct sem_call *c, struct sv query)
{
	struct sv rest = behind(query, "limit");
	struct sv number = first_name(rest);
	int64_t n;

	if (!sv_i64(number, &n))
		c->top_k = (double)n;
}

/* concepts: ["text"], query: "text"; JSON's escapes are GraphQL's, too */
static void take_text(struct sem_call *c, struct sv after)
{
	_cleanup_arena_ struct arena scratch;
	long at = sv_find(after, SV("\""));
	const struct json *text;
	struct json_err err;

	arena_init(&scratch, 1 << 20);
	text = at < 0 ? NULL : json_parse(&scratch, sv_sub(after, (size_t)at, after.n), &err);
	retrieval_text(c, text);
}

static void request(struct sem_call *c, const struct json *body)
{
	static const struct {
		const char *operator, * argument;
	} ways[] = { { "nearText", "concepts" }, { "hybrid", "query" },  { "bm25", "query" },
		     { "nearVector", NULL },     { "nearObject", NULL }, { "nearImage", NULL } };
	struct sv query = behind(json_sv(json_get(body, "query")), "Get");

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct sv rest = behind(query, ways[i].operator);

		if (!rest.n)
			continue;
		retrieval_is(c, "weaviate.graphql", "weaviate");
		retrieval_source(c, first_name(query));
		take_limit(c, query);
		if (ways[i].argument)
			take_text(c, behind(rest, ways[i].argument));
		return;
	}
}

/* Which of them there is depends on what the query asked for; certainty is 0 to 1, best is 1. */
static void take_object(struct sem_call *c, const struct json *o)
{
	const struct json *score = json_get(o, "score"), *distance = json_get(o, "distance");

	if (!score)
		score = json_get(o, "certainty");
	if (score)
		sem_document(c, json_get(o, "id"), "score", score);
	else
		sem_document(c, json_get(o, "id"), "distance", distance);
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *first = json_path(body, "errors.0");

	if (first)
		sem_error_set(c, first);
	json_for_each (json_path(body, "data.Get"), list)
		json_for_each (list, o)
			take_object(c, json_get(o, "_additional"));
}

const struct sem_ops sem_weaviate = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
