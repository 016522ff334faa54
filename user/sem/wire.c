// SPDX-License-Identifier: BSD-2-Clause
/* Pieces of requests and answers that several model APIs have in common: see wire.h. */
#include "sem/wire.h"

#include "sem/otel.h"

#define NAME_MAX_LEN 64 /* of a field that has two spellings */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct sv sem_unescape(struct arena *a, struct sv s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	if (!p)
		return (struct sv){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++) {
		int hi = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? hex_value(s.p[i + 2]) : -1;

		p[n++] = lo < 0 ? s.p[i] : (char)(hi << 4 | lo);
		i += lo < 0 ? 0 : 2;
	}
	return (struct sv){ p, n };
}

struct sv sem_path_model(struct arena *a, struct sv path, const char *before)
{
	long at = sv_find(path, sv(before));
	struct sv rest;

	if (at < 0)
		return (struct sv){ NULL, 0 };
	rest = sv_sub(path, (size_t)at + strlen(before), path.n);
	return sem_unescape(a, sv_token(&rest, '/'));
}

struct sv sem_query(struct sv query, const char *name)
{
	while (query.n) {
		struct sv value = sv_token(&query, '&');
		struct sv key = sv_token(&value, '=');

		if (sv_is(key, name))
			return value;
	}
	return (struct sv){ NULL, 0 };
}

const struct json *sem_field(const struct json *v, const char *camel)
{
	const struct json *found = json_get(v, camel);
	char snake[NAME_MAX_LEN];
	size_t n = 0;

	if (found)
		return found;
	for (; *camel && n + 2 < sizeof(snake); camel++) {
		bool upper = *camel >= 'A' && *camel <= 'Z';

		if (upper)
			snake[n++] = '_';
		snake[n++] = upper ? *camel | 0x20 : *camel;
	}
	snake[n] = '\0';
	return json_get(v, snake);
}

static void user_message(struct sem_call *c, const struct json *prompt)
{
	struct json *parts = json_array(&c->arena);

	if (json_is(prompt, JSON_STRING))
		json_push(parts, otel_text(&c->arena, "text", prompt->s));
	else
		json_push(parts, otel_generic(&c->arena, prompt));
	json_push(c->input_messages, otel_message(&c->arena, SV("user"), parts));
}

void sem_prompt(struct sem_call *c, const struct json *prompt)
{
	if (!json_is(prompt, JSON_STRING) && !json_is(prompt, JSON_ARRAY))
		return;
	c->input_messages = json_array(&c->arena);
	c->input_message_cnt = prompt->type == JSON_ARRAY ? (int64_t)prompt->cnt : 1;
	/* a list of tokens says nothing to a reader */
	if (prompt->type == JSON_ARRAY) {
		json_for_each (prompt, p)
			if (p->type == JSON_STRING)
				user_message(c, p);
	} else {
		user_message(c, prompt);
	}
}

void sem_system(struct sem_call *c, struct sv text)
{
	if (!text.n)
		return;
	c->system_instructions = json_array(&c->arena);
	json_push(c->system_instructions, otel_text(&c->arena, "text", text));
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

struct sv sem_base64(struct arena *a, struct sv text)
{
	char *p = arena_alloc(a, text.n / 4 * 3 + 4);
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	for (size_t i = 0; p && i < text.n; i++) {
		int v = base64_value(text.p[i]);

		if (v < 0)
			return (struct sv){ NULL, 0 };
		bits = bits << 6 | (unsigned int)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		p[n++] = (char)(bits >> have);
	}
	return (struct sv){ p, n };
}

void sem_dimensions(struct sem_call *c, const struct json *vector)
{
	if (c->embedding_dimensions != SEM_NONE || !vector || vector->cut)
		return;
	if (vector->type == JSON_ARRAY && json_is(vector->head, JSON_NUMBER))
		c->embedding_dimensions = (int64_t)vector->cnt;
	else if (vector->type == JSON_STRING && vector->s.n && c->encoding_formats &&
		 c->encoding_formats->cnt == 1)
		c->embedding_dimensions = (int64_t)(vector->s.n / 4 * 3 / sizeof(float));
}

void sem_document(struct sem_call *c, const struct json *id, const char *measure,
		  const struct json *value)
{
	struct json *d = json_object(&c->arena);

	if (!json_is(id, JSON_STRING) && !json_is(id, JSON_NUMBER))
		return;
	if (!c->retrieval_documents)
		c->retrieval_documents = json_array(&c->arena);
	json_set(&c->arena, d, "id", json_string(&c->arena, id->s));
	if (json_is(value, JSON_STRING) && value->s.n < NAME_MAX_LEN) /* Weaviate's score */
		value = json_parse(&c->arena, value->s, NULL);
	if (json_is(value, JSON_NUMBER))
		json_set(&c->arena, d, measure, json_copy(&c->arena, value));
	json_push(c->retrieval_documents, d);
}
