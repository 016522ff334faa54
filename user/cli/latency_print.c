// SPDX-License-Identifier: BSD-2-Clause
/* Durations as a table, as bars, as a map of time and duration, as JSON. */
#include "cli/latency.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/table.h"
#include "sink/human.h"

#define BAR_COLUMNS 40
#define MAP_COLUMNS 64 /* where the terminal does not say */
#define MAP_COLUMNS_MIN 16
#define MAP_LABEL 18 /* columns of a line's duration */
#define OCTAVES (EV_BUCKETS / 4)

enum { NAME, CLASS, CALLS, ERRORS, BYTES, TOTAL, AVG, P50, P95, P99, MAX, ERRNOS };

static const struct table_column columns[] = {
	[NAME] = { .least = 16 },
	[CLASS] = { .title = "" },
	[CALLS] = { .title = "CALLS", .right = true },
	[ERRORS] = { .title = "ERRORS", .right = true },
	[BYTES] = { .title = "", .right = true },
	[TOTAL] = { .title = "TOTAL", .right = true },
	[AVG] = { .title = "AVG", .right = true },
	[P50] = { .title = "P50", .right = true },
	[P95] = { .title = "P95", .right = true },
	[P99] = { .title = "P99", .right = true },
	[MAX] = { .title = "MAX", .right = true },
	[ERRNOS] = { .title = "", .least = 8, .spare = true },
};

/* Those from 512 on never reach a program: the call begins anew, or its signal ends it. */
static struct sv errno_text(struct arena *a, uint32_t err)
{
	const char *name = err < 512 ? strerrorname_np((int)err) : NULL;

	if (name)
		return sv(name);
	return err >= 512 ? SV("ERESTART") : arena_fmt(a, "%u", err);
}

static struct sv errnos_text(struct arena *a, const struct latency_row *r)
{
	struct sv text = { "", 0 };

	for (size_t i = 0; i < r->errno_cnt; i++) {
		struct sv name = errno_text(a, r->errnos[i].what);

		text = arena_fmt(a, SV_FMT "%s" SV_FMT " %u", SV_ARG(text), i ? ", " : "",
				 SV_ARG(name), r->errnos[i].cnt);
	}
	return text;
}

static int add_row(struct table *t, const struct latency_row *r)
{
	struct table_row *row = table_add(t, STYLE_PLAIN);
	static const unsigned int permille[] = { [P50] = 500, [P95] = 950, [P99] = 990 };

	if (!row)
		return -ENOMEM;
	table_set(t, row, NAME, r->name);
	if (t->columns[CLASS].title[0])
		table_set(t, row, CLASS, r->class);
	table_set(t, row, CALLS, arena_fmt(&t->arena, "%" PRIu64, r->calls));
	if (r->errors)
		table_set(t, row, ERRORS, arena_fmt(&t->arena, "%" PRIu64, r->errors));
	if (t->columns[BYTES].title[0])
		table_set(t, row, BYTES, sv(human_bytes(r->bytes).s));
	table_set(t, row, TOTAL, sv(human_duration(r->total_ns).s));
	table_set(t, row, AVG, sv(human_duration(r->total_ns / r->calls).s));
	for (size_t i = P50; i <= P99; i++)
		table_set(t, row, i, sv(human_duration(latency_percentile(r, permille[i])).s));
	table_set(t, row, MAX, sv(human_duration(r->max_ns).s));
	table_set(t, row, ERRNOS, errnos_text(&t->arena, r));
	return 0;
}

static int print_table(const struct latency *l, size_t cnt, const struct latency_how *how,
		       FILE *out)
{
	struct table_column shown[ARRAY_SIZE(columns)];
	bool classes = false, errnos = false, files = strcmp(how->by, "file") == 0;
	struct table t;
	int err = 0;

	memcpy(shown, columns, sizeof(shown));
	for (size_t i = 0; i < cnt; i++) {
		classes |= l->rows[i]->class.n && strcmp(how->by, "class") != 0;
		errnos |= l->rows[i]->errno_cnt;
	}
	shown[NAME].title = how->by;
	shown[CLASS].title = !classes ? "" : l->rows[0]->part ? "PART" : "CLASS";
	shown[CALLS].title = files ? "USES" : "CALLS";
	shown[BYTES].title = files ? "BYTES" : "";
	shown[ERRNOS].title = errnos ? "ERRNO" : "";
	table_init(&t, shown, ARRAY_SIZE(shown));
	for (size_t i = 0; i < cnt && !err; i++)
		err = add_row(&t, l->rows[i]);
	if (!err)
		err = table_write(&t, out, how->columns, how->colour);
	table_fini(&t);
	return err;
}

/* --- by powers of two */

static uint64_t octave(const uint64_t hist[EV_BUCKETS], unsigned int o)
{
	return hist[4 * o] + hist[4 * o + 1] + hist[4 * o + 2] + hist[4 * o + 3];
}

/* "64us" .. "128us", the numbers themselves powers of two. */
static void label(struct buf *b, unsigned int o)
{
	size_t from = b->len;

	buf_fmt(b, "%s", human_duration(event_bucket_begin(4 * o)).s);
	buf_fmt(b, " - %s", human_duration(event_bucket_begin(4 * o + 4)).s);
	text_pad(b, b->len - from < MAP_LABEL ? MAP_LABEL - (b->len - from) : 0);
}

static void bars(struct buf *b, const struct latency_row *r)
{
	unsigned int first = OCTAVES, last = 0;
	uint64_t most = 1;

	for (unsigned int o = 0; o < OCTAVES; o++) {
		uint64_t n = octave(r->hist, o);

		if (!n)
			continue;
		first = o < first ? o : first;
		last = o;
		most = n > most ? n : most;
	}
	buf_ch(b, '\n');
	text_put(b, r->name, 60);
	buf_ch(b, '\n');
	for (unsigned int o = first; o <= last; o++) {
		uint64_t n = octave(r->hist, o);

		buf_str(b, "  ");
		label(b, o);
		buf_fmt(b, " %10" PRIu64 " ", n);
		for (uint64_t i = 0; i < (n * BAR_COLUMNS + most - 1) / most; i++)
			buf_str(b, term_utf8() ? "\u2588" : "#");
		buf_ch(b, '\n');
	}
}

/* --- time and duration */

struct heat {
	uint64_t first, last; /* time of the first and last point */
	unsigned int columns;
	unsigned int low, high; /* octaves */
	uint64_t most;
	uint64_t cells[OCTAVES][MAP_COLUMNS * 4];
};

static unsigned int column_of(const struct heat *h, uint64_t time_ns)
{
	long double at = (long double)(time_ns - h->first) / (long double)(h->last - h->first + 1);

	return (unsigned int)(at * h->columns);
}

static void heat_fill(struct heat *h, const struct latency *l)
{
	h->low = OCTAVES;
	h->first = UINT64_MAX;
	for (size_t i = 0; i < l->point_cnt; i++) {
		uint64_t at = l->points[i].time_ns;

		h->first = at < h->first ? at : h->first;
		h->last = at > h->last ? at : h->last;
	}
	for (size_t i = 0; i < l->point_cnt; i++) {
		unsigned int o = l->points[i].bucket / 4;
		uint64_t *cell = &h->cells[o][column_of(h, l->points[i].time_ns)];

		*cell += l->points[i].cnt;
		h->most = *cell > h->most ? *cell : h->most;
		h->low = o < h->low ? o : h->low;
		h->high = o > h->high ? o : h->high;
	}
}

/* Five steps, each several times the one before: what is rare is what is looked for. */
static const char *shade(const struct heat *h, uint64_t n)
{
	static const char *const utf8[] = { " ", "\u00b7", "\u2591", "\u2592", "\u2593", "\u2588" };
	static const char *const ascii[] = { " ", ".", ":", "+", "*", "#" };
	unsigned int bits = 0, all = 0;

	for (uint64_t v = n; v; v >>= 1)
		bits++;
	for (uint64_t v = h->most; v; v >>= 1)
		all++;
	bits = bits ? 1 + (bits - 1) * 4 / (all > 1 ? all - 1 : 1) : 0;
	return (term_utf8() ? utf8 : ascii)[bits > 5 ? 5 : bits];
}

static void heat_draw(struct buf *b, struct heat *h, const struct latency *l, unsigned int terminal)
{
	unsigned int room = terminal > MAP_LABEL + 2 ? terminal - MAP_LABEL - 2 : MAP_COLUMNS;

	room = room < MAP_COLUMNS_MIN ? MAP_COLUMNS_MIN : room;
	h->columns = room > MAP_COLUMNS * 4 ? MAP_COLUMNS * 4 : room;
	heat_fill(h, l);
	buf_ch(b, '\n');
	for (unsigned int o = h->high + 1; o-- > h->low;) {
		label(b, o);
		buf_ch(b, '|');
		for (unsigned int c = 0; c < h->columns; c++)
			buf_str(b, shade(h, h->cells[o][c]));
		buf_ch(b, '\n');
	}
	text_pad(b, MAP_LABEL);
	buf_fmt(b, "|%s, %s; darkest: %s\n", human_time(h->first).s,
		human_duration(h->last - h->first).s, human_count(h->most).s);
	if (l->points_over)
		buf_fmt(b, "%s calls are not in it\n", human_count(l->points_over).s);
}

static int heatmap(struct buf *b, const struct latency *l, unsigned int terminal)
{
	struct heat *h = l->point_cnt ? calloc(1, sizeof(*h)) : NULL;

	if (!h)
		return l->point_cnt ? -ENOMEM : 0;
	heat_draw(b, h, l, terminal);
	free(h);
	return b->err;
}

/* --- JSON */

static void json_row(struct buf *b, const struct latency_row *r)
{
	buf_str(b, "{\"name\":");
	json_write_str(b, r->name);
	if (r->class.n) {
		buf_str(b, r->part ? ",\"part\":" : ",\"class\":");
		json_write_str(b, r->class);
	}
	if (r->bytes)
		buf_fmt(b, ",\"bytes\":%" PRIu64, r->bytes);
	buf_fmt(b,
		",\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"total_ns\":%" PRIu64
		",\"avg_ns\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p95_ns\":%" PRIu64
		",\"p99_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 ",\"errnos\":{",
		r->calls, r->errors, r->total_ns, r->total_ns / r->calls,
		latency_percentile(r, 500), latency_percentile(r, 950), latency_percentile(r, 990),
		r->max_ns);
	for (size_t i = 0; i < r->errno_cnt; i++)
		buf_fmt(b, "%s\"%u\":%u", i ? "," : "", r->errnos[i].what, r->errnos[i].cnt);
	buf_str(b, "},\"histogram\":[");
	for (uint32_t i = 0, n = 0; i < EV_BUCKETS; i++)
		if (r->hist[i])
			buf_fmt(b, "%s{\"from_ns\":%" PRIu64 ",\"calls\":%" PRIu64 "}",
				n++ ? "," : "", event_bucket_begin(i), r->hist[i]);
	buf_str(b, "]}");
}

static int print_json(const struct latency *l, size_t cnt, const struct latency_how *how, FILE *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "{\"by\":\"%s\",\"rows\":[", how->by);
	for (size_t i = 0; i < cnt; i++) {
		if (i)
			buf_ch(&b, ',');
		json_row(&b, l->rows[i]);
	}
	buf_ch(&b, ']');
	for (size_t i = 0; how->heatmap && i < l->point_cnt; i++)
		buf_fmt(&b,
			"%s{\"time_unix_nano\":%" PRIu64 ",\"from_ns\":%" PRIu64 ",\"calls\":%u}",
			i ? "," : ",\"heatmap\":[", l->points[i].time_ns,
			event_bucket_begin(l->points[i].bucket), l->points[i].cnt);
	buf_str(&b, how->heatmap && l->point_cnt ? "]}\n" : "}\n");
	if (b.err)
		return b.err;
	return fwrite(b.p, 1, b.len, out) == b.len ? 0 : -EIO;
}

int latency_print(struct latency *l, const struct latency_how *how, FILE *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t cnt = latency_sort(l);
	int err;

	if (how->rows && cnt > how->rows)
		cnt = how->rows;
	if (how->json)
		return print_json(l, cnt, how, out);
	err = cnt ? print_table(l, cnt, how, out) : 0;
	for (size_t i = 0; how->histogram && i < cnt; i++)
		bars(&b, l->rows[i]);
	if (!err && how->heatmap)
		err = heatmap(&b, l, how->columns);
	if (err || b.err)
		return err ? err : b.err;
	return !b.len || fwrite(b.p, 1, b.len, out) == b.len ? 0 : -EIO;
}
