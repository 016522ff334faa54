// SPDX-License-Identifier: BSD-2-Clause
/* OpenAI's moderation, and Mistral's: what a text is flagged for, no model's words. */
#include "sem/answer.h"
#include "sem/openai.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/moderations") ? 60 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
}

static void response(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->response_id, json_get(body, "id"));
	sem_keep(c, &c->response_model, json_get(body, "model"));
	json_for_each (json_get(body, "results"), result) {
		const struct json *categories = json_get(result, "categories");

		c->judged |= json_is(categories, JSON_OBJECT);
		c->flagged |= json_true(json_get(result, "flagged"));
		json_for_each (categories, e) {
			if (!json_true(e))
				continue;
			c->flagged = true; /* Mistral has nothing but the categories */
			sem_flag(c, e->key);
		}
	}
}

const struct sem_ops sem_openai_moderations = {
	.api = "openai.moderations",
	.operation = "moderation",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
