// SPDX-License-Identifier: BSD-2-Clause
/* What Google's APIs have in common: see gemini.h. */
#include "sem/gemini.h"

#include "sem/otel.h"
#include "sem/wire.h"

static struct sv last_segment(struct sv path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash ? sv_sub(path, (size_t)(slash + 1 - path.p), path.n) : path;
}

/* A model's own colon is escaped, so the last one is in front of the verb. */
static const char *colon_of(struct sv segment)
{
	return segment.n ? memrchr(segment.p, ':', segment.n) : NULL;
}

bool gemini_verb(const struct sem_route *r, const char *verb)
{
	struct sv segment = last_segment(r->path);
	const char *colon = colon_of(segment);

	if (!sv_is(r->method, "POST") || !colon)
		return false;
	return sv_is(sv_sub(segment, (size_t)(colon + 1 - segment.p), segment.n), verb);
}

void gemini_route(struct sem_call *c, const struct sem_route *r)
{
	struct sv segment = last_segment(r->path);
	const char *colon = colon_of(segment);
	size_t before = r->path.n - segment.n;

	/* /v1internal:generateContent (Code Assist) has the model in its body */
	if (before > 1 && colon)
		c->request_model =
			sem_unescape(&c->arena, sv_sub(segment, 0, (size_t)(colon - segment.p)));
}

void gemini_usage(struct sem_call *c, const struct json *u)
{
	int64_t prompt = sem_first_int(u, "promptTokenCount", NULL);
	int64_t tools = sem_first_int(u, "toolUsePromptTokenCount", NULL);
	int64_t candidates = sem_first_int(u, "candidatesTokenCount", NULL);
	int64_t thoughts = sem_first_int(u, "thoughtsTokenCount", NULL);

	if (sem_plus(sem_plus(prompt, tools), sem_plus(candidates, thoughts)) == SEM_NONE)
		return;
	c->has_usage = true;
	sem_keep_json(c, &c->usage_raw, u);
	c->usage.input = sem_plus(prompt, tools);
	c->usage.output = sem_plus(candidates, thoughts);
	c->usage.cache_read = sem_first_int(u, "cachedContentTokenCount", NULL);
	c->usage.reasoning = thoughts;
}
