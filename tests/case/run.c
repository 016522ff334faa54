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

#include "base/cleanup.h"
#include "case.h"

#define STEP_MAX 256

struct script {
	struct step steps[STEP_MAX];
	size_t cnt;
	size_t bytes;
	struct http_field accepted; /* what the answer of an upgrade says */
};

static const struct driver *driver_of(struct sv path)
{
	struct sv dir = { 0 }, rest = path, part;

	while (part = sv_token(&rest, '/'), rest.n)
		dir = part;
	return case_driver(dir);
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
		case_die("too many pieces in one case");
	sc->steps[sc->cnt] = (struct step){ .kind = kind, .ts = ts };
	return &sc->steps[sc->cnt++];
}

/* "gap < 100", "end", "at 7", "accepted permessage-deflate" */
static int read_order(struct script *sc, struct sv line, uint64_t *ts)
{
	struct sv word = sv_token(&line, ' ');
	int64_t v = 0;

	if (sv_is(word, "end")) {
		step_add(sc, STEP_END, (*ts)++);
		return 0;
	}
	if (sv_is(word, "accepted")) {
		sc->accepted = (struct http_field){ SV("Sec-WebSocket-Extensions"), line };
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
		case_die("out of memory");
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
	struct http_field accepted = sc->accepted;
	struct http_msg answer = { .fields = &accepted, .field_cnt = accepted.name.n ? 1 : 0 };
	struct log log = { 0 };
	void *state = NULL;
	size_t at = 0;

	if (d->open(&state, &log, &answer))
		case_die("out of memory");
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
