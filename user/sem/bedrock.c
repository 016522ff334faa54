// SPDX-License-Identifier: BSD-2-Clause
/* What Amazon Bedrock's runtime APIs have in common: see bedrock.h. */
#include "sem/bedrock.h"

#include "sem/wire.h"

#define MODEL "/model/"

/* An ARN's slashes are escaped by most clients but not by all: the verb is behind the last slash. */
static struct sv verb_of(struct sv path, struct sv *model)
{
	long at = sv_find(path, SV(MODEL));
	const char *slash;
	size_t from;

	if (at < 0)
		return (struct sv){ NULL, 0 };
	from = (size_t)at + strlen(MODEL);
	slash = memrchr(path.p, '/', path.n);
	if (slash < path.p + from)
		return (struct sv){ NULL, 0 };
	*model = sv_sub(path, from, (size_t)(slash - path.p) - from);
	return sv_sub(path, (size_t)(slash + 1 - path.p), path.n);
}

bool bedrock_verb(const struct sem_route *r, const char *verb)
{
	struct sv model;

	return sv_is(r->method, "POST") && sv_is(verb_of(r->path, &model), verb);
}

void bedrock_route(struct sem_call *c, const struct sem_route *r)
{
	struct sv model = { NULL, 0 };

	verb_of(r->path, &model);
	c->request_model = sem_unescape(&c->arena, model);
}
