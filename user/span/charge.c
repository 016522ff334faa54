// SPDX-License-Identifier: BSD-2-Clause
/* Which spans a process's USAGE is charged to: see usage.h, and charge.h for how. */
#include <stdlib.h>
#include <string.h>
#include "span/engine.h"

/* Of one process; there while somebody is in it. */
struct crowd {
	struct map_key key;
	struct share *first, *last; /* by when they joined */
	unsigned int cnt;
	struct charge_sum each;
	uint64_t rest[USAGE_CNT]; /* what did not divide yet: less than cnt */
	uint64_t rss_peak;
	struct share *sampled; /* who had the latest sample; NULL: the first is next */
};

static struct map_key crowd_key(uint32_t tgid, uint64_t start, enum charge_crowd which)
{
	return (struct map_key){ tgid, start, which };
}

static struct crowd *crowd_of(const struct run *r, uint32_t tgid, uint64_t start,
			      enum charge_crowd which)
{
	return map_get(&r->crowds, crowd_key(tgid, start, which));
}

static struct crowd *crowd_new(struct run *r, struct map_key key)
{
	struct crowd *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->key = key;
	if (map_put(&r->crowds, key, c)) {
		free(c);
		return NULL;
	}
	return c;
}

/* --- parts */

/* With what did not divide. */
static void settle(struct share *s, uint64_t rest[USAGE_CNT])
{
	const struct charge_sum *each = &s->crowd->each;
	struct usage part = { .rss_peak = s->crowd->rss_peak,
			      .told = true,
			      .shared = each->divided != s->had.divided,
			      .of_turns = each->of_turns != s->had.of_turns };
	bool more = each->told != s->had.told;

	for (size_t i = 0; i < USAGE_CNT; i++) {
		part.of[i] = each->of[i] - s->had.of[i];
		if (!rest || !rest[i])
			continue;
		part.of[i] += rest[i];
		rest[i] = 0;
		more = true;
	}
	s->had = *each;
	if (more)
		s->ops->take(s->of, &part);
}

void share_settle(struct share *s)
{
	if (s->crowd)
		settle(s, NULL);
}

static void settle_rest(struct crowd *c)
{
	if (c->cnt > 1)
		settle(c->first, c->rest);
}

static void charge_crowd(struct crowd *c, const struct usage *u, unsigned int turns)
{
	c->each.told++;
	c->each.divided += c->cnt > 1;
	c->each.of_turns += c->cnt > 1 && turns > 1;
	if (u->rss_peak > c->rss_peak)
		c->rss_peak = u->rss_peak;
	for (size_t i = 0; i < USAGE_CNT; i++) {
		uint64_t sum = c->rest[i] + u->of[i];

		if (!u->of[i])
			continue;
		c->each.of[i] += sum / c->cnt;
		c->rest[i] = sum % c->cnt;
	}
}

void charge_process(struct run *r, uint32_t tgid, uint64_t start, const struct usage *u)
{
	struct crowd *work = crowd_of(r, tgid, start, CHARGE_WORK);
	struct crowd *turns = crowd_of(r, tgid, start, CHARGE_TURNS);
	struct crowd *agents;

	if (work) {
		charge_crowd(work, u, turns ? turns->cnt : 0);
	} else if (turns) {
		charge_crowd(turns, u, turns->cnt);
	} else {
		agents = crowd_of(r, tgid, start, CHARGE_AGENTS);
		if (agents)
			charge_crowd(agents, u, agents->cnt);
	}
}

/* --- coming and going */

void share_join(struct run *r, uint32_t tgid, uint64_t start, enum charge_crowd which,
		struct share *s, const struct share_ops *ops, void *of)
{
	struct map_key key = crowd_key(tgid, start, which);
	struct crowd *c;

	if (s->crowd)
		return;
	c = map_get(&r->crowds, key);
	if (!c)
		c = crowd_new(r, key);
	if (!c)
		return; /* memory is out: the others have its part */
	settle_rest(c);
	s->ops = ops;
	s->of = of;
	s->crowd = c;
	s->had = c->each;
	s->next = NULL;
	s->prev = c->last;
	*(c->last ? &c->last->next : &c->first) = s;
	c->last = s;
	c->cnt++;
}

void share_leave(struct run *r, struct share *s)
{
	struct crowd *c = s->crowd;

	if (c) {
		settle(s, NULL);
		settle_rest(c);
		if (c->sampled == s)
			c->sampled = s->prev;
		*(s->prev ? &s->prev->next : &c->first) = s->next;
		*(s->next ? &s->next->prev : &c->last) = s->prev;
		s->crowd = NULL;
		if (!--c->cnt)
			free(map_del(&r->crowds, c->key));
	}
	index_del(&r->shares, &s->into);
}

/* --- sums that have parts of others */

static struct map_key owner_key(const void *owner)
{
	return (struct map_key){ (uintptr_t)owner, 0, 0 };
}

void share_into(struct run *r, struct share *s, const void *owner)
{
	index_del(&r->shares, &s->into);
	if (owner) /* or its part comes when it leaves, when memory is out */
		index_add(&r->shares, owner_key(owner), &s->into, s);
}

void shares_settle_into(struct run *r, const void *owner)
{
	index_for_each (&r->shares, owner_key(owner), l) {
		struct share *s = l->of;

		if (s->of) /* at most a tool call of an agent: what is done for it comes first */
			shares_settle_into(r, s->of);
		share_settle(s);
	}
}

void shares_leave_owner(struct run *r, const void *owner)
{
	shares_settle_into(r, owner);
	index_for_each (&r->shares, owner_key(owner), l)
		index_del(&r->shares, l);
}

void shares_settle_all(struct run *r)
{
	map_for_each (&r->crowds, e) {
		struct crowd *c = e->value;

		for (struct share *s = c->first; s; s = s->next)
			share_settle(s);
	}
}

void shares_fini(struct run *r)
{
	map_for_each (&r->crowds, e)
		free(e->value);
	map_fini(&r->crowds);
	index_fini(&r->shares);
}

/* --- exchanges */

static void exchange_take(void *of, const struct usage *part)
{
	struct exchange *x = of;

	usage_add(&x->used, part);
	if (x->agent || x->beside)
		agent_charge(x->agent ? x->agent : x->beside, x->turn, part);
	else if (x->link)
		tool_charge(x->run, x->parent_span, part);
}

/*
 * What an exchange will be told as is known once its request is whole: a call of a model, or another attempt
 * at one.  Those of MCP and A2A are told by what is asked in them, and stand where they hang.
 */
static const char *exchange_span_id(const void *of, char own[HEX64])
{
	const struct exchange *x = of;

	if (!x->request_done || x->rpc)
		return x->parent_span[0] ? x->parent_span : NULL;
	if (x->call)
		model_id(own, x);
	else
		exchange_id(own, x, SPAN_HTTP);
	return own;
}

static const struct share_ops exchange_share = {
	.take = exchange_take,
	.span_id = exchange_span_id,
};

void charge_exchange(struct exchange *x)
{
	/* an exchange that may stay open for as long as the process lives is no work that it does */
	if (x->may_be_rpc)
		share_leave(x->run, &x->share);
	else
		share_join(x->run, x->tgid, x->proc_start, CHARGE_WORK, &x->share, &exchange_share,
			   x);
}

/* --- records */

void usage_owner(const struct pstate *ps, const struct proc *p, char out[HEX64])
{
	const char *span = NULL;
	struct crowd *c = NULL;
	char own[HEX64];

	for (enum charge_crowd which = 0; which < CHARGE_CROWDS && !c; which++)
		c = crowd_of(ps->run, p->tgid, p->start, which);
	if (c) {
		c->sampled = c->sampled && c->sampled->next ? c->sampled->next : c->first;
		span = c->sampled->ops->span_id(c->sampled->of, own);
	}
	memcpy(out, span ? span : engine_parent(ps), HEX64);
}

void usage_feed(struct trace *t, const struct ev_usage *e)
{
	struct proc *p = proc_find(t->procs, e->hdr.tgid, e->hdr.start);
	struct pstate *ps = p ? p->user : NULL;
	const char *tool;
	struct usage grown;

	if (!ps)
		return;
	usage_advance(&ps->used, e, &grown);
	if (!ps->run)
		return;
	usage_add(&ps->run->used, &grown);
	now_usage(p, e, &grown);
	tool = process_tool(p);
	if (tool)
		tool_charge(ps->run, tool, &grown);
	charge_process(ps->run, p->tgid, p->start, &grown);
}
