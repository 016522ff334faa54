// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looking into JSON trees and making them.  Nothing here recurses but json_same(), to a bound, so a tree
 * that was read from hostile text is as safe to walk as one that was made here.
 *
 * strtod and printf follow LC_NUMERIC, so the program must leave that at "C".
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_lex.h"
#include "base/limits.h"

/* Trees that are put together from trees that were read may be deeper than those. */
#define COPY_DEPTH (2 * LIMIT_JSON_DEPTH)

bool json_is(const struct json *v, enum json_type type)
{
	return v && v->type == type;
}

struct json *json_get_sv(const struct json *v, struct sv key)
{
	struct json *found = NULL;

	if (!json_is(v, JSON_OBJECT))
		return NULL;
	json_for_each (v, e)
		if (sv_eq(e->key, key))
			found = e;
	return found;
}

struct json *json_get(const struct json *v, const char *key)
{
	return json_get_sv(v, sv(key));
}

struct json *json_at(const struct json *v, size_t index)
{
	if (!json_is(v, JSON_ARRAY) || index >= v->cnt)
		return NULL;
	struct json *e = v->head;
	while (e && index--)
		e = e->next;
	return e;
}

static struct json *path_step(const struct json *v, struct sv name)
{
	int64_t index;

	if (!json_is(v, JSON_ARRAY))
		return json_get_sv(v, name);
	if (sv_i64(name, &index) || index < 0)
		return NULL;
	return json_at(v, (size_t)index);
}

struct json *json_path(const struct json *v, const char *dotted)
{
	for (;;) {
		size_t n = strcspn(dotted, ".");
		struct json *e = path_step(v, (struct sv){ dotted, n });
		if (!e || !dotted[n])
			return e;
		v = e;
		dotted += n + 1;
	}
}

struct sv json_sv(const struct json *v)
{
	return json_is(v, JSON_STRING) ? v->s : (struct sv){ 0 };
}

bool json_true(const struct json *v)
{
	return json_is(v, JSON_BOOL) && v->b;
}

bool json_str_is(const struct json *v, const char *cstr)
{
	return json_is(v, JSON_STRING) && sv_is(v->s, cstr);
}

static bool same_json(const struct json *a, const struct json *b, unsigned int depth,
		      size_t *steps);

static bool same_array(const struct json *a, const struct json *b, unsigned int depth,
		       size_t *steps)
{
	const struct json *x = a->head, *y = b->head;

	for (; x && y; x = x->next, y = y->next)
		if (!same_json(x, y, depth + 1, steps))
			return false;
	return !x && !y;
}

static bool same_order(const struct json *a, const struct json *b)
{
	const struct json *x = a->head, *y = b->head;

	while (x && y && sv_eq(x->key, y->key)) {
		x = x->next;
		y = y->next;
	}
	return !x && !y;
}

static bool spend(size_t *steps, size_t n)
{
	if (*steps < n)
		return false;
	*steps -= n;
	return true;
}

/* In any order; of equal keys the last one counts. */
static bool same_object(const struct json *a, const struct json *b, unsigned int depth,
			size_t *steps)
{
	if (same_order(a, b))
		return same_array(a, b, depth, steps);
	json_for_each (a, x) {
		if (!spend(steps, a->cnt + b->cnt))
			return false;
		if (json_get_sv(a, x->key) == x &&
		    !same_json(x, json_get_sv(b, x->key), depth + 1, steps))
			return false;
	}
	json_for_each (b, y)
		if (!spend(steps, a->cnt) || !json_get_sv(a, y->key))
			return false;
	return true;
}

static bool same_json(const struct json *a, const struct json *b, unsigned int depth, size_t *steps)
{
	double m, n;

	if (!a || !b || a->type != b->type || a->cut || b->cut || depth >= LIMIT_JSON_DEPTH)
		return false;
	switch (a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->b == b->b;
	case JSON_STRING:
		return sv_eq(a->s, b->s);
	case JSON_NUMBER:
		return sv_eq(a->s, b->s) || (json_f64(a, &m) && json_f64(b, &n) && m == n);
	case JSON_ARRAY:
		return a->cnt == b->cnt && same_array(a, b, depth, steps);
	case JSON_OBJECT:
		return same_object(a, b, depth, steps);
	}
	return false;
}

bool json_same(const struct json *a, const struct json *b)
{
	size_t steps = LIMIT_JSON_STEPS;

	return same_json(a, b, 0, &steps);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number as sign, the digits up to the last that is not 0, and the power of ten behind them. */
struct decimal {
	bool negative;
	struct sv digits; /* may have a '.' among them */
	int64_t exp;
};

static struct decimal decimal_of(struct sv s)
{
	struct decimal d = { .negative = s.p[0] == '-' };
	size_t start = d.negative, end = start, last = start;
	int64_t behind = 0; /* digits behind the last that is not 0 */
	int64_t fraction = 0;
	bool point = false;

	for (; end < s.n && (is_digit(s.p[end]) || s.p[end] == '.'); end++) {
		if (s.p[end] == '.') {
			point = true;
			continue;
		}
		fraction += point;
		behind++;
		if (s.p[end] != '0') {
			last = end + 1;
			behind = 0;
		}
	}
	d.digits = (struct sv){ s.p + start, last - start };

	bool negative = end + 1 < s.n && s.p[end + 1] == '-';
	for (size_t i = end + 1; i < s.n; i++)
		if (is_digit(s.p[i]) && d.exp < INT64_MAX / 100)
			d.exp = d.exp * 10 + (s.p[i] - '0');
	d.exp = (negative ? -d.exp : d.exp) - fraction + behind;
	return d;
}

/* By decimal digits all the way: a double holds only 53 bits. */
bool json_i64(const struct json *v, int64_t *out)
{
	int64_t n = 0;

	if (!json_is(v, JSON_NUMBER) || !v->s.n)
		return false;
	struct decimal d = decimal_of(v->s);
	for (size_t i = 0; i < d.digits.n; i++) {
		char c = d.digits.p[i];
		if (c == '.')
			continue;
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, c - '0', &n))
			return false;
	}
	for (; n && d.exp > 0; d.exp--)
		if (__builtin_mul_overflow(n, 10, &n))
			return false;
	if (n && d.exp < 0)
		return false;
	if (!d.negative && __builtin_sub_overflow(0, n, &n))
		return false;
	*out = n;
	return true;
}

uint64_t json_count(const struct json *v)
{
	int64_t n;

	return json_i64(v, &n) && n > 0 ? (uint64_t)n : 0;
}

bool json_f64(const struct json *v, double *out)
{
	char tmp[512]; /* the longest double needs 330 without an exponent */

	if (!json_is(v, JSON_NUMBER) || !v->s.n || v->s.n >= sizeof(tmp))
		return false;
	memcpy(tmp, v->s.p, v->s.n);
	tmp[v->s.n] = '\0';
	double d = strtod(tmp, NULL);
	if (!isfinite(d))
		return false;
	*out = d;
	return true;
}

static struct json *new_value(struct arena *a, enum json_type type)
{
	struct json *v = arena_alloc(a, sizeof(*v));

	if (v)
		v->type = type;
	return v;
}

static struct json *new_text(struct arena *a, enum json_type type, struct sv s)
{
	struct json *v = new_value(a, type);

	if (!v)
		return NULL;
	v->s = arena_dup(a, s);
	return v->s.p ? v : NULL;
}

struct json *json_null(struct arena *a)
{
	return new_value(a, JSON_NULL);
}

struct json *json_bool(struct arena *a, bool b)
{
	struct json *v = new_value(a, JSON_BOOL);

	if (v)
		v->b = b;
	return v;
}

struct json *json_int(struct arena *a, int64_t n)
{
	char tmp[24];
	int len = snprintf(tmp, sizeof(tmp), "%lld", (long long)n);

	return new_text(a, JSON_NUMBER, (struct sv){ tmp, (size_t)len });
}

struct json *json_uint(struct arena *a, uint64_t n)
{
	char tmp[24];
	int len = snprintf(tmp, sizeof(tmp), "%llu", (unsigned long long)n);

	return new_text(a, JSON_NUMBER, (struct sv){ tmp, (size_t)len });
}

struct json *json_float(struct arena *a, double d)
{
	char tmp[40];
	int len = 0;

	if (!isfinite(d))
		return json_null(a);
	for (int digits = 15; digits <= 17; digits++) {
		len = snprintf(tmp, sizeof(tmp), "%.*g", digits, d);
		if (strtod(tmp, NULL) == d)
			break;
	}
	return new_text(a, JSON_NUMBER, (struct sv){ tmp, (size_t)len });
}

struct json *json_string(struct arena *a, struct sv s)
{
	return new_text(a, JSON_STRING, s);
}

struct json *json_array(struct arena *a)
{
	return new_value(a, JSON_ARRAY);
}

struct json *json_object(struct arena *a)
{
	return new_value(a, JSON_OBJECT);
}

static void append(struct json *parent, struct json *v)
{
	v->next = NULL;
	if (parent->tail)
		parent->tail->next = v;
	else
		parent->head = v;
	parent->tail = v;
	parent->cnt++;
}

void json_push(struct json *arr, struct json *v)
{
	if (v && json_is(arr, JSON_ARRAY))
		append(arr, v);
}

void json_add(struct arena *a, struct json *obj, struct sv key, struct json *v)
{
	if (!v || !json_is(obj, JSON_OBJECT))
		return;
	struct sv copy = arena_dup(a, key);
	if (!copy.p)
		return;
	v->key = copy;
	append(obj, v);
}

void json_set(struct arena *a, struct json *obj, const char *key, struct json *v)
{
	struct json *prev = NULL, *old = json_get(obj, key);

	if (!v || old == v)
		return;
	if (!old) {
		json_add(a, obj, sv(key), v);
		return;
	}
	json_for_each (obj, e) {
		if (e == old)
			break;
		prev = e;
	}
	v->key = old->key;
	v->next = old->next;
	*(prev ? &prev->next : &obj->head) = v;
	if (obj->tail == old)
		obj->tail = v;
	old->next = NULL;
}

/* One value without what hangs on it; the key only of a member. */
static struct json *copy_one(struct arena *a, const struct json *v, bool member)
{
	bool text = v->type == JSON_STRING || v->type == JSON_NUMBER;
	struct json *c = text ? new_text(a, v->type, v->s) : new_value(a, v->type);

	if (!c)
		return NULL;
	c->cut = v->cut;
	c->b = v->b;
	if (!member || !v->key.p)
		return c;
	c->key = arena_dup(a, v->key);
	return c->key.p ? c : NULL;
}

struct json *json_copy(struct arena *a, const struct json *v)
{
	const struct json *from[COPY_DEPTH];
	struct json *to[COPY_DEPTH];
	size_t depth = 0;

	if (!v)
		return NULL;
	struct json *root = copy_one(a, v, false), *c = root;
	while (c) {
		if (v->head && depth < COPY_DEPTH) {
			from[depth] = v;
			to[depth++] = c;
			v = v->head;
		} else {
			c->cut |= v->head != NULL;
			while (depth && !v->next)
				v = from[--depth];
			if (!depth)
				return root;
			v = v->next;
		}
		c = copy_one(a, v, true);
		if (c)
			append(to[depth - 1], c);
	}
	return NULL;
}
