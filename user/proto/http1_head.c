// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads the text of a header that is complete, or as far as it came: field lines (RFC 9112 5) and what
 * of them tells where the body ends (6).  Lines that are no fields are passed over.
 */
#include <errno.h>
#include <string.h>

#include "proto/http1_int.h"

struct field_list {
	struct http_field *fields;
	size_t cnt;
	bool full;
};

/*
 * Cuts the next field off [*p, end), which is our own copy: obs-fold is undone in place, as
 * RFC 9112 5.2 says, by blanks for the line end.  False at the end of the text.
 */
static bool next_line(char **p, char *end, struct sv *line)
{
	char *from = *p, *lf = *p;

	if (from == end)
		return false;
	for (;;) {
		lf = memchr(lf, '\n', end - lf);
		if (!lf || lf + 1 == end || (lf[1] != ' ' && lf[1] != '\t'))
			break;
		if (lf > from && lf[-1] == '\r')
			lf[-1] = ' ';
		*lf = ' ';
	}
	*p = lf ? lf + 1 : end;
	*line = (struct sv){ from, (lf ? lf : end) - from };
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static bool read_field(struct sv line, struct http_field *f)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

	if (!colon)
		return false;
	f->name = sv_trim(sv_token(&line, ':'));
	f->value = sv_trim(line);
	return f->name.n > 0;
}

/* RFC 9110 8.6 allows "5, 5"; the first number of the first valid field is taken. */
static void note_length(struct http1_framing *f, struct sv value)
{
	int64_t length;

	if (f->has_length || sv_i64(sv_trim(sv_token(&value, ',')), &length) || length < 0)
		return;
	f->has_length = true;
	f->length = length;
}

static void note_transfer(struct http1_framing *f, struct sv value)
{
	while (value.n) {
		struct sv name = sv_trim(sv_token(&value, ','));

		if (!name.n || sv_ieq(name, "identity"))
			continue;
		f->transfer = true;
		f->chunked = sv_ieq(name, "chunked");
		if (!f->chunked)
			coding_add(&f->coded_transfer, name);
	}
}

static void note_framing(struct http1_framing *f, const struct http_field *field)
{
	struct sv value = field->value;

	if (sv_ieq(field->name, "content-length")) {
		note_length(f, value);
	} else if (sv_ieq(field->name, "transfer-encoding")) {
		note_transfer(f, value);
	} else if (sv_ieq(field->name, "content-encoding")) {
		codings_add(&f->content, value);
	}
}

struct coding_list http1_codings(const struct http1_framing *f)
{
	struct coding_list all = f->content;

	/* the transfer coding is put on last (RFC 9112 6.1) */
	for (unsigned int i = 0; i < f->coded_transfer.cnt; i++) {
		if (all.cnt == LIMIT_CODINGS)
			all.unknown = true;
		else
			all.coding[all.cnt++] = f->coded_transfer.coding[i];
	}
	all.unknown |= f->coded_transfer.unknown;
	return all;
}

static size_t line_count(const char *p, const char *end)
{
	size_t n = 1;

	while (n < LIMIT_HTTP_HEADERS && p < end && (p = memchr(p, '\n', end - p))) {
		p++;
		n++;
	}
	return n;
}

/* f: NULL for trailers, which frame nothing.  Fields over the bound still frame. */
static int read_fields(struct arena *a, char *p, char *end, struct field_list *l,
		       struct http1_framing *f)
{
	size_t max = line_count(p, end);
	struct http_field field;
	struct sv line;

	l->fields = arena_alloc(a, max * sizeof(*l->fields));
	if (!l->fields)
		return -ENOMEM;
	while (next_line(&p, end, &line)) {
		if (!read_field(line, &field))
			continue;
		if (f)
			note_framing(f, &field);
		if (l->cnt < max)
			l->fields[l->cnt++] = field;
		else
			l->full = true;
	}
	return 0;
}

/* http1_start.c has checked the line. */
static void read_start(struct http_msg *m, struct sv line)
{
	struct sv version;
	int64_t status = 0;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (m->dir == HTTP_REQUEST) {
		m->method = sv_token(&line, ' ');
		m->target = sv_token(&line, ' ');
		version = line;
	} else {
		version = sv_token(&line, ' ');
		(void)sv_i64(sv_token(&line, ' '), &status);
		m->status = (int)status;
		m->reason = sv_trim(line);
	}
	m->major = 1;
	m->minor = version.n ? version.p[version.n - 1] - '0' : 0;
}

static char *copy(struct arena *a, struct sv text)
{
	char *p = arena_alloc(a, text.n + 1);

	if (p && text.n)
		memcpy(p, text.p, text.n);
	return p;
}

int http1_head_read(struct http_msg *m, struct sv text, struct http1_framing *f)
{
	char *p = copy(&m->arena, text);
	struct field_list l = { 0 };
	struct sv rest;
	int err;

	if (!p)
		return -ENOMEM;
	rest = (struct sv){ p, text.n };
	read_start(m, sv_token(&rest, '\n'));
	err = read_fields(&m->arena, p + (text.n - rest.n), p + text.n, &l, f);
	m->fields = l.fields;
	m->field_cnt = l.cnt;
	if (l.full)
		m->flags |= HTTP_HEAD_CAP;
	return err;
}

int http1_trailers_read(struct http_msg *m, struct sv text)
{
	char *p = copy(&m->arena, text);
	struct field_list l = { 0 };
	int err;

	if (!p)
		return -ENOMEM;
	err = read_fields(&m->arena, p, p + text.n, &l, NULL);
	m->trailers = l.fields;
	m->trailer_cnt = l.cnt;
	if (l.full)
		m->flags |= HTTP_HEAD_CAP;
	return err;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http1_chunk_size(struct sv line, uint64_t *out)
{
	struct sv digits = sv_trim(sv_token(&line, ';'));
	uint64_t size = 0;

	if (digits.n && digits.p[digits.n - 1] == '\r')
		digits = sv_trim(sv_sub(digits, 0, digits.n - 1));
	if (!digits.n)
		return -EBADMSG;
	for (size_t i = 0; i < digits.n; i++) {
		int d = hex_digit(digits.p[i]);

		if (d < 0 || size > UINT64_MAX >> 5)
			return -EBADMSG;
		size = size << 4 | (unsigned int)d;
	}
	*out = size;
	return 0;
}
