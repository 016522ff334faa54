// SPDX-License-Identifier: BSD-2-Clause
/* Files: what is left of their changes in the end, what was read, whose that is, and how much is held. */
#include "base/limits.h"
#include "rpc_test.h"

#define TOOL \
	"[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"%s\",\"input\":{\"%s\":\"%s\"}}]"

static struct ev_file *change(uint64_t ts, uint32_t tgid, unsigned int op, const char *path,
			      const char *to)
{
	return record_file(ts, tgid, op, path, to);
}

static void writes(struct world *w, uint64_t ts, uint32_t tgid, const char *path, int flags,
		   uint64_t bytes)
{
	struct ev_file *f = change(ts, tgid, EV_FILE_WRITE, path, NULL);

	f->flags = flags;
	f->bytes = bytes;
	f->size = 100;
	feed(w, f);
}

static void asks(struct world *w, uint64_t ts, const char *tool, const char *key, const char *arg)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, TOOL, tool, key, arg);
	model_asks(w, ts, buf_cstr(&b));
}

static void assert_change(const struct span *s, const char *kind, const char *path, int64_t bytes)
{
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FILE_CHANGE), kind);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FILE_PATH), path);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_WRITTEN, -1), bytes);
}

/* Of all that is done to a path one change is left, or none. */
static void what_is_left(void **state)
{
	struct world *w = *state;
	const struct span *s;

	run_program(w, 3 * MS, OTHER, AGENT, "/bin/tool");
	writes(w, 4 * MS, OTHER, "/d/a", EV_FILE_CREATED, 200);
	writes(w, 5 * MS, OTHER, "/d/a", 0, 7);
	writes(w, 6 * MS, OTHER, "/d/old", 0, 5);
	writes(w, 7 * MS, OTHER, "/d/x.tmp", EV_FILE_CREATED, 50); /* its size tells more */
	feed(w, change(8 * MS, OTHER, EV_FILE_RENAME, "/d/x.tmp", "/d/x"));
	writes(w, 9 * MS, OTHER, "/d/t", EV_FILE_CREATED, 1000);
	feed(w, change(10 * MS, OTHER, EV_FILE_REMOVE, "/d/t", NULL));
	feed(w, change(11 * MS, OTHER, EV_FILE_REMOVE, "/d/u", NULL));
	writes(w, 12 * MS, OTHER, "/d/u", EV_FILE_CREATED | EV_FILE_GONE,
	       10); /* while it was open */
	feed(w, change(13 * MS, OTHER, EV_FILE_MKDIR, "/d/sub", NULL));
	feed(w, change(13 * MS, OTHER, EV_FILE_RMDIR, "/d/sub", NULL));
	feed(w, change(14 * MS, OTHER, EV_FILE_RENAME, "/d/m", "/d/n"));
	feed(w, change(15 * MS, OTHER, EV_FILE_SYMLINK, "/d/l", "../to"));
	feed(w, change(16 * MS, OTHER, EV_FILE_REMOVE, "/d/r", NULL));
	feed(w, record_exit(20 * MS, OTHER, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 6);
	s = told_nth(&w->told, SPAN_FILE, 0);
	assert_change(s, "created", "/d/a", 207);
	ASSERT_SV(s->name, "create a");
	assert_string_equal(s->parent_span_id, told_process(&w->told, OTHER)->span_id);
	assert_int_equal(s->end_ns - s->start_ns, 1 * MS);
	assert_change(told_nth(&w->told, SPAN_FILE, 1), "written", "/d/old", 5);
	assert_change(told_nth(&w->told, SPAN_FILE, 2), "written", "/d/x", 100);
	assert_change(told_nth(&w->told, SPAN_FILE, 3), "renamed", "/d/m", -1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_FILE, 3), ATTR_ID_FILE_TO), "/d/n");
	assert_change(told_nth(&w->told, SPAN_FILE, 4), "linked", "/d/l", -1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_FILE, 4), ATTR_ID_FILE_TO), "../to");
	assert_change(told_nth(&w->told, SPAN_FILE, 5), "removed", "/d/r", -1);
	for (int i = 0; i < 2; i++) {
		s = i ? told_nth(&w->told, SPAN_RUN, 0) : told_process(&w->told, OTHER);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_CREATED, 0), 2);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_WRITTEN, 0), 2);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_RENAMED, 0), 1);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_REMOVED, 0), 1);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_TEMPORARY, 0), 3);
		/* u was written, too: 100 is its size */
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_BYTES, 0),
				 207 + 5 + 100 + 1000 + 100);
		assert_null(span_attr(s, ATTR_ID_FILES_UNTOLD));
	}
}

/* What was refused is told once, and is no failure of the run. */
static void refused(void **state)
{
	struct world *w = *state;
	const struct span *s;

	for (int i = 0; i < 3; i++) {
		struct ev_file *f =
			change((3 + i) * MS, AGENT, EV_FILE_REMOVE, "/etc/passwd", NULL);

		f->err = -13;
		feed(w, f);
	}
	feed(w, record_exit(20 * MS, AGENT, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 1);
	s = told_nth(&w->told, SPAN_FILE, 0);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "EACCES");
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_RUN, 0)->span_id);
	s = told_nth(&w->told, SPAN_RUN, 0);
	assert_null(span_attr(s, ATTR_ID_FILES_REMOVED));
	assert_int_equal(span_attr_int(s, ATTR_ID_ERRORS, -1), 0);
}

/* The processes of a tool call write its log; the spans are theirs. */
static void log_of_a_tool(void **state)
{
	static const char args[] = "sh\0-c\0touch it";
	struct world *w = *state;
	const struct json *log;
	const struct span *tool;

	asks(w, 3 * MS, "shell", "command", "touch it");
	feed(w, record_fork(4 * MS, AGENT, OTHER));
	feed(w, record_exec(4 * MS, OTHER, AGENT, "/bin/sh", args, sizeof(args)));
	feed(w, record_fork(5 * MS, OTHER, SERVER));
	writes(w, 6 * MS, SERVER, "/d/it", EV_FILE_CREATED, 200);
	writes(w, 7 * MS, OTHER, "/d/t", EV_FILE_CREATED, 1);
	feed(w, change(8 * MS, OTHER, EV_FILE_REMOVE, "/d/t", NULL));
	feed(w, record_exit(9 * MS, SERVER, 0));
	feed(w, record_exit(9 * MS, OTHER, 0));
	feed(w, record_exit(10 * MS, AGENT, 0));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	log = span_attr(tool, ATTR_ID_FILES_CHANGES);
	assert_int_equal(log->cnt, 1);
	assert_true(json_str_is(json_get(json_at(log, 0), "path"), "/d/it"));
	assert_true(json_str_is(json_get(json_at(log, 0), "change"), "created"));
	assert_int_equal(span_attr_int(tool, ATTR_ID_FILES_CREATED, 0), 1);
	assert_int_equal(span_attr_int(tool, ATTR_ID_FILES_TEMPORARY, 0), 1);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 1);
	assert_string_equal(told_nth(&w->told, SPAN_FILE, 0)->parent_span_id,
			    told_process(&w->told, SERVER)->span_id);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_CREATED, 0),
			 1);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_TEMPORARY, 0),
			 1);
}

/* What the agent's own process writes is the tool call's that names it, and nobody's else. */
static void agents_own_tool(void **state)
{
	struct world *w = *state;
	const struct span *tool, *s;
	struct ev_file *early;

	writes(w, 3 * MS, AGENT, "/w/src/main.c", 0, 3); /* before it was asked for */
	asks(w, 4 * MS, "write_file", "path", "./src/main.c");
	writes(w, 5 * MS, AGENT, "/home/me/.agent/log", 0, 10);
	writes(w, 6 * MS, AGENT, "/w/src/.main.c.9", EV_FILE_CREATED, 200);
	feed(w, change(7 * MS, AGENT, EV_FILE_RENAME, "/w/src/.main.c.9", "/w/src/main.c"));
	writes(w, 8 * MS, AGENT, "/w/src/not_main.c", 0, 10);
	early = change(9 * MS, AGENT, EV_FILE_WRITE, "/x/src/main.c", NULL);
	early->enter_ts = 3 * MS; /* it was open before */
	early->bytes = 1;
	feed(w, early);
	feed(w, record_exit(20 * MS, AGENT, 0));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	assert_int_equal(span_attr(tool, ATTR_ID_FILES_CHANGES)->cnt, 1);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 5);
	for (size_t i = 0; i < 5; i++) {
		s = told_nth(&w->told, SPAN_FILE, i);
		if (sv_is(sv(s->parent_span_id), tool->span_id)) {
			assert_change(s, "written", "/w/src/main.c", 200);
			ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), "argument");
		} else {
			assert_string_equal(s->parent_span_id,
					    told_nth(&w->told, SPAN_RUN, 0)->span_id);
		}
	}
	assert_int_equal(span_attr_int(tool, ATTR_ID_FILES_WRITTEN, 0), 1);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_WRITTEN, 0),
			 5);
}

/* A thousand files are no thousand spans. */
static void many(void **state)
{
	struct world *w = *state;
	struct ev_file *over;
	char path[32];

	run_program(w, 3 * MS, OTHER, AGENT, "/bin/npm");
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/d/%u", i);
		writes(w, 4 * MS + i, OTHER, path, EV_FILE_CREATED, 100);
	}
	over = record(EV_FILE, sizeof(*over), 5 * MS, OTHER, NULL, 0);
	over->over = 7;
	feed(w, over);
	feed(w, record_exit(6 * MS, OTHER, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), LIMIT_CHANGE_SPANS);
	assert_int_equal(span_attr_int(told_process(&w->told, OTHER), ATTR_ID_FILES_CREATED, 0),
			 1000);
	assert_int_equal(span_attr_int(told_process(&w->told, OTHER), ATTR_ID_FILES_BYTES, 0),
			 100000);
	assert_int_equal(span_attr_int(told_process(&w->told, OTHER), ATTR_ID_FILES_UNTOLD, 0),
			 1000 - LIMIT_CHANGE_SPANS + 7);
}

/* What is held has a bound, whatever the number of processes. */
static void bounded(void **state)
{
	struct world *w = *state;
	char path[32];

	for (unsigned int i = 0; i < LIMIT_CHANGES + 10; i++) {
		snprintf(path, sizeof(path), "/d/%u", i);
		writes(w, 4 * MS + i, AGENT, path, EV_FILE_CREATED, 100);
	}
	feed(w, record_exit(90 * MS, AGENT, 0));
	end(w);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_CREATED, 0),
			 LIMIT_CHANGES);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_UNTOLD, 0),
			 LIMIT_CHANGES - LIMIT_CHANGE_SPANS + 10);
}

static struct ev_open *opens(uint64_t ts, uint32_t tgid, const char *path, uint64_t bytes)
{
	struct ev_open *o = record_open(ts, tgid, path, 0);

	o->bytes[EV_READ] = bytes;
	o->calls[EV_READ] = bytes ? 2 : 0;
	o->ns[EV_READ] = bytes;
	o->size = 500;
	return o;
}

/* All that is read of a path is one span; what is installed beside a program is only counted. */
static void what_is_read(void **state)
{
	struct world *w = *state;
	const struct span *s;
	struct ev_open *o;

	run_program(w, 3 * MS, OTHER, AGENT, "/bin/tool");
	feed(w, opens(5 * MS, OTHER, "/d/a", 10));
	o = opens(7 * MS, OTHER, "/d/a", 20);
	o->open_ns = 2000000;
	feed(w, o);
	o = opens(8 * MS, OTHER, "/d/a", 5); /* it stays open */
	o->flags = EV_OPEN_PART;
	o->open_ns = 0;
	feed(w, o);
	feed(w, opens(9 * MS, OTHER, "/p/node_modules/x/index.js", 100));
	o = opens(10 * MS, OTHER, "/d/m", 0);
	o->flags = EV_OPEN_MAPPED;
	feed(w, o);
	o = opens(11 * MS, OTHER, "/d/no", 0);
	o->err = -13;
	feed(w, o);
	o = opens(12 * MS, OTHER, "/d/gone", 0);
	o->err = -2;
	feed(w, o);
	feed(w, record_exit(20 * MS, OTHER, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 4);
	s = told_nth(&w->told, SPAN_FILE, 0);
	ASSERT_SV(s->name, "read a");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FILE_PATH), "/d/a");
	assert_true(span_is_read(s));
	assert_string_equal(s->parent_span_id, told_process(&w->told, OTHER)->span_id);
	assert_int_equal(s->end_ns - s->start_ns, 4 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_READ, -1), 35);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_READS, -1), 6);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_READ_NS, -1), 35);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_OPENS, -1), 2);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_OPEN_NS, -1), 2000000);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_OPEN_FOR_NS, -1), 3 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_SIZE, -1), 500);
	s = told_nth(&w->told, SPAN_FILE, 1);
	ASSERT_SV(s->name, "read m");
	assert_true(json_true(span_attr(s, ATTR_ID_FILE_MAPPED)));
	s = told_nth(&w->told, SPAN_FILE, 2);
	ASSERT_SV(s->name, "open no");
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "EACCES");
	assert_false(span_is_read(s));
	s = told_nth(&w->told, SPAN_FILE, 3); /* so programs search */
	assert_int_equal(s->status, STATUS_UNSET);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "ENOENT");
	assert_true(span_is_read(s));
	for (int i = 0; i < 2; i++) {
		s = i ? told_nth(&w->told, SPAN_RUN, 0) : told_process(&w->told, OTHER);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_READ, 0), 3);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_PACKAGES, 0), 1);
		assert_int_equal(span_attr_int(s, ATTR_ID_FILES_READ_BYTES, 0), 135);
		assert_null(span_attr(s, ATTR_ID_FILES_READ_UNTOLD));
		assert_null(span_attr(s, ATTR_ID_FILES_WRITTEN));
	}
}

/* One open file may be read and written. */
static void read_and_written(void **state)
{
	struct world *w = *state;
	const struct span *s;
	struct ev_open *o = opens(5 * MS, AGENT, "/d/db", 10);

	o->flags = EV_OPEN_WRITE | EV_OPEN_CHANGED;
	o->bytes[EV_WRITE] = 7;
	o->calls[EV_WRITE] = 1;
	o->ns[EV_WRITE] = 70;
	o->syncs = 2;
	o->sync_ns = 900;
	o->sync_max_ns = 600;
	feed(w, o);
	o = record_open(6 * MS, AGENT, "/d/new", EV_OPEN_CREATED | EV_OPEN_CHANGED | EV_OPEN_WRITE);
	o->bytes[EV_WRITE] = 9;
	o->size = 9;
	feed(w, o);
	feed(w, record_exit(20 * MS, AGENT, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 3);
	s = told_nth(&w->told, SPAN_FILE, 0);
	assert_change(s, "written", "/d/db", 7);
	assert_false(span_is_read(s));
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_WRITES, -1), 1);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_WRITE_NS, -1), 70);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_SYNCS, -1), 2);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_SYNC_NS, -1), 900);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_SYNC_MAX_NS, -1), 600);
	assert_null(span_attr(s, ATTR_ID_FILE_READS));
	assert_change(told_nth(&w->told, SPAN_FILE, 1), "created", "/d/new", 9);
	s = told_nth(&w->told, SPAN_FILE, 2);
	ASSERT_SV(s->name, "read db");
	assert_int_equal(span_attr_int(s, ATTR_ID_FILE_READ, -1), 10);
	assert_null(span_attr(s, ATTR_ID_FILE_SYNCS));
	s = told_nth(&w->told, SPAN_RUN, 0);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILES_READ, 0), 1);
	assert_int_equal(span_attr_int(s, ATTR_ID_FILES_WRITTEN, 0), 1);
}

/* What the agent's own process reads is the tool call's that names it; so is what its processes read. */
static void what_a_tool_reads(void **state)
{
	static const char args[] = "sh\0-c\0cat it";
	struct world *w = *state;
	const struct span *tool, *s;
	const struct json *log;

	feed(w, opens(3 * MS, AGENT, "/w/src/main.c", 3)); /* before it was asked for */
	asks(w, 4 * MS, "read_file", "path", "./src/main.c");
	feed(w, opens(6 * MS, AGENT, "/home/me/.agent/config", 10));
	feed(w, opens(7 * MS, AGENT, "/w/src/main.c", 30));
	feed(w, opens(8 * MS, AGENT, "/w/src/not_main.c", 10));
	feed(w, record_exit(20 * MS, AGENT, 0));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	log = span_attr(tool, ATTR_ID_FILES_READS);
	assert_int_equal(log->cnt, 1);
	assert_true(json_str_is(json_get(json_at(log, 0), "path"), "/w/src/main.c"));
	assert_int_equal(span_attr_int(tool, ATTR_ID_FILES_READ, 0), 1);
	assert_int_equal(span_attr_int(tool, ATTR_ID_FILES_READ_BYTES, 0), 30);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 4);
	for (size_t i = 0; i < 4; i++) {
		s = told_nth(&w->told, SPAN_FILE, i);
		if (sv_is(sv(s->parent_span_id), tool->span_id))
			ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), "argument");
		else
			assert_string_equal(s->parent_span_id,
					    told_nth(&w->told, SPAN_RUN, 0)->span_id);
	}
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_READ, 0), 4);
	teardown(state);
	setup(state);
	w = *state;
	asks(w, 3 * MS, "shell", "command", "cat it");
	feed(w, record_fork(4 * MS, AGENT, OTHER));
	feed(w, record_exec(4 * MS, OTHER, AGENT, "/bin/sh", args, sizeof(args)));
	feed(w, opens(6 * MS, OTHER, "/d/it", 5));
	feed(w, record_exit(9 * MS, OTHER, 0));
	feed(w, record_exit(10 * MS, AGENT, 0));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	assert_int_equal(span_attr(tool, ATTR_ID_FILES_READS)->cnt, 1);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 1);
	assert_string_equal(told_nth(&w->told, SPAN_FILE, 0)->parent_span_id,
			    told_process(&w->told, OTHER)->span_id);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_READ, 0), 1);
}

/* What reads many files is bounded, too, and by a bound of its own. */
static void many_reads(void **state)
{
	struct world *w = *state;
	struct ev_open *over;
	char path[32];

	for (unsigned int i = 0; i < LIMIT_READS + 10; i++) {
		snprintf(path, sizeof(path), "/d/%u", i);
		feed(w, opens(4 * MS + i, AGENT, path, 1));
	}
	writes(w, 50 * MS, AGENT, "/d/out", EV_FILE_CREATED, 100);
	over = record(EV_OPEN, sizeof(*over), 60 * MS, AGENT, NULL, 0);
	over->over[EV_READ] = 7;
	over->over[EV_WRITE] = 3;
	feed(w, over);
	feed(w, record_exit(90 * MS, AGENT, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), LIMIT_READ_SPANS + 1);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_READ, 0),
			 LIMIT_READS);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_READ_UNTOLD,
				       0),
			 LIMIT_READS - LIMIT_READ_SPANS + 10 + 7);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FILES_UNTOLD, 0),
			 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(log_of_a_tool, setup, teardown),
		cmocka_unit_test_setup_teardown(agents_own_tool, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
		cmocka_unit_test_setup_teardown(bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(read_and_written, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_tool_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(many_reads, setup, teardown),
	};

	return cmocka_run_group_tests_name("trace_file", tests, NULL, NULL);
}
