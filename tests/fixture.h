/* SPDX-License-Identifier: BSD-2-Clause */
/* Records made by hand, for tests of everything that reads them. */
#ifndef RINGSPAN_TEST_FIXTURE_H
#define RINGSPAN_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "event/event.h"

#define ASSERT_SV(view, text)                                  \
	do {                                                   \
		struct sv _v = (view);                         \
		assert_int_equal(_v.n, strlen(text));          \
		assert_memory_equal(_v.p, text, strlen(text)); \
	} while (0)

/* A record of `fixed` bytes with a payload; freed by the caller. */
static inline void *record(unsigned int kind, size_t fixed, uint64_t ts, uint32_t tgid,
			   const void *payload, size_t n)
{
	struct ev_hdr *h = calloc(1, fixed + n);

	assert_non_null(h);
	h->size = fixed + n;
	h->kind = kind;
	h->ts = ts;
	h->tgid = tgid;
	h->tid = tgid;
	h->start = tgid * 1000; /* any number that stays with the process */
	if (n)
		memcpy((char *)h + fixed, payload, n);
	return h;
}

static inline struct ev_data *record_data(uint64_t ts, uint32_t tgid, uint64_t conn, int dir,
					  uint64_t pos, const void *bytes, size_t n)
{
	struct ev_data *d = record(EV_DATA, sizeof(*d), ts, tgid, bytes, n);

	d->conn = conn;
	d->pos = pos;
	d->dir = dir;
	d->enter_ts = ts;
	d->len = n;
	d->src = EV_SRC_OPENSSL;
	return d;
}

/* args: argv with a NUL behind each, n bytes of them. */
static inline struct ev_exec *record_exec(uint64_t ts, uint32_t tgid, uint32_t parent,
					  const char *path, const char *args, size_t n)
{
	size_t path_len = strlen(path) + 1;
	char *payload = malloc(path_len + n);
	struct ev_exec *e;

	assert_non_null(payload);
	memcpy(payload, path, path_len);
	memcpy(payload + path_len, args, n);
	e = record(EV_EXEC, sizeof(*e), ts, tgid, payload, path_len + n);
	free(payload);
	e->parent = parent;
	e->parent_start = parent * 1000;
	e->path_len = path_len;
	e->args_len = n;
	e->args_total = n;
	return e;
}

/* text: what /proc/PID/cgroup holds */
static inline struct ev_cgroup *record_cgroup(uint64_t ts, uint32_t tgid, const char *text)
{
	struct ev_cgroup *c = record(EV_CGROUP, sizeof(*c), ts, tgid, text, strlen(text));

	c->len = strlen(text);
	return c;
}

static inline struct ev_fork *record_fork(uint64_t ts, uint32_t tgid, uint32_t child)
{
	struct ev_fork *f = record(EV_FORK, sizeof(*f), ts, tgid, NULL, 0);

	f->child = child;
	f->child_start = child * 1000;
	return f;
}

/* A change of a file by absolute paths; to: NULL for none. */
static inline struct ev_file *record_file(uint64_t ts, uint32_t tgid, unsigned int op,
					  const char *path, const char *to)
{
	size_t len = strlen(path) + 1, to_len = to ? strlen(to) + 1 : 0;
	char *payload = malloc(len + to_len);
	struct ev_file *f;

	assert_non_null(payload);
	memcpy(payload, path, len);
	if (to)
		memcpy(payload + len, to, to_len);
	f = record(EV_FILE, sizeof(*f), ts, tgid, payload, len + to_len);
	free(payload);
	f->enter_ts = ts;
	f->op = op;
	f->len[1] = len;
	f->len[3] = to_len;
	return f;
}

/* A file that was open for a ms, by its absolute path. */
static inline struct ev_open *record_open(uint64_t ts, uint32_t tgid, const char *path,
					  unsigned int flags)
{
	size_t len = strlen(path) + 1;
	struct ev_open *o = record(EV_OPEN, sizeof(*o), ts, tgid, path, len);

	o->enter_ts = ts - 1000000;
	o->open_ns = 5000;
	o->flags = flags;
	o->len[1] = len;
	return o;
}

static inline struct ev_exit *record_exit(uint64_t ts, uint32_t tgid, int status)
{
	struct ev_exit *e = record(EV_EXIT, sizeof(*e), ts, tgid, NULL, 0);

	e->status = status;
	e->cpu_ns = 1000000;
	e->utime_ns = 3;
	e->stime_ns = 1;
	e->rss_peak_bytes = 4096;
	return e;
}

static inline struct ev_run *record_run(uint64_t ts, uint32_t tgid)
{
	struct ev_run *r = record(EV_RUN, sizeof(*r), ts, tgid, NULL, 0);

	r->origin = EV_RUN_RECORD;
	return r;
}

static inline struct ev_meta *record_meta(void)
{
	static const char text[] = "boot_id=b007\0host=box\0kernel=6.1\0arch=x86_64\0version=0.1.0";
	struct ev_meta *m = record(EV_META, sizeof(*m), 1, 0, text, sizeof(text));

	m->wall_offset_ns = 1700000000000000000;
	m->len = sizeof(text);
	m->hdr.start = 0;
	return m;
}

#endif
