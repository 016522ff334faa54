// SPDX-License-Identifier: BSD-2-Clause
/* See profile.h. */
#include "analysis/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

#define DEPTH_MAX 256 /* spans above one; nothing is that deep */

struct profile_span {
	char span_id[HEX64], parent[HEX64];
	enum span_what what;
	struct sv name;
};

struct stack {
	size_t cnt;
	const struct trace_frame *frames[]; /* outermost first */
};

/* Samples that differ in nothing that is asked for. */
struct row {
	char span_id[HEX64];
	char comm[EV_COMM_LEN];
	uint32_t pid, tid;
	const struct stack *stack;
	uint64_t period_ns, cnt;
};

/* --- what comes */

void profile_data_init(struct profile_data *d)
{
	*d = (struct profile_data){ 0 };
	arena_init(&d->arena, 0);
}

void profile_data_fini(struct profile_data *d)
{
	map_fini(&d->frames);
	map_fini(&d->stacks);
	map_fini(&d->rows);
	map_fini(&d->spans);
	map_fini(&d->processes);
	arena_fini(&d->arena);
}

static const struct trace_frame *keep_frame(struct profile_data *d, const struct trace_frame *from)
{
	struct map_key key = { hash64(from->name), hash64(from->file), from->code };
	struct trace_frame *f = map_get(&d->frames, key);

	if (f)
		return f;
	f = arena_alloc(&d->arena, sizeof(*f));
	if (!f)
		return NULL;
	f->name = arena_dup(&d->arena, from->name);
	f->file = arena_dup(&d->arena, from->file);
	f->code = from->code;
	return map_put(&d->frames, key, f) ? NULL : f;
}

static struct map_key key_of_bytes(const void *p, size_t n)
{
	XXH128_hash_t h = XXH3_128bits(p, n);

	return (struct map_key){ h.low64, h.high64, n };
}

static const struct stack *keep_stack(struct profile_data *d, const struct trace_sample *s)
{
	const struct trace_frame *frames[TRACE_FRAMES_MAX];
	size_t cnt = s->frame_cnt < TRACE_FRAMES_MAX ? s->frame_cnt : TRACE_FRAMES_MAX;
	size_t bytes = cnt * sizeof(const struct trace_frame *);
	struct map_key key;
	struct stack *st;

	for (size_t i = 0; i < cnt; i++) {
		frames[i] = keep_frame(d, s->frames[i]);
		if (!frames[i])
			return NULL;
	}
	key = key_of_bytes(frames, bytes);
	st = map_get(&d->stacks, key);
	if (st)
		return st;
	st = arena_alloc(&d->arena, sizeof(*st) + bytes);
	if (!st)
		return NULL;
	st->cnt = cnt;
	if (cnt)
		memcpy(st->frames, frames, bytes);
	return map_put(&d->stacks, key, st) ? NULL : st;
}

int profile_data_sample(struct profile_data *d, const struct trace_sample *s)
{
	size_t comm = s->comm.n < EV_COMM_LEN ? s->comm.n : EV_COMM_LEN - 1;
	struct map_key key;
	struct row row, *r;

	memset(&row, 0, sizeof(row)); /* its padding, too */
	memcpy(row.span_id, s->span_id, sizeof(row.span_id));
	if (comm)
		memcpy(row.comm, s->comm.p, comm);
	row.pid = s->pid;
	row.tid = s->tid;
	row.period_ns = s->period_ns;
	row.stack = keep_stack(d, s);
	if (!row.stack)
		return -ENOMEM;
	key = key_of_bytes(&row, sizeof(row));
	r = map_get(&d->rows, key);
	if (!r) {
		r = arena_alloc(&d->arena, sizeof(*r));
		if (!r || map_put(&d->rows, key, r))
			return -ENOMEM;
		memcpy(r, &row, sizeof(*r));
	}
	r->cnt += s->cnt;
	return 0;
}

static struct map_key span_key(const char *span_id)
{
	return (struct map_key){ hash64(sv(span_id)), 0, 0 };
}

static int keep_process(struct profile_data *d, const struct span *s)
{
	struct map_key key = { (uint64_t)span_attr_int(s, ATTR_ID_PROCESS_PID, 0), 0, 0 };
	struct sv *name = arena_alloc(&d->arena, sizeof(*name));
	bool run = s->what == SPAN_RUN && sv_starts(s->name, "run ");

	if (!name)
		return -ENOMEM;
	*name = arena_dup(&d->arena, run ? sv_sub(s->name, 4, s->name.n) : s->name);
	return map_put(&d->processes, key, name);
}

int profile_data_span(struct profile_data *d, const struct span *s)
{
	struct profile_span *of = arena_alloc(&d->arena, sizeof(*of));

	if (!of)
		return -ENOMEM;
	memcpy(of->span_id, s->span_id, sizeof(of->span_id));
	memcpy(of->parent, s->parent_span_id, sizeof(of->parent));
	of->what = s->what;
	of->name = arena_dup(&d->arena, s->name);
	if (map_put(&d->spans, span_key(s->span_id), of))
		return -ENOMEM;
	return s->what == SPAN_PROCESS || s->what == SPAN_RUN ? keep_process(d, s) : 0;
}

/* --- what is made of it */

static const struct profile_span *span_above(const struct profile_data *d, const char *span_id)
{
	return span_id[0] ? map_get(&d->spans, span_key(span_id)) : NULL;
}

static bool is_below(const struct profile_data *d, const char *span_id, const char *root)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		const struct profile_span *s;

		if (!root[0] || strcmp(span_id, root) == 0)
			return true;
		s = span_above(d, span_id);
		if (!s)
			return false;
		span_id = s->parent;
	}
	return false;
}

static const struct profile_span *tool_of(const struct profile_data *d, const char *span_id)
{
	const struct profile_span *s = span_above(d, span_id);

	for (int depth = 0; s && depth < DEPTH_MAX; depth++) {
		if (s->what == SPAN_TOOL_CALL)
			return s;
		s = span_above(d, s->parent);
	}
	return NULL;
}

static void add_word(struct buf *b, struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		buf_ch(b, c == ';' ? ':' : c < ' ' || c == 0x7f ? '?' : (char)c);
	}
}

static struct sv base_name(struct sv path)
{
	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == '/')
			return sv_sub(path, i, path.n);
	return path;
}

static int frame_text(struct buf *b, const struct trace_frame *f)
{
	struct sv file = base_name(f->file);

	switch (f->code) {
	case TRACE_CODE_CUT:
		return buf_str(b, "[the rest was not read]");
	case TRACE_CODE_UNKNOWN:
		buf_str(b, "[unknown] ");
		add_word(b, f->name);
		return b->err;
	case TRACE_CODE_GENERATED:
		add_word(b, f->name.n ? f->name : SV("[generated code]"));
		return buf_str(b, "_[j]");
	case TRACE_CODE_KERNEL:
		add_word(b, f->name.n ? f->name : SV("[kernel]"));
		return buf_str(b, "_[k]");
	case TRACE_CODE_FILE:
	case TRACE_CODE_NONE:
		break;
	}
	if (f->name.n) {
		add_word(b, f->name);
		return b->err;
	}
	if (file.n && file.p[0] == '[') { /* "[vdso]" */
		add_word(b, file);
		return b->err;
	}
	buf_ch(b, '[');
	add_word(b, file);
	return buf_ch(b, ']');
}

struct fold {
	struct profile_sum *p;
	const struct profile_data *d;
	enum profile_by by;
	uint64_t stacks;
	struct map funcs;
};

static struct profile_call *call_of(struct fold *f, struct profile_call *from, struct sv name,
				    enum trace_code code)
{
	struct map_key key = { (uintptr_t)from, hash64(name), code };
	struct profile_call *c = map_get(&f->p->by_name, key);

	if (c)
		return c;
	c = arena_alloc(&f->p->arena, sizeof(*c));
	if (!c || map_put(&f->p->by_name, key, c))
		return NULL;
	c->name = arena_dup(&f->p->arena, name);
	c->code = code;
	c->next = from->calls;
	from->calls = c;
	return c;
}

static struct profile_func *func_of(struct fold *f, const struct trace_frame *frame)
{
	struct map_key key = { (uintptr_t)frame, 0, 0 };
	struct profile_func *func = map_get(&f->funcs, key);
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (func)
		return func;
	func = arena_alloc(&f->p->arena, sizeof(*func));
	if (!func || frame_text(&b, frame) || map_put(&f->funcs, key, func))
		return NULL;
	func->name = arena_dup(&f->p->arena, buf_view(&b));
	func->file = arena_dup(&f->p->arena, frame->file);
	func->code = frame->code;
	return func;
}

static struct sv process_name(const struct profile_data *d, const struct row *r)
{
	const struct sv *name = map_get(&d->processes, (struct map_key){ r->pid, 0, 0 });

	return name ? *name : sv(r->comm);
}

/* The first calls of a stack: what it is grouped by. */
static struct profile_call *grouped(struct fold *f, const struct row *r)
{
	_cleanup_buf_ struct buf b = BUF_INIT, comm = BUF_INIT;
	struct profile_call *c = &f->p->root;
	const struct profile_span *s;

	add_word(&comm, sv(r->comm));
	switch (f->by) {
	case PROFILE_BY_SPAN:
		s = span_above(f->d, r->span_id);
		add_word(&b, s ? s->name : SV("[a span that was not kept]"));
		break;
	case PROFILE_BY_TOOL:
		s = tool_of(f->d, r->span_id);
		add_word(&b, s ? s->name : SV("[no tool]"));
		break;
	case PROFILE_BY_PROCESS:
		add_word(&b, process_name(f->d, r));
		buf_fmt(&b, " (%u)", r->pid);
		break;
	case PROFILE_BY_THREAD:
		add_word(&b, sv(r->comm));
		buf_fmt(&b, " (%u)", r->tid);
		break;
	case PROFILE_BY_COMM:
		break;
	}
	if (b.err || comm.err)
		return NULL;
	if (b.len)
		c = call_of(f, c, buf_view(&b), 0);
	if (c)
		c->total += c != &f->p->root ? r->cnt : 0;
	if (c && f->by != PROFILE_BY_PROCESS && f->by != PROFILE_BY_THREAD) {
		c = call_of(f, c, buf_view(&comm), 0);
		if (c)
			c->total += r->cnt;
	}
	return c;
}

static int add_row(struct fold *f, const struct row *r)
{
	struct profile_call *c = grouped(f, r);
	struct profile_func *func = NULL;

	f->stacks++;
	for (size_t i = 0; c && i < r->stack->cnt; i++) {
		func = func_of(f, r->stack->frames[i]);
		c = func ? call_of(f, c, func->name, func->code) : NULL;
		if (!c)
			return -ENOMEM;
		c->total += r->cnt;
		if (func->seen != f->stacks)
			func->total += r->cnt;
		func->seen = f->stacks;
	}
	if (!c)
		return -ENOMEM;
	c->self += r->cnt;
	if (func)
		func->self += r->cnt;
	f->p->root.total += r->cnt;
	f->p->ns += r->cnt * r->period_ns;
	return 0;
}

static int by_name(const void *pa, const void *pb)
{
	const struct profile_call *a = *(struct profile_call *const *)pa;
	const struct profile_call *b = *(struct profile_call *const *)pb;
	size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
	int diff = n ? memcmp(a->name.p, b->name.p, n) : 0;

	if (!diff)
		diff = (a->name.n > b->name.n) - (a->name.n < b->name.n);
	return diff ? diff : (int)a->code - (int)b->code;
}

/* As deep as stacks are: TRACE_FRAMES_MAX and what they are grouped by. */
static int sort_calls(struct profile_call *of)
{
	struct profile_call **list, *c;
	size_t cnt = 0, i = 0;
	int err = 0;

	for (c = of->calls; c; c = c->next)
		cnt++;
	list = calloc(cnt + 1, sizeof(struct profile_call *));
	if (!list)
		return -ENOMEM;
	for (c = of->calls; c; c = c->next)
		list[i++] = c;
	qsort(list, cnt, sizeof(struct profile_call *), by_name);
	for (i = 0; !err && i < cnt; i++) {
		list[i]->next = list[i + 1];
		err = sort_calls(list[i]);
	}
	of->calls = list[0];
	free(list);
	return err;
}

static int by_self(const void *pa, const void *pb)
{
	const struct profile_func *a = pa, *b = pb;
	size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
	int diff;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	diff = n ? memcmp(a->name.p, b->name.p, n) : 0;
	return diff ? diff : (a->name.n > b->name.n) - (a->name.n < b->name.n);
}

static int list_funcs(struct fold *f)
{
	struct profile_sum *p = f->p;

	p->funcs = calloc(f->funcs.cnt + 1, sizeof(*p->funcs));
	if (!p->funcs)
		return -ENOMEM;
	map_for_each (&f->funcs, e)
		p->funcs[p->func_cnt++] = *(struct profile_func *)e->value;
	qsort(p->funcs, p->func_cnt, sizeof(*p->funcs), by_self);
	return 0;
}

int profile_fold(struct profile_sum *p, const struct profile_data *d, enum profile_by by,
		 const char *span_id)
{
	struct fold f = { .p = p, .d = d, .by = by };
	int err = 0;

	arena_init(&p->arena, 0);
	map_for_each (&d->rows, e) {
		const struct row *r = e->value;

		if (!err && is_below(d, r->span_id, span_id))
			err = add_row(&f, r);
	}
	if (!err)
		err = sort_calls(&p->root);
	if (!err)
		err = list_funcs(&f);
	map_fini(&f.funcs);
	return err ? err : arena_failed(&p->arena) ? -ENOMEM : 0;
}

void profile_sum_fini(struct profile_sum *p)
{
	map_fini(&p->by_name);
	free(p->funcs);
	arena_fini(&p->arena);
}
