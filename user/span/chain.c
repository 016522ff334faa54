// SPDX-License-Identifier: BSD-2-Clause
/* Conversations by their messages: see chain.h. */
#include "span/chain.h"

#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/limits.h"

#define SUMMARY_MIN 200   /* bytes: shorter answers turn up in other texts by chance */
#define SUMMARY_MAX 65536 /* of an answer, kept to be found again */

bool chain_is_system(const struct json *message)
{
	const struct json *role = json_get(message, "role");

	return json_str_is(role, "system") || json_str_is(role, "developer");
}

/* Hash of a value as JSON text; never 0. */
static uint64_t hash_json(struct buf *scratch, const struct json *v)
{
	uint64_t h;

	buf_clear(scratch);
	if (json_write(scratch, v))
		return 1;
	h = hash64(buf_view(scratch));
	return h ? h : 1;
}

static uint64_t hash_text(struct sv text)
{
	uint64_t h;

	while (text.n && (unsigned char)text.p[text.n - 1] <= ' ')
		text.n--; /* clients trim what they send back */
	h = text.n ? hash64(text) : 0;
	return text.n && !h ? 1 : h;
}

static void add(uint64_t *list, size_t max, uint64_t h)
{
	for (size_t i = 0; i < max; i++) {
		if (list[i])
			continue;
		list[i] = h;
		return;
	}
}

static bool holds(const uint64_t *list, size_t max, uint64_t h)
{
	for (size_t i = 0; i < max && list[i]; i++)
		if (list[i] == h)
			return true;
	return false;
}

static void add_system(struct chain_request *q, struct buf *scratch, const struct json *parts)
{
	json_for_each (parts, part)
		add(q->system, CHAIN_PARTS, hash_json(scratch, part));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t parts_of_answers(const struct json *list)
{
	size_t cnt = 0;

	json_for_each (list, m) {
		const struct json *parts = json_get(m, "parts");

		if (parts && json_str_is(json_get(m, "role"), "assistant"))
			cnt += parts->cnt;
	}
	return cnt;
}

static int add_said(struct chain_request *q, const struct json *list)
{
	size_t parts = parts_of_answers(list);

	q->said = calloc(parts ? 2 * parts : 1, sizeof(*q->said));
	if (!q->said)
		return -ENOMEM;
	json_for_each (list, m) {
		if (!json_str_is(json_get(m, "role"), "assistant"))
			continue;
		json_for_each (json_get(m, "parts"), part) {
			struct sv id = json_sv(json_get(part, "id"));
			struct sv text = json_sv(json_get(part, "content"));

			if (id.n)
				q->said[q->said_cnt++] = hash_text(id);
			if (text.n && json_str_is(json_get(part, "type"), "text"))
				q->said[q->said_cnt++] = hash_text(text);
		}
	}
	qsort(q->said, q->said_cnt, sizeof(*q->said), by_value);
	return 0;
}

static bool said(const struct chain_request *q, uint64_t h)
{
	return bsearch(&h, q->said, q->said_cnt, sizeof(h), by_value);
}

int chain_request_init(struct chain_request *q, const struct sem_call *c)
{
	const struct json *list = c->input_messages;
	_cleanup_buf_ struct buf scratch = BUF_INIT;

	*q = (struct chain_request){ .call = c };
	q->msgs = calloc(list && list->cnt ? list->cnt : 1, sizeof(*q->msgs));
	if (!q->msgs || add_said(q, list)) {
		chain_request_fini(q);
		return -ENOMEM;
	}
	add_system(q, &scratch, c->system_instructions);
	json_for_each (list, m) {
		if (chain_is_system(m))
			add_system(q, &scratch, json_get(m, "parts"));
		else
			q->msgs[q->cnt++] = hash_json(&scratch, m);
	}
	if (c->tool_names && c->tool_names->cnt)
		q->tools = hash_json(&scratch, c->tool_names);
	return 0;
}

void chain_request_fini(struct chain_request *q)
{
	free(q->msgs);
	free(q->said);
	q->msgs = q->said = NULL;
}

uint64_t chain_request_hash(const struct chain_request *q)
{
	const uint64_t parts[] = {
		hash64((struct sv){ (const char *)q->msgs, q->cnt * sizeof(*q->msgs) }),
		hash64((struct sv){ (const char *)q->system, sizeof(q->system) }),
		q->tools,
	};

	return hash64((struct sv){ (const char *)parts, sizeof(parts) });
}

uint64_t chain_prefix(uint64_t before, uint64_t msg)
{
	const uint64_t parts[] = { before, msg };
	uint64_t h = hash64((struct sv){ (const char *)parts, sizeof(parts) });

	return h ? h : 1;
}

/* Is the chain's last answer among the messages of the model? */
static bool holds_answer(const struct chain *ch, const struct chain_request *q)
{
	if (ch->text && said(q, ch->text))
		return true;
	for (size_t i = 0; i < CHAIN_CALLS && ch->calls[i]; i++)
		if (said(q, ch->calls[i]))
			return true;
	return false;
}

/* Instructions change in details (a date, a token count); an agent's share at least one part. */
static bool same_system(const struct chain *ch, const struct chain_request *q)
{
	if (!ch->system[0] || !q->system[0])
		return !ch->system[0] == !q->system[0];
	for (size_t i = 0; i < CHAIN_PARTS && q->system[i]; i++)
		if (holds(ch->system, CHAIN_PARTS, q->system[i]))
			return true;
	return false;
}

static size_t common_prefix(const struct chain *ch, const struct chain_request *q)
{
	size_t n = 0;

	while (n < ch->cnt && n < q->cnt && ch->msgs[n] == q->msgs[n])
		n++;
	return n;
}

/* Messages of the chain that are in the request, in the same order. */
static size_t common(const struct chain *ch, const struct chain_request *q)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i < q->cnt; i++) {
		for (size_t k = from; k < ch->cnt; k++) {
			if (ch->msgs[k] != q->msgs[i])
				continue;
			n++;
			from = k + 1;
			break;
		}
	}
	return n;
}

static bool by_id(const struct chain *ch, const struct sem_call *c)
{
	return (c->previous_response_id.n && sv_eq(c->previous_response_id, ch->response_id)) ||
	       (c->conversation_id.n && sv_eq(c->conversation_id, ch->conversation_id));
}

/* Within a level of evidence, how much of the history is the same. */
static int score(int level, size_t prefix)
{
	return level << 24 | (int)(prefix < 0xffffff ? prefix : 0xffffff);
}

int chain_match(const struct chain *ch, const struct chain_request *q, enum chain_step *step)
{
	size_t prefix = common_prefix(ch, q);
	bool whole = prefix == ch->cnt && ch->cnt;

	*step = CHAIN_NEXT;
	if (by_id(ch, q->call)) {
		/* without instructions those of before hold on */
		if (q->call->system_instructions && !same_system(ch, q))
			*step = CHAIN_HANDED;
		return score(6, prefix);
	}
	if (ch->answered && holds_answer(ch, q)) {
		if (!whole)
			*step = CHAIN_EDITED;
		else if (!same_system(ch, q))
			*step = CHAIN_HANDED;
		return score(whole ? 5 : 4, prefix);
	}
	if (!whole)
		return 0;
	if (q->cnt == ch->cnt) {
		*step = CHAIN_AGAIN;
		if (q->said_cnt) /* to the letter, with what the model said: no id says more */
			return score(5, prefix);
		return ch->answered ? 0 : score(3, prefix);
	}
	if (!same_system(ch, q))
		*step = CHAIN_HANDED;
	/* behind an answer comes more than the answer */
	return q->cnt > ch->cnt + ch->answered ? score(3, prefix) : 0;
}

bool chain_may_continue(const struct chain *ch, const struct chain_request *q)
{
	if (ch->tools != q->tools || !same_system(ch, q))
		return false;
	/* not the same to the letter, and answered */
	return q->cnt != ch->cnt || common_prefix(ch, q) != q->cnt;
}

bool chain_match_edited(const struct chain *ch, const struct chain_request *q)
{
	size_t shared;

	if (!chain_may_continue(ch, q))
		return false;
	shared = common(ch, q);
	return shared >= CHAIN_KEEP_MIN && shared * 2 >= ch->cnt;
}

bool chain_interrupted(const struct chain *ch, const struct chain_request *q)
{
	const struct json *messages = q->call->input_messages;

	if (!messages->tail || !json_str_is(json_get(messages->tail, "role"), "user"))
		return false;
	if (!ch->answered)
		return true;
	if (!ch->calls[0])
		return false; /* none, or without ids nobody can tell */
	json_for_each (messages, m)
		json_for_each (json_get(m, "parts"), part)
			if (json_str_is(json_get(part, "type"), "tool_call_response") &&
			    holds(ch->calls, CHAIN_CALLS, hash_text(json_sv(json_get(part, "id")))))
				return false;
	return true;
}

static void keep(struct sv *dst, struct sv src)
{
	char *copy = src.n ? malloc(src.n) : NULL;

	if (!copy)
		return;
	memcpy(copy, src.p, src.n);
	free((char *)dst->p);
	*dst = (struct sv){ copy, src.n };
}

void chain_advance(struct chain *ch, struct chain_request *q)
{
	free(ch->msgs);
	ch->msgs = q->msgs;
	ch->cnt = q->cnt;
	q->msgs = NULL;
	ch->whole = 0;
	for (size_t i = 0; i < ch->cnt; i++)
		ch->whole = chain_prefix(ch->whole, ch->msgs[i]);
	if (q->call->system_instructions || !by_id(ch, q->call))
		memcpy(ch->system, q->system, sizeof(ch->system));
	ch->tools = q->tools;
	ch->answered = false;
	keep(&ch->conversation_id, q->call->conversation_id);
}

void chain_answer(struct chain *ch, const struct sem_call *c)
{
	ch->answered = true;
	ch->text = hash_text(buf_view(&c->text));
	memset(ch->calls, 0, sizeof(ch->calls));
	for (const struct sem_tool_call *tc = c->calls; tc; tc = tc->next)
		if (tc->id.n)
			add(ch->calls, CHAIN_CALLS, hash_text(tc->id));
	keep(&ch->response_id, c->response_id);
	chain_summary(ch, c);
}

void chain_summary(struct chain *ch, const struct sem_call *c)
{
	struct sv text = buf_view(&c->text);

	free(ch->summary);
	ch->summary = NULL;
	ch->summary_len = 0;
	if (text.n < SUMMARY_MIN || text.n > SUMMARY_MAX)
		return;
	ch->summary = malloc(text.n);
	if (!ch->summary)
		return;
	memcpy(ch->summary, text.p, text.n);
	ch->summary_len = text.n;
}

void chain_fini(struct chain *ch)
{
	free(ch->msgs);
	free((char *)ch->response_id.p);
	free((char *)ch->conversation_id.p);
	free(ch->summary);
	*ch = (struct chain){ 0 };
}
