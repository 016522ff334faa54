// SPDX-License-Identifier: BSD-2-Clause
/* When control groups are told: once, not again by children, again when a process was moved; nothing of who else has its id. */
#include "../fixture.h"
#include <unistd.h>
#include "base/cleanup.h"
#include "probe/fact.h"
#include "probe/groups.h"

struct world {
	struct groups groups;
	struct buf facts;
};

/* Its id is another one's by now. */
static bool nobody(const void *ctx, __u32 tgid, __u64 start)
{
	(void)ctx;
	(void)tgid;
	(void)start;
	return false;
}

static bool everybody(const void *ctx, __u32 tgid, __u64 start)
{
	return !nobody(ctx, tgid, start);
}

static struct world world_of(bool (*alive)(const void *, __u32, __u64))
{
	struct world w = { .facts = BUF_INIT };

	groups_init(&w.groups, (struct alive){ alive, NULL });
	return w;
}

/* As probe.c hands records over: facts that come of it follow when `deliver` says so. */
static size_t show(struct world *w, void *rec, bool deliver)
{
	const struct ev_hdr *fact;
	size_t off = 0, cnt = 0;

	groups_look(&w->groups, rec, &w->facts);
	free(rec);
	while (deliver && (fact = fact_next(&w->facts, &off))) {
		assert_int_equal(fact->kind, EV_CGROUP);
		assert_int_equal(event_check(fact, fact->size), 0);
		groups_look(&w->groups, fact, &w->facts);
		cnt++;
	}
	buf_drop(&w->facts, off);
	return cnt;
}

static struct ev_exec *exec_of(uint32_t tgid, uint32_t parent)
{
	return record_exec(1, tgid, parent, "/bin/true", "true", 5);
}

static void told_once(void **state)
{
	uint32_t self = getpid(), other = getppid();
	struct world w = world_of(everybody);

	(void)state;
	assert_int_equal(show(&w, record_run(1, self), true), 1);
	assert_int_equal(show(&w, exec_of(self, other), true), 0);
	/* what was told of it is not what it is in now */
	show(&w, record_cgroup(2, self, "0::/elsewhere\n"), true);
	assert_int_equal(show(&w, exec_of(self, other), true), 1);
	show(&w, record_exit(3, self, 0), true);
	assert_int_equal(show(&w, exec_of(self, other), true), 1);
	groups_fini(&w.groups);
	buf_fini(&w.facts);
}

static void children_inherit_what_was_told(void **state)
{
	uint32_t self = getpid(), parent = 0x7ffffff0;
	struct world w = world_of(everybody);
	struct buf text = BUF_INIT;
	const struct ev_cgroup *told;

	(void)state;
	/* told of no process that is gone */
	assert_int_equal(show(&w, record_run(1, parent), true), 0);
	show(&w, record_run(1, self), false);
	told = (const void *)w.facts.p;
	buf_add(&text, told + 1, told->len);
	buf_clear(&w.facts);
	show(&w, record_cgroup(1, parent, buf_cstr(&text)), true);
	show(&w, record_fork(2, parent, self), true);
	assert_int_equal(show(&w, exec_of(self, parent), true), 0);
	show(&w, record_exit(3, self, 0), true);
	/* forked before its parent's fact was handed over: a reader knows nothing of it */
	show(&w, record_exit(4, parent, 0), true);
	show(&w, record_fork(5, parent, self), true);
	show(&w, record_cgroup(6, parent, "0::/elsewhere\n"), true);
	assert_int_equal(show(&w, exec_of(self, parent), true), 1);
	groups_fini(&w.groups);
	buf_fini(&w.facts);
	buf_fini(&text);
}

/* What /proc tells then is of no process that the record is of. */
static void nothing_of_another_by_its_id(void **state)
{
	uint32_t self = getpid(), other = getppid();
	struct world w = world_of(nobody);

	(void)state;
	assert_int_equal(show(&w, record_run(1, self), true), 0);
	assert_int_equal(show(&w, exec_of(self, other), true), 0);
	groups_fini(&w.groups);
	buf_fini(&w.facts);
}

static void no_arguments_of_another_by_its_id(void **state)
{
	const struct alive alive = { everybody, NULL }, gone = { nobody, NULL };
	const struct proc_row row = { .tgid = (uint32_t)getpid(), .state.start = 1, .comm = "it" };
	struct buf facts = BUF_INIT;
	const struct ev_exec *e;
	size_t off = 0;

	(void)state;
	assert_int_equal(fact_proc(&facts, &row, &alive), 0);
	assert_int_equal(fact_proc(&facts, &row, &gone), 0);
	e = (const void *)fact_next(&facts, &off);
	assert_int_equal(event_check(&e->hdr, e->hdr.size), 0);
	assert_true(event_exec_path(e).n > 0 && event_exec_args(e).n > 0);
	e = (const void *)fact_next(&facts, &off);
	assert_int_equal(event_check(&e->hdr, e->hdr.size), 0);
	assert_int_equal(event_exec_path(e).n, 0);
	assert_int_equal(event_exec_args(e).n, 0);
	assert_int_equal(e->args_total, 0);
	assert_string_equal(e->comm, "it");
	buf_fini(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_once),
		cmocka_unit_test(children_inherit_what_was_told),
		cmocka_unit_test(nothing_of_another_by_its_id),
		cmocka_unit_test(no_arguments_of_another_by_its_id),
	};

	return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
