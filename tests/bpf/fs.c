/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of files: each is told once, with its path and bytes, and what changes nothing is not. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "event/event.h"

#define FLOOD 3000
#define RATE 1000 /* FS_RATE in fs.bpf.c */

static char dir[] = "/tmp/fs-test.XXXXXX";

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

static void victim_writes(void)
{
	char shm[64];
	int fd = open("a", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), at, kept;

	put(fd, "hello ");
	put(fd, "world");
	close(fd);
	mkdir("sub", 0700);
	at = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(at, "../sub/b", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	pwrite(fd, "12345", 5, 100);
	close(fd);
	/* a shell's redirection: moved to another descriptor, which something else takes the place of */
	kept = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fd = open("c", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dup2(fd, 50);
	close(fd);
	put(50, "c");
	dup2(kept, 50);
	/* nothing is changed */
	close(open("a", O_RDONLY | O_CLOEXEC));
	close(open("a", O_RDWR | O_CLOEXEC));
	put(50, "to a device");
	unlink("does-not-exist");
	unlink("sub/b");
	rmdir("sub");
	/* in another file system */
	snprintf(shm, sizeof(shm), "/dev/shm/fs-test.%d", (int)getpid());
	close(open(shm, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	unlink(shm);
	/* open until the end */
	fd = open("a", O_WRONLY | O_APPEND | O_CLOEXEC);
	put(fd, "!");
}

static void victim_paths(void)
{
	int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(open("p", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	mkdir("sub", 0700);
	rename("p", "sub/b");
	linkat(AT_FDCWD, "sub/b", AT_FDCWD, "hard", 0);
	symlink("to/nowhere", "soft");
	truncate("hard", 10);
	unlink("hard");
	unlink("soft");
	unlink("sub/b");
	rmdir("sub");
	unlinkat(at, "proc/self/stat", 0);
}

/* In memory: it has to be faster than the budget. */
static void victim_flood(void)
{
	char shm[64];

	snprintf(shm, sizeof(shm), "/dev/shm/fs-test.%d", (int)getpid());
	for (int i = 0; i < FLOOD; i++)
		close(open(shm, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	unlink(shm);
}

static const struct {
	const char *name;
	void (*run)(void);
} victims[] = {
	{ "writes", victim_writes },
	{ "paths", victim_paths },
	{ "flood", victim_flood },
};

static const struct ev_file *file_rec(const struct trace *t, size_t nth)
{
	return trace_rec(t, EV_FILE, t->pid, nth);
}

/* "c/b/a" of a, b, c with NULs, then " + given"; each path in brackets. */
static const char *paths_of(const struct ev_file *e)
{
	static char out[4096];
	struct sv rest = event_payload(&e->hdr);
	size_t n = 0, from = 0;

	assert_int_equal(event_check(e, e->hdr.size), 0);
	for (int i = 0; i < 4; i++) {
		struct sv part = sv_sub(rest, from, e->len[i]);

		from += e->len[i];
		while (part.n) {
			struct sv name = sv_token(&part, '\0');

			if (i % 2 == 0 && (sv_is(name, "/") || sv_is(name, "tmp")))
				continue;
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s" SV_FMT,
					      i % 2 ? "+" : "<", SV_ARG(name));
		}
	}
	out[n] = '\0';
	return out;
}

static void assert_file(const struct trace *t, size_t nth, __u32 op, const char *paths)
{
	const struct ev_file *e = file_rec(t, nth);
	char want[512], *at;

	assert_non_null(e);
	snprintf(want, sizeof(want), "%s", paths);
	while ((at = strchr(want, '@'))) { /* the directory's name */
		size_t n = strlen(dir + 5);

		memmove(at + n, at + 1, strlen(at));
		memcpy(at, dir + 5, n);
	}
	assert_string_equal(paths_of(e), want);
	assert_int_equal(e->op, op);
}

static void what_is_written(void **state)
{
	struct trace *t = *state;
	const struct ev_file *e;
	char want[64];

	trace_victim(t, "writes", dir);
	assert_int_equal(t->status, 0);
	assert_file(t, 0, EV_FILE_WRITE, "<a<@");
	e = file_rec(t, 0);
	assert_int_equal(e->flags, EV_FILE_CREATED);
	assert_int_equal(e->bytes, 11);
	assert_int_equal(e->size, 11);
	assert_true(e->enter_ts < e->hdr.ts);
	assert_file(t, 1, EV_FILE_MKDIR, "<@+sub");
	assert_file(t, 2, EV_FILE_WRITE, "<b<sub<@");
	e = file_rec(t, 2);
	assert_int_equal(e->bytes, 5);
	assert_int_equal(e->size, 105);
	assert_file(t, 3, EV_FILE_WRITE, "<c<@");
	e = file_rec(t, 3);
	assert_int_equal(e->bytes, 1);
	assert_int_equal(e->flags, EV_FILE_CREATED);
	assert_file(t, 4, EV_FILE_REMOVE, "<@+sub/b");
	assert_file(t, 5, EV_FILE_RMDIR, "<@+sub");
	snprintf(want, sizeof(want), "<fs-test.%d<shm<dev", (int)t->pid);
	assert_file(t, 6, EV_FILE_WRITE, want);
	assert_int_equal(file_rec(t, 7)->op, EV_FILE_REMOVE);
	assert_file(t, 8, EV_FILE_WRITE, "<a<@");
	e = file_rec(t, 8);
	assert_int_equal(e->flags, 0);
	assert_int_equal(e->bytes, 1);
	assert_int_equal(e->size, 12);
	assert_null(file_rec(t, 9));
}

static void what_is_done_to_paths(void **state)
{
	struct trace *t = *state;
	size_t n = 0;

	trace_victim(t, "paths", dir);
	assert_int_equal(t->status, 0);
	assert_file(t, n++, EV_FILE_WRITE, "<p<@");
	assert_file(t, n++, EV_FILE_MKDIR, "<@+sub");
	assert_file(t, n++, EV_FILE_RENAME, "<@+p<@+sub/b");
	assert_file(t, n++, EV_FILE_LINK, "<@+hard<@+sub/b");
	assert_file(t, n++, EV_FILE_SYMLINK, "<@+soft+to/nowhere");
	assert_file(t, n++, EV_FILE_TRUNCATE, "<@+hard");
	assert_file(t, n++, EV_FILE_REMOVE, "<@+hard");
	assert_file(t, n++, EV_FILE_REMOVE, "<@+soft");
	assert_file(t, n++, EV_FILE_REMOVE, "<@+sub/b");
	assert_file(t, n++, EV_FILE_RMDIR, "<@+sub");
	assert_file(t, n, EV_FILE_REMOVE, "+proc/self/stat");
	assert_int_equal(file_rec(t, n)->err, -EPERM);
	assert_null(file_rec(t, n + 1));
}

/* More than the budget of a second is counted. */
static void a_flood_is_counted(void **state)
{
	struct trace *t = *state;
	size_t told = 0, over = 0;

	trace_victim(t, "flood", dir);
	assert_int_equal(t->status, 0);
	for (size_t i = 0; file_rec(t, i); i++) {
		told += file_rec(t, i)->op != EV_FILE_OVER;
		over += file_rec(t, i)->over;
	}
	assert_int_equal(told + over, FLOOD + 1);
	assert_true(told >= RATE);
	assert_true(over > 0);
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_done_to_paths, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(a_flood_is_counted, trace_setup, trace_teardown),
	};
	int failed;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(victims); i++) {
		if (strcmp(argv[1], victims[i].name) == 0) {
			if (chdir(argv[2]))
				return 1;
			victims[i].run();
			return 0;
		}
	}
	failed = trace_skip();
	if (failed)
		return failed;
	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests_name("fs", tests, NULL, NULL);
	if (chdir(dir) == 0) {
		unlink("a");
		unlink("c");
	}
	rmdir(dir);
	return failed;
}
