// SPDX-License-Identifier: BSD-2-Clause
/* A store keeps within its limits: what is oldest goes, what is shared or not over stays, and it is told. */
#include "store.h"
#include "sink/store_priv.h"

#include <sys/stat.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define DAY (86400 * NS_PER_S)
#define HOUR (DAY / 24)

static const char *trace_of(unsigned int n)
{
	static char id[HEX128];

	snprintf(id, sizeof(id), "%032x", 0xabcd0000u + n);
	return id;
}

static uint64_t wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static struct span *make_at(unsigned int run, unsigned int id, enum span_what what, uint64_t end_ns)
{
	struct span *s = make(trace_of(run), id, what);

	s->start_ns = end_ns - id; /* the root is told last and began first */
	s->end_ns = end_ns;
	return s;
}

/* A text that hardly compresses, another one for each seed. */
static void text_of(char *text, size_t n, unsigned int seed)
{
	for (size_t i = 0; i + 1 < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		text[i] = (char)('a' + (seed >> 24) % 26);
	}
	text[n - 1] = '\0';
}

/* A call whose messages are one that all calls of all runs share, and one of its own of 4 kB. */
static struct span *call_at(unsigned int run, unsigned int id, uint64_t end_ns)
{
	_cleanup_arena_ struct arena a;
	struct span *s = make_at(run, id, SPAN_MODEL_CALL, end_ns);
	char text[4096], own[4200];

	text_of(text, sizeof(text), 1000 * run + id);
	snprintf(own, sizeof(own), "[\"shared\",\"%s\"]", text);
	arena_init(&a, 0);
	span_set_json(s, ATTR_ID_INPUT_MESSAGES, json_parse(&a, sv(own), NULL));
	return s;
}

/* A run of `calls` calls that ended then. */
static void add_run(struct store *st, unsigned int run, unsigned int calls, uint64_t end_ns)
{
	struct trace_log l = { .time_ns = end_ns, .fd = 1, .text = SV("a line") };

	memcpy(l.trace_id, trace_of(run), sizeof(l.trace_id));
	for (unsigned int i = 1; i <= calls; i++)
		add(st, call_at(run, i, end_ns - calls + i));
	add(st, make_at(run, calls + 1, SPAN_RUN, end_ns));
	assert_int_equal(store_add_log(st, &l), 0);
	assert_int_equal(store_commit(st), 0);
}

static int spans_of(unsigned int run)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM span WHERE trace_id = '%s'",
		 trace_of(run));
	return (int)sql_int(path, sql);
}

static void assert_whole(void)
{
	assert_int_equal(sql_int(path, "SELECT count(*) FROM pragma_integrity_check "
				       "WHERE integrity_check <> 'ok'"),
			 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM node WHERE id NOT IN "
				       "(SELECT node FROM payload WHERE node IS NOT NULL) "
				       "AND id NOT IN (SELECT prev FROM node)"),
			 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM blob WHERE id NOT IN "
				       "(SELECT blob FROM node)"),
			 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM resource WHERE id NOT IN "
				       "(SELECT resource FROM span)"),
			 0);
}

static void test_by_age(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct store_pruned p;
	uint64_t now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add_run(st, 1, 300, now - 10 * DAY); /* more than a slice */
	add_run(st, 2, 3, now - DAY);
	assert_int_equal(store_prune(st, &(struct store_limits){ .age_ns = 5 * DAY }), 0);
	assert_int_equal(spans_of(1), 0);
	assert_int_equal(spans_of(2), 4);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM log"), 1);
	assert_int_equal(store_pruned(st, NULL, &p), 0);
	assert_int_equal(p.runs, 1);
	assert_int_equal(p.spans, 301);
	assert_int_equal(p.until_ns, now - 10 * DAY);
	assert_whole();
	/* what both held is there still */
	assert_int_equal(
		sql_int(path, "SELECT count(*) FROM blob WHERE CAST(data AS TEXT) = '\"shared\"'"),
		1);
}

/* A recorder that was killed before it wrote that its run began. */
static void test_a_run_without_its_root(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	uint64_t now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add_run(st, 1, 2, now - 3 * DAY);
	for (unsigned int run = 2; run <= 4; run++)
		for (unsigned int i = 1; i <= 200; i++)
			add(st, call_at(run, i, run == 4 ? now : now - run * 3 * DAY));
	add_run(st, 5, 2, now - DAY);
	assert_int_equal(store_prune(st, &(struct store_limits){ .age_ns = 7 * DAY }), 0);
	assert_int_equal(spans_of(1), 3);
	assert_int_equal(spans_of(2), 200);
	assert_int_equal(spans_of(3), 0);
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = 1 }), 0);
	for (unsigned int run = 1; run <= 5; run++)
		assert_int_equal(spans_of(run), run == 4 ? 200 : 0); /* it may have just begun */
	assert_whole();
}

/* More runs than one look goes through, and the recording removes it by and by. */
static void test_a_run_without_its_root_among_many(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	uint64_t now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (unsigned int run = 1; run <= 150; run++)
		add(st, make_at(run, 1, run == 140 ? SPAN_PROCESS : SPAN_RUN,
				now - (run == 140 ? 3 : 1) * DAY));
	assert_int_equal(store_commit(st), 0);
	store_limit(st, &(struct store_limits){ .age_ns = 2 * DAY });
	for (int i = 0; i < 10 && spans_of(140); i++) {
		st->prune_at = 0;
		assert_int_equal(store_tick(st), 0);
	}
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span"), 149);
	assert_int_equal(spans_of(140), 0);
}

/* The clock of the machine jumps by years, and every run seems to be old. */
static void test_a_clock_that_jumps(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	const struct store_limits limits = { .age_ns = 30 * DAY };
	uint64_t now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (unsigned int run = 1; run <= 3; run++)
		add_run(st, run, 2, now - (4000 + run) * DAY);
	add_run(st, 4, 2, now);
	assert_int_equal(store_prune(st, &limits), 0);
	for (unsigned int run = 1; run <= 4; run++)
		assert_int_equal(spans_of(run), 3);
	/* it has said so for more than a day */
	add_run(st, 5, 2, now - 25 * HOUR);
	assert_int_equal(store_prune(st, &limits), 0);
	for (unsigned int run = 1; run <= 5; run++)
		assert_int_equal(spans_of(run), run < 4 ? 0 : 3);
	/* it was set back since: what ended later than now is not old */
	add_run(st, 6, 2, now + 4000 * DAY);
	assert_int_equal(store_prune(st, &limits), 0);
	assert_int_equal(spans_of(6), 3);
	assert_whole();
}

/* What was recorded while the clock was ahead is not newer than all that comes. */
static void test_runs_of_the_future(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	uint64_t now = wall(), full;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add_run(st, 1, 60, now + 700 * DAY);
	add_run(st, 2, 60, now - 2 * HOUR);
	add_run(st, 3, 60, now - HOUR);
	full = store_bytes(st);
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = full - 1 }), 0);
	assert_int_equal(spans_of(1), 0);
	assert_int_equal(spans_of(2), 61);
	assert_int_equal(spans_of(3), 61);
	assert_whole();
}

static void test_by_size(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct store_pruned p;
	uint64_t limit, now = wall();
	struct stat file;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	/* stored in another order than they ended */
	for (unsigned int i = 0; i < 8; i++)
		add_run(st, (i * 3) % 8, 200, now - 8 * DAY + (i * 3) % 8 * DAY / 2);
	limit = store_bytes(st) / 2;
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = limit }), 0);
	assert_true(store_bytes(st) <= limit);
	assert_int_equal(store_pruned(st, NULL, &p), 0);
	assert_in_range(p.runs, 3, 5);
	for (unsigned int i = 0; i < 8; i++)
		if (i < p.runs)
			assert_int_equal(spans_of(i), 0);
		else if (i > p.runs) /* of one a part may be gone */
			assert_int_equal(spans_of(i), 201);
	assert_whole();
	assert_int_equal(store_shrink(st), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_true((uint64_t)file.st_size <= limit);
}

/* A run that goes on for ever: what finished first goes, what is not finished stays. */
static void test_a_run_that_goes_on(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct store_pruned p;
	uint64_t limit, now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (unsigned int i = 2; i <= 500; i++)
		add(st, call_at(1, i, now - (1000 - i) * NS_PER_S));
	assert_int_equal(store_commit(st), 0);
	store_unfinished(st);
	struct span *root = make_at(1, 1, SPAN_RUN, now);

	span_set_bool(root, ATTR_ID_UNFINISHED, true);
	add(st, root);
	assert_int_equal(store_commit(st), 0);
	limit = store_bytes(st) / 2;
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = limit }), 0);
	assert_true(store_bytes(st) <= limit);
	assert_int_equal(store_pruned(st, trace_of(1), &p), 0);
	assert_int_equal(p.runs, 0);
	assert_int_equal(p.spans + spans_of(1), 500);
	assert_in_range(spans_of(1), 100, 400);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span WHERE unfinished = 1"), 1);
	/* those that are left are the latest */
	assert_int_equal(sql_int(path, "SELECT min(seq) FROM span WHERE unfinished IS NULL"),
			 p.spans + 1);
	assert_whole();
	/* nothing else may go */
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = 1 }), 0);
	assert_int_equal(spans_of(1), 1);
	/* when it is over, it goes, and is told of as a whole */
	add(st, make_at(1, 1, SPAN_RUN, now));
	assert_int_equal(store_prune(st, &(struct store_limits){ .bytes = 1 }), 0);
	assert_int_equal(spans_of(1), 0);
	assert_int_equal(store_pruned(st, trace_of(1), &p), 0);
	assert_int_equal(p.spans, 0);
	assert_int_equal(store_pruned(st, NULL, &p), 0);
	assert_int_equal(p.runs, 1);
	assert_int_equal(p.spans, 500);
	assert_whole();
}

/* A recorder that was killed ends no run: nobody has written to it for an hour. */
static void test_a_run_that_nobody_ends(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	uint64_t now = wall();

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, call_at(1, 2, now - 2 * DAY));
	store_unfinished(st);
	struct span *root = make_at(1, 1, SPAN_RUN, now - 2 * DAY);

	span_set_bool(root, ATTR_ID_UNFINISHED, true);
	add(st, root);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(store_prune(st, &(struct store_limits){ .age_ns = 3 * DAY }), 0);
	assert_int_equal(spans_of(1), 2);
	assert_int_equal(store_prune(st, &(struct store_limits){ .age_ns = DAY }), 0);
	assert_int_equal(spans_of(1), 0);
	assert_whole();
}

/* While it is written to: the limits hold, and what comes meanwhile is there. */
static void test_while_writing(void **state)
{
	_cleanup_store_ struct store *st = NULL, *other = NULL;
	uint64_t limit = 1u << 20, now = wall();
	unsigned int run = 0;
	struct store_pruned p;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	assert_int_equal(store_open_write(&other, path), 0);
	store_limit(st, &(struct store_limits){ .bytes = limit });
	for (; run < 40; run++) {
		add_run(run % 2 ? st : other, run, 20, now - 100 * DAY + run * DAY);
		/* time to look does not pass as fast as runs come here */
		store_limit(st, &(struct store_limits){ .bytes = limit });
		assert_int_equal(store_tick(st), 0);
		assert_int_equal(spans_of(run), 21);
	}
	while (store_bytes(st) > limit) {
		store_limit(st, &(struct store_limits){ .bytes = limit });
		assert_int_equal(store_tick(st), 0);
	}
	assert_int_equal(store_pruned(st, NULL, &p), 0);
	assert_true(p.runs > 0);
	assert_int_equal(spans_of(run - 1), 21);
	assert_whole();
	assert_int_equal(sql_int(path, "SELECT auto_vacuum FROM pragma_auto_vacuum"), 2);
}

static void test_a_named_run(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct store_pruned p;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add_run(st, 1, 200, wall());
	add_run(st, 2, 2, wall());
	assert_int_equal(store_remove_run(st, trace_of(1)), 0);
	assert_int_equal(spans_of(1), 0);
	assert_int_equal(spans_of(2), 3);
	/* who asked for it need not be told */
	assert_int_equal(store_pruned(st, NULL, &p), 0);
	assert_int_equal(p.runs, 0);
	assert_whole();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_by_age, fresh),
		cmocka_unit_test_setup(test_a_run_without_its_root, fresh),
		cmocka_unit_test_setup(test_a_run_without_its_root_among_many, fresh),
		cmocka_unit_test_setup(test_a_clock_that_jumps, fresh),
		cmocka_unit_test_setup(test_runs_of_the_future, fresh),
		cmocka_unit_test_setup(test_by_size, fresh),
		cmocka_unit_test_setup(test_a_run_that_goes_on, fresh),
		cmocka_unit_test_setup(test_a_run_that_nobody_ends, fresh),
		cmocka_unit_test_setup(test_while_writing, fresh),
		cmocka_unit_test_setup(test_a_named_run, fresh),
	};

	return cmocka_run_group_tests(tests, open_folder, close_folder);
}
