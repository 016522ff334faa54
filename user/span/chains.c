// SPDX-License-Identifier: BSD-2-Clause
/* Conversations by evidence: see chains.h and chain.h. */
#include "span/chains.h"

#include "base/hash.h"

enum evidence { BY_RESPONSE, BY_CONVERSATION, BY_ANSWER, BY_OPEN, BY_ANSWERED };

/* What was found so far. */
struct pick {
	const struct chain_request *q;
	chains_busy_fn busy;
	void *ctx;
	struct chain *best;
	int score; /* of chain_match(); 0 without one */
	enum chain_step step;
	bool alike; /* another one has the same score */
};

bool chains_before(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	return x->ts_last != y->ts_last ? x->ts_last < y->ts_last : x->number < y->number;
}

static struct map_key key_of(enum evidence by, uint64_t hash)
{
	return (struct map_key){ by, hash, 0 };
}

static uint64_t hash_id(struct sv id)
{
	return id.n ? hash64(id) : 0;
}

/* --- what a chain is found by */

static void show(struct chains *cs, struct chain *ch, unsigned int *n, enum evidence by,
		 uint64_t hash)
{
	struct index_link *l = &ch->links[*n];

	/* out of memory: it is not found by that */
	if (!hash || index_add(&cs->by, key_of(by, hash), l, ch))
		return;
	index_sort(l, chains_before);
	++*n;
}

void chains_show(struct chains *cs, struct chain *ch)
{
	unsigned int n = 0;

	show(cs, ch, &n, BY_RESPONSE, hash_id(ch->response_id));
	show(cs, ch, &n, BY_CONVERSATION, hash_id(ch->conversation_id));
	show(cs, ch, &n, ch->answered ? BY_ANSWERED : BY_OPEN, ch->whole);
	if (ch->answered)
		show(cs, ch, &n, BY_ANSWER, ch->text);
	for (size_t i = 0; ch->answered && i < CHAIN_CALLS; i++)
		show(cs, ch, &n, BY_ANSWER, ch->calls[i]);
	if (ch->summary)
		phrase_add(&cs->summaries, &ch->phrase, (struct sv){ ch->summary, ch->summary_len },
			   ch);
}

void chains_hide(struct chains *cs, struct chain *ch)
{
	for (unsigned int i = 0; i < CHAIN_LINKS; i++)
		index_del(&cs->by, &ch->links[i]);
	phrase_del(&cs->summaries, &ch->phrase);
}

void chains_enter(struct chains *cs, struct chain *ch, void *of)
{
	ch->of = of;
	ch->number = cs->born++;
	ch->prev = cs->last;
	ch->next = NULL;
	*(cs->last ? &cs->last->next : &cs->first) = ch;
	cs->last = ch;
	chains_show(cs, ch);
}

void chains_leave(struct chains *cs, struct chain *ch)
{
	chains_hide(cs, ch);
	*(ch->prev ? &ch->prev->next : &cs->first) = ch->next;
	*(ch->next ? &ch->next->prev : &cs->last) = ch->prev;
}

void chains_touch(struct chain *ch, uint64_t ts)
{
	ch->ts_last = ts;
	for (unsigned int i = 0; i < CHAIN_LINKS; i++)
		index_sort(&ch->links[i], chains_before);
}

void chains_fini(struct chains *cs)
{
	index_fini(&cs->by);
	phrases_fini(&cs->summaries);
}

/* --- which one a request continues */

/* Of those that fit alike the one heard of last is taken. */
static void look(const struct chains *cs, struct pick *p, enum evidence by, uint64_t hash)
{
	struct index_link *l = hash ? index_last(&cs->by, key_of(by, hash)) : NULL;

	for (; l; l = l->prev) {
		struct chain *ch = l->of;
		enum chain_step step;
		int score = chain_match(ch, p->q, &step);

		if (!score || score < p->score || ch == p->best)
			continue; /* other texts have the same hash, and other conversations the same ids */
		if (!ch->answered && by > BY_CONVERSATION && p->busy(p->ctx, ch))
			continue;
		p->alike = score == p->score;
		if (p->alike && chains_before(ch, p->best))
			continue;
		p->best = ch;
		p->score = score;
		p->step = step;
	}
}

static void look_by_answers(const struct chains *cs, struct pick *p)
{
	for (size_t i = 0; i < p->q->said_cnt; i++)
		look(cs, p, BY_ANSWER, p->q->said[i]);
}

/* Those whose messages are the first ones of the request. */
static void look_by_messages(const struct chains *cs, struct pick *p)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < p->q->cnt; i++) {
		prefix = chain_prefix(prefix, p->q->msgs[i]);
		look(cs, p, BY_OPEN, prefix);
		if (i + 2 !=
		    p->q->cnt) /* behind an answer comes more than the answer, or nothing */
			look(cs, p, BY_ANSWERED, prefix);
	}
}

static void take(struct pick *p, struct chain *ch, enum chain_step step)
{
	if (p->best && chains_before(ch, p->best))
		return;
	p->best = ch;
	p->step = step;
}

static void look_for_edited(const struct chains *cs, struct pick *p)
{
	if (p->q->cnt < CHAIN_KEEP_MIN)
		return;
	for (struct chain *ch = cs->first; ch; ch = ch->next)
		if (chain_match_edited(ch, p->q))
			take(p, ch, CHAIN_EDITED);
}

static void on_summary(void *ctx, struct sv text, const struct index_link *l)
{
	struct pick *p = ctx;

	(void)text;
	for (; l; l = l->next)
		if (chain_may_continue(l->of, p->q))
			take(p, l->of, CHAIN_REPLACED);
}

static void look_for_summaries(const struct chains *cs, struct pick *p)
{
	json_for_each (p->q->call->input_messages, m)
		json_for_each (json_get(m, "parts"), part)
			phrases_in(&cs->summaries, json_sv(json_get(part, "content")), on_summary,
				   p);
}

struct chain *chains_find(const struct chains *cs, const struct chain_request *q,
			  chains_busy_fn busy, void *ctx, enum chain_step *step)
{
	struct pick p = { .q = q, .busy = busy, .ctx = ctx };

	look(cs, &p, BY_RESPONSE, hash_id(q->call->previous_response_id));
	look(cs, &p, BY_CONVERSATION, hash_id(q->call->conversation_id));
	if (!p.best) {
		look_by_messages(cs, &p);
		if (p.score < CHAIN_SURE)
			look_by_answers(cs, &p);
		if (p.alike && p.score == CHAIN_ID_ALONE)
			return NULL;
	}
	if (!p.best)
		look_for_edited(cs, &p);
	if (!p.best)
		look_for_summaries(cs, &p);
	if (p.best)
		*step = p.step;
	return p.best;
}
