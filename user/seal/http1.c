// SPDX-License-Identifier: BSD-2-Clause
/*
 * One direction of HTTP/1, as http1.c of proto walks over it, to know which bytes are of a body and how that is
 * coded.  Headers are text, which has been masked before; they are kept until they are whole.
 */
#include <stdlib.h>
#include <string.h>

#include "seal/seal_int.h"

enum state {
	AT_START,
	IN_HEAD,
	IN_LENGTH,
	IN_CLOSE,
	IN_CHUNK_SIZE,
	IN_CHUNK,
	IN_CHUNK_END,
	IN_TRAILER,
	AT_UPGRADE, /* a client asked for it: what comes next tells whether it got it */
};

enum asked { ASKED_BODY, ASKED_HEAD, ASKED_CONNECT };

#define ARENA_MAX (4 * LIMIT_HTTP_HEAD)
#define TEXT_KEEP (4u << 10)

struct seal_http1 {
	enum http_dir dir;
	enum state state;
	bool lost; /* AT_START: bytes may be anything */
	struct start_match match;
	struct buf text; /* a header, chunk-size line or trailers, so far */
	size_t line;     /* where in it its last line begins */
	uint64_t left;
	struct seal_body body;
	struct seal_asked *asked;
};

struct seal_http1 *seal_http1_new(enum http_dir dir, struct seal_asked *asked, bool lost)
{
	struct seal_http1 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->dir = dir;
	h->asked = asked;
	h->lost = lost;
	return h;
}

void seal_http1_move(struct seal_http1 *h, struct seal_asked *asked)
{
	h->asked = asked;
}

void seal_http1_free(struct seal_work *w, struct seal_http1 **h)
{
	if (!*h)
		return;
	seal_body_fini(w, &(*h)->body);
	buf_fini(&(*h)->text);
	free(*h);
	*h = NULL;
}

static void text_clear(struct seal_http1 *h)
{
	if (h->text.cap > TEXT_KEEP)
		buf_fini(&h->text);
	buf_clear(&h->text);
	h->line = 0;
}

static void restart(struct seal_work *w, struct seal_http1 *h, bool lost)
{
	seal_body_fini(w, &h->body);
	text_clear(h);
	h->state = AT_START;
	h->lost = lost;
	h->match = (struct start_match){ .part = START_NONE };
}

/* --- which requests wait */

static void ask(struct seal_asked *a, enum asked kind)
{
	if (a->cnt == LIMIT_HTTP_PIPELINE) {
		a->first++;
		a->cnt--;
	}
	a->kind[(a->first + a->cnt++) % LIMIT_HTTP_PIPELINE] = (uint8_t)kind;
}

static enum asked answer(struct seal_asked *a)
{
	if (!a->cnt)
		return ASKED_BODY;
	a->cnt--;
	return a->kind[a->first++ % LIMIT_HTTP_PIPELINE];
}

/* --- headers */

static enum state framing(enum http_dir dir, const struct http1_framing *f)
{
	if (f->chunked)
		return IN_CHUNK_SIZE;
	if (f->has_length && (!f->transfer || dir == HTTP_REQUEST))
		return IN_LENGTH;
	return dir == HTTP_REQUEST ? AT_START : IN_CLOSE;
}

static void open_body(struct seal_work *w, struct seal_http1 *h, const struct http_msg *m,
		      const struct http1_framing *f)
{
	struct coding_list codings = http1_codings(f);
	enum seal_coding coding = seal_coding_of(&codings);

	h->state = framing(h->dir, f);
	h->left = f->length;
	if (h->state == AT_START || (h->state == IN_LENGTH && !h->left)) {
		restart(w, h, false);
		return;
	}
	seal_body_open(w, &h->body, coding);
	if (sv_istarts(http_field_get(m, "content-type"), "application/grpc")) {
		codings = (struct coding_list){ 0 };
		codings_add(&codings, http_field_get(m, "grpc-encoding"));
		seal_body_grpc(&h->body, seal_coding_of(&codings));
	}
	/* event_scrub() has masked it in one with what is around it */
	if (coding == SEAL_PLAIN && !h->body.grpc && h->state != IN_CHUNK_SIZE)
		h->body.kind = KIND_MASKED;
}

static void request(struct seal_work *w, struct seal_http1 *h, const struct http_msg *m,
		    const struct http1_framing *f)
{
	enum asked kind = sv_is(m->method, "HEAD")      ? ASKED_HEAD
			  : sv_is(m->method, "CONNECT") ? ASKED_CONNECT
							: ASKED_BODY;

	ask(h->asked, kind);
	open_body(w, h, m, f);
	if (h->state == AT_START && (kind == ASKED_CONNECT || http_field_get(m, "upgrade").n))
		h->state = AT_UPGRADE;
}

static enum seal_upgrade response(struct seal_work *w, struct seal_http1 *h,
				  const struct http_msg *m, const struct http1_framing *f)
{
	enum asked kind;

	if (m->status < 200 && m->status != 101) {
		restart(w, h, false);
		return UPGRADE_NONE;
	}
	kind = answer(h->asked);
	if (m->status == 101 || (kind == ASKED_CONNECT && m->status / 100 == 2)) {
		restart(w, h, false);
		return sv_ieq(http_field_get(m, "upgrade"), "websocket") ? UPGRADE_WEBSOCKET
									 : UPGRADE_OTHER;
	}
	if (kind == ASKED_HEAD || m->status == 204 || m->status == 304)
		restart(w, h, false);
	else
		open_body(w, h, m, f);
	return UPGRADE_NONE;
}

static enum seal_upgrade end_head(struct seal_work *w, struct seal_http1 *h)
{
	struct http1_framing f = { 0 };
	struct http_msg m = { .dir = h->dir };
	enum seal_upgrade next = UPGRADE_NONE;

	arena_init(&m.arena, ARENA_MAX);
	if (http1_head_read(&m, buf_view(&h->text), &f)) {
		restart(w, h, true);
	} else {
		text_clear(h);
		if (h->dir == HTTP_REQUEST)
			request(w, h, &m, &f);
		else
			next = response(w, h, &m, &f);
	}
	arena_fini(&m.arena);
	return next;
}

/* --- states: each takes bytes */

static size_t take_start(struct seal_work *w, struct seal_http1 *h, char *p, size_t n)
{
	bool was_lost = h->lost;
	size_t i = 0, none = 0; /* bytes that are of no start line */

	while (h->state == AT_START && i < n) {
		char c = p[i];
		enum start_result res;

		if (!h->lost && !h->text.len && (c == '\r' || c == '\n')) {
			none = ++i;
			continue;
		}
		if (h->text.len == LIMIT_HTTP_HEAD)
			h->match.part = START_NONE;
		res = http1_start_match(&h->match, h->dir, h->lost, c);
		if (res == START_NO || (res == START_FIRST && h->text.len)) {
			h->lost = true;
			text_clear(h);
		}
		if (res == START_NO)
			none = i + 1;
		else if (res == START_FIRST)
			none = i;
		i++;
		if (res == START_NO)
			continue;
		if (buf_ch(&h->text, c))
			restart(w, h, true);
		h->line = h->text.len;
		if (res == START_YES)
			h->state = IN_HEAD;
	}
	if ((was_lost || h->lost) && none && seal_is_binary((struct sv){ p, none }))
		seal_blank(w, p, none);
	return i;
}

enum line { LINE_PART, LINE_WHOLE, LINE_OVER };

static enum line take_line(struct seal_http1 *h, const char *p, size_t n, size_t max, size_t *took)
{
	const char *lf = memchr(p, '\n', n);
	size_t now = lf ? (size_t)(lf - p) + 1 : n;

	*took = now;
	if (now > max - h->text.len || buf_add(&h->text, p, now))
		return LINE_OVER;
	return lf ? LINE_WHOLE : LINE_PART;
}

static struct sv last_line(const struct seal_http1 *h)
{
	struct sv line = sv_sub(buf_view(&h->text), h->line, SIZE_MAX);

	line.n--;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* Of a header or of trailers; *end: it is the one that ends them. */
static size_t take_field(struct seal_work *w, struct seal_http1 *h, const char *p, size_t n,
			 bool *end)
{
	size_t took = 0;
	enum line res = take_line(h, p, n, LIMIT_HTTP_HEAD, &took);

	*end = false;
	if (res == LINE_OVER) {
		restart(w, h, true);
	} else if (res == LINE_WHOLE) {
		*end = !last_line(h).n;
		h->line = h->text.len;
	}
	return took;
}

static size_t take_chunk_size(struct seal_work *w, struct seal_http1 *h, const char *p, size_t n)
{
	size_t took = 0;
	enum line res = take_line(h, p, n, LIMIT_CHUNK_LINE, &took);

	if (res == LINE_PART)
		return took;
	if (res == LINE_OVER || http1_chunk_size(last_line(h), &h->left)) {
		restart(w, h, true);
		return took;
	}
	text_clear(h);
	h->state = h->left ? IN_CHUNK : IN_TRAILER;
	return took;
}

static size_t take_body(struct seal_work *w, struct seal_http1 *h, char *p, size_t n)
{
	size_t now = h->state != IN_CLOSE && h->left < n ? (size_t)h->left : n;

	seal_body_feed(w, &h->body, p, now);
	if (h->state == IN_CLOSE)
		return now;
	h->left -= now;
	if (!h->left && h->state == IN_LENGTH)
		restart(w, h, false);
	else if (!h->left)
		h->state = IN_CHUNK_END;
	return now;
}

static size_t take_chunk_end(struct seal_work *w, struct seal_http1 *h, char c)
{
	if (c == '\n')
		h->state = IN_CHUNK_SIZE;
	else if (c != '\r') {
		restart(w, h, true);
		return 0;
	}
	return 1;
}

/* RFC 6455 5.2, 7692 6: how a first frame begins; a method with A or B would be no common one. */
static size_t take_upgrade(struct seal_http1 *h, char c, enum seal_upgrade *next)
{
	unsigned char op = (unsigned char)c & 0x3f; /* without FIN and RSV1, which is for deflate */

	if (op == 1 || op == 2)
		*next = UPGRADE_WEBSOCKET;
	else if ((c >= 'A' && c <= 'Z') || c == '\r' || c == '\n')
		h->state = AT_START;
	else
		*next = (unsigned char)c & 0x80 ? UPGRADE_WEBSOCKET : UPGRADE_OTHER;
	return 0;
}

static size_t take(struct seal_work *w, struct seal_http1 *h, char *p, size_t n,
		   enum seal_upgrade *next)
{
	bool end = false;
	size_t took;

	switch (h->state) {
	case AT_START:
		return take_start(w, h, p, n);
	case IN_HEAD:
		took = take_field(w, h, p, n, &end);
		if (end)
			*next = end_head(w, h);
		return took;
	case IN_LENGTH:
	case IN_CLOSE:
	case IN_CHUNK:
		return take_body(w, h, p, n);
	case IN_CHUNK_SIZE:
		return take_chunk_size(w, h, p, n);
	case IN_CHUNK_END:
		return take_chunk_end(w, h, *p);
	case IN_TRAILER:
		took = take_field(w, h, p, n, &end);
		if (end)
			restart(w, h, false);
		return took;
	case AT_UPGRADE:
		break;
	}
	return take_upgrade(h, *p, next);
}

size_t seal_http1_feed(struct seal_work *w, struct seal_http1 *h, char *p, size_t n,
		       enum seal_upgrade *next)
{
	size_t at = 0;

	*next = UPGRADE_NONE;
	while (at < n && *next == UPGRADE_NONE)
		at += take(w, h, p + at, n - at, next);
	return at;
}

void seal_http1_hole(struct seal_work *w, struct seal_http1 *h, uint64_t n)
{
	bool inside = h->state == IN_CLOSE || (h->state == IN_LENGTH && n < h->left) ||
		      (h->state == IN_CHUNK && n < h->left);

	if (!inside) {
		restart(w, h, true);
		return;
	}
	seal_body_hole(w, &h->body);
	h->left -= h->state == IN_CLOSE ? 0 : n;
}
