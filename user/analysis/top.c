// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/top.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

#define NS_PER_S 1000000000ull
#define ASKING_NS \
	(3 * NS_PER_S) /* a call that nothing does so long, at a terminal, waits for leave */
#define RETRY_NS (60 * NS_PER_S)    /* who has not asked again by then has given up */
#define WHY_CAUSE 40                /* bytes of an error in `why` */
#define SMALLEST_NS (NS_PER_S / 20) /* no rate is told of less */

static const struct {
	const char *name, *help;
} states[TOP_STATE_CNT] = {
#define X(name, text, help) [TOP_##name] = { text, help },
	TOP_STATES(X)
#undef X
};

static const char *const key_names[TOP_KEY_CNT] = {
	[TOP_BY_STATE] = "state", [TOP_BY_AGE] = "age",       [TOP_BY_PID] = "pid",
	[TOP_BY_AGENT] = "agent", [TOP_BY_RATE] = "rate",     [TOP_BY_TOKENS] = "tokens",
	[TOP_BY_COST] = "cost",   [TOP_BY_CPU] = "cpu",       [TOP_BY_MEMORY] = "memory",
	[TOP_BY_NET] = "network", [TOP_BY_ERRORS] = "errors",
};

const char *top_state_name(enum top_state s)
{
	return states[s].name;
}

const char *top_state_help(enum top_state s)
{
	return states[s].help;
}

const char *top_key_name(enum top_key k)
{
	return key_names[k];
}

bool top_state_is_urgent(enum top_state s)
{
	return s == TOP_APPROVAL || s == TOP_STUCK;
}

void top_init(struct top *t, uint64_t stuck_ns)
{
	*t = (struct top){ .stuck_ns = stuck_ns };
}

void top_fini(struct top *t)
{
	map_for_each (&t->rows, e)
		free(e->value);
	map_fini(&t->rows);
}

/* --- states */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t passed(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* So many bytes of it as fit, whole characters. */
static void copy(char *to, size_t size, struct sv text)
{
	struct sv kept = sv_clip_utf8(text, size - 1);

	if (kept.n)
		memcpy(to, kept.p, kept.n);
	to[kept.n] = '\0';
	for (size_t i = 0; i < kept.n; i++) /* a NUL would end it for who reads it as a string */
		if (!to[i])
			to[i] = '?';
}

static void set_step(struct top_row *r, struct sv what, struct sv of)
{
	size_t n;

	copy(r->step, sizeof(r->step), what);
	n = strlen(r->step);
	if (!of.n || n + 2 >= sizeof(r->step))
		return;
	if (n)
		r->step[n++] = ' ';
	copy(r->step + n, sizeof(r->step) - n, of);
}

static void set_state(struct top_row *r, enum top_state s, uint64_t since)
{
	r->state = s;
	r->since_ns = since;
	r->sure = true;
}

static void set_stuck(struct top_row *r, uint64_t since, const char *why)
{
	set_state(r, TOP_STUCK, since);
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void judge_model(struct top_row *r, const struct now *n, uint64_t time, uint64_t stuck)
{
	const struct now_model *m = &n->model;
	uint64_t heard = later(m->asked_ns, m->piece_ns);

	set_step(r, m->model.n ? m->model : m->operation, SV(""));
	if (passed(heard, time) >= stuck)
		set_stuck(r, heard, m->first_ns ? "the answer stopped" : "no answer");
	else if (m->first_ns)
		set_state(r, TOP_STREAMING, m->first_ns);
	else
		set_state(r, TOP_WAITING, m->asked_ns);
}

static void judge_failed(struct top_row *r, const struct now *n)
{
	const struct now_failed *f = &n->failed;
	size_t at;

	set_state(r, f->throttled ? TOP_THROTTLED : TOP_RETRYING, f->failed_ns);
	set_step(r, f->model, SV(""));
	if (f->status)
		snprintf(r->why, WHY_CAUSE, "%lld", (long long)f->status);
	else
		copy(r->why, WHY_CAUSE, f->error);
	at = strlen(r->why);
	if (f->attempts > 1)
		snprintf(r->why + at, sizeof(r->why) - at, "%s%lld tries", at ? ", " : "",
			 (long long)f->attempts);
}

static void judge_tool(struct top_row *r, const struct now *n, uint64_t time, uint64_t stuck)
{
	uint64_t heard = later(later(n->tool.asked_ns, n->tool.begun_ns), n->heard_ns);

	set_step(r, n->tool.name, n->tool.args);
	if (passed(heard, time) >= stuck)
		set_stuck(r, heard, "nothing happens");
	else
		set_state(r, TOP_TOOL, n->tool.begun_ns ? n->tool.begun_ns : n->tool.asked_ns);
}

static void judge_working(struct top_row *r, const struct now *n, uint64_t time, uint64_t stuck)
{
	uint64_t since = later(n->answered_ns, n->start_ns), heard = later(since, n->heard_ns);

	if (passed(heard, time) >= stuck)
		set_stuck(r, heard, "neither asks nor answers");
	else
		set_state(r, TOP_WORKING, since);
}

static bool awaits_retry(const struct now *n, uint64_t time)
{
	const struct now_failed *f = &n->failed;

	return f->cnt && n->prompt_ns <= f->failed_ns &&
	       time < later(f->retry_ns, f->failed_ns) + RETRY_NS;
}

/* The call is there, nothing does it, and the agent has somebody to ask who has not said anything since. */
static bool may_ask(const struct now *n, uint64_t time)
{
	const struct now_tool *tool = &n->tool;

	return tool->cnt && !tool->begun_ns && !n->model.cnt && n->input_ns &&
	       n->input_ns <= tool->asked_ns && passed(tool->asked_ns, time) >= ASKING_NS;
}

static void judge(struct top_row *r, const struct now *n, uint64_t time, uint64_t stuck)
{
	bool loops = n->same >= TOP_SAME && n->turn_open;

	r->step[0] = r->why[0] = '\0';
	r->more = n->model.cnt + n->tool.cnt ? n->model.cnt + n->tool.cnt - 1 : 0;
	if (n->human.by) {
		set_state(r, TOP_APPROVAL, n->human.since_ns);
		if (n->tool.cnt)
			set_step(r, n->tool.name, n->tool.args);
		else
			set_step(r, n->human.what, SV(""));
	} else if (n->model.cnt) {
		judge_model(r, n, time, stuck);
	} else if (awaits_retry(n, time)) {
		judge_failed(r, n);
	} else if (may_ask(n, time)) {
		set_state(r, TOP_APPROVAL, n->tool.asked_ns);
		set_step(r, n->tool.name, n->tool.args);
		r->sure = false;
	} else if (n->tool.cnt) {
		judge_tool(r, n, time, stuck);
	} else if (n->turn_open && !n->prompt_ns) {
		judge_working(r, n, time, stuck);
	} else if (n->joined && !n->agents && !n->model_calls && !n->prompt_ns) {
		set_state(r, TOP_UNKNOWN, n->start_ns);
	} else {
		set_state(r, TOP_IDLE, later(n->answered_ns, n->start_ns));
	}
	if (loops && r->state != TOP_APPROVAL && r->state != TOP_STUCK) {
		set_step(r, n->same_what, SV(""));
		set_stuck(r, r->since_ns, "");
		snprintf(r->why, sizeof(r->why), "%u equal calls", n->same);
	}
}

/* --- looks */

void top_begin(struct top *t, uint64_t time_ns)
{
	t->before_ns = t->time_ns;
	t->time_ns = time_ns;
	t->look++;
}

static struct map_key key_of(const char *trace_id)
{
	return (struct map_key){ .a = hash64(sv(trace_id)), .b = strlen(trace_id) };
}

static double per_second(double now, double before, uint64_t ns)
{
	return now > before ? (now - before) * 1e9 / (double)ns : 0;
}

static void set_rates(struct top_rates *out, const struct now *n, const struct now *then,
		      uint64_t ns)
{
	out->cpu = per_second((double)n->cpu_ns, (double)then->cpu_ns, ns) / 1e9;
	out->tokens = per_second((double)n->output_tokens + n->streamed_tokens,
				 (double)then->output_tokens + then->streamed_tokens, ns);
	for (int d = 0; d < 2; d++)
		out->net[d] = per_second((double)n->sock_bytes[d], (double)then->sock_bytes[d], ns);
}

static struct top_row *row_of(struct top *t, const struct now *n)
{
	struct top_row *r = map_get(&t->rows, key_of(n->trace_id));

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r || map_put(&t->rows, key_of(n->trace_id), r)) {
		free(r);
		return NULL;
	}
	r->rates = (struct top_rates){ NAN, NAN, { NAN, NAN } };
	return r;
}

int top_take(struct top *t, const struct now *n)
{
	uint64_t ns = passed(t->before_ns, t->time_ns);
	struct top_row *r = row_of(t, n);

	if (!r)
		return -ENOMEM;
	judge(r, n, t->time_ns, t->stuck_ns);
	copy(r->agent, sizeof(r->agent), n->agent.n ? n->agent : SV("?"));
	copy(r->container, sizeof(r->container), n->container);
	if (r->seen && ns >= SMALLEST_NS)
		set_rates(&r->rates, n, &r->now, ns);
	r->now = *n;
	r->now.agent = r->now.container = r->now.human.what = SV("");
	r->now.model.operation = r->now.model.model = SV("");
	r->now.failed.model = r->now.failed.error = SV("");
	r->now.tool.name = r->now.tool.args = SV("");
	r->now.same_what = r->now.same_name = SV("");
	r->now.tool.input = NULL;
	r->seen = t->look;
	return 0;
}

static void end_row(struct top *t, struct top_row *r)
{
	set_state(r, TOP_ENDED, t->time_ns);
	r->ended_ns = t->time_ns;
	r->rates = (struct top_rates){ 0 };
	r->now.rss_bytes = 0;
	r->step[0] = r->why[0] = '\0';
	r->more = 0;
}

void top_end(struct top *t)
{
	map_for_each (&t->rows, e) {
		struct top_row *r = e->value;

		if (r->seen == t->look)
			continue;
		if (!r->ended_ns)
			end_row(t, r);
		if (passed(r->ended_ns, t->time_ns) >= TOP_ENDED_NS)
			free(map_del(&t->rows, e->key));
	}
}

/* --- order */

/* Who waits for somebody, who is held up, who does something, who does not, who is gone. */
static int rank(enum top_state s)
{
	if (top_state_is_urgent(s))
		return 0;
	if (s == TOP_THROTTLED || s == TOP_RETRYING)
		return 1;
	return s == TOP_IDLE || s == TOP_UNKNOWN ? 3 : s == TOP_ENDED ? 4 : 2;
}

/* What is not known is least. */
static double known(double v)
{
	return isnan(v) ? -1 : v;
}

static double weight(const struct top_row *r, enum top_key key)
{
	switch (key) {
	case TOP_BY_STATE:
		return -rank(r->state);
	case TOP_BY_AGE:
		return -(double)r->since_ns;
	case TOP_BY_PID:
		return -(double)r->now.pid;
	case TOP_BY_RATE:
		return known(r->rates.tokens);
	case TOP_BY_TOKENS:
		return (double)(r->now.input_tokens + r->now.output_tokens);
	case TOP_BY_COST:
		return known(r->now.cost_usd);
	case TOP_BY_CPU:
		return known(r->rates.cpu);
	case TOP_BY_MEMORY:
		return (double)r->now.rss_bytes;
	case TOP_BY_NET:
		return known(r->rates.net[0] + r->rates.net[1]);
	case TOP_BY_ERRORS:
		return (double)r->now.errors;
	default:
		return 0;
	}
}

struct order {
	enum top_key key;
	bool reverse;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct top_row *ra = *(const struct top_row *const *)a;
	const struct top_row *rb = *(const struct top_row *const *)b;
	const struct order *o = ctx;
	double wa = weight(ra, o->key), wb = weight(rb, o->key);
	int cmp = wa > wb ? -1 : wa < wb;

	if (o->key == TOP_BY_AGENT)
		cmp = strcmp(ra->agent, rb->agent);
	if (cmp)
		return o->reverse ? -cmp : cmp;
	return ra->now.number < rb->now.number ? -1 : ra->now.number > rb->now.number;
}

static bool has_word(const struct top_row *r, struct sv word)
{
	const char *const where[] = { r->agent, r->container, r->step, r->why,
				      top_state_name(r->state) };
	char text[TOP_NAME_MAX], pid[16];

	copy(text, sizeof(text), word);
	snprintf(pid, sizeof(pid), "%u", r->now.pid);
	if (strcmp(text, pid) == 0)
		return true;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		if (strcasestr(where[i], text))
			return true;
	return false;
}

static bool passes(const struct top_row *r, const char *filter)
{
	struct sv rest = sv(filter);

	while (rest.n) {
		struct sv word = sv_token(&rest, ' ');

		if (word.n && !has_word(r, word))
			return false;
	}
	return true;
}

int top_order(const struct top *t, enum top_key key, bool reverse, const char *filter,
	      const struct top_row ***out, size_t *cnt)
{
	struct order o = { key, reverse };
	const struct top_row **rows = calloc(t->rows.cnt + 1, sizeof(struct top_row *));

	if (!rows)
		return -ENOMEM;
	*cnt = 0;
	map_for_each (&t->rows, e)
		if (passes(e->value, filter))
			rows[(*cnt)++] = e->value;
	qsort_r(rows, *cnt, sizeof(struct top_row *), compare, &o);
	*out = rows;
	return 0;
}

static void add_rate(double *to, double v)
{
	if (!isnan(v))
		*to = isnan(*to) ? v : *to + v;
}

void top_sum(const struct top *t, struct top_sums *out)
{
	*out = (struct top_sums){ .cost_usd = NAN, .rates = { NAN, NAN, { NAN, NAN } } };
	map_for_each (&t->rows, e) {
		const struct top_row *r = e->value;

		out->by_state[r->state]++;
		if (r->state == TOP_ENDED)
			continue;
		out->runs++;
		out->input_tokens += r->now.input_tokens;
		out->output_tokens += r->now.output_tokens;
		out->errors += r->now.errors;
		out->retries += r->now.retries;
		out->rss_bytes += r->now.rss_bytes;
		add_rate(&out->cost_usd, r->now.cost_usd);
		add_rate(&out->rates.cpu, r->rates.cpu);
		add_rate(&out->rates.tokens, r->rates.tokens);
		add_rate(&out->rates.net[0], r->rates.net[0]);
		add_rate(&out->rates.net[1], r->rates.net[1]);
	}
}
