/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether uprobes work here is found out by one on ringspan itself, also where two of them do so at once. */
#include "trace.h"

#include <sys/wait.h>
#include "probe/uprobe.h"

#define ROUNDS 25
#define AT_ONCE 3

static void try_them(bool multi)
{
	pid_t pids[AT_ONCE];
	int status;

	for (int i = 0; i < AT_ONCE; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		for (int n = 0, err = 0; !pids[i]; n++) {
			if (err || n == ROUNDS)
				_exit(err ? -err : 0);
			err = uprobe_try(multi);
		}
	}
	for (int i = 0; i < AT_ONCE; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void several_try_at_once(void **state)
{
	(void)state;
	if (uprobe_try(true))
		skip(); /* an older kernel */
	try_them(true);
}

static void several_try_at_once_by_perf(void **state)
{
	(void)state;
	if (uprobe_try(false))
		skip(); /* by perf only with more privileges, here and there */
	try_them(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_try_at_once),
		cmocka_unit_test(several_try_at_once_by_perf),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "not root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
