// SPDX-License-Identifier: BSD-2-Clause
/* Which system calls become spans, as the options say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/syscall.h>
#include "cli/calls_opt.h"

#define MS 1000000ull

static void slow(void **state)
{
	struct probe_calls c = { 0 };

	(void)state;
	assert_int_equal(calls_opt(&c, "10ms,poll=1s,file=5ms", NULL, NULL), 0);
	assert_int_equal(c.slow_ns[EV_CALL_NETWORK], 10 * MS);
	assert_int_equal(c.slow_ns[EV_CALL_OTHER], 10 * MS);
	assert_int_equal(c.slow_ns[EV_CALL_FILE], 5 * MS);
	assert_int_equal(c.slow_ns[EV_CALL_POLL], 1000 * MS);
	assert_int_equal(c.slow_ns[EV_CALL_FUTEX], 0);
	assert_int_equal(calls_opt(&c, "0ms", NULL, NULL), -EINVAL);
	assert_int_equal(calls_opt(&c, "disk=1s", NULL, NULL), -EINVAL);
	assert_int_equal(calls_opt(&c, "file=", NULL, NULL), -EINVAL);
}

static void failed(void **state)
{
	struct probe_calls c = { 0 };

	(void)state;
	assert_int_equal(calls_opt(&c, NULL, "EACCES,ENOENT", NULL), 0);
	assert_int_equal(c.errno_cnt, 2);
	assert_int_equal(c.errnos[0], EACCES);
	assert_int_equal(c.errnos[1], ENOENT);
	assert_int_equal(calls_opt(&c, NULL, "enoent", NULL), -EINVAL);
	c.errno_cnt = PROBE_ERRNOS_MAX;
	assert_int_equal(calls_opt(&c, NULL, "EPERM", NULL), -EINVAL);
}

static void which(void **state)
{
	struct probe_calls c = { 0 }, all = { 0 };

	(void)state;
	assert_int_equal(calls_opt(&c, NULL, NULL, "openat,futex"), 0);
	assert_true(c.asked[SYS_openat]);
	assert_true(c.asked[SYS_futex]);
	assert_true(c.asked[SYS_set_robust_list]); /* futex is a class, too */
	assert_false(c.asked[SYS_read]);
	assert_int_equal(calls_opt(&all, NULL, NULL, "all"), 0);
	for (size_t i = 0; i < PROBE_CALLS; i++)
		assert_true(all.asked[i]);
	assert_int_equal(calls_opt(&c, NULL, NULL, "openfoo"), -EINVAL);
	assert_int_equal(calls_opt(&c, NULL, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow),
		cmocka_unit_test(failed),
		cmocka_unit_test(which),
	};

	return cmocka_run_group_tests_name("calls_opt", tests, NULL, NULL);
}
