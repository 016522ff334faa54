// SPDX-License-Identifier: BSD-2-Clause
/*
 * Property: the order in which a ring hands out what happened at the same time on different CPUs
 * changes nothing.  Records are shuffled as far as a ring may shuffle them: those of one thread, of
 * one connection and of one process's life keep their order, and none moves past another that is
 * younger by more than a record can wait between its time and its place in the ring.
 */
#include "prop.h"

#define WAIT_NS 200000ull /* that long; what one thread wakes another for takes longer */
#define ROUNDS 100
#define SWEEPS 8 /* over all records in a round */

/* xorshift64: the same numbers everywhere */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What the record is about, besides its process; 0: nothing. */
static uint64_t stream_of(const struct ev_hdr *h)
{
	switch (h->kind) {
	case EV_DATA:
		return ((const struct ev_data *)(const void *)h)->conn;
	case EV_SOCK:
		return ((const struct ev_sock *)(const void *)h)->conn;
	case EV_CLOSE:
		return ((const struct ev_close *)(const void *)h)->conn;
	case EV_FLOW:
		return ((const struct ev_flow *)(const void *)h)->conn;
	case EV_FLOW_END:
		return ((const struct ev_flow_end *)(const void *)h)->conn;
	default:
		return 0;
	}
}

static uint64_t socket_of(const struct ev_hdr *h)
{
	switch (h->kind) {
	case EV_SOCK:
		return ((const struct ev_sock *)(const void *)h)->sock;
	case EV_CONNECT:
		return ((const struct ev_connect *)(const void *)h)->sock;
	case EV_FLOW:
		return ((const struct ev_flow *)(const void *)h)->file;
	case EV_FLOW_END:
		return ((const struct ev_flow_end *)(const void *)h)->file;
	default:
		return 0;
	}
}

static bool is_life(const struct ev_hdr *h)
{
	return h->kind == EV_FORK || h->kind == EV_EXEC || h->kind == EV_EXIT;
}

static bool bears(const struct ev_hdr *h, const struct ev_hdr *child)
{
	const struct ev_fork *f = (const void *)h;

	return h->kind == EV_FORK && f->child == child->tgid;
}

/* May b, which was seen right behind a, be seen before it? */
static bool may_swap(const struct ev_hdr *a, const struct ev_hdr *b)
{
	if (a->kind >= EV_FACT || b->kind >= EV_FACT || b->ts > a->ts + WAIT_NS)
		return false;
	if (a->tgid == b->tgid && (a->tid == b->tid || is_life(a) || is_life(b)))
		return false;
	if (stream_of(a) && stream_of(a) == stream_of(b))
		return false;
	if (socket_of(a) && socket_of(a) == socket_of(b))
		return false;
	return !bears(a, b);
}

static size_t shuffle(struct list *l, uint64_t *random)
{
	size_t swaps = 0;

	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		for (size_t i = 0; i + 1 < l->cnt; i++) {
			struct ev_hdr *a = l->at[i];

			if (next_random(random) & 1 || !may_swap(a, l->at[i + 1]))
				continue;
			l->at[i] = l->at[i + 1];
			l->at[i + 1] = a;
			swaps++;
		}
	}
	return swaps;
}

static void assert_same(const struct tree *want, const struct tree *got, const char *source,
			int round)
{
	for (size_t i = 0; i < want->cnt && i < got->cnt; i++) {
		const char *a = want->text[i], *b = got->text[i];
		size_t at = 0;

		while (a[at] && a[at] == b[at])
			at++;
		if (a[at] || b[at])
			fail_msg("%s, order %d: " SV_FMT " %s\n%.200s\nis now\n%.200s", source,
				 round, SV_ARG(want->at[i]->name), want->at[i]->span_id,
				 a + (at > 40 ? at - 40 : 0), b + (at > 40 ? at - 40 : 0));
	}
	assert_int_equal(want->cnt, got->cnt);
}

static void any_order_gives_the_same_tree(void **state)
{
	const char *source = *state;
	uint64_t random = 0x9e3779b97f4a7c15;
	struct tree want, got;
	struct list ordered, l;
	size_t swaps = 0;

	list_load(&ordered, source);
	tree_grow(&want, &ordered, ordered.cnt);
	for (int round = 0; round < ROUNDS; round++) {
		list_load(&l, source);
		swaps += shuffle(&l, &random);
		tree_grow(&got, &l, l.cnt);
		assert_same(&want, &got, source, round);
		tree_free(&got);
		list_free(&l);
	}
	if (!*source)
		assert_true(swaps > 10 * (size_t)ROUNDS);
	tree_free(&want);
	list_free(&ordered);
}

int main(void)
{
	static const char *const sources[] = { PROP_SOURCES };
	struct CMUnitTest tests[ARRAY_SIZE(sources)];

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		tests[i] = (struct CMUnitTest){
			.name = *sources[i] ? sources[i] : "generated",
			.test_func = any_order_gives_the_same_tree,
			.initial_state = (void *)sources[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
