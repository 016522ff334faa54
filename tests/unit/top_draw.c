// SPDX-License-Identifier: BSD-2-Clause
/* Lines of `ringspan top`: what they say, in how many columns, whatever the traced bytes are. */
#include "../fixture.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/top.h"

#define S 1000000000ull
#define NOW (1700000000 * S)

static struct top top;
static struct own own;

static struct now a_run(const char *id, const char *agent)
{
	struct now n = { .agent = sv(agent),
			 .pid = 4711,
			 .start_ns = NOW - 100 * S,
			 .processes = 2,
			 .turns = 3,
			 .input_tokens = 12345,
			 .output_tokens = 678,
			 .cost_usd = 0.0123,
			 .rss_bytes = 45600000,
			 .turn_open = true,
			 .heard_ns = NOW };

	snprintf(n.trace_id, sizeof(n.trace_id), "%s", id);
	return n;
}

static void take(uint64_t time, const struct now *n, size_t cnt)
{
	top_begin(&top, time);
	for (size_t i = 0; i < cnt; i++)
		assert_int_equal(top_take(&top, &n[i]), 0);
	top_end(&top);
}

static struct top_view view(unsigned int columns)
{
	return (struct top_view){
		.top = &top, .own = &own, .host = SV("box"), .columns = columns, .filter = ""
	};
}

static int setup(void **state)
{
	(void)state;
	top_init(&top, 60 * S);
	own = (struct own){ .cpu = 0.012, .bpf = 0.034, .rss_bytes = 45 * 1000 * 1000 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	top_fini(&top);
	return 0;
}

/* No line is wider than that, none ends with a space, and nothing in it moves the cursor. */
static void fits(const struct buf *b, size_t columns)
{
	struct sv rest = buf_view(b);

	assert_int_equal(b->err, 0);
	while (rest.n) {
		struct sv line = sv_token(&rest, '\n');

		assert_true(text_width(line, 1000) <= columns);
		assert_false(sv_ends(line, " "));
		for (size_t i = 0; i < line.n; i++)
			assert_true((unsigned char)line.p[i] >= ' ' && line.p[i] != 127);
	}
}

static void draw_all(struct buf *b, const struct top_view *v)
{
	const struct top_row **rows;
	size_t cnt;

	top_draw_head(b, v);
	top_draw_titles(b, v);
	assert_int_equal(top_order(&top, v->key, v->reverse, v->filter, &rows, &cnt), 0);
	for (size_t i = 0; i < cnt; i++)
		top_draw_row(b, v, rows[i]);
	free(rows);
}

static void at_80_columns(void **state)
{
	struct now n[2] = { a_run("1", "claude"), a_run("2", "codex") };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct top_view v = view(80);

	(void)state;
	n[0].tool = (struct now_tool){ .cnt = 1,
				       .name = SV("shell"),
				       .args = SV("make -j4 everything at once"),
				       .asked_ns = NOW - 75 * S,
				       .begun_ns = NOW - 72 * S };
	n[1].number = 1;
	n[1].model = (struct now_model){ .cnt = 1,
					 .model = SV("gpt-x"),
					 .asked_ns = NOW - 5 * S,
					 .first_ns = NOW - 3 * S,
					 .piece_ns = NOW };
	take(NOW - 2 * S, n, 2);
	n[0].cpu_ns = 3 * S;
	n[1].streamed_tokens = 100;
	take(NOW, n, 2);
	top_draw_titles(&b, &v);
	draw_all(&b, &v);
	fits(&b, 80);
	assert_non_null(strstr(buf_cstr(&b), "\n2 agents · 1 streaming · 1 tool\n"));
	assert_non_null(strstr(buf_cstr(&b), "50 tok/s · $0.025 · CPU 150%"));
	assert_non_null(strstr(buf_cstr(&b), "nothing lost · ringspan CPU 1.2% · 45.0 MB\n"));
	assert_non_null(strstr(
		buf_cstr(&b),
		"    PID AGENT       STATE        AGE TOK/S    COST CPU% ERR STEP\n"
		"   4711 claude      tool       1m12s        $0.012  150     shell make -j4 ever…\n"
		"   4711 codex       streaming   3.0s    50  $0.012    0     gpt-x\n"));
}

static void of_any_width(void **state)
{
	struct now n = a_run("1", "an agent with quite a long name");

	(void)state;
	n.errors = n.retries = 99999;
	n.input_tokens = n.output_tokens = INT64_MAX;
	n.rss_bytes = UINT64_MAX;
	n.cost_usd = 123456;
	n.sock_bytes[0] = UINT64_MAX / 2;
	take(NOW - S, &n, 1);
	n.sock_bytes[0] = UINT64_MAX;
	take(NOW, &n, 1);
	for (unsigned int columns = 70; columns < 200; columns++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct top_view v = view(columns);

		draw_all(&b, &v);
		fits(&b, columns);
	}
}

static void hostile(void **state)
{
	static const char bad[] =
		"\033[2J\r\n\t\a\0\xff\xc3\xe2\x80\xae\x7f漢字漢字漢字漢字漢字漢字漢字";
	struct now n = a_run("1", "\033]0;owned\a漢字漢字漢字漢字");
	struct top_view v = view(80);
	_cleanup_buf_ struct buf b = BUF_INIT, json = BUF_INIT;
	struct arena a;

	(void)state;
	n.tool = (struct now_tool){ .cnt = 1,
				    .name = { bad, sizeof(bad) - 1 },
				    .args = { bad, sizeof(bad) - 1 },
				    .asked_ns = NOW,
				    .begun_ns = NOW };
	n.container = SV("\033[31m");
	take(NOW, &n, 1);
	draw_all(&b, &v);
	top_draw_detail(&b, &v, top.rows.first->value);
	fits(&b, 80);
	assert_int_equal(top_write_json(&json, &v, S), 0);
	arena_init(&a, 0);
	assert_non_null(json_parse(&a, buf_view(&json), NULL));
	arena_fini(&a);
	assert_null(strchr(buf_cstr(&json), '\033'));
}

static void why_stands_first(void **state)
{
	struct now n = a_run("1", "agent");
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct top_view v = view(120);

	(void)state;
	n.failed = (struct now_failed){ .cnt = 1,
					.model = SV("gpt-x"),
					.status = 429,
					.attempts = 2,
					.throttled = true,
					.failed_ns = NOW - 2 * S,
					.retry_ns = NOW + 12 * S };
	n.lost_records = 5;
	take(NOW, &n, 1);
	draw_all(&b, &v);
	assert_non_null(strstr(buf_cstr(&b), "429, 2 tries, again i"));
	buf_clear(&b);
	top_draw_detail(&b, &v, top.rows.first->value);
	fits(&b, 120);
	assert_non_null(strstr(buf_cstr(&b), "429, 2 tries, again in 12s: gpt-x\n"));
	assert_non_null(strstr(buf_cstr(&b), "5 records, 0 B lost since it began"));
}

static void what_is_not_known(void **state)
{
	struct now n = a_run("1", "agent");
	struct top_view v = view(0);
	_cleanup_buf_ struct buf json = BUF_INIT;

	(void)state;
	n.cost_usd = NAN;
	take(NOW, &n, 1);
	assert_int_equal(top_write_json(&json, &v, S), 0);
	assert_non_null(strstr(buf_cstr(&json), "\"cost_usd\":null"));
	assert_non_null(strstr(buf_cstr(&json), "\"cpu\":null"));
	assert_non_null(strstr(buf_cstr(&json), "\"state\":\"working\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_80_columns),    TEST(of_any_width),      TEST(hostile),
		TEST(why_stands_first), TEST(what_is_not_known),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
