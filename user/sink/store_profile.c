// SPDX-License-Identifier: BSD-2-Clause
/*
 * Samples of stacks, into the store and out of it: see store.h.  Those of one second that are alike are
 * one row, and a stack that was written once is known by its id from then on.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

#define SECOND_NS 1000000000ull
#define STACKS_KEPT 65536 /* ids that are remembered; then all are asked for again */

/* A stack; its frames are needed until it has an id. */
struct stack_row {
	sqlite3_int64 id; /* 0: it may not be in the file */
	size_t cnt, bytes;
	struct arena arena;
	struct trace_frame *frames; /* outermost first */
};

struct sample_row {
	struct sample_row *next;
	char trace_id[HEX128], span_id[HEX64];
	uint64_t time_ns, period_ns, cnt;
	uint32_t pid, tid;
	char comm[EV_COMM_LEN];
	struct stack_row *stack;
};

static const char *const code_names[] = {
	[TRACE_CODE_FILE] = "file",     [TRACE_CODE_GENERATED] = "generated",
	[TRACE_CODE_KERNEL] = "kernel", [TRACE_CODE_UNKNOWN] = "unknown",
	[TRACE_CODE_CUT] = "cut",
};

/* --- in */

static struct map_key stack_key(const struct trace_sample *x)
{
	uint64_t of[2 * TRACE_FRAMES_MAX];
	XXH128_hash_t h;
	size_t n = 0;

	for (size_t i = 0; i < x->frame_cnt && i < TRACE_FRAMES_MAX; i++) {
		of[n++] = hash64(x->frames[i]->name) + x->frames[i]->code;
		of[n++] = hash64(x->frames[i]->file);
	}
	h = XXH3_128bits(of, n * sizeof(*of));
	return (struct map_key){ h.low64, h.high64, n };
}

static void stack_free(struct stack_row *st)
{
	arena_fini(&st->arena);
	free(st);
}

static struct stack_row *stack_new(const struct trace_sample *x)
{
	struct stack_row *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	arena_init(&st->arena, 0);
	st->cnt = x->frame_cnt < TRACE_FRAMES_MAX ? x->frame_cnt : TRACE_FRAMES_MAX;
	st->frames = arena_alloc(&st->arena, (st->cnt + 1) * sizeof(*st->frames));
	for (size_t i = 0; st->frames && i < st->cnt; i++) {
		st->frames[i].code = x->frames[i]->code;
		st->frames[i].name = arena_dup(&st->arena, x->frames[i]->name);
		st->frames[i].file = arena_dup(&st->arena, x->frames[i]->file);
		st->bytes += x->frames[i]->name.n + x->frames[i]->file.n;
	}
	if (!arena_failed(&st->arena))
		return st;
	stack_free(st);
	return NULL;
}

static struct stack_row *stack_get(struct store *s, const struct trace_sample *x, size_t *bytes)
{
	struct map_key key = stack_key(x);
	struct stack_row *st = map_get(&s->stacks, key);

	if (st)
		return st;
	st = stack_new(x);
	if (st && map_put(&s->stacks, key, st)) {
		stack_free(st);
		return NULL;
	}
	if (st)
		*bytes += sizeof(*st) + st->cnt * sizeof(*st->frames) + st->bytes;
	return st;
}

/* Of a row that nothing was counted in yet; its padding is zero, too. */
static struct map_key sample_key(const struct sample_row *r)
{
	XXH128_hash_t h = XXH3_128bits(r, sizeof(*r));

	return (struct map_key){ h.low64, h.high64, 0 };
}

int samples_take(struct store *s, const struct trace_sample *x, size_t *bytes)
{
	struct sample_row *r, row;
	struct map_key key;

	memset(&row, 0, sizeof(row)); /* its padding, too */
	memcpy(row.trace_id, x->trace_id, sizeof(row.trace_id));
	memcpy(row.span_id, x->span_id, sizeof(row.span_id));
	row.time_ns = x->time_ns / SECOND_NS * SECOND_NS;
	row.period_ns = x->period_ns;
	row.pid = x->pid;
	row.tid = x->tid;
	memcpy(row.comm, x->comm.p,
	       x->comm.n < sizeof(row.comm) ? x->comm.n : sizeof(row.comm) - 1);
	row.stack = stack_get(s, x, bytes);
	if (!row.stack)
		return -ENOMEM;
	key = sample_key(&row);
	r = map_get(&s->samples_by, key);
	if (!r) {
		r = malloc(sizeof(*r));
		if (!r || map_put(&s->samples_by, key, r)) {
			free(r);
			return -ENOMEM;
		}
		memcpy(r, &row, sizeof(*r));
		*s->samples_tail = r;
		s->samples_tail = &r->next;
		*bytes += sizeof(*r);
	}
	r->cnt += x->cnt;
	return 0;
}

static int put_frame(struct store *s, const struct trace_frame *f, sqlite3_int64 *id)
{
	sqlite3_stmt *st = store_stmt(s, STMT_FRAME);

	store_bind_sv(st, 1, f->name);
	store_bind_sv(st, 2, f->file);
	store_bind_sv(st, 3, sv(code_names[f->code]));
	return store_do(s, STMT_FRAME, id);
}

static int put_stack(struct store *s, struct stack_row *row)
{
	sqlite3_int64 id = 0, frame = 0;
	int err = 0;

	for (size_t i = 0; !err && i < row->cnt; i++) {
		sqlite3_stmt *st = store_stmt(s, STMT_STACK);

		err = put_frame(s, &row->frames[i], &frame);
		sqlite3_bind_int64(st, 1, id);
		sqlite3_bind_int64(st, 2, frame);
		if (!err)
			err = store_do(s, STMT_STACK, &id);
	}
	if (!err)
		row->id = id;
	return err;
}

static int put_sample(struct store *s, const struct sample_row *r)
{
	sqlite3_stmt *st = store_stmt(s, STMT_SAMPLE);
	int err = r->stack->id ? 0 : put_stack(s, r->stack);

	if (err)
		return err;
	store_bind_sv(st, 1, sv(r->trace_id));
	store_bind_sv(st, 2, sv(r->span_id));
	sqlite3_bind_int64(st, 3, (sqlite3_int64)r->time_ns);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)r->period_ns);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)r->cnt);
	sqlite3_bind_int64(st, 6, r->pid);
	sqlite3_bind_int64(st, 7, r->tid);
	store_bind_sv(st, 8, sv(r->comm));
	sqlite3_bind_int64(st, 9, r->stack->id);
	return store_do(s, STMT_SAMPLE, NULL);
}

int store_put_samples(struct store *s)
{
	int err = 0;

	for (const struct sample_row *r = s->samples; !err && r; r = r->next)
		err = put_sample(s, r);
	return err;
}

static void forget_stacks(struct store *s)
{
	map_for_each (&s->stacks, e)
		stack_free(e->value);
	map_fini(&s->stacks);
	s->stacks = (struct map){ 0 };
}

/* Its frames are in the file now. */
static void forget_frames(struct stack_row *st)
{
	if (!st->id)
		return;
	arena_fini(&st->arena);
	arena_init(&st->arena, 0);
	st->frames = NULL;
}

void samples_written(struct store *s)
{
	for (struct sample_row *r = s->samples; r; r = s->samples) {
		s->samples = r->next;
		forget_frames(r->stack);
		free(r);
	}
	s->samples_tail = &s->samples;
	map_fini(&s->samples_by);
	s->samples_by = (struct map){ 0 };
	if (s->stacks.cnt > STACKS_KEPT)
		forget_stacks(s);
}

/* Those that have their frames still were put by what is undone, and all that wait have theirs. */
void samples_undone(struct store *s)
{
	for (const struct sample_row *r = s->samples; r; r = r->next)
		if (r->stack->frames)
			r->stack->id = 0;
}

void samples_fini(struct store *s)
{
	forget_stacks(s);
}

/* --- out */

/* One link of a chain, as it is in the file. */
struct link {
	sqlite3_int64 parent;
	struct trace_frame frame;
};

struct chains {
	struct store *s;
	sqlite3_stmt *st;
	struct map links; /* id -> struct link */
	struct arena arena;
};

static enum trace_code code_named(struct sv name)
{
	for (size_t i = TRACE_CODE_FILE; i < ARRAY_SIZE(code_names); i++)
		if (sv_is(name, code_names[i]))
			return i;
	return TRACE_CODE_UNKNOWN;
}

static const struct link *chain_link(struct chains *c, sqlite3_int64 id)
{
	struct map_key key = { (uint64_t)id, 0, 0 };
	struct link *l = map_get(&c->links, key);

	if (l)
		return l;
	sqlite3_bind_int64(c->st, 1, id);
	if (sqlite3_step(c->st) == SQLITE_ROW) {
		l = arena_alloc(&c->arena, sizeof(*l));
		if (l) {
			l->parent = sqlite3_column_int64(c->st, 0);
			l->frame.name = arena_dup(&c->arena, store_column_sv(c->st, 1));
			l->frame.file = arena_dup(&c->arena, store_column_sv(c->st, 2));
			l->frame.code = code_named(store_column_sv(c->st, 3));
		}
	}
	sqlite3_reset(c->st);
	return !l || arena_failed(&c->arena) || map_put(&c->links, key, l) ? NULL : l;
}

/* A file may hold anything: a chain that has no end is cut. */
static int give(struct chains *c, sqlite3_stmt *st, const char *trace_id, store_sample_fn fn,
		void *ctx)
{
	const struct trace_frame *inner[TRACE_FRAMES_MAX], *frames[TRACE_FRAMES_MAX];
	struct trace_sample x = {
		.time_ns = (uint64_t)sqlite3_column_int64(st, 1),
		.period_ns = (uint64_t)sqlite3_column_int64(st, 2),
		.cnt = (uint64_t)sqlite3_column_int64(st, 3),
		.pid = (uint32_t)sqlite3_column_int64(st, 4),
		.tid = (uint32_t)sqlite3_column_int64(st, 5),
		.comm = store_column_sv(st, 6),
		.frames = frames,
	};
	const struct link *l;

	snprintf(x.trace_id, sizeof(x.trace_id), "%s", trace_id);
	snprintf(x.span_id, sizeof(x.span_id), SV_FMT, SV_ARG(store_column_sv(st, 0)));
	for (sqlite3_int64 id = sqlite3_column_int64(st, 7);
	     id && x.frame_cnt < TRACE_FRAMES_MAX && (l = chain_link(c, id)); id = l->parent)
		inner[x.frame_cnt++] = &l->frame;
	for (size_t i = 0; i < x.frame_cnt; i++)
		frames[i] = inner[x.frame_cnt - 1 - i];
	return arena_failed(&c->arena) ? -ENOMEM : fn(ctx, &x);
}

static int give_all(struct chains *c, const char *trace_id, store_sample_fn fn, void *ctx)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int ret, err = store_prepare(
			 c->s,
			 "SELECT span_id, time_ns, period_ns, cnt, pid, tid, comm, stack "
			 "FROM sample WHERE trace_id = ?1 ORDER BY id",
			 &st);

	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id));
	while ((ret = sqlite3_step(st)) == SQLITE_ROW) {
		err = give(c, st, trace_id, fn, ctx);
		if (err)
			return err;
	}
	return ret == SQLITE_DONE ? 0 : store_fail(c->s);
}

int store_samples(struct store *s, const char *trace_id, store_sample_fn fn, void *ctx)
{
	struct chains c = { .s = s };
	int err = store_commit(s);

	arena_init(&c.arena, 0);
	if (!err)
		err = store_prepare(s,
				    "SELECT stack.parent, frame.name, frame.file, frame.code "
				    "FROM stack JOIN frame ON frame.id = stack.frame "
				    "WHERE stack.id = ?1",
				    &c.st);
	if (!err)
		err = give_all(&c, trace_id, fn, ctx);
	sqlite3_finalize(c.st);
	map_fini(&c.links);
	arena_fini(&c.arena);
	return err;
}
