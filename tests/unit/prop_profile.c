// SPDX-License-Identifier: BSD-2-Clause
/*
 * Property: whenever a process of a run is seen on a CPU, one span of that run has the sample, and it is one
 * that is told in the end.  Samples at random between the records of real and made-up runs.
 */
#include "prop.h"

#define ROUNDS 20
#define SAMPLES_MAX 65536

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct seen {
	struct tree tree;
	struct {
		char trace_id[HEX128], span_id[HEX64];
		uint32_t pid;
	} of[SAMPLES_MAX];
	size_t cnt;
};

static void on_span(void *ctx, const struct span *s)
{
	tree_add(&((struct seen *)ctx)->tree, s);
}

static void on_sample(void *ctx, const struct trace_sample *s)
{
	struct seen *seen = ctx;

	assert_true(seen->cnt < SAMPLES_MAX);
	memcpy(seen->of[seen->cnt].trace_id, s->trace_id, HEX128);
	memcpy(seen->of[seen->cnt].span_id, s->span_id, HEX64);
	seen->of[seen->cnt++].pid = s->pid;
}

static size_t feed_with_samples(struct trace *t, const struct list *l, uint64_t *random)
{
	struct ev_sample e = { .hdr.kind = EV_SAMPLE, .hdr.size = sizeof(e) };
	bool run = false;
	size_t cnt = 0;

	for (size_t i = 0; i < l->cnt; i++) {
		const struct ev_hdr *h = l->at[i];

		assert_int_equal(trace_feed(t, h), 0);
		run |= h->kind == EV_RUN;
		if (!run || !h->tgid || h->kind >= EV_FACT || h->kind == EV_EXIT ||
		    h->kind == EV_FLOW_END || next_random(random) % 3)
			continue;
		e.hdr.ts = h->ts;
		e.hdr.tgid = h->tgid;
		e.hdr.tid = h->tid;
		e.hdr.start = h->start;
		assert_int_equal(trace_feed(t, &e.hdr), 0);
		cnt++;
	}
	trace_end(t);
	return cnt;
}

static const struct span *span_of(const struct tree *t, const char *span_id)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (strcmp(t->at[i]->span_id, span_id) == 0)
			return t->at[i];
	return NULL;
}

static void check(const struct seen *seen, const char *source)
{
	for (size_t i = 0; i < seen->cnt; i++) {
		const struct span *s = span_of(&seen->tree, seen->of[i].span_id);

		if (!s)
			fail_msg("%s: sample %zu of process %u is of span %s, which is not told",
				 source, i, seen->of[i].pid, seen->of[i].span_id);
		assert_string_equal(s->trace_id, seen->of[i].trace_id);
	}
}

static void each_has_a_span(void **state)
{
	struct trace_cfg cfg = { .sample = on_sample };
	struct seen *seen = malloc(sizeof(*seen));
	uint64_t random = 0x9e3779b97f4a7c15;
	struct list l;

	assert_non_null(seen);
	list_load(&l, *state);
	for (int round = 0; round < ROUNDS; round++) {
		struct trace *t = NULL;
		size_t cnt;

		seen->tree = (struct tree){ 0 };
		seen->cnt = 0;
		assert_int_equal(trace_new(&t, &cfg, on_span, seen), 0);
		cnt = feed_with_samples(t, &l, &random);
		trace_free(&t);
		assert_int_equal(seen->cnt, cnt); /* none is lost, none twice */
		assert_true(cnt > 0);
		check(seen, *state);
		tree_free(&seen->tree);
	}
	list_free(&l);
	free(seen);
}

int main(void)
{
	static const char *const sources[] = { PROP_SOURCES };
	struct CMUnitTest tests[ARRAY_SIZE(sources)];

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		tests[i] = (struct CMUnitTest){
			.name = *sources[i] ? sources[i] : "generated",
			.test_func = each_has_a_span,
			.initial_state = (void *)sources[i],
		};
	return cmocka_run_group_tests_name("prop_profile", tests, NULL, NULL);
}
