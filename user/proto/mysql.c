// SPDX-License-Identifier: BSD-2-Clause
/* MySQL's packets: see mysql.h. */
#include "proto/mysql.h"

#include <string.h>
#include "base/limits.h"

#define PART_MAX 0xffffffu /* a part of that many bytes is followed by another */

static uint32_t le24(const void *p)
{
	const unsigned char *b = p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
}

static bool is_known_command(unsigned char code)
{
	return (code >= 1 && code <= 0x20) || code == MYSQL_STMT_BULK_EXECUTE;
}

/* --- what a connection begins with */

bool mysql_is_greeting(struct sv first)
{
	const unsigned char *b = (const unsigned char *)first.p;

	return first.n >= 7 && b[0] >= 32 && !b[1] && !b[2] && !b[3] && b[4] == 10 && b[5] >= '0' &&
	       b[5] <= '9' && ((b[6] >= '0' && b[6] <= '9') || b[6] == '.');
}

/* The 19 bytes behind flags, size and character set are zero. */
bool mysql_is_login(struct sv first)
{
	static const char zero[19];
	uint32_t len;

	if (first.n < 36 || first.p[3] < 1 || first.p[3] > 2)
		return false;
	len = le24(first.p);
	return len >= 32 && len <= LIMIT_DB_TEXT &&
	       (unsigned char)first.p[5] & MYSQL_PROTOCOL_41 >> 8 &&
	       memcmp(first.p + 13, zero, sizeof(zero)) == 0;
}

static bool is_statement(struct sv text)
{
	static const char *const words[] = { "select ",  "insert ", "update ", "delete ",
					     "replace ", "with ",   "show ",   "set ",
					     "begin",    "commit",  "create ", "drop ",
					     "alter ",   "call ",   "start ",  "rollback" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sv_istarts(text, words[i]))
			return true;
	return false;
}

bool mysql_is_command(struct sv first)
{
	struct sv text = sv_sub(first, 5, first.n);

	if (first.n < 5 || first.p[3] || le24(first.p) < 2 ||
	    (first.p[4] != MYSQL_QUERY && first.p[4] != MYSQL_STMT_PREPARE))
		return false;
	if (text.n > 2 && !text.p[0] && text.p[1] == 1) /* of attributes none, in one set */
		text = sv_sub(text, 2, text.n);
	return is_statement(text);
}

/* --- packets */

static bool begins(const struct mysql *p, struct sv bytes)
{
	uint64_t len;

	if (bytes.n < 5)
		return false;
	len = le24(bytes.p);
	if (p->compressed)
		return p->client && !bytes.p[3] && len && len + 7 == bytes.n;
	if (!p->client)
		return len && bytes.p[3] == 1;
	return len && !bytes.p[3] && is_known_command((unsigned char)bytes.p[4]) &&
	       (len + 4 == bytes.n || mysql_is_command(bytes));
}

static size_t keep_max(const struct mysql *p)
{
	if (!p->client)
		return MYSQL_KEEP_ANSWER;
	return p->packet.seq && !p->login ? 0
					  : LIMIT_DB_TEXT; /* a file's content is not looked at */
}

void mysql_restart(struct mysql *p)
{
	p->lost = p->more = false;
	p->head_len = p->outer_len = 0;
	p->left = p->outer_left = 0;
	decode_free(&p->decode);
	buf_clear(&p->text);
}

/* What is being decoded stays: it may be what found it out. */
static void lose(struct mysql *p)
{
	p->lost = true;
	p->more = false;
	p->head_len = 0;
	p->left = 0;
	buf_clear(&p->text);
}

static void give(struct mysql *p, bool cut)
{
	p->packet.cut = cut || p->text.err || p->text.len < p->packet.len;
	p->packet.bytes = buf_view(&p->text);
	p->more = false;
	p->head_len = 0;
	p->left = 0;
	p->fn(p->ctx, &p->packet);
	buf_clear(&p->text);
}

/* A part is whole. */
static void part_done(struct mysql *p)
{
	p->head_len = 0;
	p->more = le24(p->head) == PART_MAX;
	if (!p->more)
		give(p, false);
}

static void take_head(struct mysql *p, uint64_t ts, struct sv *bytes)
{
	if (!p->head_len && !p->more)
		p->packet = (struct mysql_packet){ .ts_first = ts };
	p->packet.ts_last = ts;
	p->head[p->head_len++] = (unsigned char)bytes->p[0];
	*bytes = sv_sub(*bytes, 1, bytes->n);
	if (p->head_len < sizeof(p->head))
		return;
	p->left = le24(p->head);
	if ((p->more && p->head[3] != (uint8_t)(p->seq + 1)) ||
	    (p->login && p->left > LIMIT_DB_TEXT)) {
		lose(p);
		return;
	}
	p->seq = p->head[3];
	if (!p->more)
		p->packet.seq = p->seq;
	p->packet.len += p->left;
	if (!p->left)
		part_done(p);
}

static void take_content(struct mysql *p, uint64_t ts, struct sv *bytes)
{
	struct sv part = sv_sub(*bytes, 0, p->left);
	size_t max = keep_max(p);

	*bytes = sv_sub(*bytes, part.n, bytes->n);
	p->left -= (uint32_t)part.n;
	p->packet.ts_last = ts;
	if (p->text.len < max)
		buf_sv(&p->text, sv_sub(part, 0, max - p->text.len));
	if (!p->left)
		part_done(p);
}

/* Returns how many bytes are left: all of them are taken, unless what follows is compressed. */
static struct sv take_packets(struct mysql *p, uint64_t ts, struct sv bytes)
{
	bool compressed = p->compressed;

	while (bytes.n && !p->lost && p->compressed == compressed) {
		if (p->left)
			take_content(p, ts, &bytes);
		else
			take_head(p, ts, &bytes);
	}
	return bytes;
}

/* --- compression */

void mysql_compress(struct mysql *p, enum coding coding)
{
	p->compressed = true;
	p->coding = coding;
}

static int on_decoded(void *ctx, struct sv bytes)
{
	struct mysql *p = ctx;

	take_packets(p, p->outer_ts, bytes);
	return p->lost ? -1 : 0;
}

/* What is too short to gain by it is sent as it is: its length before compression is 0. */
static void take_outer_head(struct mysql *p, struct sv *bytes)
{
	struct coding_list codings = { .coding = { p->coding }, .cnt = 1 };

	p->outer[p->outer_len++] = (unsigned char)bytes->p[0];
	*bytes = sv_sub(*bytes, 1, bytes->n);
	if (p->outer_len < sizeof(p->outer))
		return;
	p->outer_left = le24(p->outer);
	if (!p->outer_left)
		p->outer_len = 0;
	else if (le24(p->outer + 4) && decode_new(&p->decode, &codings, on_decoded, p))
		lose(p);
}

static void take_outer(struct mysql *p, uint64_t ts, struct sv *bytes)
{
	struct sv part = sv_sub(*bytes, 0, p->outer_left);

	*bytes = sv_sub(*bytes, part.n, bytes->n);
	p->outer_left -= (uint32_t)part.n;
	p->outer_ts = ts;
	if (!p->decode)
		take_packets(p, ts, part);
	else if (decode_feed(p->decode, part) || decode_is_raw(p->decode))
		lose(p);
	if (p->outer_left && !p->lost)
		return;
	decode_free(&p->decode);
	p->outer_left = 0;
	p->outer_len = 0;
}

void mysql_feed(struct mysql *p, uint64_t ts, struct sv bytes)
{
	if (p->lost && !begins(p, bytes))
		return;
	if (p->lost)
		mysql_restart(p);
	while (bytes.n && !p->lost) {
		if (!p->compressed)
			bytes = take_packets(p, ts, bytes);
		else if (p->outer_left)
			take_outer(p, ts, &bytes);
		else
			take_outer_head(p, &bytes);
	}
}

void mysql_gap(struct mysql *p)
{
	if (p->left || p->more)
		give(p, true);
	mysql_restart(p);
	p->lost = true;
}

void mysql_fini(struct mysql *p)
{
	decode_free(&p->decode);
	buf_fini(&p->text);
}
