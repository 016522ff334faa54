// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs the parser cases in the Markdown files that it is given: README.md here tells their format.
 * The parser is the one that the file's folder is named after.  Each case runs whole, cut in two at
 * every byte, and byte by byte; all logs must be the same as the one that the case expects.  Every
 * piece lies in memory of its own size, so that a sanitizer sees a read beyond it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/http1.h"
#include "proto/sse.h"

#define STEP_MAX 256

enum step_kind { STEP_BYTES, STEP_GAP, STEP_END };

struct step {
	enum step_kind kind;
	enum http_dir dir;
	uint64_t ts;
	uint64_t missing;
	struct buf bytes;
};

struct script {
	struct step steps[STEP_MAX];
	size_t cnt;
	size_t bytes;
};

/* What a driver writes.  Body pieces that follow one another are one line. */
struct log {
	struct buf text;
	struct http_msg *body_msg;
	uint64_t body_ts;
	struct buf body;
};

struct driver {
	const char *name;
	const char *line_end; /* of a line of input */
	int (*open)(void **state, struct log *log);
	void (*bytes)(void *state, const struct step *st, struct sv piece);
	void (*gap)(void *state, const struct step *st);
	void (*end)(void *state, uint64_t ts);
	void (*close)(void *state, struct log *log);
};

static void die(const char *what)
{
	fprintf(stderr, "case: %s\n", what);
	exit(2);
}

static void log_quoted(struct buf *b, struct sv s)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c == '\r')
			buf_str(b, "\\r");
		else if (c == '\n')
			buf_str(b, "\\n");
		else if (c == '"' || c == '\\')
			buf_fmt(b, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			buf_fmt(b, "\\x%02x", c);
		else
			buf_ch(b, c);
	}
	buf_ch(b, '"');
}

/* --- http1 */

struct http1_state {
	struct http1 *h;
	struct log *log;
};

static const char *const flag_names[] = { "complete",        "hole",      "cut",
					  "joined",          "undecoded", "body-cap",
					  "close-delimited", "unpaired",  "head-cap" };

static void log_who(struct log *l, const struct http_msg *m)
{
	buf_fmt(&l->text, "%c %" PRIu64 " ", m->dir == HTTP_REQUEST ? '>' : '<', m->seq);
}

static void log_flush(struct log *l)
{
	if (!l->body.len)
		return;
	log_who(l, l->body_msg);
	buf_fmt(&l->text, "body@%" PRIu64 " ", l->body_ts);
	log_quoted(&l->text, buf_view(&l->body));
	buf_ch(&l->text, '\n');
	buf_clear(&l->body);
}

static void log_fields(struct log *l, const struct http_msg *m, const char *kind,
		       const struct http_field *f, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		log_who(l, m);
		buf_fmt(&l->text, "%s " SV_FMT ": ", kind, SV_ARG(f[i].name));
		log_quoted(&l->text, f[i].value);
		buf_ch(&l->text, '\n');
	}
}

static void log_number(struct log *l, const char *name, uint64_t v)
{
	if (v)
		buf_fmt(&l->text, " %s=%" PRIu64, name, v);
}

static void log_start(struct log *l, const struct http_msg *m, const char *kind)
{
	log_who(l, m);
	if (m->dir == HTTP_REQUEST)
		buf_fmt(&l->text, "%s " SV_FMT " " SV_FMT " 1.%d\n", kind, SV_ARG(m->method),
			SV_ARG(m->target), m->minor);
	else
		buf_fmt(&l->text, "%s %d \"" SV_FMT "\" 1.%d\n", kind, m->status, SV_ARG(m->reason),
			m->minor);
	log_fields(l, m, "field", m->fields, m->field_cnt);
}

static void log_done(struct log *l, const struct http_msg *m)
{
	log_fields(l, m, "trailer", m->trailers, m->trailer_cnt);
	log_who(l, m);
	buf_str(&l->text, "done");
	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (m->flags & (1u << i))
			buf_fmt(&l->text, " %s", flag_names[i]);
	}
	log_number(l, "pos", m->pos);
	log_number(l, "wire", m->wire_body);
	log_number(l, "body", m->body_len);
	log_number(l, "missing", m->missing);
	buf_fmt(&l->text, " first=%" PRIu64, m->ts_first);
	log_number(l, "head", m->ts_head);
	log_number(l, "start", m->ts_body);
	buf_fmt(&l->text, " last=%" PRIu64 "\n", m->ts_last);
}

static void on_head(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_start(ctx, m, "head");
}

static void on_interim(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_start(ctx, m, "interim");
	log_done(ctx, m);
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct log *l = ctx;

	if (!bytes.n)
		die("an empty piece of body was given");
	if (l->body_msg != m || l->body_ts != ts)
		log_flush(l);
	l->body_msg = m;
	l->body_ts = ts;
	buf_sv(&l->body, bytes);
}

static void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	struct log *l = ctx;

	log_flush(l);
	log_who(l, m);
	buf_fmt(&l->text, "hole %" PRIu64 "\n", n);
}

static void on_done(void *ctx, struct http_msg *m)
{
	log_flush(ctx);
	log_done(ctx, m);
}

static int http1_case_open(void **state, struct log *log)
{
	static const struct http1_ops ops = {
		.head = on_head,
		.interim = on_interim,
		.body = on_body,
		.hole = on_hole,
		.done = on_done,
	};
	struct http1_state *st = calloc(1, sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->log = log;
	*state = st;
	return http1_new(&st->h, &ops, log);
}

static void http1_case_bytes(void *state, const struct step *step, struct sv piece)
{
	struct http1_state *st = state;

	if (http1_feed(st->h, step->dir, step->ts, piece))
		die("out of memory");
}

static void http1_case_gap(void *state, const struct step *step)
{
	struct http1_state *st = state;

	http1_gap(st->h, step->dir, step->ts, step->missing);
}

static void http1_case_end(void *state, uint64_t ts)
{
	struct http1_state *st = state;

	http1_end(st->h, ts);
}

static void http1_case_close(void *state, struct log *log)
{
	struct http1_state *st = state;

	log_flush(log);
	if (http1_upgraded(st->h))
		buf_str(&log->text, "upgraded\n");
	http1_free(&st->h);
	free(st);
}

/* --- sse */

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct log *l = ctx;

	buf_fmt(&l->text, "event@%" PRIu64 "..%" PRIu64 " ", ev->ts_first, ev->ts_last);
	log_quoted(&l->text, ev->data);
	if (ev->event.n) {
		buf_str(&l->text, " event=");
		log_quoted(&l->text, ev->event);
	}
	if (ev->id.n) {
		buf_str(&l->text, " id=");
		log_quoted(&l->text, ev->id);
	}
	if (ev->unterminated)
		buf_str(&l->text, " unterminated");
	if (ev->cut)
		buf_str(&l->text, " cut");
	buf_ch(&l->text, '\n');
}

static int sse_case_open(void **state, struct log *log)
{
	return sse_new((struct sse **)state, on_event, log);
}

static void sse_case_bytes(void *state, const struct step *step, struct sv piece)
{
	if (sse_feed(state, step->ts, piece))
		die("out of memory");
}

static void sse_case_gap(void *state, const struct step *step)
{
	(void)step;
	sse_gap(state);
}

static void sse_case_end(void *state, uint64_t ts)
{
	sse_end(state, ts);
}

static void sse_case_close(void *state, struct log *log)
{
	struct sse *s = state;

	(void)log;
	sse_free(&s);
}

static const struct driver drivers[] = {
	{ "http1", "\r\n", http1_case_open, http1_case_bytes, http1_case_gap, http1_case_end,
	  http1_case_close },
	{ "sse", "\n", sse_case_open, sse_case_bytes, sse_case_gap, sse_case_end, sse_case_close },
};

static const struct driver *driver_of(struct sv path)
{
	struct sv dir = { 0 }, rest = path, part;

	while (part = sv_token(&rest, '/'), rest.n)
		dir = part;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (sv_is(dir, drivers[i].name))
			return &drivers[i];
	}
	return NULL;
}

/* --- the input of a case */

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int add_hex(struct buf *b, struct sv text)
{
	while (text.n) {
		int high, low;

		if (text.p[0] == ' ') {
			text = sv_sub(text, 1, SIZE_MAX);
			continue;
		}
		high = text.n < 2 ? -1 : hex_value(text.p[0]);
		low = text.n < 2 ? -1 : hex_value(text.p[1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		buf_ch(b, (char)(high * 16 + low));
		text = sv_sub(text, 2, SIZE_MAX);
	}
	return 0;
}

/* Undoes the escapes of a line.  A backslash at its very end leaves the line end out. */
static int add_text(struct buf *b, struct sv text, const char *line_end)
{
	for (size_t i = 0; i < text.n; i++) {
		static const char names[] = "rnt\\", bytes[] = "\r\n\t\\";
		const char *at;

		if (text.p[i] != '\\') {
			buf_ch(b, text.p[i]);
			continue;
		}
		if (++i == text.n)
			return 0;
		if (text.p[i] == 'x') {
			if (add_hex(b, sv_sub(text, i + 1, 2)))
				return -EINVAL;
			i += 2;
			continue;
		}
		at = strchr(names, text.p[i]);
		if (!at)
			return -EINVAL;
		buf_ch(b, bytes[at - names]);
	}
	return buf_str(b, line_end);
}

static int read_dir(struct sv s, enum http_dir *dir)
{
	if (!s.n || (s.p[0] != '<' && s.p[0] != '>'))
		return -EINVAL;
	*dir = s.p[0] == '>' ? HTTP_REQUEST : HTTP_RESPONSE;
	return 0;
}

static struct step *step_add(struct script *sc, enum step_kind kind, uint64_t ts)
{
	if (sc->cnt == STEP_MAX)
		die("too many pieces in one case");
	sc->steps[sc->cnt] = (struct step){ .kind = kind, .ts = ts };
	return &sc->steps[sc->cnt++];
}

/* "gap < 100", "end", "at 7" */
static int read_order(struct script *sc, struct sv line, uint64_t *ts)
{
	struct sv word = sv_token(&line, ' ');
	int64_t v = 0;

	if (sv_is(word, "end")) {
		step_add(sc, STEP_END, (*ts)++);
		return 0;
	}
	if (sv_is(word, "at")) {
		if (sv_i64(line, &v) || v < 0)
			return -EINVAL;
		*ts = v;
		return 0;
	}
	if (sv_is(word, "gap")) {
		struct step *st = step_add(sc, STEP_GAP, (*ts)++);

		if (read_dir(line, &st->dir) || sv_i64(sv_trim(sv_sub(line, 1, SIZE_MAX)), &v) ||
		    v <= 0)
			return -EINVAL;
		st->missing = v;
		return 0;
	}
	return -EINVAL;
}

static int read_script(struct script *sc, const struct driver *d, struct sv text)
{
	struct step *open = NULL;
	uint64_t ts = 1;

	while (text.n) {
		struct sv line = sv_token(&text, '\n');
		enum http_dir dir;
		bool hex;

		if (!line.n || line.p[0] == '!') {
			open = NULL;
			if (line.n && read_order(sc, sv_trim(sv_sub(line, 1, SIZE_MAX)), &ts))
				return -EINVAL;
			continue;
		}
		if (read_dir(line, &dir))
			return -EINVAL;
		if (!open || open->dir != dir) {
			open = step_add(sc, STEP_BYTES, ts++);
			open->dir = dir;
		}
		hex = line.n > 1 && line.p[1] == 'x';
		line = sv_sub(line, hex ? 2 : 1, SIZE_MAX);
		if (line.n && line.p[0] != ' ')
			return -EINVAL;
		line = sv_sub(line, 1, SIZE_MAX);
		if (hex ? add_hex(&open->bytes, line) : add_text(&open->bytes, line, d->line_end))
			return -EINVAL;
	}
	for (size_t i = 0; i < sc->cnt; i++)
		sc->bytes += sc->steps[i].bytes.len;
	return 0;
}

static void script_fini(struct script *sc)
{
	for (size_t i = 0; i < sc->cnt; i++)
		buf_fini(&sc->steps[i].bytes);
}

/* --- running */

#define CUT_NONE SIZE_MAX
#define CUT_ALL (SIZE_MAX - 1)

static void feed_piece(const struct driver *d, void *state, const struct step *st, struct sv bytes)
{
	char *copy = malloc(bytes.n);

	if (!copy)
		die("out of memory");
	memcpy(copy, bytes.p, bytes.n);
	d->bytes(state, st, (struct sv){ copy, bytes.n });
	free(copy);
}

/* cut: the byte of the whole input before which it is cut, or CUT_NONE or CUT_ALL */
static void run_step(const struct driver *d, void *state, const struct step *st, size_t cut)
{
	struct sv bytes = buf_view(&st->bytes);
	size_t first = cut == CUT_ALL ? 1 : cut < bytes.n ? cut : bytes.n;

	while (bytes.n) {
		feed_piece(d, state, st, sv_sub(bytes, 0, first));
		bytes = sv_sub(bytes, first, SIZE_MAX);
		first = cut == CUT_ALL ? 1 : bytes.n;
	}
}

static void run_script(const struct driver *d, const struct script *sc, size_t cut, struct buf *out)
{
	struct log log = { 0 };
	void *state = NULL;
	size_t at = 0;

	if (d->open(&state, &log))
		die("out of memory");
	for (size_t i = 0; i < sc->cnt; i++) {
		const struct step *st = &sc->steps[i];
		bool here = cut > at && cut - at < st->bytes.len;

		if (st->kind == STEP_BYTES)
			run_step(d, state, st, cut == CUT_ALL ? cut : here ? cut - at : CUT_NONE);
		else if (st->kind == STEP_GAP)
			d->gap(state, st);
		else
			d->end(state, st->ts);
		at += st->bytes.len;
	}
	d->close(state, &log);
	*out = log.text;
	buf_fini(&log.body);
}

static void print_lines(char sign, struct sv text)
{
	while (text.n) {
		struct sv line = sv_token(&text, '\n');

		printf("# %c " SV_FMT "\n", sign, SV_ARG(line));
	}
}

/* The lines that differ, without those that are equal before and behind them. */
static void print_diff(struct sv want, struct sv got)
{
	while (want.n && got.n) {
		struct sv w = want, g = got, a = sv_token(&w, '\n'), b = sv_token(&g, '\n');

		if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0)
			break;
		want = w;
		got = g;
	}
	print_lines('-', want);
	print_lines('+', got);
}

static bool run_cut(const struct driver *d, const struct script *sc, size_t cut, struct sv want)
{
	_cleanup_buf_ struct buf got = BUF_INIT;

	run_script(d, sc, cut, &got);
	if (got.len == want.n && (!want.n || memcmp(got.p, want.p, want.n) == 0))
		return true;
	if (cut == CUT_NONE)
		printf("# whole\n");
	else if (cut == CUT_ALL)
		printf("# byte by byte\n");
	else
		printf("# cut before byte %zu\n", cut);
	print_diff(want, buf_view(&got));
	return false;
}

static bool run_case(const struct driver *d, struct sv in, struct sv want)
{
	struct script sc = { 0 };
	bool ok = true;

	if (read_script(&sc, d, in)) {
		printf("# the input cannot be read\n");
		ok = false;
	}
	ok = ok && run_cut(d, &sc, CUT_NONE, want);
	for (size_t cut = 1; ok && cut < sc.bytes; cut++)
		ok = run_cut(d, &sc, cut, want);
	ok = ok && run_cut(d, &sc, CUT_ALL, want);
	script_fini(&sc);
	return ok;
}

/* --- files */

struct result {
	unsigned int passed, failed;
};

struct block {
	struct sv in, log;
	bool has_in, has_log;
};

static void case_end(const struct driver *d, struct sv title, const struct block *b,
		     struct result *r)
{
	bool ok = false;

	if (!title.n)
		return;
	if (b->has_in && b->has_log)
		ok = run_case(d, b->in, b->log);
	else
		printf("# needs one block `in` and one block `log`\n");
	printf("%s - %s: " SV_FMT "\n", ok ? "ok" : "not ok", d->name, SV_ARG(title));
	if (ok)
		r->passed++;
	else
		r->failed++;
}

/* The lines up to the closing fence. */
static struct sv take_block(struct sv *rest)
{
	struct sv block = { rest->p, 0 };

	while (rest->n) {
		struct sv line = sv_token(rest, '\n');

		if (sv_starts(line, "```"))
			break;
		block.n = line.p + line.n + (rest->n ? 1 : 0) - block.p;
	}
	return block;
}

static void run_text(const struct driver *d, struct sv rest, struct result *r)
{
	struct block b = { 0 };
	struct sv title = { 0 };

	while (rest.n) {
		struct sv line = sv_token(&rest, '\n');

		if (sv_starts(line, "## ")) {
			case_end(d, title, &b, r);
			title = sv_sub(line, 3, SIZE_MAX);
			b = (struct block){ 0 };
		} else if (sv_is(line, "```in")) {
			b.in = take_block(&rest);
			b.has_in = true;
		} else if (sv_is(line, "```log")) {
			b.log = take_block(&rest);
			b.has_log = true;
		}
	}
	case_end(d, title, &b, r);
}

static void run_file(const char *path, struct result *r)
{
	const struct driver *d = driver_of(sv(path));
	_cleanup_fclose_ FILE *f = d ? fopen(path, "r") : NULL;
	_cleanup_buf_ struct buf text = BUF_INIT;
	unsigned int before = r->passed + r->failed;
	char piece[4096];
	size_t n;

	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	if (f)
		run_text(d, buf_view(&text), r);
	if (before == r->passed + r->failed) {
		printf("not ok - %s: no parser, no such file, or no case in it\n", path);
		r->failed++;
	}
}

int main(int argc, char **argv)
{
	struct result r = { 0 };

	for (int i = 1; i < argc; i++)
		run_file(argv[i], &r);
	printf("%u passed, %u failed\n", r.passed, r.failed);
	return r.failed || !r.passed;
}
