// SPDX-License-Identifier: BSD-2-Clause
/*
 * Property: whatever processes take and whenever it is told, nothing is charged twice and nothing is lost.
 * Totals that grow at random are told between the records of real and made-up runs; then the run has the
 * sum of its processes, and of each span what is in it is never more than itself.
 */
#include "prop.h"

#include "span/usage.h"

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

static void spans_tile(void **state)
{
	const char *source = *state;
	uint64_t random = 0x853c49e6748fea9b;
	struct takers *takers = calloc(1, sizeof(*takers));
	struct list in, mixed;
	struct tree tree;
	size_t runs;

	assert_non_null(takers);
	list_load(&in, source);
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

static void parts_are_the_whole(void **state)
{
	uint64_t random = 0xda3e39cb94b95bdb;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		unsigned int cnt = 1 + next_random(&random) % 7;
		struct usage whole = { .told = true }, sum = { .told = false };

		for (size_t i = 0; i < USAGE_CNT; i++)
			whole.of[i] = next_random(&random) >> (next_random(&random) % 64);
		for (unsigned int i = 0; i < cnt; i++) {
			struct usage part = usage_part(&whole, i, cnt);

			assert_int_equal(part.shared, cnt > 1);
			usage_add(&sum, &part);
		}
		assert_memory_equal(sum.of, whole.of, sizeof(sum.of));
	}
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

int main(void)
{
	static const char *const sources[] = { PROP_SOURCES };
	struct CMUnitTest tests[ARRAY_SIZE(sources) + 2] = {
		cmocka_unit_test(parts_are_the_whole),
		cmocka_unit_test(totals_never_fall),
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		tests[2 + i] = (struct CMUnitTest){
			.name = *sources[i] ? sources[i] : "generated",
			.test_func = spans_tile,
			.initial_state = (void *)sources[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
