// SPDX-License-Identifier: BSD-2-Clause
/* Calls that programs make beside a conversation: warm-ups, titles, choices of a model. */
#include "base/cleanup.h"
#include "span/engine.h"

#define PLAIN_WORDS_MAX 16 /* bytes of an input that can be nothing but a warm-up's word */

static struct sv first_input(const struct sem_call *c)
{
	json_for_each (c->input_messages, m)
		if (json_str_is(json_get(m, "role"), "user"))
			json_for_each (json_get(m, "parts"), part)
				if (json_str_is(json_get(part, "type"), "text"))
					return json_sv(json_get(part, "content"));
	return SV("");
}

static bool parts_say(const struct json *parts, const char *word)
{
	json_for_each (parts, part)
		if (sv_has(json_sv(json_get(part, "content")), word))
			return true;
	return false;
}

/* Do the instructions hold this word? */
static bool is_told(const struct sem_call *c, const char *word)
{
	if (parts_say(c->system_instructions, word))
		return true;
	json_for_each (c->input_messages, m)
		if (json_str_is(json_get(m, "role"), "system") &&
		    parts_say(json_get(m, "parts"), word))
			return true;
	return false;
}

static bool asks_for_title(const struct sem_call *c)
{
	return is_told(c, "title") || sv_has(sv_sub(first_input(c), 0, 256), "title for");
}

/* Which model or agent is to have the request: gemini-cli asks a small one first. */
static bool asks_for_route(const struct sem_call *c)
{
	return sv_is(c->output_type, "json") && (is_told(c, "Routing") || is_told(c, "routing") ||
						 is_told(c, "Router") || is_told(c, "router"));
}

static bool is_warm_up(const struct sem_call *c)
{
	static const char *const words[] = { "warmup", "warm-up", "quota", "ping" };
	struct sv input = first_input(c);

	if (c->max_tokens == 1 || c->prepares)
		return true;
	for (size_t i = 0; input.n <= PLAIN_WORDS_MAX && i < ARRAY_SIZE(words); i++)
		if (sv_ieq(input, words[i]))
			return true;
	return false;
}

const char *call_purpose(const struct sem_call *c)
{
	bool alone = c->input_messages && c->input_messages->cnt <= 2;

	if (is_warm_up(c))
		return "warm_up";
	if (c->tool_names && c->tool_names->cnt)
		return NULL;
	if (alone && asks_for_title(c))
		return "title";
	return asks_for_route(c) ? "routing" : NULL;
}
