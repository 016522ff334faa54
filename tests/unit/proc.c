// SPDX-License-Identifier: BSD-2-Clause
/* The process tree: births, programs, ends, reused pids, and that nothing is kept for ever. */
#include "../fixture.h"
#include "base/buf.h"
#include "base/limits.h"
#include "proc/proc.h"

struct seen {
	struct proc_table *table;
	int born, adopted, execs, exits, gone;
};

static void on_born(void *ctx, struct proc *p)
{
	(void)p;
	((struct seen *)ctx)->born++;
}

static void on_adopted(void *ctx, struct proc *p)
{
	assert_non_null(p->parent);
	((struct seen *)ctx)->adopted++;
}

static void on_exec(void *ctx, struct proc *p)
{
	(void)p;
	((struct seen *)ctx)->execs++;
}

static void on_exit_of(void *ctx, struct proc *p)
{
	(void)p;
	((struct seen *)ctx)->exits++;
}

static void on_gone(void *ctx, struct proc *p)
{
	(void)p;
	((struct seen *)ctx)->gone++;
}

static const struct proc_ops ops = { on_born, on_adopted, on_exec, on_exit_of, on_gone };

static int setup(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));

	*state = s;
	return s ? proc_table_new(&s->table, &ops, s) : -1;
}

static int teardown(void **state)
{
	struct seen *s = *state;

	proc_table_free(&s->table);
	free(s);
	return 0;
}

static void feed(struct seen *s, void *rec)
{
	proc_feed(s->table, rec);
	free(rec);
}

static void a_tree(void **state)
{
	struct seen *s = *state;
	struct proc *p;

	feed(s, record_exec(1, 10, 1, "/usr/bin/python3", "python3\0agent.py", 17));
	feed(s, record_fork(2, 10, 11));
	p = proc_find(s->table, 11, 11000);
	assert_non_null(p);
	assert_string_equal(p->path, "/usr/bin/python3"); /* until it runs something itself */
	feed(s, record_exec(3, 11, 10, "/bin/bash", "bash\0-c\0ls", 11));
	assert_string_equal(p->path, "/bin/bash");
	ASSERT_SV(proc_exe_name(p), "bash");
	assert_int_equal(p->args_len, 11);
	assert_memory_equal(p->args, "bash\0-c\0ls", 11);
	assert_ptr_equal(p->parent, proc_find(s->table, 10, 10000));
	feed(s, record_exit(4, 11, 256));
	assert_null(proc_find(s->table, 11, 11000));
	feed(s, record_exit(5, 10, 0));
	assert_int_equal(s->born, 2);
	assert_int_equal(s->execs, 2);
	assert_int_equal(s->exits, 2);
	assert_int_equal(s->gone, 2);
}

static void parent_outlives_its_end_for_its_children(void **state)
{
	struct seen *s = *state;
	struct proc *child;

	feed(s, record_fork(1, 10, 11));
	feed(s, record_exit(2, 10, 0));
	child = proc_find(s->table, 11, 11000);
	assert_non_null(child->parent);
	assert_int_equal(child->parent->tgid, 10);
	feed(s, record_exit(3, 11, 0));
	assert_int_equal(s->gone, 2);
}

static void reused_pid_is_another_process(void **state)
{
	struct seen *s = *state;
	struct ev_fork *f = record_fork(1, 10, 11);
	struct proc *a, *b;

	proc_feed(s->table, &f->hdr);
	f->child_start = 99;
	feed(s, f);
	a = proc_find(s->table, 11, 11000);
	b = proc_find(s->table, 11, 99);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
}

static void fork_storm_is_bounded(void **state)
{
	struct seen *s = *state;

	for (uint32_t i = 0; i < LIMIT_PROCS + 1000; i++)
		feed(s, record_fork(i, 10, 100 + i));
	assert_int_equal(s->born - s->gone, LIMIT_PROCS);
}

static void second_exit_is_ignored(void **state)
{
	struct seen *s = *state;

	feed(s, record_fork(1, 10, 11));
	feed(s, record_exit(2, 10, 0));
	feed(s, record_exit(3, 10, 0));
	assert_int_equal(s->exits, 1);
}

static void *record_usage(uint64_t ts, uint32_t tgid)
{
	return record(EV_USAGE, sizeof(struct ev_usage), ts, tgid, NULL, 0);
}

static void told_of_before_its_fork(void **state)
{
	struct seen *s = *state;
	struct proc *p;

	feed(s, record_exec(1, 10, 1, "/bin/sh", "sh", 3));
	feed(s, record_usage(2, 11));
	feed(s, record_fork(3, 10, 11));
	p = proc_find(s->table, 11, 11000);
	assert_ptr_equal(p->parent, proc_find(s->table, 10, 10000));
	assert_int_equal(p->parent_tgid, 10);
	assert_int_equal(p->ts_first, 3);
	assert_string_equal(p->path, "/bin/sh");
	assert_int_equal(p->args_len, 3);
	assert_int_equal(s->born, 2);
	assert_int_equal(s->adopted, 1);
	feed(s, record_fork(4, 10, 11)); /* no second time */
	assert_int_equal(s->adopted, 1);
	feed(s, record_exit(5, 11, 0));
	feed(s, record_exit(6, 10, 0));
	assert_int_equal(s->gone, 2);
}

/* What a kernel does not send: a fork of one that has started a program, has children, or is its own child. */
static void no_fork_bends_the_tree(void **state)
{
	struct seen *s = *state;

	feed(s, record_exec(1, 10, 1, "/bin/a", "a", 2));
	feed(s, record_fork(2, 11, 10));
	feed(s, record_fork(3, 12, 13));
	feed(s, record_fork(4, 13, 12));
	feed(s, record_fork(5, 14, 14));
	assert_null(proc_find(s->table, 10, 10000)->parent);
	assert_null(proc_find(s->table, 12, 12000)->parent);
	assert_null(proc_find(s->table, 14, 14000)->parent);
	assert_int_equal(s->adopted, 0);
}

#define ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UID "4f2c1a7e-93d0-4b1c-8f55-0a1b2c3d4e5f"

static void container_is_inherited(void **state)
{
	struct seen *s = *state;
	struct proc *p;

	feed(s, record_fork(1, 10, 11));
	feed(s, record_cgroup(2, 10, "0::/kubepods/pod" UID "/" ID "\n"));
	feed(s, record_fork(3, 10, 12));
	p = proc_find(s->table, 12, 12000);
	assert_string_equal(p->container, ID);
	assert_string_equal(p->pod, UID);
	assert_string_equal(proc_find(s->table, 11, 11000)->container, "");
	feed(s, record_cgroup(4, 12, "0::/system.slice/x.service\n"));
	assert_string_equal(p->container, "");
	assert_string_equal(p->pod, "");
	assert_string_equal(proc_find(s->table, 10, 10000)->container, ID);
	feed(s, record_exit(5, 12, 0));
	feed(s, record_cgroup(6, 12, "0::/docker/" ID "\n")); /* late */
	assert_null(proc_find(s->table, 12, 12000));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tree),
		TEST(parent_outlives_its_end_for_its_children),
		TEST(reused_pid_is_another_process),
		TEST(fork_storm_is_bounded),
		TEST(second_exit_is_ignored),
		TEST(told_of_before_its_fork),
		TEST(no_fork_bends_the_tree),
		TEST(container_is_inherited),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
