// SPDX-License-Identifier: BSD-2-Clause
/*
 * The store when things go wrong: other files, no permission, a full disk, a lock, a killed writer,
 * several processes, tampering.  What fails says so and changes nothing, and what was committed stays.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void write_file(const char *file, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
}

static void assert_unopenable(const char *file, int err)
{
	struct store *st = NULL;

	assert_int_equal(store_open_read(&st, file), err);
	assert_null(st);
	assert_int_equal(store_open_write(&st, file), err);
	assert_null(st);
}

static void test_not_a_store(void **state)
{
	static const char text[] =
		"this is some text that is longer than a header of SQLite, which "
		"has 100 bytes; and it must be there afterwards";
	struct stat st;
	struct store *s = NULL;

	(void)state;
	write_file(path, text);
	assert_unopenable(path, -EINVAL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, strlen(text));
	remove_store(path);

	sql_run(path, "CREATE TABLE mine (a); INSERT INTO mine VALUES (1)");
	assert_unopenable(path, -EINVAL);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(sql_int(path, "SELECT application_id FROM pragma_application_id"), 0);
	remove_store(path);

	assert_int_equal(store_open_write(&s, path), 0);
	store_free(&s);
	sql_run(path, "PRAGMA user_version = 99");
	assert_unopenable(path, -EPROTO);

	assert_int_equal(store_open_read(&s, folder), -EINVAL);
	assert_int_equal(store_open_write(&s, folder), -EINVAL);
	assert_int_equal(store_open_write(&s, "/proc/none/ringspan.db"), -EACCES);
}

static void test_reading_makes_nothing(void **state)
{
	struct store *s = NULL;

	(void)state;
	assert_int_equal(store_open_read(&s, path), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	write_file(path, "");
	assert_int_equal(store_open_read(&s, path), -EINVAL);
	/* an empty file is as good as none to a writer */
	assert_int_equal(store_open_write(&s, path), 0);
	store_free(&s);
	assert_int_equal(store_open_read(&s, path), 0);
	store_free(&s);
}

static void test_makes_private_folders(void **state)
{
	char deep[128], name[160], wal[170];
	struct store *s = NULL;
	struct stat st;

	(void)state;
	snprintf(deep, sizeof(deep), "%s/a/b", folder);
	snprintf(name, sizeof(name), "%s/odd %%41?#'.db", deep);
	assert_int_equal(store_open_write(&s, name), 0);
	add(s, make(TRACE_A, 1, SPAN_RUN));
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", name);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(count_spans(name, TRACE_A), 1);
	store_free(&s);
	remove_store(name);
	rmdir(deep);
	*strrchr(deep, '/') = '\0';
	rmdir(deep);
}

/* A lock that stays: the span waits, and is there when the lock is gone. */
static void test_locked(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	sqlite3 *db = NULL;
	struct span *s = make(TRACE_A, 1, SPAN_RUN);

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_add(st, s), 0);
	assert_int_equal(store_commit(st), -EBUSY);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(count_spans(path, TRACE_A), 1);
	span_free(&s);
}

/* ---- several processes */

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Stores spans from `first` on, tells each commit through fd, and never ends. */
static void write_for_ever(int fd, unsigned int first)
{
	struct store *st = NULL;

	if (store_open_write(&st, path))
		_exit(1);
	for (unsigned int id = first;; id++) {
		struct span *s = make_call(TRACE_A, id, "[\"a message of some length\"]");

		if (store_add(st, s) || (id % 10 == 0 && store_commit(st)))
			_exit(2);
		if (id % 10 == 0 && write(fd, &id, sizeof(id)) != sizeof(id))
			_exit(3);
		span_free(&s);
	}
}

static void test_killed_writer(void **state)
{
	unsigned int id = 0, last = 0, first = 1;

	(void)state;
	for (int round = 0; round < 5; round++) {
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid)
			write_for_ever(fds[1], first);
		close(fds[1]);
		for (int i = 0; i < 7 + 5 * round; i++)
			assert_int_equal(read(fds[0], &id, sizeof(id)), sizeof(id));
		kill(pid, SIGKILL);
		assert_true(WIFSIGNALED(wait_for(pid)));
		while (read(fds[0], &id, sizeof(id)) == sizeof(id))
			;
		close(fds[0]);
		last = id;
		assert_true(count_spans(path, TRACE_A) >= (int)last);
		first = (unsigned int)count_spans(path, TRACE_A) + 1;
	}
	assert_true(last >= 100);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM pragma_integrity_check "
				       "WHERE integrity_check <> 'ok'"),
			 0);
	/* no span without its payload */
	assert_int_equal(sql_int(path, "SELECT (SELECT count(*) FROM span) - "
				       "(SELECT count(*) FROM payload)"),
			 0);
}

static void test_reader_beside_writer(void **state)
{
	int fds[2], seen = 0;
	unsigned int id = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		write_for_ever(fds[1], 1);
	close(fds[1]);
	for (int i = 0; i < 20; i++) {
		int n;

		assert_int_equal(read(fds[0], &id, sizeof(id)), sizeof(id));
		n = count_spans(path, TRACE_A);
		assert_true(n >= (int)id && n >= seen);
		seen = n;
	}
	kill(pid, SIGKILL);
	wait_for(pid);
	close(fds[0]);
}

/* Two make the store at once and write into it; nothing is lost. */
static void test_two_writers(void **state)
{
	pid_t pids[2];

	(void)state;
	for (int p = 0; p < 2; p++) {
		pids[p] = fork();
		if (pids[p])
			continue;
		struct store *st = NULL;
		int err = store_open_write(&st, path);

		for (unsigned int id = 0; !err && id < 600; id++) {
			struct span *s = make(TRACE_A, 1000 * (unsigned int)p + id, SPAN_PROCESS);

			err = store_add(st, s);
			if (!err && id % 20 == 0)
				err = store_commit(st);
			span_free(&s);
		}
		store_free(&st);
		_exit(err != 0);
	}
	assert_int_equal(wait_for(pids[0]), 0);
	assert_int_equal(wait_for(pids[1]), 0);
	assert_int_equal(count_spans(path, TRACE_A), 1200);
}

/* A process that may read the store and nothing else.  Exit code: what was found. */
static int read_as_nobody(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct store *st = NULL;
		int n = 0, err;

		if (setgid(65534) || setuid(65534))
			_exit(100);
		err = store_open_read(&st, path);
		if (!err)
			err = store_spans(st, TRACE_A, false, count, &n);
		store_free(&st);
		_exit(err ? 99 : n);
	}
	status = wait_for(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_read_only_folder(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	char wal[80];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, make(TRACE_A, 1, SPAN_RUN));
	assert_int_equal(store_commit(st), 0);
	/* no right to the file at all */
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(read_as_nobody(), 99);
	/* beside a writer, whose files may be read */
	chmod(path, 0644);
	chmod(wal, 0644);
	snprintf(wal, sizeof(wal), "%s-shm", path);
	chmod(wal, 0644);
	assert_int_equal(read_as_nobody(), 1);
	/* when nobody writes and the log is gone */
	store_free(&st);
	assert_int_equal(access(wal, F_OK), -1);
	assert_int_equal(read_as_nobody(), 1);
	chmod(folder, 0700);
}

static bool write_proc(const char *file, const char *text)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a new user namespace nobody owns anything before he is mapped (user_namespaces(7)). */
static bool become_root(void)
{
	char uid[32], gid[32];

	if (!geteuid())
		return unshare(CLONE_NEWNS) == 0;
	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	return unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
	       write_proc("/proc/self/setgroups", "deny") &&
	       write_proc("/proc/self/uid_map", uid) && write_proc("/proc/self/gid_map", gid);
}

/* A file system of 1 MiB, of this process alone; false: not allowed here. */
static bool mount_small(void)
{
	if (!become_root() || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	return mount("tmpfs", folder, "tmpfs", 0, "size=1m,mode=0700") == 0;
}

/* Exit codes: 0 as it should be, 77 cannot be tested here, others the step that failed. */
static int fill_the_disk(void)
{
	struct store *st = NULL;
	char ballast[80];
	int n = 0, err = 0;

	if (!mount_small())
		return 77;
	if (store_open_write(&st, path))
		return 1;
	add(st, make(TRACE_B, 1, SPAN_RUN));
	if (store_commit(st))
		return 2;
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
	int fd = open(ballast, O_WRONLY | O_CREAT, 0600);

	if (fd < 0)
		return 3;
	static char block[4096];

	while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block))
		;
	close(fd);
	for (unsigned int id = 0; id < 200 && !err; id++) {
		struct span *s = make_call(TRACE_A, id, "[\"a message\"]");

		/* a row that the failed transaction is the first to write */
		json_add(&s->arena, s->resource, SV("host.name"), json_string(&s->arena, SV("h")));
		err = store_add(st, s);
		span_free(&s);
		n++;
	}
	err = store_commit(st);
	if (err != -ENOSPC)
		return 4;
	if (count_spans(path, TRACE_B) != 1 || count_spans(path, TRACE_A) != 0)
		return 5;
	/* room again: what waited is stored */
	unlink(ballast);
	if (store_commit(st) || count_spans(path, TRACE_A) != n || count_spans(path, TRACE_B) != 1)
		return 6;
	store_free(&st);
	return 0;
}

/* Of what mounts: 77 says that it may not. */
static void in_a_child(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(what());
	status = wait_for(pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_disk_full(void **state)
{
	(void)state;
	in_a_child(fill_the_disk);
}

static int take_run(void *ctx, const struct span *sp)
{
	struct span **run = ctx;
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (sp->what == SPAN_RUN && !span_write_json(&b, sp, true))
		span_read_json(run, buf_view(&b));
	return 0;
}

/* The stored run of that trace, the caller's; NULL: there is none. */
static struct span *stored_run(const char *trace)
{
	_cleanup_store_ struct store *st = NULL;
	struct span *run = NULL;

	if (!store_open_read(&st, path))
		store_spans(st, trace, true, take_run, &run);
	return run;
}

static bool says(const struct span *s, const char *reason)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e) {
		if (json_str_is(e, reason))
			return true;
	}
	return false;
}

#define LONG (1u << 20)

/* More than is held in memory: the rest is counted, and the run says so once there is room again. */
static int fill_the_memory(void)
{
	static char text[LONG];
	struct store *st = NULL;
	struct store_lost lost;
	struct span *run;
	int refused = 0;

	if (!mount_small())
		return 77;
	if (store_open_write(&st, path))
		return 1;
	add(st, make(TRACE_B, 1, SPAN_RUN));
	if (store_commit(st))
		return 2;
	snprintf(text, sizeof(text), "%s/ballast", folder);
	int fd = open(text, O_WRONLY | O_CREAT, 0600);

	if (fd < 0)
		return 3;
	while (write(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	memset(text, 'a', sizeof(text));
	memcpy(text, "[\"", 2);
	memcpy(text + sizeof(text) - 3, "\"]", 3);
	for (unsigned int id = 2; id < 82; id++) {
		struct span *s = make_call(TRACE_A, id, text);

		store_add(st, s);
		span_free(&s);
		store_lost(st, &lost);
		if (lost.spans && (int)lost.spans != ++refused)
			return 4;
	}
	if (refused < 10 || refused > 40 || lost.bytes < (size_t)refused * LONG || lost.rows)
		return 5;
	/* its own row finds room all the same */
	run = make(TRACE_A, 1, SPAN_RUN);
	store_add(st, run);
	store_lost(st, &lost);
	if ((int)lost.spans != refused || store_commit(st) != -ENOSPC)
		return 6;
	snprintf(text, sizeof(text), "%s/ballast", folder);
	unlink(text);
	if (store_commit(st) || count_spans(path, TRACE_A) != 81 - refused)
		return 7;
	span_free(&run);
	run = stored_run(TRACE_A);
	if (!run || !says(run, "store_full") ||
	    span_attr_int(run, ATTR_ID_LOST_SPANS, 0) != refused)
		return 8;
	span_free(&run);
	run = stored_run(TRACE_B);
	if (!run || span_attr(run, ATTR_ID_INCOMPLETE))
		return 9;
	/* what comes after is stored, and of another run all of it */
	add(st, make(TRACE_A, 90, SPAN_PROCESS));
	add(st, make(TRACE_B, 90, SPAN_PROCESS));
	if (store_commit(st) || count_spans(path, TRACE_B) != 2)
		return 10;
	span_free(&run);
	store_free(&st);
	return 0;
}

static void test_more_than_is_held(void **state)
{
	(void)state;
	in_a_child(fill_the_memory);
}

/* Somebody removes the store while a run goes on: a new one is made, and the run says so. */
static void test_removed(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct span *run = make(TRACE_A, 1, SPAN_RUN), *stored;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	span_set_bool(run, ATTR_ID_UNFINISHED, true);
	store_unfinished(st);
	assert_int_equal(store_add(st, run), 0);
	add(st, make(TRACE_A, 2, SPAN_PROCESS));
	assert_int_equal(store_commit(st), 0);
	remove_store(path);
	add(st, make(TRACE_A, 3, SPAN_PROCESS));
	span_free(&run);
	run = make(TRACE_A, 1, SPAN_RUN);
	store_unfinished(st);
	assert_int_equal(store_add(st, run), 0);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(count_spans(path, TRACE_A), 2);
	stored = stored_run(TRACE_A);
	assert_non_null(stored);
	assert_true(says(stored, "store_removed"));
	span_free(&stored);
	span_free(&run);
	/* replaced by a store: it is written to */
	store_free(&st);
	remove_store(path);
	assert_int_equal(store_open_write(&st, path), 0);
	char other[96];

	snprintf(other, sizeof(other), "%s.new", path);
	struct store *new = NULL;

	assert_int_equal(store_open_write(&new, other), 0);
	store_free(&new);
	assert_int_equal(rename(other, path), 0);
	add(st, make(TRACE_B, 1, SPAN_RUN));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(count_spans(path, TRACE_B), 1);
	/* by something else: that stays as it is, and nothing more is stored */
	remove_store(path);
	write_file(path, "no store");
	add(st, make(TRACE_B, 2, SPAN_PROCESS));
	assert_int_equal(store_commit(st), -ESTALE);
	store_free(&st);
	struct stat file;

	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_size, 8);
}

/* A store that is damaged while it is open; what its reader says is another test's. */
static void test_damaged_while_writing(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	char zeros[3 * 4096] = { 0 };
	_cleanup_close_ int fd = -1;
	int err = 0;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (unsigned int id = 1; id < 300; id++)
		add(st, make(TRACE_A, id, SPAN_PROCESS));
	store_free(&st);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 4096; at < 40 * 4096; at += sizeof(zeros))
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
	err = store_open_write(&st, path);
	for (unsigned int id = 300; id < 310 && !err; id++) {
		struct span *s = make(TRACE_A, id, SPAN_PROCESS);

		err = store_add(st, s);
		if (!err)
			err = store_commit(st);
		span_free(&s);
	}
	assert_int_equal(err, -EBADMSG);
}

#define RUNS 30
#define RUN_CALLS 20

static const char *nth_run(int writer, int n)
{
	static char id[HEX128];

	snprintf(id, sizeof(id), "%d%031x", writer, n);
	return id;
}

/* Whose turn does not come in time keeps what it has, as a recording does: the end tells. */
static int in_time_or_not(int err)
{
	return err == -EBUSY ? 0 : err;
}

static int write_runs(struct store *st, int writer)
{
	int err = 0;

	for (int n = 0; !err && n < RUNS; n++) {
		for (unsigned int id = RUN_CALLS + 1; !err && id > 0; id--) {
			struct span *s =
				id > 1 ? make_call(nth_run(writer, n), id, "[\"a message\"]")
				       : make(nth_run(writer, n), id, SPAN_RUN);

			s->end_ns += (uint64_t)n * 1000000;
			err = in_time_or_not(store_add(st, s));
			span_free(&s);
		}
		err = err ? err : in_time_or_not(store_commit(st));
	}
	return err ? err : store_close(st);
}

/* Until the last of those who have the other end of the pipe is over, and once more. */
static int prune_beside(struct store *st, int pipe_end)
{
	struct pollfd others = { .fd = pipe_end, .events = POLLIN };
	bool over = false;
	int err = 0;

	while (!err && !over) {
		over = poll(&others, 1, 3) == 1;
		err = in_time_or_not(store_prune(st, &(struct store_limits){ .bytes = 400000 }));
	}
	return err;
}

/* Two record while a third prunes all the time: nobody fails, and what was written last is whole. */
static void test_two_writers_and_one_who_prunes(void **state)
{
	int line[2];
	pid_t pids[3];

	(void)state;
	assert_int_equal(pipe(line), 0);
	for (int p = 0; p < 3; p++) {
		pids[p] = fork();
		if (pids[p])
			continue;
		struct store *st = NULL;
		int err = store_open_write(&st, path);

		if (p == 2)
			close(line[1]);
		if (!err)
			err = p == 2 ? prune_beside(st, line[0]) : write_runs(st, p);
		store_free(&st);
		_exit(err != 0);
	}
	close(line[0]);
	close(line[1]);
	for (int p = 0; p < 3; p++)
		assert_int_equal(wait_for(pids[p]), 0);
	for (int p = 0; p < 2; p++)
		assert_int_equal(count_spans(path, nth_run(p, RUNS - 1)), RUN_CALLS + 1);
	assert_true(sql_int(path, "SELECT count(*) FROM span") < 2 * RUNS * (RUN_CALLS + 1));
	assert_int_equal(sql_int(path, "SELECT count(*) FROM pragma_integrity_check "
				       "WHERE integrity_check <> 'ok'"),
			 0);
	assert_int_equal(sql_int(path, "SELECT (SELECT count(*) FROM span WHERE what <> 'run') - "
				       "(SELECT count(*) FROM payload)"),
			 0);
}

/* A store whose content somebody tampered with is told of, and nothing is made up. */
static void test_damaged(void **state)
{
	static const char *const harm[] = {
		"UPDATE span SET events = '[[['",
		"UPDATE span SET kind = 'SOMETHING'",
		"UPDATE span SET trace_id = trace_id || 'x'",
		"UPDATE resource SET body = '1'",
		"UPDATE blob SET data = x'00112233'",
		"UPDATE blob SET size = 1 << 40",
		"UPDATE blob SET size = 1",
		"UPDATE blob SET size = size + 1",
		"UPDATE node SET prev = id",
		"UPDATE node SET prev = 77",
		"UPDATE node SET blob = 77",
		"UPDATE payload SET node = 77",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(harm); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;
		struct store *st = NULL;

		remove_store(path);
		assert_int_equal(store_open_write(&st, path), 0);
		add(st, make_call(TRACE_A, 1,
				  "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]"));
		store_free(&st);
		sql_run(path, harm[i]);
		assert_int_equal(store_open_read(&st, path), 0);
		if (store_query(st, &(struct store_query){ .payload = true }, collect, &out) !=
		    -EIO)
			fail_msg("not noticed: %s", harm[i]);
		assert_int_equal(out.len, 0);
		store_free(&st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_not_a_store, fresh),
		cmocka_unit_test_setup(test_reading_makes_nothing, fresh),
		cmocka_unit_test_setup(test_makes_private_folders, fresh),
		cmocka_unit_test_setup(test_locked, fresh),
		cmocka_unit_test_setup(test_killed_writer, fresh),
		cmocka_unit_test_setup(test_reader_beside_writer, fresh),
		cmocka_unit_test_setup(test_two_writers, fresh),
		cmocka_unit_test_setup(test_read_only_folder, fresh),
		cmocka_unit_test_setup(test_disk_full, fresh),
		cmocka_unit_test_setup(test_more_than_is_held, fresh),
		cmocka_unit_test_setup(test_removed, fresh),
		cmocka_unit_test_setup(test_damaged_while_writing, fresh),
		cmocka_unit_test_setup(test_two_writers_and_one_who_prunes, fresh),
		cmocka_unit_test_setup(test_damaged, fresh),
	};

	return cmocka_run_group_tests(tests, open_folder, close_folder);
}
