// SPDX-License-Identifier: BSD-2-Clause
/* doctor --stats: see stats.h.  Numbers are exact, so that they can be added up. */
#include "cli/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/muldiv.h"
#include "cli/live.h"
#include "cli/read.h"
#include "cli/table.h"
#include "probe/status.h"
#include "sink/human.h"

#define NS_PER_S 1000000000ull

static const char *const causes[EV_LOST_CAUSES - 1] = {
	[EV_LOST_RING_FULL] = "ring_full",
	[EV_LOST_MAP_FULL] = "map_full",
	[EV_LOST_READ_FAULT] = "read_fault",
	[EV_LOST_CAP] = "cap",
	[EV_LOST_RATE] = "rate",
	[EV_LOST_NO_BUFFER] = "no_buffer",
	[EV_LOST_UNDECIDED] = "undecided",
};

/* The sums of one recorder. */
struct sums {
	struct ev_kind_counts all;
	uint64_t waiting;    /* records in the ring */
	uint64_t bytes_lost; /* of all causes, and left out */
	uint64_t ns;         /* since it began */
};

/* Counted while it goes on, so that a sum may be one ahead of another. */
static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t waiting(const struct ev_kind_counts *k)
{
	return less(k->produced, k->delivered + k->lost_ring + k->lost_rate);
}

static struct sums add_up(const struct status_told *t)
{
	struct sums s = { .ns = less(live_now(), t->began_ts) };

	for (__u32 i = 0; i < t->loss.e.kinds; i++) {
		const struct ev_kind_counts *k = &t->loss.kinds[i];

		s.all.produced += k->produced;
		s.all.delivered += k->delivered;
		s.all.lost_ring += k->lost_ring;
		s.all.lost_rate += k->lost_rate;
	}
	s.waiting = waiting(&s.all);
	for (int i = 0; i < EV_LOST_CAUSES; i++)
		s.bytes_lost += t->loss.e.bytes_lost[i];
	return s;
}

static uint64_t per_second(uint64_t n, uint64_t ns)
{
	return ns < NS_PER_S ? n : mul_div(n, NS_PER_S, ns);
}

/* --- a line of JSON each */

static struct json *counts_json(struct arena *a, const struct ev_kind_counts *k, uint64_t ns)
{
	struct json *o = json_object(a);

	json_set(a, o, "produced", json_uint(a, k->produced));
	json_set(a, o, "delivered", json_uint(a, k->delivered));
	json_set(a, o, "lost_ring_full", json_uint(a, k->lost_ring));
	json_set(a, o, "left_out_rate", json_uint(a, k->lost_rate));
	json_set(a, o, "waiting", json_uint(a, waiting(k)));
	json_set(a, o, "produced_per_second", json_uint(a, per_second(k->produced, ns)));
	return o;
}

static struct json *content_json(struct arena *a, const struct ev_loss *e, uint64_t ns)
{
	struct json *o = json_object(a), *lost = json_object(a);

	json_set(a, o, "produced", json_uint(a, e->bytes));
	json_set(a, o, "delivered", json_uint(a, e->bytes_delivered));
	json_set(a, o, "waiting", json_uint(a, less(e->bytes_sent, e->bytes_delivered)));
	json_set(a, o, "produced_per_second", json_uint(a, per_second(e->bytes, ns)));
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		json_set(a, lost, causes[i], json_uint(a, e->bytes_lost[i]));
	json_set(a, o, "lost", lost);
	return o;
}

static struct json *fed_json(struct arena *a, const struct status_fed *f)
{
	struct json *o = json_object(a);

	json_set(a, o, "age_ns", json_uint(a, f->ts ? less(live_now(), f->ts) : 0));
	json_set(a, o, "records", json_uint(a, f->records));
	json_set(a, o, "content_bytes", json_uint(a, f->bytes));
	json_set(a, o, "broken_records", json_uint(a, f->broken));
	json_set(a, o, "spans", json_uint(a, f->spans));
	json_set(a, o, "runs", json_uint(a, f->runs));
	json_set(a, o, "hole_bytes", json_uint(a, f->hole_bytes));
	json_set(a, o, "lost_parser_budget_bytes", json_uint(a, f->budget_bytes));
	json_set(a, o, "held_body_bytes", json_uint(a, f->kept_bytes));
	return o;
}

static void print_json(void *ctx, const struct status_told *t)
{
	const struct ev_loss *e = &t->loss.e;
	struct sums s = add_up(t);
	struct json *o, *kinds, *ring;
	struct arena a;
	struct sv text;

	(void)ctx;
	arena_init(&a, 0);
	o = json_object(&a);
	kinds = json_object(&a);
	ring = json_object(&a);
	for (__u32 i = 0; i < e->kinds; i++)
		json_set(&a, kinds, event_name(t->loss.kinds[i].kind),
			 counts_json(&a, &t->loss.kinds[i], s.ns));
	json_set(&a, ring, "bytes", json_uint(&a, e->ring_bytes));
	json_set(&a, ring, "used", json_uint(&a, e->ring_used));
	json_set(&a, ring, "peak", json_uint(&a, e->ring_peak));
	json_set(&a, o, "pid", json_int(&a, t->pid));
	json_set(&a, o, "monitor_pid", json_int(&a, t->monitor));
	json_set(&a, o, "duration_ns", json_uint(&a, s.ns));
	json_set(&a, o, "records", counts_json(&a, &s.all, s.ns));
	json_set(&a, o, "kinds", kinds);
	json_set(&a, o, "content_bytes", content_json(&a, e, s.ns));
	json_set(&a, o, "lost_map_full_calls", json_uint(&a, e->calls_lost));
	json_set(&a, o, "ring", ring);
	json_set(&a, o, "parser", fed_json(&a, &t->fed));
	text = json_text(&a, o);
	printf(SV_FMT "\n", SV_ARG(text));
	arena_fini(&a);
}

/* --- a table each */

enum { KIND, PRODUCED, DELIVERED, WAITING, RING_FULL, RATE, PER_SECOND };

static const struct table_column columns[] = {
	[KIND] = { .title = "RECORD" },
	[PRODUCED] = { .title = "PRODUCED", .right = true },
	[DELIVERED] = { .title = "DELIVERED", .right = true },
	[WAITING] = { .title = "WAITING", .right = true },
	[RING_FULL] = { .title = "RING FULL", .right = true },
	[RATE] = { .title = "RATE", .right = true, .spare = true },
	[PER_SECOND] = { .title = "PER S", .right = true, .spare = true },
};

static void set_number(struct table *t, struct table_row *row, size_t column, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	if (n || column <= DELIVERED)
		table_set(t, row, column, sv(text));
}

static void add_row(struct table *t, const char *name, const struct ev_kind_counts *k, uint64_t ns)
{
	struct table_row *row = table_add(t, k->lost_ring ? STYLE_RED : STYLE_PLAIN);

	if (!row)
		return;
	table_set(t, row, KIND, sv(name));
	set_number(t, row, PRODUCED, k->produced);
	set_number(t, row, DELIVERED, k->delivered);
	set_number(t, row, WAITING, waiting(k));
	set_number(t, row, RING_FULL, k->lost_ring);
	set_number(t, row, RATE, k->lost_rate);
	set_number(t, row, PER_SECOND, per_second(k->produced, ns));
}

static void print_lost(bool *any, const char *cause, uint64_t n, const char *unit)
{
	if (!n)
		return;
	printf("%s%s %" PRIu64 " %s", *any ? ", " : "", cause, n, unit);
	*any = true;
}

static void print_causes(const struct status_told *t)
{
	const struct ev_loss *e = &t->loss.e;
	bool any = false;

	printf("content  %" PRIu64 " bytes produced, %" PRIu64 " delivered, %" PRIu64 " waiting\n",
	       (uint64_t)e->bytes, (uint64_t)e->bytes_delivered,
	       less(e->bytes_sent, e->bytes_delivered));
	printf("lost     ");
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		print_lost(&any, causes[i], e->bytes_lost[i], "bytes");
	print_lost(&any, "map_full", e->calls_lost, "calls");
	print_lost(&any, "parser_budget", t->fed.budget_bytes, "bytes");
	printf("%s\n", any ? "" : "no content");
}

static void print_parser(const struct status_fed *f)
{
	if (!f->ts) {
		printf("parser   has told nothing yet\n");
		return;
	}
	printf("parser   %" PRIu64 " records taken in, %" PRIu64 " broken, %" PRIu64
	       " spans, %" PRIu64 " runs, %s of bodies held, %s ago\n",
	       f->records, f->broken, f->spans, f->runs, human_bytes(f->kept_bytes).s,
	       human_duration(less(live_now(), f->ts)).s);
}

static void print_text(void *ctx, const struct status_told *t)
{
	const struct ev_loss *e = &t->loss.e;
	struct sums s = add_up(t);
	struct table table;
	bool *later = ctx;

	printf("%srecorder %d, monitor %d, for %s\n", *later ? "\n" : "", t->pid, t->monitor,
	       human_duration(s.ns).s);
	*later = true;
	if (!e->ring_bytes) {
		printf("still sets up what it records by\n");
		return;
	}
	table_init(&table, columns, ARRAY_SIZE(columns));
	for (__u32 i = 0; i < e->kinds; i++)
		add_row(&table, event_name(t->loss.kinds[i].kind), &t->loss.kinds[i], s.ns);
	add_row(&table, "all", &s.all, s.ns);
	table_write(&table, stdout, term_columns(STDOUT_FILENO), term_colour(STDOUT_FILENO));
	table_fini(&table);
	print_causes(t);
	printf("ring     %s, %s used, %s at most\n", human_bytes(e->ring_bytes).s,
	       human_bytes(e->ring_used).s, human_bytes(e->ring_peak).s);
	print_parser(&t->fed);
}

int stats_running(bool json)
{
	bool later = false;
	size_t hidden;
	int cnt = status_each(json ? print_json : print_text, &later, &hidden);

	if (hidden)
		log_warn("%zu process%s of ringspan may not be looked into: be root, or its user",
			 hidden, hidden == 1 ? "" : "es");
	if (!cnt)
		log_err(-ENOENT, "no recorder runs here that may be looked into");
	return cnt > 0 ? EXIT_FINE : EXIT_NOTHING;
}

/* --- a run that is over */

struct of_run {
	struct arena arena;
	struct json *told;       /* attributes of its root */
	struct json *incomplete; /* reason -> spans */
	uint64_t missing, cut;   /* bytes that spans say */
	bool found;
};

static bool is_wanted(struct sv key)
{
	static const char *const groups[] = { "ringspan.records.", "ringspan.content.",
					      "ringspan.lost.", "ringspan.left_out." };

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (sv_starts(key, groups[i]))
			return true;
	return false;
}

static void add_reasons(struct of_run *o, const struct span *s)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), reason) {
		struct sv name = arena_dup(&o->arena, json_sv(reason));
		int64_t n = 0;

		if (!name.n)
			continue;
		json_i64(json_get(o->incomplete, name.p), &n);
		json_set(&o->arena, o->incomplete, name.p, json_int(&o->arena, n + 1));
	}
}

static int on_span(void *ctx, const struct span *s)
{
	struct of_run *o = ctx;

	add_reasons(o, s);
	if (span_attr_int(s, ATTR_ID_ATTEMPTS, 1) == 1) { /* else it has an attempt's once more */
		o->missing += (uint64_t)span_attr_int(s, ATTR_ID_MISSING_BYTES, 0);
		o->cut += (uint64_t)span_attr_int(s, ATTR_ID_CUT_BYTES, 0);
	}
	if (s->what != SPAN_RUN)
		return 0;
	o->found = true;
	for (size_t i = 0; i < ATTR_ID_CNT; i++) {
		struct sv key = sv(attr_defs[i].key);
		int64_t n = span_attr_int(s, (enum attr_id)i, -1);

		if (n >= 0 && is_wanted(key))
			json_set(&o->arena, o->told, attr_defs[i].key, json_int(&o->arena, n));
	}
	return 0;
}

static void print_run(const struct of_run *o)
{
	printf("%-44s %12s\n", "OF THE RUN", "");
	json_for_each (o->told, v)
		printf("%-44.*s %12.*s\n", (int)v->key.n, v->key.p, (int)v->s.n, v->s.p);
	printf("%-44s %12" PRIu64 "\n%-44s %12" PRIu64 "\n", "bytes missing in spans", o->missing,
	       "bytes left out of bodies of spans", o->cut);
	json_for_each (o->incomplete, v)
		printf("spans that are incomplete: %-17.*s %12.*s\n", (int)v->key.n, v->key.p,
		       (int)v->s.n, v->s.p);
}

static void print_run_json(struct of_run *o, const char *trace_id)
{
	struct arena *a = &o->arena;
	struct json *all = json_object(a);
	struct sv text;

	json_set(a, all, "run", json_string(a, sv(trace_id)));
	json_set(a, all, "attributes", o->told);
	json_set(a, all, "spans_missing_bytes", json_uint(a, o->missing));
	json_set(a, all, "spans_cut_bytes", json_uint(a, o->cut));
	json_set(a, all, "incomplete", o->incomplete);
	text = json_text(a, all);
	printf(SV_FMT "\n", SV_ARG(text));
}

int stats_of_run(const struct opt_common *common, const char *run, bool json)
{
	struct of_run o = { .found = false };
	char trace_id[HEX128];
	struct store *s = NULL;
	int err = read_open(&s, common);

	arena_init(&o.arena, 0);
	o.told = json_object(&o.arena);
	o.incomplete = json_object(&o.arena);
	if (!err)
		err = store_find_run(s, run, trace_id);
	if (!err)
		err = store_spans(s, trace_id, false, on_span, &o);
	if (!err && json)
		print_run_json(&o, trace_id);
	else if (!err)
		print_run(&o);
	store_free(&s);
	arena_fini(&o.arena);
	return err ? EXIT_NOTHING : EXIT_FINE;
}
