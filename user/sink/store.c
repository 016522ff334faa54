// SPDX-License-Identifier: BSD-2-Clause
/*
 * Opening the store, and what its failures are called: see store.h.  A file that is not a store of
 * this version is never written to; opening for reading never makes one.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "span/embed.h"

#define APPLICATION_ID 0x5253504e /* "RSPN"; schemas/store.sql */
#define STORE_VERSION 4
#define ROOM_MIN (256u << 10)
#define BUSY_STEP_MS 20

/* ---- where it is */

static int join(struct buf *out, const char *folder, const char *rest)
{
	buf_str(out, folder);
	return buf_str(out, rest);
}

int store_default_path(struct buf *out)
{
	const char *named = getenv("RINGSPAN_STORE"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (named && *named)
		return buf_str(out, named);
	/* the XDG Base Directory Specification has relative paths ignored */
	if (data && *data == '/')
		return join(out, data, "/ringspan/ringspan.db");
	if (geteuid() == 0)
		return buf_str(out, "/var/lib/ringspan/ringspan.db");
	if (home && *home == '/')
		return join(out, home, "/.local/share/ringspan/ringspan.db");
	return log_err(-ENOENT,
		       "no place for the store: HOME is not set; name a file with --store");
}

/* ---- failures */

/*
 * Of the last failure.  SQLite does not note it where a COMMIT fails (3.40: OP_AutoCommit), but the log,
 * which is what a commit writes to, does.
 */
static int system_errno(struct store *s)
{
	sqlite3_file *log = NULL;
	int err = 0;

	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &err);
	return err ? err : sqlite3_system_errno(s->db);
}

int store_errno(struct store *s)
{
	int sys = sqlite3_system_errno(s->db);

	switch (sqlite3_errcode(s->db) & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOTADB:
		return -EINVAL;
	case SQLITE_CORRUPT:
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return sys == EROFS ? -EROFS : -EACCES;
	case SQLITE_CANTOPEN:
		return sys == ENOENT || sys == EROFS ? -sys : -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR:
		sys = system_errno(s);
		if (sys == EROFS)
			return -EROFS;
		return sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? -ENOSPC : -EIO;
	}
	return -EIO;
}

int store_fail(struct store *s)
{
	/* who records goes on, and need not be told to name another */
	const char *advice = s->waiting_bytes
				     ? "what is recorded waits in memory until then, up to 64 MB"
				     : "or name another store with --store";
	int err = store_errno(s);

	switch (err) {
	case -EBUSY:
		return log_err(err, "store %s: another writer has it locked; end that one; %s",
			       s->path, advice);
	case -ENOSPC:
		return log_err(err, "store %s: the disk is full; free some space; %s", s->path,
			       advice);
	case -EROFS:
		return log_err(err,
			       "store %s: its file system is mounted read-only; remount it; %s",
			       s->path, advice);
	case -EINVAL:
		return log_err(err, "%s is no ringspan store; name another file with --store",
			       s->path);
	case -EACCES:
		return log_err(err,
			       "store %s: no permission for the file or its folder; run as their "
			       "owner, or name another store with --store",
			       s->path);
	}
	return log_err(err, "store %s: %s; `sqlite3 %s .recover` may save what is in it", s->path,
		       sqlite3_errmsg(s->db), s->path);
}

/* ---- statements */

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out)
{
	if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) != SQLITE_OK)
		return store_fail(s);
	return 0;
}

int store_bind_sv(sqlite3_stmt *st, int index, struct sv text)
{
	return sqlite3_bind_text64(st, index, text.p ? text.p : "", text.n, SQLITE_STATIC,
				   SQLITE_UTF8);
}

struct sv store_column_sv(sqlite3_stmt *st, int column)
{
	const char *p = (const char *)sqlite3_column_text(st, column);

	return (struct sv){ p, (size_t)sqlite3_column_bytes(st, column) };
}

int store_exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_errno(s);
}

/* ---- opening */

struct identity {
	int id, version, objects;
};

/* Not logged: a reader has a second way to try. */
static int read_identity(struct store *s, struct identity *out)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT (SELECT application_id FROM pragma_application_id), "
			       "(SELECT user_version FROM pragma_user_version), "
			       "(SELECT count(*) FROM sqlite_schema)",
			       -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		return store_errno(s);
	out->id = sqlite3_column_int(st, 0);
	out->version = sqlite3_column_int(st, 1);
	out->objects = sqlite3_column_int(st, 2);
	return 0;
}

/* *empty: a file that nobody has put anything into yet. */
static int identify(struct store *s, bool *empty)
{
	struct identity is = { 0 };

	if (read_identity(s, &is))
		return store_fail(s);
	*empty = !is.id && !is.version && !is.objects;
	if (*empty)
		return 0;
	if (is.id != APPLICATION_ID)
		return log_err(
			-EINVAL,
			"%s is a database, but no ringspan store; name another file with --store",
			s->path);
	if (is.version != STORE_VERSION)
		return log_err(
			-EPROTO,
			"store %s has version %d, this ringspan (%s) knows version %d; use the "
			"ringspan that made it, or name a new file with --store",
			s->path, is.version, RINGSPAN_VERSION, STORE_VERSION);
	return 0;
}

/* Switching to WAL needs the file for itself and does not wait for it, so waiting is done here. */
static int set_wal(struct store *s)
{
	for (int waited = 0;; waited += BUSY_STEP_MS) {
		_cleanup_stmt_ sqlite3_stmt *st = NULL;
		int ret = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);

		if (ret == SQLITE_OK)
			ret = sqlite3_step(st);
		if (ret == SQLITE_ROW && sv_is(store_column_sv(st, 0), "wal"))
			return 0;
		if (ret == SQLITE_ROW)
			return log_err(
				-EIO,
				"store %s: its file system cannot share memory, which a store "
				"needs; put it on a local disk",
				s->path);
		if (store_errno(s) != -EBUSY || waited >= STORE_BUSY_MS)
			return store_fail(s);
		sqlite3_sleep(BUSY_STEP_MS);
	}
}

/* Two may do this at once: the one who comes second finds it done. */
static int make_schema(struct store *s)
{
	bool empty = false;
	int err = store_exec(s, "BEGIN IMMEDIATE");

	if (err)
		return store_fail(s);
	err = identify(s, &empty);
	if (!err && empty) {
		err = store_exec(s, embed_store_sql().p);
		if (err)
			err = store_fail(s);
	}
	if (!err && store_exec(s, "COMMIT"))
		err = store_fail(s);
	if (err)
		store_exec(s, "ROLLBACK");
	return err;
}

/* mkdir -p of what stands before the last slash */
static int make_folders(const char *path)
{
	char folder[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(folder))
		return -ENAMETOOLONG;
	memcpy(folder, path, n + 1);
	for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(folder, 0700) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int make_file(const char *path)
{
	/* SQLite gives the files that it makes beside this one the same mode */
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int err;

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? 0 : -errno;
	err = make_folders(path);
	if (!err)
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return err ? err : fd < 0 ? -errno : 0;
}

/* Regular file there: 0.  Logged. */
static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		int err = -errno;

		if (err == -ENOENT || err == -ENOTDIR)
			return log_err(-ENOENT,
				       "no store %s; `ringspan record` makes one, --store "
				       "names another",
				       path);
		return log_err(err == -EACCES ? err : -EIO, "store %s: %s", path, strerror(-err));
	}
	if (!S_ISREG(st.st_mode))
		return log_err(-EINVAL, "%s is no file, so no store; name another with --store",
			       path);
	return 0;
}

/* how: what stands behind "?" in SQLite's file URI, or NULL */
static int open_db(struct store *s, const char *how)
{
	_cleanup_free_ char *real = realpath(s->path, NULL);
	_cleanup_buf_ struct buf uri = BUF_INIT;

	if (!real)
		return log_err(-EACCES, "store %s: %s", s->path, strerror(errno));
	buf_str(&uri, "file:");
	for (const char *p = real; *p; p++) {
		if (strchr("%?#", *p))
			buf_fmt(&uri, "%%%02x", (unsigned char)*p);
		else
			buf_ch(&uri, *p);
	}
	if (how)
		buf_fmt(&uri, "?%s", how);
	if (uri.err)
		return -ENOMEM;
	sqlite3_close_v2(s->db);
	s->db = NULL;
	if (sqlite3_open_v2(buf_cstr(&uri), &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
			    NULL) != SQLITE_OK)
		return s->db ? store_fail(s) : -ENOMEM;
	sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	/*
	 * A store may be somebody else's file.  TRUSTED_SCHEMA cannot be off: SQLite 3.40 does not
	 * count json_extract() among the functions that a schema may then use.
	 */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return 0;
}

static int store_new(struct store **out, const char *path)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->path = strdup(path);
	s->tail = &s->head;
	s->open_tail = &s->open;
	s->logs_tail = &s->logs;
	s->calls_tail = &s->calls;
	s->samples_tail = &s->samples;
	if (!s->path) {
		store_free(&s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

/* A store that cannot take a single run is better refused before the run than after it. */
static int check_room(const char *path)
{
	struct statvfs fs;
	uint64_t room;

	if (statvfs(path, &fs))
		return 0;
	if (fs.f_flag & ST_RDONLY)
		return log_err(
			-EROFS,
			"store %s: its file system is mounted read-only; remount it, or name "
			"another store with --store",
			path);
	room = (uint64_t)fs.f_frsize * (geteuid() ? fs.f_bavail : fs.f_bfree);
	if (room >= ROOM_MIN)
		return 0;
	return log_err(-ENOSPC,
		       "store %s: the disk is full; free some space, or name another store with "
		       "--store",
		       path);
}

static int open_write(struct store *s)
{
	bool empty = false;
	int err = make_file(s->path);

	if (err && access(s->path, F_OK))
		return log_err(err == -ENOSPC ? err : -EACCES,
			       "cannot make the store %s: %s; name another with --store", s->path,
			       strerror(-err));
	err = check_file(s->path);
	if (!err)
		err = check_room(s->path);
	if (!err)
		err = open_db(s, NULL);
	if (!err)
		err = identify(s, &empty);
	if (!err && sqlite3_db_readonly(s->db, "main"))
		err = log_err(-EACCES,
			      "store %s may only be read by you; run as its owner, or name "
			      "another store with --store",
			      s->path);
	/* of an empty file alone, and before the first page of it is written: room that was pruned goes back */
	if (!err && empty && store_exec(s, "PRAGMA auto_vacuum = INCREMENTAL"))
		err = store_fail(s);
	if (!err)
		err = set_wal(s);
	if (!err && empty)
		err = make_schema(s);
	if (!err && store_exec(s, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"))
		err = store_fail(s);
	return err;
}

/* Which file it is: see store_is_there(). */
static void identify_file(struct store *s)
{
	struct stat st;

	if (stat(s->path, &st))
		return;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
}

bool store_is_there(const struct store *s)
{
	struct stat st;

	if (stat(s->path, &st))
		return errno != ENOENT;
	return st.st_dev == s->dev && st.st_ino == s->ino;
}

int store_reopen(struct store *s)
{
	struct store *fresh = NULL;

	if (s->gone)
		return -ESTALE;
	log_warn("store %s was removed or replaced while it was written to: what had been recorded "
		 "is "
		 "gone with it, and what follows goes into a new one",
		 s->path);
	s->gone = store_open_write(&fresh, s->path) != 0;
	if (s->gone)
		return -ESTALE;
	for (size_t at = 0; at < s->opened.len; at += HEX128)
		gap_note(s, s->opened.p + at, 0, "store_removed");
	buf_clear(&s->opened);
	store_forget_stmts(s);
	sqlite3_close_v2(s->db);
	s->db = fresh->db;
	fresh->db = NULL;
	s->dev = fresh->dev;
	s->ino = fresh->ino;
	store_free(&fresh);
	return 0;
}

int store_open_write(struct store **out, const char *path)
{
	struct store *s = NULL;
	int err = store_new(&s, path);

	if (!err)
		err = open_write(s);
	if (err) {
		store_free(&s);
		return err;
	}
	identify_file(s);
	s->writable = true;
	s->boot_wall = store_now(CLOCK_REALTIME) - store_now(CLOCK_BOOTTIME);
	*out = s;
	return 0;
}

/* Nothing is in the write-ahead log that the file itself does not have. */
static bool log_is_empty(const char *path)
{
	_cleanup_buf_ struct buf wal = BUF_INIT;
	struct stat st;

	buf_fmt(&wal, "%s-wal", path);
	return !stat(buf_cstr(&wal), &st) ? st.st_size == 0 : errno == ENOENT;
}

static int open_read(struct store *s)
{
	struct identity is;
	bool empty = false;
	int err = check_file(s->path);

	if (!err)
		err = open_db(s, NULL);
	if (err)
		return err;
	err = read_identity(s, &is);
	/*
	 * Readers of a WAL share memory in a file beside the store.  In a folder that they may not
	 * write to there is none, but then there is no writer either, and the file can be read as
	 * one that does not change.
	 */
	if ((err == -EACCES || err == -ENOENT) && log_is_empty(s->path)) {
		err = open_db(s, "immutable=1");
		if (err)
			return err;
	}
	err = identify(s, &empty);
	if (!err && empty)
		err = log_err(-EINVAL, "%s is empty, so no store; name another with --store",
			      s->path);
	if (!err && store_exec(s, "PRAGMA query_only = ON"))
		err = store_fail(s);
	return err;
}

int store_open_read(struct store **out, const char *path)
{
	struct store *s = NULL;
	int err = store_new(&s, path);

	if (!err)
		err = open_read(s);
	if (err) {
		store_free(&s);
		return err;
	}
	*out = s;
	return 0;
}

void store_free(struct store **sp)
{
	struct store *s = *sp;

	if (!s)
		return;
	store_writer_fini(s);
	sqlite3_close_v2(s->db);
	free(s->path);
	free(s);
	*sp = NULL;
}
