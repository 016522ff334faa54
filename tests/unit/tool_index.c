// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open tool calls as they are found by what they have in common with something, against what holding
 * each of them against it finds: many calls that come and go, with the same few words as arguments.
 */
#include "../fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "span/tool.h"

#define TOOLS 60
#define PROCS 5 /* each the parent of the next */
#define ROUNDS 4000
#define RUN_TGID 1

static struct run run;
static struct proc *procs[PROCS];
static uint64_t now = 1;

/* The same sequence each time. */
static unsigned int some(unsigned int n)
{
	static uint64_t state = 7;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % n;
}

static const char *word(void)
{
	static const char *const words[] = {
		"ls",
		"id",
		"make all",
		"make  'all' x",
		"http://a.example/x",
		"/repo",
		"/d/notes.c",
		"notes.c",
		"wait for it",
		"find all the cats of the town",
		"cats.txt",
		"a",
		"edit ./notes.c now",
		"",
	};

	return words[some(ARRAY_SIZE(words))];
}

static struct tool *tool_made(void)
{
	struct tool *tool = calloc(1, sizeof(*tool));
	const struct proc *p = procs[some(PROCS)];
	struct json *args;
	char text[32];

	assert_non_null(tool);
	assert_int_equal(span_new(&tool->span, SPAN_TOOL_CALL), 0);
	args = json_object(&tool->span->arena);
	for (unsigned int n = some(3); n; n--)
		json_set(&tool->span->arena, args, n == 1 ? "one" : "two",
			 json_string(&tool->span->arena, sv(word())));
	tool->args = some(8) ? args : NULL;
	snprintf(tool->span->span_id, sizeof(tool->span->span_id), "%016llx",
		 (unsigned long long)++now);
	snprintf(text, sizeof(text), "call_%u", some(20));
	tool->id = arena_dup(&tool->span->arena, sv(text));
	tool->name = some(3) ? SV("shell") : SV("server_shell");
	tool->ts_start = now;
	tool->tgid = p->tgid;
	tool->proc_start = p->start;
	assert_int_equal(tool_enter(&run, tool), 0);
	return tool;
}

static void tool_gone(struct tool *tool)
{
	tool_leave(&run, tool);
	span_free(&tool->span);
	free(tool);
}

static struct tool *some_tool(void)
{
	struct tool *tool = run.tools->first;

	for (unsigned int n = some(run.tools->cnt); n; n--)
		tool = tool->next;
	return tool;
}

/* --- what each of them would be held against */

static int kin_to(const struct tool *tool, const struct proc *p)
{
	for (int depth = 0; p; depth++, p = p->parent)
		if (p->tgid == tool->tgid && p->start == tool->proc_start)
			return 100 - depth;
	return 1;
}

/* Longest, then nearest, then not taken, then oldest. */
static struct tool *best(const struct proc *p, size_t (*fit)(const struct tool *, const void *),
			 const void *of, bool (*taken)(const struct tool *), bool *alike)
{
	struct tool *found = NULL;
	size_t most = 0;
	int nearest = 0;

	for (struct tool *tool = run.tools->first; tool; tool = tool->next) {
		size_t n = fit(tool, of);
		int kin = kin_to(tool, p);

		if (!n || n < most || (n == most && kin < nearest))
			continue;
		if (n > most || kin > nearest) {
			found = tool;
			*alike = false;
		} else {
			*alike = true;
			if (taken(found) && !taken(tool))
				found = tool;
		}
		most = n;
		nearest = kin;
	}
	return found;
}

static bool has_process(const struct tool *tool)
{
	return tool->has_process;
}

static bool has_ask(const struct tool *tool)
{
	return tool->has_ask;
}

static bool is_free(const struct tool *tool)
{
	(void)tool;
	return false;
}

static size_t fits_line(const struct tool *tool, const void *of)
{
	char plain[256];
	const struct sv *line = of;

	return tool_match_line(tool->class, tool_canonical(*line, plain, sizeof(plain)));
}

static size_t fits_ask(const struct tool *tool, const void *of)
{
	const struct json *args = of;
	bool none = !args || !args->cnt, has_none = !tool->args || !tool->args->cnt;

	return (none && has_none) || (!none && json_same(args, tool->args));
}

static size_t fits_path(const struct tool *tool, const void *of)
{
	const char *path = of, *name = strrchr(path, '/');

	uint64_t *names = tool->class->names;
	size_t n;

	tool->class->names = NULL; /* nothing is sorted out before */
	n = tool_match_path(tool->class, sv(path), sv(name ? name + 1 : path));
	tool->class->names = names;
	return n;
}

static const char *link_name(bool alike)
{
	return alike ? "time" : "argument";
}

/* --- rounds */

static void of_a_process(void)
{
	struct proc p = { .tgid = 99, .parent = procs[some(PROCS)], .ts_first = now };
	struct program prog = { 0 };
	struct pstate ps = { .run = &run, .programs = &prog };
	struct tool *want;
	struct tool_ref ref = { 0 };
	bool alike = false, found;
	char line[256];
	int n = snprintf(line, sizeof(line), "sh -c %s %s", word(), word());

	prog.args = line;
	prog.args_len = (size_t)n;
	p.user = &ps;
	want = best(p.parent, fits_line, &(struct sv){ line, (size_t)n }, has_process, &alike);
	found = tool_of_process(&run, &p, &ref);
	if (!want) {
		assert_false(ref.by_args);
		return;
	}
	assert_true(found && ref.by_args);
	assert_string_equal(ref.span_id, want->span->span_id);
	assert_string_equal(ref.link, link_name(alike));
	assert_true(want->has_process);
}

static void of_an_ask(void)
{
	const struct tool *like = some_tool();
	struct tool_ask ask = {
		.name = SV("shell"), .args = like->args, .ts = now, .proc = procs[some(PROCS)]
	};
	struct tool_ref ref;
	bool alike = false;
	struct tool *want = best(ask.proc, fits_ask, ask.args, has_ask, &alike);

	assert_true(tool_of_ask(&run, &ask, &ref));
	assert_string_equal(ref.span_id, want->span->span_id);
	assert_string_equal(ref.link, link_name(alike));
	assert_true(want->has_ask);
}

static void of_a_file(void)
{
	static const char *const paths[] = { "/d/notes.c",        "/repo/notes.c", "/x/cats.txt",
					     "/repo/wait for it", "notes.c",       "/y/none" };
	const char *path = paths[some(ARRAY_SIZE(paths))], *link = NULL;
	const struct proc *p = procs[some(PROCS)];
	struct ledger **ledger = tool_of_file(&run, p, sv(path), now, &link);
	bool alike = false;
	struct tool *want = best(p, fits_path, path, is_free, &alike);

	assert_ptr_equal(ledger, want ? &want->files : NULL);
	if (want)
		assert_string_equal(link, link_name(alike));
}

static void finds_as_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROCS; i++) {
		procs[i] = calloc(1, sizeof(*procs[i]));
		assert_non_null(procs[i]);
		procs[i]->tgid = RUN_TGID + i;
		procs[i]->start = 1 + i;
		procs[i]->parent = i ? procs[i - 1] : NULL;
	}
	tool_made();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct tool *tool;

		now++;
		if (run.tools->cnt < 2 || (run.tools->cnt < TOOLS && some(2)))
			tool_made();
		else if (!some(3))
			tool_gone(some_tool());
		of_a_process();
		of_an_ask();
		of_a_file();
		tool = some_tool();
		assert_ptr_equal(tool_find(&run, tool->span->span_id), tool);
	}
	while (run.tools->first)
		tool_gone(run.tools->first);
	assert_null(run.tools->first_class);
	assert_null(tool_find(&run, "0000000000000001"));
	tools_free(&run);
	for (size_t i = 0; i < PROCS; i++)
		free(procs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_as_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
