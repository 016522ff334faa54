// SPDX-License-Identifier: BSD-2-Clause
/* PostgreSQL's messages: see postgres.h. */
#include "proto/postgres.h"

#include <string.h>
#include "base/limits.h"

/* Codes in the place of a version: TLS and GSSAPI are asked for, or a cancellation. */
#define CODE_CANCEL 80877102u
#define CODE_TLS 80877103u
#define CODE_GSS 80877104u
#define MESSAGE_MAX (1u << 30) /* the server's own bound, PQ_LARGE_MESSAGE_LIMIT */

static uint32_t be32(const void *p)
{
	const unsigned char *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

bool postgres_is_startup(struct sv first)
{
	return first.n >= 9 && be32(first.p) > 8 && be32(first.p) <= LIMIT_DB_TEXT &&
	       be32(first.p + 4) >> 16 == 3 && (be32(first.p + 4) & 0xffff) <= 2;
}

/* Is its content asked for? */
static bool is_kept(const struct postgres *p)
{
	return strchr(p->client ? "QPBDEC" : "CEZt", p->msg.type) ||
	       (p->client && p->msg.type == POSTGRES_STARTUP);
}

static bool is_type(const struct postgres *p, unsigned char type)
{
	return type && strchr(p->client ? "BCDEFHPQSXcdfp" : "123ACDEGHIKNRSTVWZcdnstv", type);
}

static bool begins(const struct postgres *p, struct sv bytes)
{
	return bytes.n >= 5 && is_type(p, (unsigned char)bytes.p[0]) && be32(bytes.p + 1) >= 4 &&
	       be32(bytes.p + 1) <= MESSAGE_MAX;
}

static void give(struct postgres *p, bool cut)
{
	p->msg.cut = cut || p->text.err || p->text.len < (is_kept(p) ? p->msg.len : 0);
	p->msg.bytes = buf_view(&p->text);
	p->head_len = 0;
	p->left = 0;
	p->fn(p->ctx, &p->msg);
	buf_clear(&p->text);
}

static void lose(struct postgres *p)
{
	p->lost = true;
	p->started = true;
	p->head_len = 0;
	p->left = 0;
	buf_clear(&p->text);
}

/* The client's first messages have no type: what they ask for, or the parameters. */
static void startup_head(struct postgres *p)
{
	uint32_t len = be32(p->head);

	if (len < 8 || len > LIMIT_DB_TEXT) {
		lose(p);
		return;
	}
	p->msg.type = POSTGRES_STARTUP;
	p->msg.len = len - 4;
	p->left = len - 4;
}

static void head(struct postgres *p)
{
	uint32_t len = be32(p->head + 1);

	if (!is_type(p, p->head[0]) || len < 4 || len > MESSAGE_MAX) {
		lose(p);
		return;
	}
	p->msg.type = (char)p->head[0];
	p->msg.len = len - 4;
	p->left = len - 4;
	if (!p->left)
		give(p, false);
}

static void take_head(struct postgres *p, uint64_t ts, struct sv *bytes)
{
	bool bare = p->client && !p->started;
	unsigned int want = bare ? 4 : 5;

	if (!p->head_len)
		p->msg = (struct postgres_msg){ .ts_first = ts };
	p->msg.ts_last = ts;
	p->head[p->head_len++] = (unsigned char)bytes->p[0];
	*bytes = sv_sub(*bytes, 1, bytes->n);
	if (p->head_len < want)
		return;
	if (bare)
		startup_head(p);
	else
		head(p);
}

static void take_content(struct postgres *p, uint64_t ts, struct sv *bytes)
{
	struct sv part = sv_sub(*bytes, 0, p->left);

	*bytes = sv_sub(*bytes, part.n, bytes->n);
	p->left -= part.n;
	p->msg.ts_last = ts;
	if (is_kept(p))
		buf_sv(&p->text, sv_sub(part, 0, LIMIT_DB_TEXT - p->text.len));
	if (p->left)
		return;
	if (p->msg.type == POSTGRES_STARTUP && p->text.len >= 4) {
		uint32_t code = be32(p->text.p);

		p->started = code != CODE_TLS && code != CODE_GSS && code != CODE_CANCEL;
	}
	give(p, false);
}

void postgres_feed(struct postgres *p, uint64_t ts, struct sv bytes)
{
	if (p->lost && !begins(p, bytes))
		return;
	p->lost = false;
	while (bytes.n && !p->lost) {
		if (p->left)
			take_content(p, ts, &bytes);
		else
			take_head(p, ts, &bytes);
	}
}

void postgres_gap(struct postgres *p)
{
	if (p->left)
		give(p, true);
	lose(p);
}

void postgres_fini(struct postgres *p)
{
	buf_fini(&p->text);
}

struct sv postgres_text(struct sv *rest)
{
	return sv_token(rest, '\0');
}
