// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/latency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

void latency_init(struct latency *l, bool with_points)
{
	*l = (struct latency){ .with_points = with_points };
	arena_init(&l->arena, 0);
}

void latency_fini(struct latency *l)
{
	for (size_t i = 0; i < l->cnt; i++)
		free(l->rows[i]);
	free(l->rows);
	free(l->points);
	map_fini(&l->by_key);
	arena_fini(&l->arena);
}

static int grow(void **p, size_t *cap, size_t cnt, size_t size)
{
	size_t want = *cap ? *cap * 2 : 64;
	void *grown;

	if (cnt < *cap)
		return 0;
	grown = reallocarray(*p, want, size);
	if (!grown)
		return -ENOMEM;
	*p = grown;
	*cap = want;
	return 0;
}

static struct latency_row *row_of(struct latency *l, struct sv key)
{
	struct map_key at = { .a = hash64(key), .b = key.n };
	struct latency_row *r = map_get(&l->by_key, at);

	if (r)
		return r;
	if (grow((void **)&l->rows, &l->cap, l->cnt, sizeof(struct latency_row *)))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r || map_put(&l->by_key, at, r)) {
		free(r);
		return NULL;
	}
	r->name = arena_dup(&l->arena, key);
	l->rows[l->cnt++] = r;
	return r;
}

static int point(struct latency *l, uint64_t time_ns, uint32_t bucket, uint32_t cnt)
{
	if (!l->with_points)
		return 0;
	if (l->point_cnt >= LATENCY_POINTS_MAX) {
		l->points_over += cnt;
		return 0;
	}
	if (grow((void **)&l->points, &l->point_cap, l->point_cnt, sizeof(*l->points)))
		return -ENOMEM;
	l->points[l->point_cnt++] = (struct latency_point){ time_ns, bucket, cnt };
	return 0;
}

static void add_errno(struct latency_row *r, const struct ev_count *c)
{
	size_t i = 0;

	while (i < r->errno_cnt && r->errnos[i].what != c->what)
		i++;
	if (i == LATENCY_ERRNOS)
		return;
	if (i == r->errno_cnt)
		r->errnos[r->errno_cnt++].what = c->what;
	r->errnos[i].cnt += c->cnt;
}

int latency_add_calls(struct latency *l, struct sv key, const struct trace_calls *c)
{
	struct latency_row *r = row_of(l, key);
	int err = r ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < c->bucket_cnt; i++) {
		uint32_t bucket = c->buckets[i].what;

		if (bucket >= EV_BUCKETS)
			continue;
		r->hist[bucket] += c->buckets[i].cnt;
		r->calls += c->buckets[i].cnt;
		err = point(l, c->time_ns, bucket, c->buckets[i].cnt);
	}
	if (err)
		return err;
	if (!r->class.n)
		r->class = arena_dup(&l->arena, c->class);
	r->errors += c->errors;
	r->total_ns += c->total_ns;
	if (c->max_ns > r->max_ns)
		r->max_ns = c->max_ns;
	for (size_t i = 0; i < c->errno_cnt; i++)
		add_errno(r, &c->errnos[i]);
	return 0;
}

int latency_add(struct latency *l, struct sv key, uint64_t time_ns, uint64_t ns, bool failed)
{
	struct latency_row *r = row_of(l, key);

	if (!r)
		return -ENOMEM;
	r->hist[ev_bucket(ns)]++;
	r->calls++;
	r->errors += failed;
	r->total_ns += ns;
	if (ns > r->max_ns)
		r->max_ns = ns;
	return point(l, time_ns, ev_bucket(ns), 1);
}

int latency_bytes(struct latency *l, struct sv key, uint64_t bytes)
{
	struct latency_row *r = row_of(l, key);

	if (!r)
		return -ENOMEM;
	r->bytes += bytes;
	return 0;
}

int latency_name(struct latency *l, struct sv key, struct sv name)
{
	struct latency_row *r = row_of(l, key);

	if (!r)
		return -ENOMEM;
	r->name = arena_dup(&l->arena, name);
	return 0;
}

int latency_part(struct latency *l, struct sv key, struct sv name, unsigned int part,
		 const char *text)
{
	struct latency_row *r = row_of(l, key);

	if (!r)
		return -ENOMEM;
	if (r->class.n)
		return 0; /* it has its name */
	r->name = arena_dup(&l->arena, name);
	r->class = arena_dup(&l->arena, sv(text));
	r->part = part;
	return 0;
}

static int compare_names(const struct latency_row *x, const struct latency_row *y)
{
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int order = n ? memcmp(x->name.p, y->name.p, n) : 0;

	return order ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static int by_name(const void *a, const void *b)
{
	return compare_names(*(struct latency_row *const *)a, *(struct latency_row *const *)b);
}

static int by_total(const void *a, const void *b)
{
	const struct latency_row *x = *(struct latency_row *const *)a;
	const struct latency_row *y = *(struct latency_row *const *)b;
	int order;

	if (!x->calls != !y->calls)
		return x->calls ? -1 : 1;
	if (x->parts_ns != y->parts_ns)
		return x->parts_ns > y->parts_ns ? -1 : 1;
	order = compare_names(x, y);
	return order ? order : (x->part > y->part) - (x->part < y->part);
}

static void sum_parts(struct latency *l)
{
	qsort(l->rows, l->cnt, sizeof(struct latency_row *), by_name);
	for (size_t i = 0, end; i < l->cnt; i = end) {
		uint64_t sum = 0;

		/* processes of one name are apart: only parts stand together */
		for (end = i; end < l->cnt && !by_name(&l->rows[i], &l->rows[end]); end++) {
			if (!l->rows[end]->part)
				l->rows[end]->parts_ns = l->rows[end]->total_ns;
			else
				sum += l->rows[end]->total_ns;
		}
		for (size_t k = i; k < end; k++)
			if (l->rows[k]->part)
				l->rows[k]->parts_ns = sum;
	}
}

size_t latency_sort(struct latency *l)
{
	size_t cnt = 0;

	if (l->cnt) {
		sum_parts(l);
		qsort(l->rows, l->cnt, sizeof(struct latency_row *), by_total);
	}
	while (cnt < l->cnt && l->rows[cnt]->calls)
		cnt++;
	return cnt;
}

uint64_t latency_percentile(const struct latency_row *r, unsigned int permille)
{
	/* the smallest duration that so many are not above */
	uint64_t rank = r->calls / 1000 * permille + (r->calls % 1000 * permille + 999) / 1000;
	uint64_t sum = 0;

	if (!rank)
		rank = 1;
	for (uint32_t i = 0; i < EV_BUCKETS; i++) {
		sum += r->hist[i];
		if (sum >= rank && i + 1 < EV_BUCKETS && event_bucket_begin(i + 1) < r->max_ns)
			return event_bucket_begin(i + 1);
		if (sum >= rank)
			break;
	}
	return r->max_ns;
}
