// SPDX-License-Identifier: BSD-2-Clause
/*
 * What processes do with files.  A change belongs to the process that made it, and is in
 * the log of the tool call that started that.  What the agent's own process changes is its tool call's
 * when the call names the path.
 */
#include "span/file.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"

enum change_kind { CREATED, WRITTEN, REMOVED, RENAMED, LINKED, DIR_CREATED, DIR_REMOVED };

static const char *const kind_names[] = {
	[CREATED] = "created",         [WRITTEN] = "written", [REMOVED] = "removed",
	[RENAMED] = "renamed",         [LINKED] = "linked",   [DIR_CREATED] = "dir_created",
	[DIR_REMOVED] = "dir_removed",
};

static const char *const verbs[] = {
	[CREATED] = "create",    [WRITTEN] = "write", [REMOVED] = "remove",
	[RENAMED] = "rename",    [LINKED] = "link",   [DIR_CREATED] = "mkdir",
	[DIR_REMOVED] = "rmdir",
};

struct change {
	enum change_kind kind;
	struct sv path, to; /* own memory; to: of RENAMED and LINKED */
	uint64_t ts_first, ts_last;
	uint64_t bytes, size;
	int err;          /* it was refused: -errno */
	const char *link; /* ringspan.link: how sure the tool call is; NULL: it is the process's */
	bool passed_on;   /* the process's ledger tells its span */
	struct file_io io;
};

struct ledger {
	struct reads reads;
	struct map changes; /* (path, error) -> struct change, oldest first */
	unsigned int at;    /* of counts: 1 while what is taken in is in a process's ledger, too */
	struct counts {
		uint64_t temporary, temporary_bytes, over;
	} counts[2];
};

static bool is_made(const struct change *c)
{
	return c->kind == CREATED || c->kind == LINKED || c->kind == DIR_CREATED;
}

static struct map_key key_of(struct sv path, int err, enum change_kind kind)
{
	return (struct map_key){ hash64(path), (uint64_t)err, err ? kind : 0 };
}

static struct change *find(const struct ledger *l, struct sv path)
{
	return map_get(&l->changes, key_of(path, 0, 0));
}

static void change_free(struct trace *t, struct change *c)
{
	if (!c)
		return;
	t->change_cnt--;
	free((char *)c->path.p);
	free((char *)c->to.p);
	free(c);
}

static void drop(struct trace *t, struct ledger *l, struct sv path)
{
	change_free(t, map_del(&l->changes, key_of(path, 0, 0)));
}

static struct sv copy(struct sv text)
{
	char *p = text.n ? malloc(text.n) : NULL;

	if (p)
		memcpy(p, text.p, text.n);
	return (struct sv){ p, p ? text.n : 0 };
}

/* A change that there is not yet; NULL when it is one too many, which is counted. */
static struct change *add(struct trace *t, struct ledger *l, struct sv path, int err,
			  enum change_kind kind, const struct ev_file *f)
{
	struct change *c = t->change_cnt < LIMIT_CHANGES ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		l->counts[l->at].over++;
		return NULL;
	}
	t->change_cnt++;
	*c = (struct change){ .kind = kind, .path = copy(path), .err = err };
	c->ts_first = f->enter_ts < f->hdr.ts ? f->enter_ts : f->hdr.ts;
	c->ts_last = f->hdr.ts;
	if (!c->path.p || map_put(&l->changes, key_of(path, err, kind), c)) {
		change_free(t, c);
		l->counts[l->at].over++;
		return NULL;
	}
	return c;
}

static struct change *find_or_add(struct trace *t, struct ledger *l, struct sv path,
				  enum change_kind kind, const struct ev_file *f)
{
	struct change *c = find(l, path);

	if (!c)
		return add(t, l, path, 0, kind, f);
	c->ts_last = f->hdr.ts;
	return c;
}

/* It was made and is gone again. */
static void made_for_nothing(struct trace *t, struct ledger *l, struct sv path, uint64_t bytes)
{
	l->counts[l->at].temporary++;
	l->counts[l->at].temporary_bytes += bytes;
	drop(t, l, path);
}

/* --- one record */

static struct change *on_write(struct trace *t, struct ledger *l, struct sv path,
			       const struct ev_file *f)
{
	bool created = f->flags & EV_FILE_CREATED;
	uint64_t written = f->bytes;
	struct change *c;

	/* what was empty has been written, if not by calls that are counted */
	if (f->flags && f->size > written)
		written = f->size;
	if (f->flags & EV_FILE_GONE) {
		if (created)
			made_for_nothing(t, l, path, written);
		return NULL;
	}
	c = find(l, path);
	if (c && c->kind != CREATED)
		c->kind = WRITTEN; /* what was removed before is there again */
	c = find_or_add(t, l, path, created ? CREATED : WRITTEN, f);
	if (!c)
		return NULL;
	c->bytes += written;
	c->size = f->op == EV_FILE_WRITE ? f->size : c->size;
	return c;
}

static struct change *on_remove(struct trace *t, struct ledger *l, struct sv path,
				const struct ev_file *f)
{
	enum change_kind kind = f->op == EV_FILE_RMDIR ? DIR_REMOVED : REMOVED;
	struct change *c = find(l, path);

	if (c && is_made(c)) {
		made_for_nothing(t, l, path, c->bytes);
		return NULL;
	}
	c = find_or_add(t, l, path, kind, f);
	if (c)
		c->kind = kind;
	return c;
}

static struct change *on_make(struct trace *t, struct ledger *l, struct sv path, struct sv to,
			      const struct ev_file *f)
{
	enum change_kind kind = f->op == EV_FILE_MKDIR ? DIR_CREATED : LINKED;
	struct change *c = find_or_add(t, l, path, kind, f);

	if (!c)
		return NULL;
	c->kind = kind;
	if (to.n) {
		free((char *)c->to.p);
		c->to = copy(to);
	}
	return c;
}

/* What the ledger saw being made under another name is written: editors do that to replace a file at once. */
static struct change *on_rename(struct trace *t, struct ledger *l, struct sv path, struct sv to,
				const struct ev_file *f)
{
	struct change *from = find(l, path), *c;

	if (from && from->kind == CREATED) {
		uint64_t bytes = from->bytes, size = from->size;
		struct file_io io = from->io;

		drop(t, l, path);
		c = find_or_add(t, l, to, WRITTEN, f);
		if (!c)
			return NULL;
		c->kind = c->kind == CREATED ? CREATED : WRITTEN;
		c->bytes += bytes;
		c->size = size;
		c->io = io;
		return c;
	}
	drop(t, l, to); /* what it was is gone */
	c = find_or_add(t, l, path, RENAMED, f);
	if (!c)
		return NULL;
	c->kind = RENAMED;
	free((char *)c->to.p);
	c->to = copy(to);
	return c;
}

static enum change_kind kind_of(const struct ev_file *f)
{
	switch (f->op) {
	case EV_FILE_REMOVE:
		return REMOVED;
	case EV_FILE_RENAME:
		return RENAMED;
	case EV_FILE_MKDIR:
		return DIR_CREATED;
	case EV_FILE_RMDIR:
		return DIR_REMOVED;
	case EV_FILE_LINK:
	case EV_FILE_SYMLINK:
		return LINKED;
	default:
		return WRITTEN;
	}
}

static struct change *on_refused(struct trace *t, struct ledger *l, struct sv path, struct sv to,
				 const struct ev_file *f)
{
	struct change *c = map_get(&l->changes, key_of(path, f->err, kind_of(f)));

	if (!c) {
		c = add(t, l, path, f->err, kind_of(f), f);
		if (c)
			c->to = copy(to);
	} else {
		c->ts_last = f->hdr.ts;
	}
	return c;
}

static struct ledger *ledger_get(struct ledger **lp)
{
	if (!*lp)
		*lp = calloc(1, sizeof(**lp));
	return *lp;
}

/* The change that it became, or NULL. */
static struct change *apply(struct trace *t, struct ledger **lp, struct sv path, struct sv to,
			    const struct ev_file *f, bool passed_on)
{
	struct ledger *l = ledger_get(lp);

	if (!l)
		return NULL;
	l->at = passed_on;
	l->counts[l->at].over += f->over;
	if (!path.n)
		return NULL;
	if (f->err)
		return on_refused(t, l, path, to, f);
	switch (f->op) {
	case EV_FILE_WRITE:
	case EV_FILE_TRUNCATE:
		return on_write(t, l, path, f);
	case EV_FILE_REMOVE:
	case EV_FILE_RMDIR:
		return on_remove(t, l, path, f);
	case EV_FILE_RENAME:
		return on_rename(t, l, path, to, f);
	case EV_FILE_MKDIR:
	case EV_FILE_LINK:
	case EV_FILE_SYMLINK:
		return on_make(t, l, path, to, f);
	default:
		return NULL; /* a later version's */
	}
}

/* What the agent wrote under a name that told nothing is its tool call's when it gets the name that does. */
static void hand_over(struct ledger *from, struct ledger **to, struct sv path)
{
	struct change *c = from ? find(from, path) : NULL;

	if (!c || c->kind != CREATED)
		return;
	if (!ledger_get(to) || find(*to, path) || map_put(&(*to)->changes, key_of(path, 0, 0), c))
		return;
	map_del(&from->changes, key_of(path, 0, 0));
}

/* The ledger of the open tool call that names what was changed: under its new name, else its old one. */
static struct ledger **named_by(struct run *r, const struct proc *p, struct sv path, struct sv to,
				const struct ev_file *f, const char **link)
{
	struct ledger **tool = NULL;

	if (f->op == EV_FILE_OVER)
		return NULL;
	if (f->op == EV_FILE_RENAME)
		tool = tool_of_file(r, p, to, f->enter_ts, link);
	return tool ? tool : tool_of_file(r, p, path, f->enter_ts, link);
}

static void io_add(struct change *c, const struct ev_open *o)
{
	if (c && o)
		file_io_add(&c->io, o, 1u << EV_WRITE);
}

/* o: the open file that was changed; NULL: a path was */
static void change(struct trace *t, const struct ev_file *f, const struct ev_open *o,
		   struct sv path, struct sv to)
{
	const struct proc *p = proc_find(t->procs, f->hdr.tgid, f->hdr.start);
	struct pstate *ps = p->user;
	const char *tool_span, *link = NULL;
	struct ledger **tool = named_by(ps->run, p, path, to, f, &link);
	struct change *c;

	if (tool) {
		if (f->op == EV_FILE_RENAME)
			hand_over(ps->files, tool, path);
		c = apply(t, tool, path, to, f, false);
		if (c)
			c->link = link;
		io_add(c, o);
		return;
	}
	io_add(apply(t, &ps->files, path, to, f, false), o);
	tool_span = process_tool(p);
	tool = tool_span ? tool_ledger(ps->run, tool_span) : NULL;
	c = tool ? apply(t, tool, path, to, f, true) : NULL;
	if (c)
		c->passed_on = true;
}

void file_feed(struct trace *t, const struct ev_file *f)
{
	struct pstate *ps = engine_pstate(t, f->hdr.tgid, f->hdr.start);
	_cleanup_buf_ struct buf path = BUF_INIT, to = BUF_INIT;

	if (ps && !event_file_path(&path, f, 0) && !event_file_path(&to, f, 1))
		change(t, f, NULL, buf_view(&path), buf_view(&to));
}

static void open_read(struct trace *t, const struct ev_open *o, struct sv path)
{
	const struct proc *p = proc_find(t->procs, o->hdr.tgid, o->hdr.start);
	struct pstate *ps = p->user;
	struct read_of of = { 0 };
	const char *tool_span = process_tool(p);
	struct ledger **named = tool_of_read(ps->run, p, path, o->enter_ts, &of.link);
	struct ledger **tool = tool_span ? tool_ledger(ps->run, tool_span) : NULL;

	if (ledger_get(named ? named : &ps->files))
		reads_add(t, &(named ? *named : ps->files)->reads, path, o, &of);
	of.passed_on = true;
	if (!named && tool && ledger_get(tool))
		reads_add(t, &(*tool)->reads, path, o, &of);
}

void file_feed_open(struct trace *t, const struct ev_open *o)
{
	struct pstate *ps = engine_pstate(t, o->hdr.tgid, o->hdr.start);
	_cleanup_buf_ struct buf path = BUF_INIT;
	struct ev_file as_change = {
		.hdr = o->hdr,
		.enter_ts = o->enter_ts,
		.bytes = o->bytes[EV_WRITE],
		.size = o->size,
		.op = EV_FILE_WRITE,
		.flags = o->flags & (EV_FILE_CREATED | EV_FILE_TRUNCATED | EV_FILE_GONE),
		.over = o->over[EV_WRITE],
	};

	if (!ps || event_open_path(&path, o))
		return;
	if (o->flags & EV_OPEN_CHANGED)
		change(t, &as_change, o, buf_view(&path), SV(""));
	else if (o->over[EV_WRITE])
		change(t, &as_change, NULL, SV(""), SV(""));
	open_read(t, o, buf_view(&path));
}

/* --- telling */

static void count(struct file_sums *sums, const struct change *c)
{
	sums->bytes += c->bytes;
	if (is_made(c))
		sums->created++;
	else if (c->kind == WRITTEN)
		sums->written++;
	else if (c->kind == RENAMED)
		sums->renamed++;
	else
		sums->removed++;
}

/* own: without what is in the ledger of a process, too */
static struct file_sums sums_of(const struct ledger *l, bool own)
{
	struct file_sums sums = { 0 };
	uint64_t told = 0;

	for (int i = 0; i < (own ? 1 : 2); i++) {
		sums.temporary += l->counts[i].temporary;
		sums.bytes += l->counts[i].temporary_bytes;
		sums.untold += l->counts[i].over;
	}
	map_for_each (&l->changes, e) {
		const struct change *c = e->value;

		if (!c->passed_on && ++told > LIMIT_CHANGE_SPANS)
			sums.untold++;
		if (!c->err && !(own && c->passed_on))
			count(&sums, c);
	}
	reads_sums(&l->reads, own, &sums);
	return sums;
}

void file_set_sums(struct span *s, const struct file_sums *sums)
{
	const struct {
		enum attr_id id;
		uint64_t n;
	} all[] = {
		{ ATTR_ID_FILES_CREATED, sums->created },
		{ ATTR_ID_FILES_WRITTEN, sums->written },
		{ ATTR_ID_FILES_REMOVED, sums->removed },
		{ ATTR_ID_FILES_RENAMED, sums->renamed },
		{ ATTR_ID_FILES_TEMPORARY, sums->temporary },
		{ ATTR_ID_FILES_BYTES, sums->bytes },
		{ ATTR_ID_FILES_UNTOLD, sums->untold },
		{ ATTR_ID_FILES_READ, sums->read },
		{ ATTR_ID_FILES_READ_BYTES, sums->read_bytes },
		{ ATTR_ID_FILES_PACKAGES, sums->packages },
		{ ATTR_ID_FILES_READ_UNTOLD, sums->read_untold },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].n)
			span_set_int(s, all[i].id, (int64_t)all[i].n);
}

static struct json *log_entry(struct arena *a, const struct change *c)
{
	struct json *o = json_object(a);

	json_set(a, o, "path", json_string(a, c->path));
	json_set(a, o, "change", json_string(a, sv(kind_names[c->kind])));
	if (c->to.n)
		json_set(a, o, "to", json_string(a, c->to));
	if (c->bytes)
		json_set(a, o, "bytes", json_int(a, (int64_t)c->bytes));
	if (c->err)
		json_set(a, o, "error", json_string(a, sv(strerrorname_np(-c->err))));
	return o;
}

void file_describe(struct span *s, const struct ledger *l, bool with_log)
{
	struct file_sums sums;
	struct json *log;
	size_t n = 0;

	if (!l)
		return;
	sums = sums_of(l, false);
	file_set_sums(s, &sums);
	if (!with_log)
		return;
	reads_log(s, &l->reads);
	if (!l->changes.cnt)
		return;
	log = json_array(&s->arena);
	map_for_each (&l->changes, e) {
		if (n++ < LIMIT_CHANGE_LOG)
			json_push(log, log_entry(&s->arena, e->value));
	}
	span_set_json(s, ATTR_ID_FILES_CHANGES, log);
}

static void tell(struct run *r, const struct change *c, const char *parent, uint32_t pid)
{
	struct span *s = engine_span(r, SPAN_FILE, c->ts_first, c->ts_last);
	const char *slash = memrchr(c->path.p, '/', c->path.n);
	struct sv name = c->path;

	if (!s)
		return;
	if (slash)
		name = sv_sub(c->path, (size_t)(slash + 1 - c->path.p), c->path.n);
	engine_id(s->span_id, r, SPAN_FILE,
		  (uint64_t[4]){ hash64(sv(parent)), hash64(c->path), c->ts_first,
				 (uint64_t)c->err });
	memcpy(s->parent_span_id, parent, sizeof(s->parent_span_id));
	span_set_name(s, arena_fmt(&s->arena, "%s " SV_FMT, verbs[c->kind], SV_ARG(name)));
	if (pid)
		span_set_int(s, ATTR_ID_PROCESS_PID, pid);
	span_set_str(s, ATTR_ID_LINK, sv(c->link));
	span_set_str(s, ATTR_ID_FILE_PATH, c->path);
	span_set_str(s, ATTR_ID_FILE_CHANGE, sv(kind_names[c->kind]));
	span_set_str(s, ATTR_ID_FILE_TO, c->to);
	if (!c->err && (c->kind == CREATED || c->kind == WRITTEN)) {
		span_set_int(s, ATTR_ID_FILE_WRITTEN, (int64_t)c->bytes);
		span_set_int(s, ATTR_ID_FILE_SIZE, (int64_t)c->size);
		file_io_set(s, &c->io);
	}
	if (c->err)
		engine_fail(s, sv(strerrorname_np(-c->err)), sv(strerrordesc_np(-c->err)));
	engine_emit(r, &s);
}

void file_finish(struct run *r, struct ledger **lp, const char *parent, uint32_t pid)
{
	struct ledger *l = *lp;
	struct file_sums sums;
	uint64_t told = 0;

	if (!l)
		return;
	map_for_each (&l->changes, e) {
		const struct change *c = e->value;

		if (!c->passed_on && told++ < LIMIT_CHANGE_SPANS)
			tell(r, c, parent, pid);
	}
	reads_tell(r, &l->reads, parent, pid);
	sums = sums_of(l, true);
	r->files.created += sums.created;
	r->files.written += sums.written;
	r->files.removed += sums.removed;
	r->files.renamed += sums.renamed;
	r->files.temporary += sums.temporary;
	r->files.bytes += sums.bytes;
	r->files.untold += sums.untold;
	r->files.read += sums.read;
	r->files.read_bytes += sums.read_bytes;
	r->files.packages += sums.packages;
	r->files.read_untold += sums.read_untold;
	file_free(r->t, lp);
}

void file_free(struct trace *t, struct ledger **lp)
{
	if (!*lp)
		return;
	map_for_each (&(*lp)->changes, e)
		change_free(t, e->value);
	map_fini(&(*lp)->changes);
	reads_free(t, &(*lp)->reads);
	free(*lp);
	*lp = NULL;
}
