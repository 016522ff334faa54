// SPDX-License-Identifier: BSD-2-Clause
/* Names of generated code: what the file may say, and what may stand in its place. */
#include "../fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "probe/perfmap.h"

static size_t give(struct perfmap *m, const char *text)
{
	return perfmap_feed(m, sv(text));
}

static void is_at(struct perfmap *m, uint64_t addr, const char *name)
{
	struct sv got = { NULL, 0 };

	if (!name) {
		assert_false(perfmap_find(m, addr, &got));
		return;
	}
	assert_true(perfmap_find(m, addr, &got));
	ASSERT_SV(got, name);
}

static void lines(void **state)
{
	static const char text[] = "7f00 10 JS:*f /a b.js:1:2\n6000 20 first\n"
				   "0x8000 0x8 py::x:/y\n9";
	struct perfmap m = { 0 };

	(void)state;
	assert_int_equal(give(&m, text), strlen(text) - 1); /* a line that is not whole waits */
	is_at(&m, 0x7f00, "JS:*f /a b.js:1:2");
	is_at(&m, 0x7f0f, "JS:*f /a b.js:1:2");
	is_at(&m, 0x7f10, NULL);
	is_at(&m, 0x601f, "first");
	is_at(&m, 0x5fff, NULL);
	is_at(&m, 0x8007, "py::x:/y");
	assert_false(m.moved);
	perfmap_fini(&m);
}

/* Where code went its place may be taken by other code. */
static void the_last_one_counts(void **state)
{
	struct perfmap m = { 0 };

	(void)state;
	give(&m, "1000 100 large\n2000 10 apart\n");
	is_at(&m, 0x1050, "large");
	assert_false(m.moved);
	give(&m, "1040 20 inside\n");
	is_at(&m, 0x1050, "inside");
	is_at(&m, 0x1070, "large");
	assert_true(m.moved);
	give(&m, "1000 100 again\n");
	is_at(&m, 0x1050, "again");
	perfmap_fini(&m);
}

static void what_is_no_line(void **state)
{
	static const char *const bad[] = {
		"\n",
		" \n",
		"1000\n",
		"1000 10\n",
		"1000 10 \n",
		"1000 0 empty\n",
		"x 10 f\n",
		"1000 -1 f\n",
		"1000 100000000 four gigabytes\n",
		"ffffffffffffffff 2 wraps\n",
		"12345678901234567 10 too many digits\n",
		" 1000 10 f\n",
	};
	struct perfmap m = { 0 };
	char *line = malloc(6000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(give(&m, bad[i]), strlen(bad[i]));
	assert_int_equal(m.cnt, 0);
	assert_non_null(line);
	memset(line, 'a', 6000); /* a line that is too long is passed over, one that fits is cut */
	memcpy(line, "1000 10 ", 8);
	line[5999] = '\n';
	assert_int_equal(perfmap_feed(&m, (struct sv){ line, 6000 }), 6000);
	assert_int_equal(m.cnt, 0);
	line[3999] = '\n';
	assert_int_equal(perfmap_feed(&m, (struct sv){ line, 4000 }), 4000);
	assert_int_equal(m.cnt, 1);
	assert_int_equal(m.of[0].len, PERFMAP_NAME);
	give(&m, "2000 10 \x1b[2J\x7f\tname\n");
	is_at(&m, 0x2000, "?[2J??name");
	free(line);
	perfmap_fini(&m);
}

static void as_much_as_is_allowed(void **state)
{
	struct perfmap m = { 0 };
	char line[64];

	(void)state;
	for (unsigned int i = 0; i < PERFMAP_ENTRIES + 10; i++) {
		snprintf(line, sizeof(line), "%x 10 f%u\n", 0x1000 + 16 * i, i);
		give(&m, line);
	}
	assert_int_equal(m.cnt, PERFMAP_ENTRIES);
	is_at(&m, 0x1000 + 16 * 1000, "f1000");
	perfmap_fini(&m);
}

/* --- the file */

struct place {
	char folder[64], name[96];
	int root;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/perfmap-test-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->name, sizeof(p->name), "%s/tmp", p->folder);
	assert_int_equal(mkdir(p->name, 0700), 0);
	snprintf(p->name, sizeof(p->name), "%s/tmp/perf-7.map", p->folder);
	p->root = open(p->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->root >= 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char tmp[80];

	close(p->root);
	unlink(p->name);
	rmdir(p->name);
	snprintf(tmp, sizeof(tmp), "%s/tmp", p->folder);
	if (rmdir(tmp))
		unlink(tmp);
	rmdir(p->folder);
	free(p);
	return 0;
}

static void write_file(const struct place *p, const char *mode, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(p->name, mode);

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static int open_it(const struct place *p)
{
	return perfmap_open(p->root, "tmp/perf-7.map", geteuid());
}

static void a_file_that_grows(void **state)
{
	struct place *p = *state;
	struct perfmap m = { 0 };
	int fd;

	assert_int_equal(open_it(p), -ENOENT);
	write_file(p, "w", "1000 10 one\n2000 10 tw");
	fd = open_it(p);
	assert_true(fd >= 0);
	assert_int_equal(perfmap_read(&m, fd), 1);
	is_at(&m, 0x1000, "one");
	is_at(&m, 0x2000, NULL);
	assert_int_equal(perfmap_read(&m, fd), 0);
	write_file(p, "a", "o\n");
	assert_int_equal(perfmap_read(&m, fd), 1);
	is_at(&m, 0x2000, "two");
	write_file(p, "w", "1000 10 new\n"); /* shorter: begun anew */
	assert_int_equal(perfmap_read(&m, fd), 1);
	is_at(&m, 0x1000, "new");
	is_at(&m, 0x2000, NULL);
	assert_true(m.moved);
	close(fd);
	perfmap_fini(&m);
}

static void what_is_no_file(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkfifo(p->name, 0600), 0); /* without a writer an open would wait */
	assert_int_equal(open_it(p), -EINVAL);
	unlink(p->name);
	assert_int_equal(symlink("/etc/passwd", p->name), 0);
	assert_int_equal(open_it(p), -ELOOP);
	unlink(p->name);
	assert_int_equal(mkdir(p->name, 0700), 0);
	assert_int_equal(open_it(p), -EINVAL);
}

static void of_another_user(void **state)
{
	struct place *p = *state;

	write_file(p, "w", "1000 10 one\n");
	if (chown(p->name, 65534, 65534))
		skip();
	assert_int_equal(open_it(p), -EACCES);
}

/* A program chooses its root, and what /tmp is in it. */
static void a_link_that_leads_outside(void **state)
{
	struct place *p = *state;
	char tmp[80], target[96];

	snprintf(tmp, sizeof(tmp), "%s/tmp", p->folder);
	assert_int_equal(rmdir(tmp), 0);
	snprintf(target, sizeof(target), "%s.outside", p->folder);
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, tmp), 0);
	write_file(p, "w", "1000 10 one\n"); /* through the link, as the host sees it */
	assert_true(open_it(p) < 0);         /* below its own root there is no such file */
	unlink(p->name);
	rmdir(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(the_last_one_counts),
		cmocka_unit_test(what_is_no_line),
		cmocka_unit_test(as_much_as_is_allowed),
		cmocka_unit_test_setup_teardown(a_file_that_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(of_another_user, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_that_leads_outside, setup, teardown),
	};

	return cmocka_run_group_tests_name("perfmap", tests, NULL, NULL);
}
