// SPDX-License-Identifier: BSD-2-Clause
/*
 * The price table: see price.h.  A table is small (tens of models), so looking up is a walk.  A table
 * that is wrong in one place is refused as a whole: costs that are half right help nobody.
 */
#include "span/price.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "span/embed.h"

#define TABLE_MAX (4u << 20) /* bytes that a parsed table may take */

/* Dollars per million tokens; NAN: not told. */
struct rates {
	double input, output, cache_read, cache_write;
};

struct price {
	struct sv match; /* without the * */
	bool prefix;
	struct sv provider; /* empty: any */
	struct rates rates;
	int64_t above; /* input tokens; 0: one price for all */
	struct rates rates_above;
};

struct price_table {
	struct arena arena;
	struct sv date;
	struct price *prices;
	size_t cnt;
};

static bool read_rate(const struct json *obj, const char *key, bool needed, double *out)
{
	const struct json *v = json_get(obj, key);

	*out = NAN;
	if (!v)
		return !needed;
	return json_f64(v, out) && *out >= 0 && isfinite(*out);
}

static bool read_rates(const struct json *obj, struct rates *r)
{
	return read_rate(obj, "input", true, &r->input) &&
	       read_rate(obj, "output", true, &r->output) &&
	       read_rate(obj, "cache_read", false, &r->cache_read) &&
	       read_rate(obj, "cache_write", false, &r->cache_write);
}

static bool read_price(const struct json *v, struct price *p)
{
	const struct json *above = json_get(v, "above");

	p->match = json_sv(json_get(v, "match"));
	p->prefix = sv_ends(p->match, "*");
	if (p->prefix)
		p->match.n--;
	p->provider = json_sv(json_get(v, "provider"));
	if (!p->match.n || !read_rates(v, &p->rates))
		return false;
	if (!above)
		return true;
	return json_i64(json_get(above, "input_tokens"), &p->above) && p->above > 0 &&
	       read_rates(above, &p->rates_above);
}

static int read_table(struct price_table *t, struct sv text)
{
	struct json_err err;
	struct json *root = json_parse(&t->arena, text, &err);
	const struct json *models = json_get(root, "models");

	if (arena_failed(&t->arena))
		return log_err(-EINVAL, "price table: larger than %u bytes", TABLE_MAX);
	if (!root || err.cut || err.broken || err.too_deep)
		return log_err(-EINVAL, "price table: no JSON at offset %zu",
			       root ? err.offset : 0);
	t->date = json_sv(json_get(root, "date"));
	if (!t->date.n || !json_is(models, JSON_ARRAY))
		return log_err(-EINVAL, "price table: needs `date` and the array `models`, as "
					"schemas/prices.json has them");
	if (!json_str_is(json_get(root, "currency"), "USD") ||
	    !json_str_is(json_get(root, "unit"), "per million tokens"))
		return log_err(-EINVAL, "price table: only currency \"USD\" and unit \"per million "
					"tokens\" are understood");
	t->prices = arena_alloc(&t->arena, models->cnt * sizeof(*t->prices));
	if (!t->prices)
		return -ENOMEM;
	json_for_each (models, v) {
		if (!read_price(v, &t->prices[t->cnt]))
			return log_err(-EINVAL,
				       "price table: model %zu needs `match` and the "
				       "numbers `input` and `output`",
				       t->cnt + 1);
		t->cnt++;
	}
	return 0;
}

int price_table_parse(struct price_table **out, struct sv json)
{
	struct price_table *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	arena_init(&t->arena, TABLE_MAX);
	err = read_table(t, json);
	if (err) {
		price_table_free(&t);
		return err;
	}
	*out = t;
	return 0;
}

int price_table_default(struct price_table **out)
{
	return price_table_parse(out, embed_prices());
}

void price_table_free(struct price_table **t)
{
	if (!*t)
		return;
	arena_fini(&(*t)->arena);
	free(*t);
	*t = NULL;
}

struct sv price_table_date(const struct price_table *t)
{
	return t->date;
}

/* "-20250514", "-2025-08-07", "@20250514", "-latest" */
static bool is_release(struct sv s)
{
	size_t digits = 0;

	if (sv_is(s, "-latest"))
		return true;
	if (s.n < 2 || (s.p[0] != '-' && s.p[0] != '@'))
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9')
			digits++;
		else if (s.p[i] != '-' || (i != 5 && i != 8))
			return false;
	}
	return digits == 8 && (s.n == 9 || s.n == 11);
}

static bool matches(const struct price *p, struct sv provider, struct sv model)
{
	if (p->provider.n && provider.n && !sv_eq(p->provider, provider))
		return false;
	if (!sv_eq(sv_sub(model, 0, p->match.n), p->match))
		return false;
	return model.n == p->match.n || p->prefix || is_release(sv_sub(model, p->match.n, model.n));
}

static const struct price *find(const struct price_table *t, struct sv provider, struct sv model)
{
	const struct price *best = NULL;

	for (size_t i = 0; i < t->cnt; i++) {
		const struct price *p = &t->prices[i];

		if (matches(p, provider, model) && (!best || p->match.n > best->match.n))
			best = p;
	}
	return best;
}

static double tokens(int64_t n)
{
	return n > 0 ? (double)n : 0;
}

static double rate_or(double rate, double otherwise)
{
	return isnan(rate) ? otherwise : rate;
}

bool price_cost(const struct price_table *t, struct sv provider, struct sv model,
		const struct sem_usage *u, double *usd)
{
	const struct price *p;
	const struct rates *r;
	double read, write, plain;

	if (!t || (u->input < 0 && u->output < 0))
		return false;
	p = find(t, provider, model);
	if (!p)
		return false;
	r = p->above && u->input > p->above ? &p->rates_above : &p->rates;
	read = tokens(u->cache_read);
	write = tokens(u->cache_write);
	plain = tokens(u->input) - read - write;
	if (plain < 0) /* the provider contradicts itself */
		plain = 0;
	*usd = (plain * r->input + read * rate_or(r->cache_read, r->input) +
		write * rate_or(r->cache_write, r->input) + tokens(u->output) * r->output) /
	       1e6;
	return true;
}
