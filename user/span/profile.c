// SPDX-License-Identifier: BSD-2-Clause
/* See profile.h.  Names that came in time stand before their samples: an address without one has none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/limits.h"
#include "span/engine.h"

#define ADDRESS_MIN 4096         /* nothing is mapped below it */
#define ADDRESS_MAX (1ull << 57) /* of programs, on any machine; above it are differences below 0 */

struct program_names {
	uint64_t exec_ts;
	struct map of; /* address -> struct trace_frame */
};

void profile_init(struct profile *p)
{
	arena_init(&p->arena, LIMIT_PROFILE_TEXT);
}

static void names_forget(struct profile *p, struct map *of)
{
	p->name_cnt -= of->cnt;
	map_fini(of);
	*of = (struct map){ 0 };
}

static void program_free(struct profile *p, struct program_names *names)
{
	if (!names)
		return;
	names_forget(p, &names->of);
	free(names);
}

void profile_fini(struct profile *p)
{
	map_for_each (&p->programs, e)
		program_free(p, e->value);
	map_fini(&p->programs);
	map_fini(&p->frames);
	map_fini(&p->kernel);
	map_fini(&p->places);
	arena_fini(&p->arena);
}

void profile_process_over(struct profile *p, uint32_t tgid, uint64_t start)
{
	program_free(p, map_del(&p->programs, (struct map_key){ tgid, start, 0 }));
}

/* The one that stands for all that are like it; NULL when there is no room for another. */
static const struct trace_frame *intern(struct profile *p, enum trace_code code, struct sv name,
					struct sv file)
{
	struct map_key key = { hash64(name), hash64(file), code };
	struct trace_frame *f = map_get(&p->frames, key);

	if (f || p->frames.cnt >= LIMIT_PROFILE_FRAMES)
		return f;
	f = arena_alloc(&p->arena, sizeof(*f));
	if (!f)
		return NULL;
	*f = (struct trace_frame){ .code = code };
	f->name = name.n ? arena_dup(&p->arena, name) : name;
	f->file = file.n ? arena_dup(&p->arena, file) : file;
	return arena_failed(&p->arena) || map_put(&p->frames, key, f) ? NULL : f;
}

static struct program_names *names_get(struct profile *p, const struct ev_hdr *h, uint64_t exec_ts)
{
	struct map_key key = { h->tgid, h->start, 0 };
	struct program_names *names = map_get(&p->programs, key);

	if (names && names->exec_ts == exec_ts)
		return names;
	program_free(p, map_del(&p->programs, key));
	if (p->programs.cnt >= LIMIT_PROFILE_PROGRAMS)
		program_free(p, map_del(&p->programs, p->programs.first->key));
	names = calloc(1, sizeof(*names));
	if (names && map_put(&p->programs, key, names)) {
		free(names);
		names = NULL;
	}
	if (names)
		names->exec_ts = exec_ts;
	return names;
}

/* Exact: the bytes of a build id, and an offset below 4 GiB. */
static struct map_key place_key(const uint8_t id[EV_BUILD_ID], uint64_t offset)
{
	struct map_key key = { 0 };
	uint32_t tail;

	memcpy(&key.a, id, 8);
	memcpy(&key.b, id + 8, 8);
	memcpy(&tail, id + 16, 4);
	key.c = (uint64_t)tail << 32 | (uint32_t)offset;
	return key;
}

static enum trace_code code_of(uint32_t code)
{
	switch (code) {
	case EV_CODE_NONE:
		return TRACE_CODE_NONE;
	case EV_CODE_KERNEL:
		return TRACE_CODE_KERNEL;
	case EV_CODE_GENERATED:
		return TRACE_CODE_GENERATED;
	default:
		return TRACE_CODE_FILE;
	}
}

static void add_name(struct profile *p, struct map *own, const struct ev_name *n, struct sv name,
		     struct sv file)
{
	const struct trace_frame *f = intern(p, code_of(n->code), name, file);
	struct map_key key = { n->place.at, 0, 0 };
	struct map *to = own;
	size_t was;

	if (!own && n->place.what == EV_PLACE_FILE) {
		key = place_key(n->place.build_id, n->place.at);
		to = &p->places;
	} else if (!own) {
		to = &p->kernel;
	}
	was = to->cnt;
	if (f && (p->name_cnt < LIMIT_PROFILE_NAMES || map_get(to, key)))
		map_put(to, key, (void *)f);
	p->name_cnt += to->cnt - was;
}

void profile_names(struct profile *p, const struct ev_frames *e)
{
	const struct ev_name *n = (const void *)(e + 1);
	struct sv texts = sv_sub(event_payload(&e->hdr), e->cnt * sizeof(*n), e->hdr.size);
	struct program_names *own = e->hdr.tgid ? names_get(p, &e->hdr, e->exec_ts) : NULL;

	if (e->hdr.tgid && !own)
		return;
	if (e->fresh && own) {
		names_forget(p, &own->of);
	} else if (e->fresh) {
		names_forget(p, &p->kernel);
		names_forget(p, &p->places);
	}
	for (uint32_t i = 0; i < e->cnt; i++) {
		struct sv name = sv_sub(texts, 0, n[i].len);
		struct sv file = sv_sub(texts, n[i].len, n[i].file_len);

		texts = sv_sub(texts, (size_t)n[i].len + n[i].file_len, texts.n);
		add_name(p, own ? &own->of : NULL, &n[i], name, file);
	}
}

/* --- samples */

struct stack {
	struct profile *p;
	const struct program_names *own; /* NULL: nothing was told of the program */
	const struct trace_frame *of[TRACE_FRAMES_MAX];
	size_t cnt;
	struct trace_frame unknown[TRACE_FRAMES_MAX]; /* where nothing can be kept any more */
	char addresses[TRACE_FRAMES_MAX][20];
};

static void push_unknown(struct stack *s, const char *what, uint64_t at)
{
	char *text = s->addresses[s->cnt];
	struct trace_frame *f = &s->unknown[s->cnt];

	snprintf(text, sizeof(s->addresses[0]), "%s%llx", what, (unsigned long long)at);
	*f = (struct trace_frame){ .name = sv(text), .code = TRACE_CODE_UNKNOWN };
	s->of[s->cnt++] = f;
}

static void push(struct stack *s, const struct trace_frame *f, const char *what, uint64_t at)
{
	if (f)
		s->of[s->cnt++] = f;
	else
		push_unknown(s, what, at);
}

struct user_frame {
	bool in_file;
	uint64_t at;
	const struct trace_frame *known; /* NULL: it is not */
};

/* Index 0 is the innermost frame; the others are calls, and their instruction is before it. */
static struct user_frame user_frame(const struct stack *s, const struct ev_sample *e, size_t i)
{
	const struct ev_place *place = (const struct ev_place *)(e + 1) + i;
	struct user_frame f = { .in_file = e->by_file && place->what == EV_PLACE_FILE };

	f.at = (e->by_file ? place->at : ((const uint64_t *)(e + 1))[i]) - (i > 0);
	if (f.in_file)
		f.known = map_get(&s->p->places, place_key(place->build_id, f.at));
	else if (s->own)
		f.known = map_get(&s->own->of, (struct map_key){ f.at, 0, 0 });
	return f;
}

/*
 * Where frame pointers are used for other ends they lead to anything: at what can be no code the stack
 * ends, as nobody knows what is outside of it.
 */
static size_t believed(const struct stack *s, const struct ev_sample *e)
{
	for (size_t i = 1; i < e->user; i++) {
		struct user_frame f = user_frame(s, e, i);

		if ((!f.in_file && f.at < ADDRESS_MIN) || f.at > ADDRESS_MAX ||
		    (f.known && f.known->code == TRACE_CODE_NONE))
			return i;
	}
	return e->user;
}

static void push_user(struct stack *s, const struct ev_sample *e, size_t i)
{
	struct user_frame f = user_frame(s, e, i);

	if (f.known && f.known->code == TRACE_CODE_NONE)
		f.known = NULL;
	push(s, f.known, f.in_file ? "file+0x" : "0x", f.at);
}

static void push_kernel(struct stack *s, const struct ev_sample *e, size_t i)
{
	size_t entry = e->by_file ? sizeof(struct ev_place) : sizeof(uint64_t);
	const uint64_t *ips = (const void *)((const char *)(e + 1) + e->user * entry);
	uint64_t at = ips[i] - (i > 0);

	push(s, map_get(&s->p->kernel, (struct map_key){ at, 0, 0 }), "0x", at);
}

static void read_stack(struct stack *s, const struct ev_sample *e)
{
	static const struct trace_frame cut = { .code = TRACE_CODE_CUT };
	size_t user = believed(s, e);

	if ((e->hdr.flags & EVF_TRUNC && user == e->user) || e->hdr.flags & EVF_FAULT)
		s->of[s->cnt++] = &cut;
	for (size_t i = user; i > 0; i--)
		push_user(s, e, i - 1);
	for (size_t i = e->kernel; i > 0; i--)
		push_kernel(s, e, i - 1);
}

void profile_sample(struct trace *t, const struct ev_sample *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct map_key key = { e->hdr.tgid, e->hdr.start, 0 };
	const struct program_names *own = map_get(&t->profile.programs, key);
	struct stack stack = { .p = &t->profile, .cnt = 0 };
	struct trace_sample s = {
		.period_ns = e->period_ns,
		.cnt = 1,
		.pid = e->hdr.tgid,
		.tid = e->hdr.tid,
		.comm = { e->comm, strnlen(e->comm, sizeof(e->comm)) },
		.frames = stack.of,
	};

	if (!ps || !t->cfg.sample)
		return;
	if (own && own->exec_ts == e->exec_ts)
		stack.own = own;
	read_stack(&stack, e);
	s.time_ns = engine_wall(ps->run, e->hdr.ts);
	s.frame_cnt = stack.cnt;
	memcpy(s.trace_id, ps->run->trace_id, sizeof(s.trace_id));
	usage_owner(ps, proc_find(t->procs, e->hdr.tgid, e->hdr.start), s.span_id);
	t->cfg.sample(t->ctx, &s);
}
