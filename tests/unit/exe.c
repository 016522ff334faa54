// SPDX-License-Identifier: BSD-2-Clause
/* Which file a command runs: PATH, permissions, `#!` lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/exe.h"

static char folder[] = "/tmp/exe.XXXXXX";

static void make(const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_all(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("first", 0700), 0);
	assert_int_equal(mkdir("second", 0700), 0);
	assert_int_equal(mkdir("first/folder", 0700), 0);
	make("first/plain", "not for running", 0600);
	make("second/plain", "\177ELF", 0700);
	make("second/inner", "\177ELF", 0700);
	make("second/lonely", "not for running", 0600);
	make("script", "#! /usr/bin/env -S A=1 plain --flag\nbody\n", 0700);
	make("outer", "#!./middle -x\n", 0700);
	make("middle", "#!./second/inner", 0700);
	make("circle", "#!./circle\n", 0700);
	make("broken", "#!/nonexistent/interpreter\n", 0700);
	make("empty", "#!\n", 0700);
	make("tiny", "#", 0700);
	snprintf(path, sizeof(path), "%s/first:%s/second", folder, folder);
	return setenv("PATH", path, 1);
}

static int remove_all(void **state)
{
	char command[64];

	(void)state;
	setenv("PATH", "/usr/bin:/bin", 1);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); // NOLINT(cert-env33-c): a fixed command
}

static void finds_by_path(void **state)
{
	char path[PATH_MAX], want[PATH_MAX];

	(void)state;
	snprintf(want, sizeof(want), "%s/second/plain", folder);
	assert_int_equal(exe_find("plain", path), 0);
	assert_string_equal(path, want); /* the first is not executable */
	assert_int_equal(exe_find("second/inner", path), 0);
	assert_string_equal(path, "second/inner");
	assert_int_equal(exe_find("inner/", path), -ENOENT);
	assert_int_equal(exe_find("nosuch", path), -ENOENT);
	assert_int_equal(exe_find("./nosuch", path), -ENOENT);
	assert_int_equal(exe_find("lonely", path), -EACCES);
	assert_int_equal(exe_find("folder", path), -EACCES);
	assert_int_equal(exe_find("./first", path), -EACCES);
	assert_int_equal(exe_find("", path), -ENOENT);
}

static void program_is(const char *file, const char *want)
{
	char path[PATH_MAX];

	exe_program(file, path);
	assert_string_equal(path, want);
}

static void follows_scripts(void **state)
{
	char want[PATH_MAX];

	(void)state;
	snprintf(want, sizeof(want), "%s/second/plain", folder);
	program_is("./script", want);
	program_is("./outer", "./second/inner");
	program_is("./second/inner", "./second/inner");
	program_is("./circle", "./circle");
	program_is("./broken", "./broken");
	program_is("./empty", "./empty");
	program_is("./tiny", "./tiny");
	program_is("./nosuch", "./nosuch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_path),
		cmocka_unit_test(follows_scripts),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
