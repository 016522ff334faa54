// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's rows only grow, so that no count is lost between a look and a reset: what is new in one
 * is its difference from a copy of it as it was when it was told.
 */
#include "probe/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <bpf/bpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/fact.h"
#include "probe/kern.h"

struct told_errno {
	__u32 nr, err;
	__u64 cnt;
};

/* Of one process, as it was told. */
struct told {
	__u64 ts; /* 0: nothing yet */
	struct call_row *rows[SYS_CALLS];
	__u32 at[SYS_CALLS]; /* in the table; 0: not found there yet */
	struct told_errno *errnos;
	size_t errno_cnt, errno_room;
};

/* A look at one process. */
struct look {
	struct kern_calls maps;
	struct proc_key proc;
	struct call_use use;
	struct told *told;
	struct buf *facts;
	__u64 ts;
	bool ended;
};

static struct map_key key_of(const struct proc_key *proc)
{
	return (struct map_key){ proc->tgid, proc->start, 0 };
}

static void told_free(struct told *t)
{
	if (!t)
		return;
	for (size_t nr = 0; nr < SYS_CALLS; nr++)
		free(t->rows[nr]);
	free(t->errnos);
	free(t);
}

void calls_fini(struct calls *c)
{
	map_for_each (&c->told, e)
		told_free(e->value);
	map_fini(&c->told);
}

static int told_get(struct calls *c, const struct proc_key *proc, struct told **out)
{
	struct told *t = map_get(&c->told, key_of(proc));

	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t || map_put(&c->told, key_of(proc), t)) {
			free(t);
			return -ENOMEM;
		}
	}
	*out = t;
	return 0;
}

static struct told_errno *told_errno(struct told *t, __u32 nr, __u32 err)
{
	struct told_errno *grown;

	for (size_t i = 0; i < t->errno_cnt; i++)
		if (t->errnos[i].nr == nr && t->errnos[i].err == err)
			return &t->errnos[i];
	if (t->errno_cnt == t->errno_room) {
		grown = realloc(t->errnos, (t->errno_room + 8) * sizeof(*grown));
		if (!grown)
			return NULL;
		t->errnos = grown;
		t->errno_room += 8;
	}
	t->errnos[t->errno_cnt] = (struct told_errno){ .nr = nr, .err = err };
	return &t->errnos[t->errno_cnt++];
}

/* What is new of each errno; how many have something, or -ENOMEM. */
static int count_errnos(struct look *l, const struct call_key *call, struct ev_count *out)
{
	int n = 0;

	for (__u32 i = 0; i < CALL_ERRNOS; i++) {
		struct call_errno_key key = { .call = *call, .err = call_errno_at(i) };
		struct told_errno *t;
		__u64 cnt;

		if (!l->use.errnos[i] || bpf_map_lookup_elem(l->maps.errnos, &key, &cnt))
			continue;
		t = told_errno(l->told, call->nr, key.err);
		if (!t)
			return -ENOMEM;
		if (cnt != t->cnt)
			out[n++] = (struct ev_count){ key.err, (__u32)(cnt - t->cnt) };
		t->cnt = cnt;
		if (l->ended)
			bpf_map_delete_elem(l->maps.errnos, &key);
	}
	return n;
}

static __u32 count_buckets(const struct call_row *now, const struct call_row *then,
			   struct ev_count *out)
{
	__u32 n = 0;

	for (__u32 i = 0; i < EV_BUCKETS; i++)
		if (now->hist[i] != then->hist[i])
			out[n++] = (struct ev_count){ i, now->hist[i] - then->hist[i] };
	return n;
}

static int tell_row(struct look *l, const struct call_key *key, const struct call_row *now)
{
	struct call_row *then = l->told->rows[key->nr];
	struct ev_syscalls e = { .nr = key->nr, .max_ns = now->max_ns };
	struct ev_count counts[EV_BUCKETS + CALL_ERRNOS];
	int errnos = 0;

	if (!then)
		then = l->told->rows[key->nr] = calloc(1, sizeof(*then));
	if (!then)
		return -ENOMEM;
	e.since_ts = l->told->ts ? l->told->ts : l->use.first_ts;
	e.total_ns = now->total_ns - then->total_ns;
	e.errors = (__u32)(now->errors - then->errors);
	e.buckets = count_buckets(now, then, counts);
	if (now->errors)
		errnos = count_errnos(l, key, counts + e.buckets);
	if (errnos < 0)
		return errnos;
	e.errnos = (__u32)errnos;
	*then = *now;
	if (!e.buckets)
		return 0;
	return fact_syscalls(l->facts, &e, &l->proc, l->ts, counts);
}

/* A row as it is now, which the kernel goes on to count in; 0 or -ENOENT. */
static int read_row(struct look *l, const struct call_key *key, struct call_row *row)
{
	__u32 *at = &l->told->at[key->nr];

	if (!*at)
		*at = l->use.at[key->nr];
	if (!*at && bpf_map_lookup_elem(l->maps.index, key, at))
		return bpf_map_lookup_elem(l->maps.rows, key, row);
	*row = l->maps.table[*at];
	return 0;
}

/* The process is gone: its row is free for another one's. */
static void drop_row(struct look *l, const struct call_key *key)
{
	__u32 at = l->told->at[key->nr];

	bpf_map_delete_elem(l->maps.rows, key);
	if (!at)
		return;
	bpf_map_delete_elem(l->maps.index, key);
	memset(&l->maps.table[at], 0, sizeof(*l->maps.table));
	bpf_map_update_elem(l->maps.free, NULL, &at, BPF_ANY);
}

static int tell_process(struct look *l)
{
	for (__u32 nr = 0; nr < SYS_CALLS; nr++) {
		struct call_key key = { .start = l->proc.start, .tgid = l->proc.tgid, .nr = nr };
		struct call_row row;
		int err;

		if (!l->use.nrs[nr] || read_row(l, &key, &row))
			continue;
		err = tell_row(l, &key, &row);
		if (err)
			return err;
		if (l->ended)
			drop_row(l, &key);
	}
	l->told->ts = l->ts;
	if (l->ended)
		bpf_map_delete_elem(l->maps.uses, &l->proc);
	return 0;
}

static int look(struct calls *c, struct look *l)
{
	int err;

	if (bpf_map_lookup_elem(l->maps.uses, &l->proc, &l->use))
		return 0;
	err = told_get(c, &l->proc, &l->told);
	if (!err)
		err = tell_process(l);
	if (l->ended)
		told_free(map_del(&c->told, key_of(&l->proc)));
	return err ? log_err(err, "cannot tell the system calls of process %u: %s", l->proc.tgid,
			     strerror(-err))
		   : 0;
}

int calls_end(struct calls *c, struct kern *k, struct buf *facts, __u32 tgid, __u64 start, __u64 ts)
{
	struct look l = {
		.proc = { .start = start, .tgid = tgid }, .facts = facts, .ts = ts, .ended = true
	};

	kern_calls(k, &l.maps);
	return look(c, &l);
}

int calls_tell(struct calls *c, struct kern *k, struct buf *facts, __u64 ts)
{
	struct look l = { .facts = facts, .ts = ts };
	struct proc_key next;
	bool more;
	int err = 0;

	kern_calls(k, &l.maps);
	more = bpf_map_get_next_key(l.maps.uses, NULL, &next) == 0;
	for (size_t i = 0; more && !err && i < l.maps.max; i++) {
		l.proc = next;
		/* asked before the key goes: afterwards the walk would begin anew */
		more = bpf_map_get_next_key(l.maps.uses, &l.proc, &next) == 0;
		l.ended = !kern_is_traced(k, l.proc.tgid, l.proc.start);
		err = look(c, &l);
	}
	return err;
}
