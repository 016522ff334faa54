// SPDX-License-Identifier: BSD-2-Clause
/* Aligning two runs: see diff.h. */
#include "analysis/diff.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"

#define DETAIL_MAX 200 /* bytes */
#define SAME_SCORE 4   /* of a pair with the same content; of the same kind and name 1 */

void diff_side_init(struct diff_side *s)
{
	*s = (struct diff_side){ .totals.cost_usd = NAN, .first = UINT64_MAX };
	arena_init(&s->arena, 0);
}

void diff_side_fini(struct diff_side *s)
{
	free(s->items);
	arena_fini(&s->arena);
	*s = (struct diff_side){ 0 };
}

/* ---- what a span says */

static void add_totals(struct diff_side *s, const struct span *sp)
{
	struct diff_totals *t = &s->totals;
	double usd = span_attr_float(sp, ATTR_ID_COST, NAN);

	if (sp->start_ns < s->first)
		s->first = sp->start_ns;
	if (sp->end_ns > s->last)
		s->last = sp->end_ns;
	if (!s->has_run && s->last > s->first)
		t->ns = s->last - s->first;
	if (sp->what == SPAN_RUN) {
		t->ns = span_awake_ns(sp);
		s->has_run = true;
	}
	t->turns += sp->what == SPAN_TURN;
	t->tool_calls += sp->what == SPAN_TOOL_CALL;
	t->errors += sp->status == STATUS_ERROR && span_what_fails(sp->what);
	if (sp->what != SPAN_MODEL_CALL)
		return;
	t->model_calls++;
	t->input_tokens += span_attr_int(sp, ATTR_ID_USAGE_INPUT, 0);
	t->output_tokens += span_attr_int(sp, ATTR_ID_USAGE_OUTPUT, 0);
	if (!isnan(usd))
		t->cost_usd = isnan(t->cost_usd) ? usd : t->cost_usd + usd;
}

/* The attribute that a span of the kind is told by. */
static const struct json *content_of(const struct span *sp)
{
	if (sp->what == SPAN_TURN)
		return span_attr(sp, ATTR_ID_INPUT_MESSAGES);
	return sp->what == SPAN_TOOL_CALL ? span_attr(sp, ATTR_ID_TOOL_ARGUMENTS) : NULL;
}

/* What is shown of it: of a message its text. */
static struct sv detail_of(const struct json *content, struct sv text)
{
	struct sv said = json_sv(json_path(content, "0.parts.0.content"));

	return said.n ? said : text;
}

static struct diff_item *new_item(struct diff_side *s)
{
	if (s->cnt == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct diff_item *more = realloc(s->items, cap * sizeof(*more));

		if (!more)
			return NULL;
		s->items = more;
		s->cap = cap;
	}
	return &s->items[s->cnt++];
}

/* content: that of content_of(), as text. */
static void fill(struct diff_side *s, struct diff_item *it, const struct span *sp,
		 struct sv content)
{
	struct sv detail = detail_of(content_of(sp), content);
	struct buf b = BUF_INIT;

	*it = (struct diff_item){
		.what = sp->what,
		.name = arena_dup(&s->arena, sp->name),
		.detail = arena_dup(&s->arena, sv_clip_utf8(detail, DETAIL_MAX)),
		.start_ns = sp->start_ns,
		.ns = span_awake_ns(sp),
		.input_tokens = span_attr_int(sp, ATTR_ID_USAGE_INPUT, -1),
		.output_tokens = span_attr_int(sp, ATTR_ID_USAGE_OUTPUT, -1),
		.cost_usd = span_attr_float(sp, ATTR_ID_COST, NAN),
		.failed = sp->status == STATUS_ERROR,
	};
	memcpy(it->span_id, sp->span_id, sizeof(it->span_id));
	/* a turn's name is its ordinal, which is no part of what it is */
	buf_fmt(&b, "%s ", span_what_name(sp->what));
	if (sp->what != SPAN_TURN)
		buf_sv(&b, sp->name);
	it->label = hash64(buf_view(&b));
	buf_ch(&b, '\0');
	buf_sv(&b, content);
	it->content = hash64(buf_view(&b));
	buf_fini(&b);
}

int diff_side_add(struct diff_side *s, const struct span *sp)
{
	struct buf text = BUF_INIT;
	struct diff_item *it;

	add_totals(s, sp);
	if (sp->what != SPAN_TURN && sp->what != SPAN_MODEL_CALL && sp->what != SPAN_TOOL_CALL)
		return 0;
	it = new_item(s);
	if (it) {
		if (content_of(sp))
			json_write(&text, content_of(sp));
		fill(s, it, sp, buf_view(&text));
	}
	buf_fini(&text);
	return it && !arena_failed(&s->arena) ? 0 : -ENOMEM;
}

/* ---- what belongs to what */

static int by_start(const void *x, const void *y)
{
	const struct diff_item *a = x, *b = y;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->what != b->what) /* a turn begins with its first call */
		return (b->what == SPAN_TURN) - (a->what == SPAN_TURN);
	return a->content < b->content ? -1 : a->content > b->content;
}

static bool same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

bool diff_same_totals(const struct diff_totals *a, const struct diff_totals *b)
{
	return a->turns == b->turns && a->model_calls == b->model_calls &&
	       a->tool_calls == b->tool_calls && a->errors == b->errors &&
	       a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens &&
	       same_number(a->cost_usd, b->cost_usd);
}

static bool same(const struct diff_item *a, const struct diff_item *b)
{
	return a->content == b->content && a->failed == b->failed &&
	       a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens &&
	       same_number(a->cost_usd, b->cost_usd);
}

static unsigned int score(const struct diff_item *a, const struct diff_item *b)
{
	if (a->content == b->content)
		return SAME_SCORE;
	return a->label == b->label;
}

struct range {
	const struct diff_item *a, *b;
	size_t n, m;
	diff_fn fn;
	void *ctx;
};

static int tell(const struct range *r, const struct diff_item *a, const struct diff_item *b)
{
	if (!a || !b)
		return r->fn(r->ctx, a ? DIFF_ONLY_A : DIFF_ONLY_B, a, b);
	return r->fn(r->ctx, same(a, b) ? DIFF_SAME : DIFF_CHANGED, a, b);
}

/* Walks the table of best[i][j], what a[i..n) and b[j..m) reach, which is filled. */
static int tell_best(const struct range *r, const uint32_t *best)
{
	size_t i = 0, j = 0, width = r->m + 1;
	int ret = 0;

	while (!ret && (i < r->n || j < r->m)) {
		const struct diff_item *a = i < r->n ? &r->a[i] : NULL;
		const struct diff_item *b = j < r->m ? &r->b[j] : NULL;
		unsigned int pair = a && b ? score(a, b) : 0;

		if (pair && best[i * width + j] == pair + best[(i + 1) * width + j + 1]) {
			i++;
			j++;
		} else if (a && (!b || best[i * width + j] == best[(i + 1) * width + j])) {
			b = NULL;
			i++;
		} else {
			a = NULL;
			j++;
		}
		ret = tell(r, a, b);
	}
	return ret;
}

static int align_best(const struct range *r)
{
	size_t width = r->m + 1;
	uint32_t *best = calloc((r->n + 1) * width, sizeof(*best));
	int ret;

	if (!best)
		return -ENOMEM;
	for (size_t i = r->n; i-- > 0;) {
		for (size_t j = r->m; j-- > 0;) {
			unsigned int pair = score(&r->a[i], &r->b[j]);
			uint32_t most = best[(i + 1) * width + j];

			if (best[i * width + j + 1] > most)
				most = best[i * width + j + 1];
			if (pair && pair + best[(i + 1) * width + j + 1] > most)
				most = pair + best[(i + 1) * width + j + 1];
			best[i * width + j] = most;
		}
	}
	ret = tell_best(r, best);
	free(best);
	return ret;
}

static int align_by_position(const struct range *r)
{
	int ret = 0;

	for (size_t i = 0; !ret && (i < r->n || i < r->m); i++) {
		const struct diff_item *a = i < r->n ? &r->a[i] : NULL;
		const struct diff_item *b = i < r->m ? &r->b[i] : NULL;

		if (a && b && score(a, b)) {
			ret = tell(r, a, b);
			continue;
		}
		ret = a ? tell(r, a, NULL) : 0;
		if (!ret && b)
			ret = tell(r, NULL, b);
	}
	return ret;
}

/* Pairs with the same content: n of them from a and b on. */
static int tell_alike(const struct range *r, const struct diff_item *a, const struct diff_item *b,
		      size_t n)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++)
		ret = tell(r, &a[i], &b[i]);
	return ret;
}

int diff_align(struct diff_side *a, struct diff_side *b, diff_fn fn, void *ctx)
{
	struct range r = { .n = a->cnt, .m = b->cnt, .fn = fn, .ctx = ctx };
	size_t head = 0, tail = 0;
	int ret;

	if (a->cnt)
		qsort(a->items, a->cnt, sizeof(*a->items), by_start);
	if (b->cnt)
		qsort(b->items, b->cnt, sizeof(*b->items), by_start);
	while (head < r.n && head < r.m && a->items[head].content == b->items[head].content)
		head++;
	while (tail < r.n - head && tail < r.m - head &&
	       a->items[r.n - tail - 1].content == b->items[r.m - tail - 1].content)
		tail++;
	ret = tell_alike(&r, a->items, b->items, head);
	r.a = a->items + head;
	r.b = b->items + head;
	r.n -= head + tail;
	r.m -= head + tail;
	if (!ret && (r.n || r.m))
		ret = (r.n + 1) <= DIFF_CELLS_MAX / (r.m + 1) ? align_best(&r)
							      : align_by_position(&r);
	return ret ? ret : tell_alike(&r, r.a + r.n, r.b + r.m, tail);
}
