// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tree of `show`: a run's spans under each other, with what matters about each and a waterfall on
 * a shared time axis.  Collects everything, for a parent mostly comes after its children, and writes
 * at the end.  A hundred thousand spans take a second; nothing here is quadratic or recursive in what
 * was traced, and nothing traced reaches the terminal unfiltered.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sink/tree_priv.h"

static int tree_open(void **st, const struct sink_cfg *cfg)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->cfg = *cfg;
	t->utf8 = term_utf8();
	arena_init(&t->arena, 0);
	*st = t;
	return 0;
}

static uint64_t hex(const char *p, size_t n)
{
	char digits[HEX64];

	memcpy(digits, p, n);
	digits[n] = '\0';
	return strtoull(digits, NULL, 16);
}

static struct tree_run *run_of(struct tree *t, const struct span *s)
{
	struct map_key key = { .a = hex(s->trace_id, 16), .b = hex(s->trace_id + 16, 16) };
	struct tree_run *r = map_get(&t->runs, key);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	memcpy(r->trace_id, s->trace_id, sizeof(r->trace_id));
	r->start = s->start_ns;
	r->end = s->end_ns;
	r->cost = NAN;
	r->exit_code = -1;
	if (map_put(&t->runs, key, r)) {
		free(r);
		return NULL;
	}
	return r;
}

static int keep(struct tree_run *r, struct node *n)
{
	if (r->cnt == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		struct node **grown = realloc(r->nodes, cap * sizeof(struct node *));

		if (!grown)
			return -ENOMEM;
		r->nodes = grown;
		r->cap = cap;
	}
	r->nodes[r->cnt++] = n;
	return map_put(&r->ids, (struct map_key){ .a = n->id }, n);
}

/* Tokens and cost of everything that bills them; calls and attempts of model calls alone. */
static void count_tokens(struct tree_run *r, const struct span *s)
{
	double usd = span_attr_float(s, ATTR_ID_COST, NAN);

	if (s->what == SPAN_MODEL_CALL) {
		r->model_calls++;
		r->attempts += (size_t)span_attr_int(s, ATTR_ID_ATTEMPTS, 1);
	}
	if (json_true(span_attr(s, ATTR_ID_UNFINISHED)))
		return; /* what it costs is not known */
	r->input_tokens += (uint64_t)span_attr_int(s, ATTR_ID_USAGE_INPUT, 0);
	r->output_tokens += (uint64_t)span_attr_int(s, ATTR_ID_USAGE_OUTPUT, 0);
	if (isnan(usd))
		r->unpriced++;
	else
		r->cost = isnan(r->cost) ? usd : r->cost + usd;
}

static void describe_run(struct tree *t, struct tree_run *r, const struct span *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	r->exit_code = span_attr_int(s, ATTR_ID_PROCESS_EXIT_CODE, -1);
#define X(id, name) r->went[TREE_TIME_##id] = span_attr_int(s, id, 0);
	TREE_TIMES_OF(X)
#undef X
	r->lost_records = span_attr_int(s, ATTR_ID_LOST_RECORDS, 0);
	r->lost_bytes = span_attr_int(s, ATTR_ID_LOST_BYTES, 0);
	r->lost_spans = span_attr_int(s, ATTR_ID_LOST_SPANS, 0);
	r->suspended_ns = span_attr_int(s, ATTR_ID_SUSPENDED, 0);
	r->step_ns = span_attr_int(s, ATTR_ID_CLOCK_STEP, 0);
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e) {
		buf_str(&b, b.len ? ", " : "");
		buf_sv(&b, json_sv(e));
	}
	r->incomplete = arena_dup(&t->arena, buf_view(&b));
}

static void count(struct tree *t, struct tree_run *r, const struct span *s, struct node *n)
{
	r->start = s->start_ns < r->start ? s->start_ns : r->start;
	r->end = s->end_ns > r->end ? s->end_ns : r->end;
	r->tool_calls += s->what == SPAN_TOOL_CALL;
	r->processes += s->what == SPAN_PROCESS;
	r->not_seen += n->not_seen.n > 0;
	/* an attempt's failure is its call's, when that failed in the end */
	r->errors += n->failed && span_what_fails(s->what);
	if (s->what == SPAN_MODEL_CALL || s->what == SPAN_EMBEDDING || s->what == SPAN_RETRIEVAL)
		count_tokens(r, s);
	if (s->what != SPAN_RUN || s->parent_span_id[0])
		return;
	if (!r->root)
		r->root = n;
	describe_run(t, r, s);
}

static int tree_span(void *st, const struct span *s)
{
	struct tree *t = st;
	struct tree_run *r = run_of(t, s);
	struct node *n = arena_alloc(&t->arena, sizeof(*n));

	if (!r || !n)
		return -ENOMEM;
	n->id = hex(s->span_id, 16);
	n->parent_id = s->parent_span_id[0] ? hex(s->parent_span_id, 16) : 0;
	n->start = s->start_ns;
	n->end = s->end_ns > s->start_ns ? s->end_ns : s->start_ns;
	n->what = s->what;
	n->failed = s->status == STATUS_ERROR;
	n->unfinished = json_true(span_attr(s, ATTR_ID_UNFINISHED));
	tree_describe(t, n, s);
	if (t->cfg.payload)
		tree_messages(t, n, s);
	count(t, r, s, n);
	return arena_failed(&t->arena) ? -ENOMEM : keep(r, n);
}

/* --- what hangs where */

static int by_start(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end) /* what holds the other comes first */
		return x->end > y->end ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void hang(struct node *parent, struct node *n)
{
	n->parent = parent;
	if (parent->last)
		parent->last->next = n;
	else
		parent->child = n;
	parent->last = n;
}

static void unhang(struct node *n)
{
	struct node *p = n->parent, *before = NULL;

	for (struct node *e = p->child; e != n; e = e->next)
		before = e;
	*(before ? &before->next : &p->child) = n->next;
	if (p->last == n)
		p->last = before;
	n->next = NULL;
}

/* A run whose root span never came (it still runs, or ringspan was killed) gets one to stand in. */
static int stand_in(struct tree *t, struct tree_run *r)
{
	struct node *n = arena_alloc(&t->arena, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->name = SV("run without an end");
	n->facts = (struct sv){ "still running, or recording was killed", 39 };
	n->start = r->start;
	n->end = r->end;
	n->what = SPAN_RUN;
	r->root = n;
	return 0;
}

/* Walks down from `from`, in the order of drawing, and notes it.  How many it reached. */
static size_t walk(struct node *from, struct node **order)
{
	struct node *n = from;
	size_t cnt = 0;

	for (;;) {
		n->reached = true;
		n->depth = n->parent ? n->parent->depth + 1 : 0;
		order[cnt++] = n;
		if (n->child) {
			n = n->child;
			continue;
		}
		while (n != from && n->parent && !n->next)
			n = n->parent;
		if (n == from || !n->next)
			return cnt;
		n = n->next;
	}
}

/*
 * Every span ends up under the root: those without a known parent, and one of each circle that
 * hostile parent ids make.
 */
static size_t connect(struct tree_run *r, struct node **order, bool parents_known)
{
	size_t cnt;

	for (size_t i = 0; i < r->cnt; i++) {
		struct node *n = r->nodes[i], *parent;

		if (n == r->root)
			continue;
		parent = map_get(&r->ids, (struct map_key){ .a = n->parent_id });
		n->orphan = parents_known && (!parent || parent == n);
		hang(parent && parent != n ? parent : r->root, n);
	}
	cnt = walk(r->root, order);
	for (size_t i = 0; i < r->cnt; i++) {
		struct node *n = r->nodes[i];

		if (n->reached)
			continue;
		unhang(n);
		hang(r->root, n);
		n->orphan = true;
		cnt += walk(n, order + cnt);
	}
	return cnt;
}

static bool tree_shown(const struct tree *t, const struct node *n)
{
	if (!n->parent)
		return true;
	return !n->fold && (!t->cfg.max_depth || n->depth <= t->cfg.max_depth) &&
	       n->longest >= t->cfg.min_duration_ns;
}

struct node *tree_first_shown(const struct tree *t, struct node *n)
{
	while (n && !tree_shown(t, n))
		n = n->next;
	return n;
}

/* From the root down: what is below tool calls, and which failures are not. */
static void place(struct tree_run *r, struct node **order, size_t cnt)
{
	for (size_t i = 1; i < cnt; i++) {
		struct node *n = order[i];

		n->in_call = n->parent && (n->parent->in_call || n->parent->what == SPAN_TOOL_CALL);
		r->aside += n->failed && span_what_fails(n->what) && tree_is_aside(n);
	}
}

/* Many files are one line: an agent's start alone writes dozens.  What failed is never folded. */
static void fold_files(const struct tree *t, struct node **order, size_t cnt)
{
	for (size_t i = 1; i < cnt && !t->cfg.files; i++) {
		struct node *n = order[i];

		if (n->what != SPAN_FILE || n->failed || n->child || !n->parent)
			continue;
		n->fold = n->read || ++n->parent->files > FILES_SHOWN;
		n->parent->folded += n->fold && !n->read;
	}
}

/* From the leaves up: what a subtree holds, and what of it is not shown. */
static void sum_up(const struct tree *t, struct node **order, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		order[i]->below = 1;
		order[i]->longest = order[i]->end - order[i]->start;
	}
	for (size_t i = cnt; i-- > 1;) {
		struct node *n = order[i], *p = n->parent;

		p->below += n->below;
		if (n->longest > p->longest)
			p->longest = n->longest;
		if (!tree_shown(t, n) && !(n->fold && n->read))
			p->hidden += n->below;
	}
}

static int build(struct tree *t, struct tree_run *r)
{
	bool parents_known = r->root;
	struct node **order;
	size_t cnt;

	qsort(r->nodes, r->cnt, sizeof(struct node *), by_start);
	if (!r->root && stand_in(t, r))
		return -ENOMEM;
	order = arena_alloc(&t->arena, (r->cnt + 1) * sizeof(struct node *));
	if (!order)
		return -ENOMEM;
	cnt = connect(r, order, parents_known);
	place(r, order, cnt);
	fold_files(t, order, cnt);
	sum_up(t, order, cnt);
	return 0;
}

void tree_flush(struct tree *t, size_t above)
{
	if (t->out.len <= above)
		return;
	if (fwrite(t->out.p, 1, t->out.len, t->cfg.out) != t->out.len && !t->err)
		t->err = -EIO;
	buf_clear(&t->out);
}

static int tree_close(void *st)
{
	struct tree *t = st;
	const char *sep = "";
	int err;

	map_for_each (&t->runs, e) {
		struct tree_run *r = e->value;

		buf_str(&t->out, sep);
		if (!t->err)
			t->err = build(t, r);
		if (!t->err) {
			tree_draw_head(t, r);
			tree_draw(t, r);
		}
		sep = "\n";
		map_fini(&r->ids);
		free(r->nodes);
		free(r);
	}
	if (t->out.err && !t->err)
		t->err = t->out.err;
	tree_flush(t, 0);
	if (fflush(t->cfg.out) && !t->err)
		t->err = -EIO;
	err = t->err;
	map_for_each (&t->messages, e)
		free(e->value);
	map_fini(&t->messages);
	map_fini(&t->runs);
	buf_fini(&t->out);
	arena_fini(&t->arena);
	free(t);
	return err;
}

const struct sink_ops sink_tree = {
	.name = "tree",
	.help = "the run as a tree with a waterfall",
	.open = tree_open,
	.span = tree_span,
	.close = tree_close,
};
