// SPDX-License-Identifier: BSD-2-Clause
/*
 * Property: whatever processes take and whenever it is told, nothing is charged twice and nothing is lost.
 * Totals that grow at random are told between the records of real and made-up runs; then the run has the
 * sum of its processes, and of each span what is in it is never more than itself.
 */
#include "prop.h"

#include <math.h>
#include "span/engine.h"
#include "span/now.h"

#define ROUNDS 50
#define PROCS_MAX 512

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A process and its totals so far; as numbers they are all alike. */
struct taker {
	struct ev_usage e;
	struct ev_usage_calls calls; /* its payload */
	bool gone;
};

struct takers {
	struct taker of[PROCS_MAX];
	size_t cnt;
};

_Static_assert(offsetof(struct taker, calls) == sizeof(struct ev_usage), "the payload follows");

static uint64_t *counters(struct taker *p)
{
	return (uint64_t *)&p->e + sizeof(struct ev_hdr) / sizeof(uint64_t);
}

#define USAGE_SIZE (sizeof(struct ev_usage) + sizeof(struct ev_usage_calls))
#define COUNTERS ((USAGE_SIZE - sizeof(struct ev_hdr)) / sizeof(uint64_t))

static struct taker *taker_of(struct takers *t, const struct ev_hdr *h)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (t->of[i].e.hdr.tgid == h->tgid && t->of[i].e.hdr.start == h->start)
			return &t->of[i];
	assert_true(t->cnt < PROCS_MAX);
	t->of[t->cnt].e.hdr = *h;
	t->of[t->cnt].e.hdr.kind = EV_USAGE;
	t->of[t->cnt].e.hdr.size = USAGE_SIZE;
	t->of[t->cnt].e.hdr.lost = 0;
	t->of[t->cnt].e.hdr.flags = 0;
	return &t->of[t->cnt++];
}

static void take(struct taker *p, uint64_t ts, uint64_t *random)
{
	uint64_t *at = counters(p);

	for (size_t i = 0; i < COUNTERS; i++)
		at[i] += next_random(random) % (next_random(random) & 1 ? 7 : 10000000);
	p->e.hdr.ts = ts;
}

/* The records with totals before some, and before each end. */
static void mix(struct list *out, const struct list *in, struct takers *t, uint64_t *random)
{
	bool run = false;

	for (size_t i = 0; i < in->cnt; i++) {
		const struct ev_hdr *h = in->at[i];
		struct taker *p;

		if (run && h->tgid && h->kind < EV_FACT && h->kind != EV_USAGE) {
			p = taker_of(t, h);
			if (!p->gone && (h->kind == EV_EXIT || next_random(random) & 1)) {
				take(p, h->ts, random);
				list_add(out, &p->e.hdr);
			}
			p->gone |= h->kind == EV_EXIT;
		}
		run |= h->kind == EV_RUN;
		if (h->kind != EV_USAGE)
			list_add(out, h);
	}
}

static const enum attr_id items[] = { ATTR_ID_CPU_NS,
#define X(name, id) id,
				      USAGE_ITEMS(X)
#undef X
					      ATTR_ID_SYSCALLS_CALLS,
				      ATTR_ID_SYSCALLS_TIME_NS };

static int64_t in_it(const struct tree *t, const struct span *of, enum attr_id id)
{
	int64_t sum = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		const struct span *s = t->at[i];
		bool inner = s->what == SPAN_AGENT || s->what == SPAN_TURN ||
			     s->what == SPAN_MODEL_CALL || s->what == SPAN_TOOL_CALL ||
			     s->what == SPAN_ATTEMPT || s->what == SPAN_HTTP;

		if (inner && strcmp(s->parent_span_id, of->span_id) == 0)
			sum += span_attr_int(s, id, 0);
	}
	return sum;
}

static void check_span(const struct tree *t, const struct span *s, const char *source)
{
	for (size_t k = 0; k < ARRAY_SIZE(items); k++) {
		int64_t own = span_attr_int(s, items[k], 0), inner = in_it(t, s, items[k]);

		/* a run has what SYSCALLS told, which knows nothing of ours */
		if (span_attr(s, ATTR_ID_SYSCALLS_ERRORS) && items[k] >= ATTR_ID_SYSCALLS_CALLS &&
		    items[k] <= ATTR_ID_SYSCALLS_TIME_NS)
			continue;
		if (s->what == SPAN_MODEL_CALL && inner)
			assert_int_equal(own, inner); /* it is its attempts */
		if (inner > own)
			fail_msg("%s: " SV_FMT " %s has %s %lld, what is in it %lld", source,
				 SV_ARG(s->name), s->span_id, attr_defs[items[k]].key,
				 (long long)own, (long long)inner);
	}
}

static void check_run(const struct span *run, const struct takers *t)
{
	uint64_t cpu = 0, switches = 0, written = 0, calls = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		cpu += t->of[i].e.cpu_ns;
		switches += t->of[i].e.nvcsw;
		written += t->of[i].e.sock_bytes[EV_WRITE];
		for (size_t k = 0; k < EV_CALL_CLASSES; k++)
			calls += t->of[i].calls.calls[k];
	}
	assert_int_equal(span_attr_int(run, ATTR_ID_CPU_NS, 0), cpu);
	assert_int_equal(span_attr_int(run, ATTR_ID_CTX_VOLUNTARY, 0), switches);
	assert_int_equal(span_attr_int(run, ATTR_ID_IO_SOCKET_WRITE, 0), written);
	if (!span_attr(run, ATTR_ID_SYSCALLS_ERRORS))
		assert_int_equal(span_attr_int(run, ATTR_ID_SYSCALLS_CALLS, 0), calls);
}

/* Conversations of one process, three on a connection, all at the same time; and with pauses in them. */
static const char pooled[] = "pooled", paused[] = "paused";

static void load(struct list *in, const char *source)
{
	const struct agents_cfg cfg = {
		.workers = 7,
		.conversations = 2,
		.tools = 2,
		.streams = 3,
		.turns = source == paused ? 3 : 1,
	};

	if (source != pooled && source != paused) {
		list_load(in, source);
		return;
	}
	*in = (struct list){ 0 };
	assert_int_equal(agents_generate(&cfg, list_add, in), 0);
}

static void spans_tile(void **state)
{
	const char *source = *state;
	uint64_t random = 0x853c49e6748fea9b;
	struct takers *takers = calloc(1, sizeof(*takers));
	struct list in, mixed;
	struct tree tree;
	size_t runs;

	assert_non_null(takers);
	load(&in, source);
	for (int round = 0; round < ROUNDS; round++) {
		memset(takers, 0, sizeof(*takers));
		mixed = (struct list){ 0 };
		runs = 0;
		mix(&mixed, &in, takers, &random);
		tree_grow(&tree, &mixed, mixed.cnt);
		for (size_t i = 0; i < tree.cnt; i++) {
			/* a process has what EXIT told, which knows nothing of ours */
			if (tree.at[i]->what != SPAN_PROCESS)
				check_span(&tree, tree.at[i], source);
			if (tree.at[i]->what != SPAN_RUN)
				continue;
			check_run(tree.at[i], takers);
			runs++;
		}
		assert_int_equal(runs, 1);
		tree_free(&tree);
		list_free(&mixed);
	}
	list_free(&in);
	free(takers);
}

static void see_span(void *ctx, const struct span *s)
{
	(void)s;
	++*(size_t *)ctx;
}

static void see_now(void *ctx, const struct now *n)
{
	(void)n;
	++*(size_t *)ctx;
}

/* As tree_grow(), with somebody who looks at what is not over yet, at any time. */
static void grow_watched(struct tree *t, const struct list *l, uint64_t *random)
{
	const struct trace_cfg cfg = { 0 };
	struct trace *trace;
	size_t seen = 0;

	*t = (struct tree){ 0 };
	assert_int_equal(trace_new(&trace, &cfg, tree_add, t), 0);
	for (size_t i = 0; i < l->cnt; i++) {
		assert_int_equal(trace_feed(trace, l->at[i]), 0);
		if (next_random(random) % 4)
			continue;
		trace_each_open(trace, see_span, &seen);
		trace_each_now(trace, see_now, &seen);
	}
	trace_end(trace);
	trace_free(&trace);
	assert_true(seen > 0);
}

static void looking_changes_nothing(void **state)
{
	const char *source = *state;
	uint64_t random = 0xaf251af3b0f025b5;
	struct takers *takers = calloc(1, sizeof(*takers));
	struct list in, mixed;
	struct tree alone, watched;

	assert_non_null(takers);
	load(&in, source);
	for (int round = 0; round < ROUNDS / 5; round++) {
		memset(takers, 0, sizeof(*takers));
		mixed = (struct list){ 0 };
		mix(&mixed, &in, takers, &random);
		tree_grow(&alone, &mixed, mixed.cnt);
		grow_watched(&watched, &mixed, &random);
		assert_int_equal(watched.cnt, alone.cnt);
		for (size_t i = 0; i < alone.cnt; i++)
			assert_string_equal(watched.text[i], alone.text[i]);
		tree_free(&alone);
		tree_free(&watched);
		list_free(&mixed);
	}
	list_free(&in);
	free(takers);
}

/* Who shares, what it got, and what it is to have. */
struct sharer {
	struct share share;
	struct usage got;
	double fair[USAGE_CNT];
	bool divided;
};

#define SHARERS 9
#define CHANGES 200

struct shared {
	struct run run;
	struct sharer of[SHARERS];
	struct usage whole, got; /* told while anybody was there; of those that left */
	unsigned int there;
};

static void take_part(void *of, const struct usage *part)
{
	usage_add(&((struct sharer *)of)->got, part);
}

static void check_sharer(const struct sharer *k, int changes)
{
	/* at each change less than one was still to be divided, or the first has what did not divide */
	for (size_t i = 0; i < USAGE_CNT; i++)
		assert_true(fabs((double)k->got.of[i] - k->fair[i]) <= (changes + 1) * SHARERS);
	assert_int_equal(k->got.shared, k->divided);
}

static void come_or_go(struct shared *all, struct sharer *k, int changes)
{
	static const struct share_ops ops = { .take = take_part };

	if (k->share.crowd) {
		share_leave(&all->run, &k->share);
		check_sharer(k, changes);
		usage_add(&all->got, &k->got);
		all->there--;
		return;
	}
	*k = (struct sharer){ .divided = false };
	share_join(&all->run, 7, 70, CHARGE_WORK, &k->share, &ops, k);
	all->there++;
}

static void tell(struct shared *all, uint64_t *random)
{
	struct usage u = { .told = true };

	for (size_t i = 0; i < USAGE_CNT; i++)
		u.of[i] = next_random(random) >> (24 + next_random(random) % 40);
	charge_process(&all->run, 7, 70, &u);
	charge_process(&all->run, 7, 71, &u); /* another's */
	if (!all->there)
		return;
	usage_add(&all->whole, &u);
	for (size_t k = 0; k < SHARERS; k++) {
		struct sharer *s = &all->of[k];

		if (!s->share.crowd)
			continue;
		s->divided |= all->there > 1;
		for (size_t i = 0; i < USAGE_CNT; i++)
			s->fair[i] += (double)u.of[i] / all->there;
	}
}

static void parts_are_the_whole(void **state)
{
	uint64_t random = 0xda3e39cb94b95bdb;
	struct shared *all = calloc(1, sizeof(*all));

	(void)state;
	assert_non_null(all);
	for (int round = 0; round < 50; round++) {
		memset(all, 0, sizeof(*all));
		for (int change = 0; change < CHANGES; change++) {
			struct sharer *k = &all->of[next_random(&random) % SHARERS];

			come_or_go(all, k, change);
			for (uint64_t n = next_random(&random) % 4; n; n--)
				tell(all, &random);
			if (next_random(&random) & 1) /* who looks changes nothing */
				shares_settle_all(&all->run);
		}
		for (size_t i = 0; i < SHARERS; i++)
			if (all->of[i].share.crowd)
				come_or_go(all, &all->of[i], CHANGES);
		assert_memory_equal(all->got.of, all->whole.of, sizeof(all->whole.of));
		assert_int_equal(all->run.crowds.cnt, 0);
		shares_fini(&all->run);
	}
	free(all);
}

static void who_tells_has_all(void **state)
{
	static const struct share_ops ops = { .take = take_part };
	struct shared *all = calloc(1, sizeof(*all));
	struct usage u = { .told = true, .of = { 302 } };
	struct sharer *k;
	int agent;

	(void)state;
	assert_non_null(all);
	k = all->of;
	for (size_t i = 0; i < 3; i++)
		share_join(&all->run, 7, 70, CHARGE_WORK, &k[i].share, &ops, &k[i]);
	share_into(&all->run, &k[0].share, &agent);
	share_into(&all->run, &k[1].share,
		   &k[0]); /* as what is done for a tool call of the agent */
	charge_process(&all->run, 7, 70, &u);
	shares_settle_into(&all->run, &agent);
	assert_int_equal(k[0].got.of[0], 100);
	assert_int_equal(k[1].got.of[0], 100);
	assert_int_equal(k[2].got.of[0], 0);
	shares_leave_owner(&all->run, &k[0]);
	charge_process(&all->run, 7, 70, &u);
	shares_settle_into(&all->run, &agent);
	assert_int_equal(k[0].got.of[0], 201);
	assert_int_equal(k[1].got.of[0], 100);
	for (size_t i = 0; i < 3; i++)
		share_leave(&all->run, &k[i].share);
	assert_int_equal(k[0].got.of[0] + k[1].got.of[0] + k[2].got.of[0], 604);
	shares_fini(&all->run);
	free(all);
}

/* Numbers that fall are those of a record that was read half way, or made up. */
static void totals_never_fall(void **state)
{
	uint64_t random = 0x2545f4914f6cdd1d;
	struct usage_totals t = { .cpu = 0 };
	struct usage sum = { .told = false };

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct usage_totals before = t;
		struct taker p = { .e.hdr = { .kind = EV_USAGE, .size = USAGE_SIZE } };
		struct usage grown;
		uint64_t *at = counters(&p);

		if (next_random(&random) & 1) /* of a version that did not know of calls */
			p.e.hdr.size = sizeof(p.e);

		for (size_t i = 0; i < COUNTERS; i++)
			at[i] = next_random(&random) >> (next_random(&random) % 64);
		usage_advance(&t, &p.e, &grown);
		usage_add(&sum, &grown);
		for (size_t i = 0; i < USAGE_CNT; i++)
			assert_true(t.sum.of[i] >= before.sum.of[i]);
		assert_memory_equal(sum.of, t.sum.of, sizeof(sum.of));
		assert_int_equal(t.sum.of[USAGE_CPU_USER] + t.sum.of[USAGE_CPU_SYSTEM], t.cpu);
	}
}

/* Ticks only say in which proportion; no number that a stranger writes there makes a part more than the sum. */
static void time_in_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(usage_cpu_system(1000, 30, 10), 250);
	assert_int_equal(usage_cpu_system(1000, 0, 0), 0);
	assert_int_equal(usage_cpu_system(1000, 10, 0), 0);
	/* more than a double tells apart */
	assert_int_equal(usage_cpu_system(9007199254740993, 0, 10000000), 9007199254740993);
	assert_int_equal(usage_cpu_system(UINT64_MAX, 0, UINT64_MAX), UINT64_MAX);
	assert_int_equal(usage_cpu_system(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX / 2);
	/* a sum of ticks past 64 bits, found by the fuzzer */
	assert_int_equal(usage_cpu_system(4000000000, UINT64_MAX, 20000000), 0);
}

int main(void)
{
	static const char *const sources[] = { PROP_SOURCES, pooled, paused };
	enum { ALONE = 4, SOURCES = ARRAY_SIZE(sources) };
	struct CMUnitTest tests[ALONE + 2 * SOURCES] = {
		cmocka_unit_test(parts_are_the_whole),
		cmocka_unit_test(who_tells_has_all),
		cmocka_unit_test(totals_never_fall),
		cmocka_unit_test(time_in_the_kernel),
	};
	char names[SOURCES][32];

	for (size_t i = 0; i < SOURCES; i++) {
		const char *name = *sources[i] ? sources[i] : "generated";

		snprintf(names[i], sizeof(names[i]), "watched: %s", name);
		tests[ALONE + i] = (struct CMUnitTest){
			.name = name,
			.test_func = spans_tile,
			.initial_state = (void *)sources[i],
		};
		tests[ALONE + SOURCES + i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = looking_changes_nothing,
			.initial_state = (void *)sources[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
