// SPDX-License-Identifier: BSD-2-Clause
/* Profiles: folding, groups, sums by function, and the flame graph. */
#include "../fixture.h"
#include <stdio.h>
#include "analysis/profile.h"
#include "base/cleanup.h"
#include "cli/profile.h"
#include "sink/flame.h"

static const struct trace_frame frames[] = {
	{ { "main", sizeof("main") - 1 }, { "/bin/a", sizeof("/bin/a") - 1 }, TRACE_CODE_FILE },
	{ { "f", sizeof("f") - 1 }, { "/bin/a", sizeof("/bin/a") - 1 }, TRACE_CODE_FILE },
	{ { "g", sizeof("g") - 1 }, { "/lib/g.so", sizeof("/lib/g.so") - 1 }, TRACE_CODE_FILE },
	{ { "JS:x;y <z>", sizeof("JS:x;y <z>") - 1 }, { NULL, 0 }, TRACE_CODE_GENERATED },
	{ { "vfs_read", sizeof("vfs_read") - 1 }, { NULL, 0 }, TRACE_CODE_KERNEL },
	{ { NULL, 0 }, { "/lib/none.so.6", sizeof("/lib/none.so.6") - 1 }, TRACE_CODE_FILE },
	{ { "0x7f00", sizeof("0x7f00") - 1 }, { NULL, 0 }, TRACE_CODE_UNKNOWN },
	{ { NULL, 0 }, { NULL, 0 }, TRACE_CODE_CUT },
};
enum { MAIN, F, G, JS, READ, NONE, UNKNOWN, CUT };

/* stack: frames by number, outermost first, ended by -1 */
static void take(struct profile_data *d, const char *span_id, uint32_t pid, uint64_t cnt,
		 const int *stack)
{
	const struct trace_frame *of[8];
	struct trace_sample s = { .pid = pid,
				  .tid = pid + 1,
				  .cnt = cnt,
				  .period_ns = 10000000,
				  .comm = SV("comm"),
				  .frames = of };

	for (; stack[s.frame_cnt] >= 0; s.frame_cnt++)
		of[s.frame_cnt] = &frames[stack[s.frame_cnt]];
	snprintf(s.span_id, sizeof(s.span_id), "%s", span_id);
	assert_int_equal(profile_data_sample(d, &s), 0);
}

#define STACK(...) ((const int[]){ __VA_ARGS__, -1 })

static void span(struct profile_data *d, const char *id, const char *parent, enum span_what what,
		 const char *name, int64_t pid)
{
	struct span *s = NULL;

	assert_int_equal(span_new(&s, what), 0);
	snprintf(s->span_id, sizeof(s->span_id), "%s", id);
	snprintf(s->parent_span_id, sizeof(s->parent_span_id), "%s", parent);
	span_set_name(s, sv(name));
	if (pid)
		span_set_int(s, ATTR_ID_PROCESS_PID, pid);
	assert_int_equal(profile_data_span(d, s), 0);
	span_free(&s);
}

static int setup(void **state)
{
	struct profile_data *d = calloc(1, sizeof(*d));

	profile_data_init(d);
	take(d, "p1", 20, 3, STACK(MAIN, F, G));
	take(d, "p2", 21, 1, STACK(MAIN, F, F, F));
	take(d, "p1", 20, 4, STACK(MAIN, F, G));
	take(d, "t1", 10, 2, STACK(MAIN, JS, READ));
	take(d, "zz", 10, 1, STACK(CUT, NONE, UNKNOWN));
	span(d, "r", "", SPAN_RUN, "run agent", 10);
	span(d, "t1", "r", SPAN_TOOL_CALL, "execute_tool shell", 0);
	span(d, "t2", "r", SPAN_TOOL_CALL, "execute_tool web", 0);
	span(d, "p1", "t1", SPAN_PROCESS, "bash", 20);
	span(d, "p2", "t2", SPAN_PROCESS, "curl", 21);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	profile_data_fini(*state);
	free(*state);
	return 0;
}

static char *text_of(const struct profile_sum *p,
		     int (*print)(const struct profile_sum *p, FILE *out))
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_int_equal(print(p, f), 0);
	fclose(f);
	return text;
}

static void folds(const struct profile_data *d, enum profile_by by, const char *span_id,
		  const char *want)
{
	_cleanup_free_ char *text = NULL;
	struct profile_sum p = { .ns = 0 };

	assert_int_equal(profile_fold(&p, d, by, span_id), 0);
	text = text_of(&p, profile_print_folded);
	assert_string_equal(text, want);
	profile_sum_fini(&p);
}

static void folded(void **state)
{
	folds(*state, PROFILE_BY_COMM, "",
	      "comm;[the rest was not read];[none.so.6];[unknown] 0x7f00 1\n"
	      "comm;main;JS:x:y <z>_[j];vfs_read_[k] 2\n"
	      "comm;main;f;f;f 1\n"
	      "comm;main;f;g 7\n");
}

static void grouped(void **state)
{
	folds(*state, PROFILE_BY_TOOL, "",
	      "[no tool];comm;[the rest was not read];[none.so.6];[unknown] 0x7f00 1\n"
	      "execute_tool shell;comm;main;JS:x:y <z>_[j];vfs_read_[k] 2\n"
	      "execute_tool shell;comm;main;f;g 7\n"
	      "execute_tool web;comm;main;f;f;f 1\n");
	folds(*state, PROFILE_BY_PROCESS, "",
	      "agent (10);[the rest was not read];[none.so.6];[unknown] 0x7f00 1\n"
	      "agent (10);main;JS:x:y <z>_[j];vfs_read_[k] 2\n"
	      "bash (20);main;f;g 7\n"
	      "curl (21);main;f;f;f 1\n");
	folds(*state, PROFILE_BY_THREAD, "p2", "comm (22);main;f;f;f 1\n");
	folds(*state, PROFILE_BY_SPAN, "t1",
	      "bash;comm;main;f;g 7\n"
	      "execute_tool shell;comm;main;JS:x:y <z>_[j];vfs_read_[k] 2\n");
	folds(*state, PROFILE_BY_COMM, "none", "");
}

/* A span of which nothing is known but its samples; links that go round. */
static void odd_trees(void **state)
{
	struct profile_data *d = *state;

	folds(d, PROFILE_BY_SPAN, "zz",
	      "[a span that was not kept];comm;[the rest was not read];[none.so.6];"
	      "[unknown] 0x7f00 1\n");
	span(d, "x", "y", SPAN_PROCESS, "x", 0);
	span(d, "y", "x", SPAN_PROCESS, "y", 0);
	take(d, "x", 5, 1, STACK(MAIN));
	folds(d, PROFILE_BY_TOOL, "y", "[no tool];comm;main 1\n");
}

static void sums_by_function(void **state)
{
	struct profile_sum p = { .ns = 0 };
	static const struct {
		const char *name;
		uint64_t self, total;
	} want[] = {
		{ "g", 7, 7 },
		{ "vfs_read_[k]", 2, 2 },
		{ "f", 1, 8 }, /* a stack that it is in three times counts once */
		{ "[unknown] 0x7f00", 1, 1 },
		{ "main", 0, 10 },
		{ "JS:x:y <z>_[j]", 0, 2 },
	};

	assert_int_equal(profile_fold(&p, *state, PROFILE_BY_TOOL, ""), 0);
	assert_int_equal(p.root.total, 11);
	assert_int_equal(p.ns, 110000000);
	assert_int_equal(p.func_cnt, 8);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_SV(p.funcs[i].name, want[i].name);
		assert_int_equal(p.funcs[i].self, want[i].self);
		assert_int_equal(p.funcs[i].total, want[i].total);
	}
	profile_sum_fini(&p);
}

static int draw(const struct profile_sum *p, FILE *out)
{
	return flame_svg(p, SV("run <\"&\x01\xff>"), out);
}

static void a_flame_graph(void **state)
{
	_cleanup_free_ char *svg = NULL, *again = NULL;
	struct profile_sum p = { .ns = 0 };

	assert_int_equal(profile_fold(&p, *state, PROFILE_BY_TOOL, ""), 0);
	svg = text_of(&p, draw);
	again = text_of(&p, draw);
	assert_string_equal(svg, again);
	profile_sum_fini(&p);
	assert_non_null(strstr(
		svg, ">run &lt;&quot;&amp;\xef\xbf\xbd\xef\xbf\xbd&gt; \xc2\xb7 11 samples"));
	assert_non_null(strstr(svg, "<title>JS:x:y &lt;z&gt;_[j] (2 samples, 18.18 %)</title>"));
	assert_non_null(strstr(svg, "<title>all (11 samples, 100.00 %)</title>"));
	assert_non_null(strstr(svg, "<title>execute_tool shell (9 samples, 81.82 %)</title>"));
	assert_null(strstr(svg, "<script"));
	assert_null(strstr(svg, "<z>"));
}

static int json_all(const struct profile_sum *p, FILE *out)
{
	return profile_print_json(p, "tool", 2, out);
}

static void as_json(void **state)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_arena_ struct arena a;
	struct profile_sum p = { .ns = 0 };
	const struct json *root;
	int64_t n, sum = 0;

	arena_init(&a, 0);
	assert_int_equal(profile_fold(&p, *state, PROFILE_BY_TOOL, ""), 0);
	text = text_of(&p, json_all);
	profile_sum_fini(&p);
	root = json_parse(&a, sv(text), NULL);
	assert_true(json_i64(json_get(root, "samples"), &n));
	assert_int_equal(n, 11);
	assert_true(json_str_is(json_get(json_at(json_get(root, "functions"), 0), "name"), "g"));
	assert_null(json_at(json_get(root, "functions"), 2));
	json_for_each (json_get(root, "stacks"), e) {
		assert_true(json_i64(json_get(e, "samples"), &n));
		sum += n;
	}
	assert_int_equal(sum, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(folded, setup, teardown),
		cmocka_unit_test_setup_teardown(grouped, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(sums_by_function, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flame_graph, setup, teardown),
		cmocka_unit_test_setup_teardown(as_json, setup, teardown),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
