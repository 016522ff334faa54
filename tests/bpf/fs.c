/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of files: each is told once, with its path and bytes, and what changes nothing is not. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "event/event.h"

#define FLOOD 3000
#define GIVEN 5
#define READ_RATE 500 /* FS_READ_RATE in path.bpf.h */
#define RATE 1000     /* FS_RATE */
#define MADE (EV_OPEN_CREATED | EV_OPEN_WRITE | EV_OPEN_CHANGED)

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

/* As an agent gives what it starts a file to write to, twice, and closes its own descriptor first. */
static void victim_gives(void)
{
	for (int i = 0; i < GIVEN; i++) {
		int fd = open("given", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), go[2];
		char byte;

		if (pipe(go))
			_exit(1);
		if (fork() == 0) {
			close(go[1]);
			dup2(fd, 60);
			dup2(fd, 61);
			close(fd);
			if (read(go[0], &byte, 1) == 0) {
				put(60, "from ");
				put(61, "a child");
			}
			_exit(0);
		}
		close(fd);
		close(go[0]);
		close(go[1]);
		wait(NULL);
	}
	/* the kernel uses the same structures for these */
	for (int i = 0; i < 100; i++)
		close(open("data", O_RDWR | O_CLOEXEC));
}

/* As a daemon goes on with its parent's log; it is gone when the victim is. */
static void victim_leaves(void)
{
	int alive[2], parent[2], fd;
	char byte;

	if (pipe(alive))
		_exit(1);
	if (fork() == 0) {
		fd = open("late", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		put(fd, "head ");
		if (pipe(parent))
			_exit(1);
		if (fork() == 0) {
			close(parent[1]);
			close(alive[0]);
			if (read(parent[0], &byte, 1) == 0)
				put(fd, "tail");
		}
		_exit(0);
	}
	close(alive[1]);
	if (read(alive[0], &byte, 1) != 0)
		_exit(1);
	wait(NULL);
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

/* Bytes that the process has read, by the kernel's own count, but for those of this file. */
static unsigned long long rchar(void)
{
	static unsigned long long own;
	unsigned long long n = 0;
	char text[512];
	int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	if (len < 0 || sscanf(text, "rchar: %llu", &n) != 1)
		_exit(1);
	n -= own;
	own += (unsigned long long)len;
	return n;
}

/* By every call that reads files; its own count, and the kernel's, are the exit's business. */
static void victim_reads(void)
{
	char buf[100];
	struct iovec iov[2] = { { buf, 10 }, { buf, 20 } };
	int fd = open("data", O_RDONLY | O_CLOEXEC), out;
	unsigned long long before = rchar();
	ssize_t n = 0;

	n += read(fd, buf, 100);
	n += pread(fd, buf, 50, 7);
	n += readv(fd, iov, 2);
	n += preadv(fd, iov, 2, 300);
	n += preadv2(fd, iov, 1, 0, 0);
	n += pread(fd, buf, 100, 1 << 20); /* behind its end */
	out = open("out", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	n += sendfile(out, fd, NULL, 500);
	if (n != 100 + 50 + 30 + 30 + 10 + 500 || rchar() - before != (unsigned long long)n)
		_exit(1);
	close(fd);
	fsync(out);
	fdatasync(out);
	close(out);
}

static void victim_kinds(void)
{
	int fd = open("data", O_RDONLY | O_CLOEXEC);
	char buf[8];

	close(fd); /* not used */
	fd = open("data", O_RDONLY | O_CLOEXEC);
	mmap(NULL, 100, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	fd = open("data", O_RDONLY | O_CLOEXEC);
	read(fd, buf, sizeof(buf)); /* as a dynamic loader does */
	mmap(NULL, 100, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	open("missing", O_RDONLY | O_CLOEXEC);
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	read(fd, buf, sizeof(buf));
	close(fd);
	fd = open("data", O_RDWR | O_CLOEXEC);
	read(fd, buf, 3);
	if (fork() == 0) {
		read(fd, buf, 2);
		_exit(0);
	}
	wait(NULL);
	close(fd);
	if (seteuid(65534) == 0)
		open("data", O_RDONLY | O_CLOEXEC);
	if (seteuid(0))
		_exit(1);
	/* exec closes it, which no call tells */
	fd = open("data", O_RDONLY | O_CLOEXEC);
	read(fd, buf, 4);
	execl("/proc/self/exe", "fs", "nothing", ".", NULL);
}

static void victim_nothing(void)
{
}

/* More files than are told in a second. */
static void victim_many(void)
{
	char buf[8];

	for (int i = 0; i < FLOOD; i++) {
		int fd = open("data", O_RDONLY | O_CLOEXEC);

		read(fd, buf, sizeof(buf));
		close(fd);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} victims[] = {
	{ "reads", victim_reads }, { "kinds", victim_kinds },   { "nothing", victim_nothing },
	{ "many", victim_many },   { "writes", victim_writes }, { "paths", victim_paths },
	{ "flood", victim_flood }, { "gives", victim_gives },   { "leaves", victim_leaves },
};

static const struct ev_file *file_rec(const struct trace *t, size_t nth)
{
	return trace_rec(t, EV_FILE, t->pid, nth);
}

/* The nth of those below the test's directory. */
static const struct ev_open *open_rec(const struct trace *t, size_t nth)
{
	const struct ev_open *o;

	for (size_t i = 0; (o = trace_rec(t, EV_OPEN, t->pid, i)); i++)
		if (memmem(event_payload(&o->hdr).p, event_payload(&o->hdr).n, dir + 5,
			   strlen(dir + 5)) &&
		    nth-- == 0)
			return o;
	return NULL;
}

/* "c/b/a" of a, b, c with NULs, then " + given"; each path in brackets. */
static const char *paths_of(const struct ev_hdr *h, const __u32 *len, int cnt)
{
	static char out[4096];
	struct sv rest = event_payload(h);
	size_t n = 0, from = 0;

	out[0] = '\0';
	assert_int_equal(event_check(h, h->size), 0);
	for (int i = 0; i < cnt; i++) {
		struct sv part = sv_sub(rest, from, len[i]);

		from += len[i];
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

static void assert_paths(const char *got, const char *paths)
{
	char want[512], *at;

	snprintf(want, sizeof(want), "%s", paths);
	while ((at = strchr(want, '@'))) { /* the directory's name */
		size_t n = strlen(dir + 5);

		memmove(at + n, at + 1, strlen(at));
		memcpy(at, dir + 5, n);
	}
	assert_string_equal(got, want);
}

static void assert_file(const struct trace *t, size_t nth, __u32 op, const char *paths)
{
	const struct ev_file *e = file_rec(t, nth);

	assert_non_null(e);
	assert_paths(paths_of(&e->hdr, e->len, 4), paths);
	assert_int_equal(e->op, op);
}

static const struct ev_open *assert_open(const struct trace *t, size_t nth, const char *paths,
					 unsigned int flags)
{
	const struct ev_open *o = open_rec(t, nth);

	assert_non_null(o);
	assert_paths(paths_of(&o->hdr, o->len, 2), paths);
	assert_int_equal(o->flags, flags);
	return o;
}

static void what_is_written(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;
	size_t n = 0;

	trace_victim(t, "writes", dir);
	assert_int_equal(t->status, 0);
	o = assert_open(t, 0, "<a<@", MADE);
	assert_int_equal(o->bytes[EV_WRITE], 11);
	assert_int_equal(o->calls[EV_WRITE], 2);
	assert_true(o->ns[EV_WRITE] > 0 && o->ns[EV_WRITE] < o->hdr.ts - o->enter_ts);
	assert_int_equal(o->bytes[EV_READ], 0);
	assert_int_equal(o->size, 11);
	assert_true(o->open_ns > 0 && o->enter_ts + o->open_ns < o->hdr.ts);
	o = assert_open(t, 1, "<b<sub<@", MADE);
	assert_int_equal(o->bytes[EV_WRITE], 5);
	assert_int_equal(o->size, 105);
	o = assert_open(t, 2, "<c<@", MADE);
	assert_int_equal(o->bytes[EV_WRITE], 1);
	o = assert_open(t, 3, "<a<@", EV_OPEN_WRITE | EV_OPEN_CHANGED);
	assert_int_equal(o->bytes[EV_WRITE], 1);
	assert_int_equal(o->size, 12);
	assert_null(open_rec(t, 4));
	assert_file(t, n++, EV_FILE_MKDIR, "<@+sub");
	assert_file(t, n++, EV_FILE_REMOVE, "<@+sub/b");
	assert_file(t, n++, EV_FILE_RMDIR, "<@+sub");
	assert_int_equal(file_rec(t, n++)->op, EV_FILE_REMOVE);
	assert_null(file_rec(t, n));
}

static void what_is_done_to_paths(void **state)
{
	struct trace *t = *state;
	size_t n = 0;

	trace_victim(t, "paths", dir);
	assert_int_equal(t->status, 0);
	assert_open(t, 0, "<p<@", MADE);
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

/* What the victims read: 1000 bytes. */
static int make_data(void)
{
	char path[64], data[1000] = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/data", dir);
	f = fopen(path, "we");
	return !f || fwrite(data, 1, sizeof(data), f) != sizeof(data) || fclose(f) ||
	       chmod(path, 0600);
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
	for (size_t i = 0; trace_rec(t, EV_OPEN, t->pid, i); i++) {
		const struct ev_open *o = trace_rec(t, EV_OPEN, t->pid, i);

		told += o->flags & EV_OPEN_WRITE ? 1 : 0;
		over += o->over[EV_WRITE];
	}
	assert_int_equal(told + over, FLOOD + 1);
	assert_true(told >= RATE);
	assert_true(over > 0);
}

static void what_is_read(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;

	trace_victim(t, "reads", dir);
	assert_int_equal(t->status, 0);
	o = assert_open(t, 0, "<data<@", 0);
	assert_int_equal(o->bytes[EV_READ], 720); /* the victim has held it against rchar */
	assert_int_equal(o->calls[EV_READ], 6);
	assert_int_equal(o->bytes[EV_WRITE], 0);
	assert_int_equal(o->size, 1000);
	assert_true(o->ns[EV_READ] > 0 && o->ns[EV_READ] < o->hdr.ts - o->enter_ts);
	assert_int_equal(o->syncs, 0);
	o = assert_open(t, 1, "<out<@", MADE);
	assert_int_equal(o->bytes[EV_WRITE], 500);
	assert_int_equal(o->syncs, 2);
	assert_true(o->sync_max_ns > 0 && o->sync_max_ns <= o->sync_ns);
	assert_true(o->sync_ns < o->hdr.ts - o->enter_ts);
	assert_null(open_rec(t, 2));
}

static void what_is_left_out(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;
	size_t n = 0;

	trace_victim(t, "kinds", dir);
	assert_int_equal(t->status, 0);
	o = assert_open(t, n++, "<data<@", EV_OPEN_MAPPED);
	assert_int_equal(o->bytes[EV_READ], 0);
	o = assert_open(t, n++, "<data<@", EV_OPEN_WRITE);
	assert_int_equal(o->bytes[EV_READ], 5); /* with its child's */
	o = assert_open(t, n++, "<@+data", 0);
	assert_int_equal(o->err, -EACCES);
	o = assert_open(t, n++, "<data<@", EV_OPEN_PART);
	assert_int_equal(o->bytes[EV_READ], 4);
	assert_null(open_rec(t, n));
}

static void nothing_is_left_out(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;
	size_t n = 0, libraries = 0;

	trace_teardown(state);
	*state = t = calloc(1, sizeof(*t));
	assert_int_equal(probe_new(&t->p, &(struct probe_cfg){ .files = PROBE_FILES_ALL }), 0);
	trace_victim(t, "kinds", dir);
	assert_int_equal(t->status, 0);
	assert_open(t, n++, "<data<@", EV_OPEN_ALL);
	assert_open(t, n++, "<data<@", EV_OPEN_ALL | EV_OPEN_MAPPED);
	assert_open(t, n++, "<data<@", EV_OPEN_ALL | EV_OPEN_PROGRAM);
	o = assert_open(t, n++, "<@+missing", EV_OPEN_ALL);
	assert_int_equal(o->err, -ENOENT);
	assert_open(t, n++, "<data<@", EV_OPEN_ALL | EV_OPEN_WRITE);
	o = assert_open(t, n++, "<@+data", EV_OPEN_ALL);
	assert_int_equal(o->err, -EACCES);
	assert_open(t, n++, "<data<@", EV_OPEN_ALL | EV_OPEN_PART);
	assert_null(open_rec(t, n));
	for (size_t i = 0; (o = trace_rec(t, EV_OPEN, t->pid, i)); i++)
		libraries += o->flags & EV_OPEN_PROGRAM ? 1 : 0;
	assert_true(libraries > 2); /* libc of two programs, and data */
}

/* By whom it is used, not by whom it was opened. */
static void what_is_given_to_a_child(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;
	struct probe_loss l;
	size_t by_children = 0;
	uint64_t bytes = 0;

	trace_victim(t, "gives", dir);
	assert_int_equal(t->status, 0);
	for (size_t i = 0; (o = trace_rec(t, EV_OPEN, 0, i)); i++) {
		assert_true(strncmp(event_payload(&o->hdr).p, "given", 5) == 0);
		assert_true(o->flags & EV_OPEN_CHANGED);
		by_children += o->hdr.tgid != (__u32)t->pid;
		bytes += o->bytes[EV_WRITE];
	}
	assert_int_equal(bytes, GIVEN * strlen("from a child"));
	assert_int_equal(by_children, GIVEN);
	assert_null(open_rec(t, 0));
	assert_int_equal(probe_loss(t->p, &l), 0);
	assert_int_equal(l.e.calls_lost, 0);
}

static void what_is_left_to_a_child(void **state)
{
	struct trace *t = *state;
	const struct ev_open *parent, *child;

	trace_victim(t, "leaves", dir);
	assert_int_equal(t->status, 0);
	parent = trace_rec(t, EV_OPEN, 0, 0);
	child = trace_rec(t, EV_OPEN, 0, 1);
	assert_non_null(parent);
	assert_non_null(child);
	assert_null(trace_rec(t, EV_OPEN, 0, 2));
	assert_int_equal(parent->bytes[EV_WRITE], strlen("head "));
	assert_int_equal(parent->flags, MADE | EV_OPEN_PART);
	assert_int_equal(child->bytes[EV_WRITE], strlen("tail"));
	assert_int_equal(child->flags, EV_OPEN_WRITE | EV_OPEN_CHANGED);
	assert_int_not_equal(child->hdr.tgid, parent->hdr.tgid);
}

static void what_is_changed_and_no_more(void **state)
{
	struct trace *t = *state;

	trace_teardown(state);
	*state = t = calloc(1, sizeof(*t));
	assert_int_equal(probe_new(&t->p, &(struct probe_cfg){ .files = PROBE_FILES_CHANGED }), 0);
	trace_victim(t, "reads", dir);
	assert_int_equal(t->status, 0);
	assert_int_equal(assert_open(t, 0, "<out<@",
				     EV_OPEN_TRUNCATED | EV_OPEN_WRITE | EV_OPEN_CHANGED)
				 ->syncs,
			 2);
	assert_null(trace_rec(t, EV_OPEN, t->pid, 1));
}

/* What is read goes over a budget of its own: changes are told all the same. */
static void many_reads_are_counted(void **state)
{
	struct trace *t = *state;
	const struct ev_open *o;
	size_t told = 0, over = 0;

	trace_victim(t, "many", dir);
	assert_int_equal(t->status, 0);
	for (size_t i = 0; (o = trace_rec(t, EV_OPEN, t->pid, i)); i++) {
		told += o->len[0] != 0;
		over += o->over[EV_READ];
		assert_int_equal(o->over[EV_WRITE], 0);
	}
	assert_int_equal(told + over, FLOOD);
	assert_true(told >= READ_RATE);
	assert_true(over > 0);
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_done_to_paths, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(a_flood_is_counted, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_read, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_left_out, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_left_out, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_given_to_a_child, trace_setup,
						trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_left_to_a_child, trace_setup,
						trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_changed_and_no_more, trace_setup,
						trace_teardown),
		cmocka_unit_test_setup_teardown(many_reads_are_counted, trace_setup,
						trace_teardown),
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
	if (!mkdtemp(dir) || make_data())
		return 1;
	failed = cmocka_run_group_tests_name("fs", tests, NULL, NULL);
	if (chdir(dir) == 0) {
		unlink("a");
		unlink("c");
		unlink("given");
		unlink("late");
		unlink("out");
		unlink("data");
	}
	rmdir(dir);
	return failed;
}
