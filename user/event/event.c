// SPDX-License-Identifier: BSD-2-Clause
/* Proves a record before anyone casts it.  Everything that is not proven here is not relied on. */
#include "event/event.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ERRNO_END 4096              /* MAX_ERRNO, include/linux/err.h */
#define NAMES_MAX 512               /* of a path; what is over is left out */
#define POS_MAX (UINT64_C(1) << 62) /* no stream is longer; keeps sums of positions from wrapping */

static const struct kind {
	unsigned int id;
	const char *name;
	size_t fixed_sz;
} kinds[] = {
#define X(name, id, type) { id, #name, sizeof(struct type) },
	EV_KINDS(X)
#undef X
};

static const struct kind *kind_find(unsigned int id)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].id == id)
			return &kinds[i];
	return NULL;
}

const char *event_name(unsigned int kind)
{
	const struct kind *k = kind_find(kind);

	return k ? k->name : "?";
}

/* Buckets rise and exist, so that each stands once. */
static bool counts_fit(const struct ev_syscalls *s, uint64_t payload)
{
	const struct ev_count *c = (const void *)(s + 1);

	if (((uint64_t)s->buckets + s->errnos) * sizeof(*c) != payload || s->buckets > EV_BUCKETS)
		return false;
	for (uint32_t i = 0; i < s->buckets; i++)
		if (c[i].what >= EV_BUCKETS || (i && c[i].what <= c[i - 1].what))
			return false;
	return true;
}

/* As many texts as the masks say, each with its NUL; none is there twice. */
static bool function_fits(const struct ev_function *f, uint64_t payload)
{
	unsigned int all = (1u << (EV_FUNC_RET + 1)) - 1, cnt = 0;
	const char *p = (const void *)(f + 1);

	for (uint64_t i = 0; i < payload; i++)
		cnt += !p[i];
	return (f->texts & f->late) == 0 && ((f->texts | f->late) & ~all) == 0 &&
	       cnt == (unsigned int)__builtin_popcount(f->texts | f->late) &&
	       (!payload || !p[payload - 1]) && f->end < EV_FUNC_ENDS && f->enter_ts <= f->hdr.ts;
}

static bool probe_fits(const struct ev_probe *p, uint64_t payload)
{
	return p->id && (uint64_t)p->len[0] + p->len[1] + p->len[2] == payload;
}

static bool stacks_fit(const struct ev_sample *s, uint64_t payload)
{
	size_t entry = s->by_file ? sizeof(struct ev_place) : sizeof(uint64_t);

	return s->user <= EV_SAMPLE_USER && s->kernel <= EV_SAMPLE_KERNEL &&
	       s->user * entry + s->kernel * sizeof(uint64_t) == payload;
}

static bool names_fit(const struct ev_frames *f, uint64_t payload)
{
	const struct ev_name *n = (const void *)(f + 1);
	uint64_t sum = (uint64_t)f->cnt * sizeof(*n);

	if (sum > payload)
		return false;
	for (uint32_t i = 0; i < f->cnt; i++)
		sum += (uint64_t)n[i].len + n[i].file_len;
	return sum == payload;
}

/* Where streams end, if that is told. */
static bool ends_fit(const struct ev_ends *e, uint64_t payload)
{
	if (payload < sizeof(*e))
		return !payload;
	return e->pos[EV_READ] <= POS_MAX && e->pos[EV_WRITE] <= POS_MAX;
}

/* Kinds rise, so that each stands once. */
static bool loss_fits(const struct ev_loss *l, uint64_t payload)
{
	const struct ev_kind_counts *k = (const void *)(l + 1);

	if (l->kinds > EV_KERNEL_KINDS || (uint64_t)l->kinds * sizeof(*k) != payload)
		return false;
	for (uint32_t i = 0; i < l->kinds; i++)
		if (k[i].kind >= EV_KERNEL_KINDS || (i && k[i].kind <= k[i - 1].kind))
			return false;
	return true;
}

static bool is_errno(int32_t err)
{
	return err <= 0 && err > -ERRNO_END;
}

/* Do the lengths inside a record's fixed part cover its payload exactly? */
static bool lengths_fit(const struct ev_hdr *h, uint64_t payload)
{
	switch (h->kind) {
	case EV_EXEC:
	case EV_PROC: {
		const struct ev_exec *e = (const void *)h;

		return (uint64_t)e->path_len + e->args_len == payload;
	}
	case EV_DATA: {
		const struct ev_data *d = (const void *)h;

		return d->len == payload && d->dir <= EV_WRITE && d->pos <= POS_MAX;
	}
	case EV_JOIN: {
		const struct ev_join *j = (const void *)h;

		return j->dir <= EV_WRITE && j->pos <= POS_MAX;
	}
	case EV_CONNECT:
		return is_errno(((const struct ev_connect *)(const void *)h)->err);
	case EV_FLOW:
		return ((const struct ev_flow *)(const void *)h)->len == payload;
	case EV_TLS: {
		const struct ev_tls *t = (const void *)h;

		return t->len == payload && t->len <= t->size && t->dir <= EV_WRITE &&
		       t->client <= 1;
	}
	case EV_SIGNAL: {
		const struct ev_signal *s = (const void *)h;

		return s->frames <= EV_FRAMES_MAX && s->signal > 0 &&
		       s->frames * sizeof(struct ev_frame) == payload;
	}
	case EV_STACK:
		return ((const struct ev_stack *)(const void *)h)->len == payload;
	case EV_FILE: {
		const struct ev_file *f = (const void *)h;

		return (uint64_t)f->len[0] + f->len[1] + f->len[2] + f->len[3] == payload &&
		       is_errno(f->err);
	}
	case EV_OPEN: {
		const struct ev_open *o = (const void *)h;

		return (uint64_t)o->len[0] + o->len[1] == payload && is_errno(o->err);
	}
	case EV_SYSCALL:
		return ((const struct ev_syscall *)(const void *)h)->len == payload;
	case EV_SYSCALLS:
		return counts_fit((const void *)h, payload);
	case EV_FUNCTION:
	case EV_FUNC_OPEN:
		return function_fits((const void *)h, payload);
	case EV_PROBE:
		return probe_fits((const void *)h, payload);
	case EV_SAMPLE:
		return stacks_fit((const void *)h, payload);
	case EV_FRAMES:
		return names_fit((const void *)h, payload);
	case EV_META:
		return ((const struct ev_meta *)(const void *)h)->len == payload;
	case EV_CGROUP:
		return ((const struct ev_cgroup *)(const void *)h)->len == payload;
	case EV_HOOKED:
		return ((const struct ev_hooked *)(const void *)h)->len == payload;
	case EV_CLOSE:
		return ends_fit((const void *)((const struct ev_close *)(const void *)h + 1),
				payload);
	case EV_FLOW_END:
		return ends_fit((const void *)((const struct ev_flow_end *)(const void *)h + 1),
				payload);
	case EV_LOSS:
		return loss_fits((const void *)h, payload);
	default:
		return true; /* more than is known may follow: a later version's fields */
	}
}

int event_check(const void *data, size_t size)
{
	const struct ev_hdr *h = data;
	const struct kind *k;

	if (size < sizeof(*h) || h->size < sizeof(*h) || h->size > size || h->size > EV_SIZE_MAX)
		return -EINVAL;
	k = kind_find(h->kind);
	if (!k)
		return 0;
	if (h->size < k->fixed_sz || !lengths_fit(h, h->size - k->fixed_sz))
		return -EINVAL;
	return 0;
}

struct sv event_payload(const struct ev_hdr *rec)
{
	const struct kind *k = kind_find(rec->kind);

	if (!k)
		return (struct sv){ NULL, 0 };
	return (struct sv){ (const char *)rec + k->fixed_sz, rec->size - k->fixed_sz };
}

bool event_ends_conn(const struct ev_hdr *rec, uint64_t *conn)
{
	if (rec->kind == EV_CLOSE)
		*conn = ((const struct ev_close *)(const void *)rec)->conn;
	else if (rec->kind == EV_FLOW_END)
		*conn = ((const struct ev_flow_end *)(const void *)rec)->conn;
	else
		return false;
	return true;
}

struct sv event_exec_path(const struct ev_exec *e)
{
	struct sv path = sv_sub(event_payload(&e->hdr), 0, e->path_len);

	return sv_token(&path, '\0');
}

struct sv event_exec_args(const struct ev_exec *e)
{
	return sv_sub(event_payload(&e->hdr), e->path_len, e->args_len);
}

struct names {
	struct sv of[NAMES_MAX];
	size_t cnt;
};

/* Of what it is made of the texts alone tell: a ".." behind a link to a directory leads elsewhere. */
static void names_add(struct names *n, struct sv path)
{
	while (path.n) {
		struct sv name = sv_token(&path, '/');

		if (sv_is(name, "..") && n->cnt)
			n->cnt--;
		else if (name.n && !sv_is(name, ".") && !sv_is(name, "..") && n->cnt < NAMES_MAX)
			n->of[n->cnt++] = name;
	}
}

/* Names from the last one up. */
static void names_of_dir(struct names *n, struct sv dir)
{
	while (dir.n && n->cnt < NAMES_MAX) {
		struct sv name = sv_token(&dir, '\0');

		if (name.n && !sv_is(name, "/"))
			n->of[n->cnt++] = name;
	}
	for (size_t i = 0; i < n->cnt / 2; i++) {
		struct sv swap = n->of[i];

		n->of[i] = n->of[n->cnt - 1 - i];
		n->of[n->cnt - 1 - i] = swap;
	}
}

/* rest: begins with the names of a directory and a path, which have these lengths */
static int path_of(struct buf *b, struct sv rest, const __u32 len[2])
{
	struct sv dir = sv_sub(rest, 0, len[0]);
	struct sv given = sv_sub(rest, dir.n, len[1]);
	struct names names = { .cnt = 0 };

	given = sv_token(&given, '\0');
	if (!dir.n && (!given.n || given.p[0] != '/'))
		return buf_sv(b, given);
	names_of_dir(&names, dir);
	names_add(&names, given);
	if (!names.cnt)
		buf_ch(b, '/');
	for (size_t i = 0; i < names.cnt; i++) {
		buf_ch(b, '/');
		buf_sv(b, names.of[i]);
	}
	return b->err;
}

int event_file_path(struct buf *b, const struct ev_file *f, unsigned int which)
{
	uint64_t from = which ? (uint64_t)f->len[0] + f->len[1] : 0;
	struct sv all = event_payload(&f->hdr);

	return path_of(b, sv_sub(all, from, all.n), &f->len[2 * which]);
}

int event_open_path(struct buf *b, const struct ev_open *o)
{
	return path_of(b, event_payload(&o->hdr), o->len);
}

uint64_t event_bucket_begin(uint32_t bucket)
{
	if (bucket < 4)
		return bucket * 32;
	return (4 + (uint64_t)(bucket & 3)) << (bucket / 4 + 4);
}

struct sv event_meta_get(const struct ev_meta *m, const char *key)
{
	struct sv rest = event_payload(&m->hdr);

	while (rest.n) {
		struct sv value = sv_token(&rest, '\0');
		struct sv name = sv_token(&value, '=');

		if (sv_is(name, key))
			return value;
	}
	return (struct sv){ NULL, 0 };
}
