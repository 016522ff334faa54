// SPDX-License-Identifier: BSD-2-Clause
#include "span/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"

#define SLOW_OPEN_NS 1000000 /* an open that took so long is told */

struct read {
	struct sv path; /* own memory */
	uint64_t ts_first, ts_last;
	uint64_t size;
	int err; /* it could not be opened: -errno */
	bool package, all;
	struct read_of of;
	struct file_io io;
};

void file_io_add(struct file_io *io, const struct ev_open *o, unsigned int dirs)
{
	io->opens += o->open_ns != 0;
	io->open_for_ns += o->hdr.ts > o->enter_ts ? o->hdr.ts - o->enter_ts : 0;
	if (o->open_ns > io->open_ns)
		io->open_ns = o->open_ns;
	for (unsigned int dir = 0; dir < 2; dir++) {
		if (!(dirs & 1u << dir))
			continue;
		io->bytes[dir] += o->bytes[dir];
		io->ns[dir] += o->ns[dir];
		io->calls[dir] += o->calls[dir];
	}
	io->mapped |= o->flags & EV_OPEN_MAPPED && dirs & 1u << EV_READ;
	if (!(dirs & 1u << EV_WRITE))
		return;
	io->syncs += o->syncs;
	io->sync_ns += o->sync_ns;
	if (o->sync_max_ns > io->sync_max_ns)
		io->sync_max_ns = o->sync_max_ns;
}

void file_io_set(struct span *s, const struct file_io *io)
{
	const struct {
		enum attr_id id;
		uint64_t n;
	} all[] = {
		{ ATTR_ID_FILE_OPENS, io->opens },
		{ ATTR_ID_FILE_OPEN_FOR_NS, io->open_for_ns },
		{ ATTR_ID_FILE_OPEN_NS, io->open_ns >= SLOW_OPEN_NS ? io->open_ns : 0 },
		{ ATTR_ID_FILE_READS, io->calls[EV_READ] },
		{ ATTR_ID_FILE_READ_NS, io->ns[EV_READ] },
		{ ATTR_ID_FILE_WRITES, io->calls[EV_WRITE] },
		{ ATTR_ID_FILE_WRITE_NS, io->ns[EV_WRITE] },
		{ ATTR_ID_FILE_SYNCS, io->syncs },
		{ ATTR_ID_FILE_SYNC_NS, io->sync_ns },
		{ ATTR_ID_FILE_SYNC_MAX_NS, io->sync_max_ns },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].n)
			span_set_int(s, all[i].id, (int64_t)all[i].n);
	if (io->mapped)
		span_set_bool(s, ATTR_ID_FILE_MAPPED, true);
}

static bool is_of_package(struct sv path)
{
	static const char *const dirs[] = {
		"/node_modules/", "/site-packages/",   "/dist-packages/", "/__pycache__/",
		"/.git/",         "/.cargo/registry/", "/go/pkg/mod/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (sv_has(path, dirs[i]))
			return true;
	return false;
}

/* It is a span, and a line of a list. */
static bool is_told(const struct read *r)
{
	return !r->package || r->all || r->of.link;
}

static void read_free(struct trace *t, struct read *r)
{
	t->read_cnt--;
	free((char *)r->path.p);
	free(r);
}

static struct read *read_new(struct trace *t, struct reads *l, struct map_key key, struct sv path)
{
	struct read *r = t->read_cnt < LIMIT_READS ? calloc(1, sizeof(*r)) : NULL;
	char *p = r ? malloc(path.n) : NULL;

	if (!p) {
		free(r);
		return NULL;
	}
	t->read_cnt++;
	memcpy(p, path.p, path.n);
	r->path = (struct sv){ p, path.n };
	r->package = is_of_package(path);
	if (map_put(&l->by_path, key, r)) {
		read_free(t, r);
		return NULL;
	}
	return r;
}

void reads_add(struct trace *t, struct reads *l, struct sv path, const struct ev_open *o,
	       const struct read_of *of)
{
	struct map_key key = { hash64(path), (uint64_t)o->err, 0 };
	bool changed = o->flags & EV_OPEN_CHANGED;
	struct read *r;

	l->over[of->passed_on] += o->over[EV_READ];
	if (!path.n || (changed && !o->bytes[EV_READ]))
		return;
	r = map_get(&l->by_path, key);
	if (!r) {
		r = read_new(t, l, key, path);
		if (!r) {
			l->over[of->passed_on]++;
			return;
		}
		r->ts_first = o->enter_ts < o->hdr.ts ? o->enter_ts : o->hdr.ts;
		r->err = o->err;
	}
	r->ts_last = o->hdr.ts;
	r->size = o->size;
	r->all |= o->flags & EV_OPEN_ALL;
	r->of = *of;
	file_io_add(&r->io, o, 1u << EV_READ | (changed ? 0u : 1u << EV_WRITE));
}

void reads_sums(const struct reads *l, bool own, struct file_sums *sums)
{
	uint64_t told = 0;

	for (int i = 0; i < (own ? 1 : 2); i++)
		sums->read_untold += l->over[i];
	map_for_each (&l->by_path, e) {
		const struct read *r = e->value;

		if (is_told(r) && !r->of.passed_on && ++told > LIMIT_READ_SPANS)
			sums->read_untold++;
		if (r->err || (own && r->of.passed_on))
			continue;
		sums->read++;
		sums->packages += r->package;
		sums->read_bytes += r->io.bytes[EV_READ];
	}
}

void reads_log(struct span *s, const struct reads *l)
{
	struct json *log = json_array(&s->arena);

	map_for_each (&l->by_path, e) {
		const struct read *r = e->value;
		struct json *o;

		if (!is_told(r) || (r->err == -ENOENT && !r->of.link))
			continue;
		if (log && log->cnt == LIMIT_CHANGE_LOG)
			break;
		o = json_object(&s->arena);
		json_set(&s->arena, o, "path", json_string(&s->arena, r->path));
		if (r->err)
			json_set(&s->arena, o, "error",
				 json_string(&s->arena, sv(strerrorname_np(-r->err))));
		else
			json_set(&s->arena, o, "bytes",
				 json_int(&s->arena, (int64_t)r->io.bytes[EV_READ]));
		json_push(log, o);
	}
	if (log && log->cnt)
		span_set_json(s, ATTR_ID_FILES_READS, log);
}

static const char *verb_of(const struct read *r)
{
	if (r->err)
		return "open";
	if (r->io.bytes[EV_READ] || r->io.mapped)
		return "read";
	return r->io.syncs ? "sync" : "open";
}

static void tell(struct run *run, const struct read *r, const char *parent, uint32_t pid)
{
	struct span *s = engine_span(run, SPAN_FILE, r->ts_first, r->ts_last);
	const char *slash = memrchr(r->path.p, '/', r->path.n);
	struct sv name = r->path;

	if (!s)
		return;
	if (slash)
		name = sv_sub(r->path, (size_t)(slash + 1 - r->path.p), r->path.n);
	engine_id(s->span_id, run, SPAN_FILE,
		  (uint64_t[4]){ hash64(sv(parent)), hash64(r->path), r->ts_first,
				 ~(uint64_t)r->err });
	memcpy(s->parent_span_id, parent, sizeof(s->parent_span_id));
	span_set_name(s, arena_fmt(&s->arena, "%s " SV_FMT, verb_of(r), SV_ARG(name)));
	if (pid)
		span_set_int(s, ATTR_ID_PROCESS_PID, pid);
	span_set_str(s, ATTR_ID_LINK, sv(r->of.link));
	span_set_str(s, ATTR_ID_FILE_PATH, r->path);
	file_io_set(s, &r->io);
	if (!r->err) {
		span_set_int(s, ATTR_ID_FILE_READ, (int64_t)r->io.bytes[EV_READ]);
		span_set_int(s, ATTR_ID_FILE_SIZE, (int64_t)r->size);
	} else if (r->err == -ENOENT || r->err == -ENOTDIR) { /* so programs search */
		span_set_str(s, ATTR_ID_ERROR_TYPE, sv(strerrorname_np(-r->err)));
	} else {
		engine_fail(s, sv(strerrorname_np(-r->err)), sv(strerrordesc_np(-r->err)));
	}
	engine_emit(run, &s);
}

void reads_tell(struct run *run, const struct reads *l, const char *parent, uint32_t pid)
{
	uint64_t told = 0;

	map_for_each (&l->by_path, e) {
		const struct read *r = e->value;

		if (is_told(r) && !r->of.passed_on && told++ < LIMIT_READ_SPANS)
			tell(run, r, parent, pid);
	}
}

void reads_free(struct trace *t, struct reads *l)
{
	map_for_each (&l->by_path, e)
		read_free(t, e->value);
	map_fini(&l->by_path);
}
