// SPDX-License-Identifier: BSD-2-Clause
/* What MySQL's packets hold: see mysql.h.  Numbers are little-endian. */
#include "proto/mysql.h"

#define OK 0x00
#define END 0xfe
#define FAILED 0xff
#define PROGRESS 0xffff   /* MariaDB: in the place of an error's code */
#define END_MAX 0xffffffu /* a row that begins with 0xfe is longer */

bool mysql_cut(struct sv *rest, size_t n, struct sv *out)
{
	bool enough = rest->n >= n;

	*out = sv_sub(*rest, 0, enough ? n : 0);
	*rest = sv_sub(*rest, enough ? n : rest->n, rest->n);
	return enough;
}

uint64_t mysql_le_of(struct sv bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes.n; i--;)
		v = v << 8 | (unsigned char)bytes.p[i];
	return v;
}

uint32_t mysql_le(struct sv *rest, unsigned int n)
{
	struct sv bytes;

	mysql_cut(rest, n, &bytes);
	return (uint32_t)mysql_le_of(bytes);
}

/* "Length-Encoded Integer Type" */
uint64_t mysql_int(struct sv *rest)
{
	struct sv bytes;
	unsigned char first;

	if (!mysql_cut(rest, 1, &bytes))
		return UINT64_MAX;
	first = (unsigned char)bytes.p[0];
	if (first < 0xfb)
		return first;
	if (first < 0xfc || first == FAILED ||
	    !mysql_cut(rest,
		       first == 0xfc   ? 2
		       : first == 0xfd ? 3
				       : 8,
		       &bytes))
		return UINT64_MAX;
	return mysql_le_of(bytes);
}

bool mysql_cut_text(struct sv *rest, struct sv *out)
{
	uint64_t n = mysql_int(rest);

	return n <= rest->n ? mysql_cut(rest, (size_t)n, out) : mysql_cut(rest, rest->n + 1, out);
}

struct sv mysql_text(struct sv *rest)
{
	struct sv out;

	mysql_cut_text(rest, &out);
	return out;
}

/* --- connections */

bool mysql_greeting(struct sv b, struct mysql_greeting *out)
{
	struct sv part;

	*out = (struct mysql_greeting){ 0 };
	if (!mysql_cut(&b, 1, &part) || part.p[0] != 10)
		return false;
	out->version = sv_token(&b, '\0');
	if (!mysql_cut(&b, 4 + 8 + 1, &part) || b.n < 2)
		return false;
	out->flags = mysql_le(&b, 2);
	mysql_cut(&b, 1 + 2, &part);
	out->flags |= mysql_le(&b, 2) << 16;
	mysql_cut(&b, 1 + 6, &part);
	if (!(out->flags & MYSQL_LONG_PASSWORD))
		out->own_flags = mysql_le(&b, 4);
	return true;
}

/* "Protocol::HandshakeResponse41"; what proves who one is is stepped over. */
bool mysql_login(struct sv b, struct mysql_login *out)
{
	struct sv part;

	*out = (struct mysql_login){ 0 };
	if (b.n < 32)
		return false;
	out->flags = mysql_le(&b, 4);
	mysql_cut(&b, 4 + 1 + 19, &part);
	out->own_flags =
		out->flags & MYSQL_LONG_PASSWORD ? 0 : (uint32_t)mysql_le_of(sv_sub(b, 0, 4));
	mysql_cut(&b, 4, &part);
	if (!(out->flags & MYSQL_PROTOCOL_41))
		return false;
	out->tls = !b.n && out->flags & MYSQL_SSL;
	out->user = sv_token(&b, '\0');
	if (out->flags & MYSQL_AUTH_LENENC)
		mysql_text(&b);
	else if (out->flags & MYSQL_SECURE_CONNECTION)
		mysql_cut(&b, mysql_le(&b, 1), &part);
	else
		sv_token(&b, '\0');
	if (out->flags & MYSQL_CONNECT_WITH_DB)
		out->database = sv_token(&b, '\0');
	return true;
}

struct sv mysql_changed_database(struct sv b)
{
	struct sv part;

	sv_token(&b, '\0');
	mysql_cut(&b, mysql_le(&b, 1), &part);
	return sv_token(&b, '\0');
}

/* --- answers */

static unsigned char first_of(const struct mysql_packet *p)
{
	return p->bytes.n ? (unsigned char)p->bytes.p[0] : OK;
}

bool mysql_is_end(const struct mysql_packet *p)
{
	return first_of(p) == END && p->len < END_MAX;
}

bool mysql_is_error(const struct mysql_packet *p)
{
	return first_of(p) == FAILED && p->bytes.n >= 3 &&
	       mysql_le_of(sv_sub(p->bytes, 1, 2)) != PROGRESS;
}

/* An EOF_Packet has 5 bytes; with CLIENT_DEPRECATE_EOF an OK_Packet stands in its place, of 7 at least. */
bool mysql_ok(const struct mysql_packet *p, struct mysql_ok *out)
{
	struct sv b = sv_sub(p->bytes, 1, p->bytes.n);

	*out = (struct mysql_ok){ 0 };
	if (!p->len || (first_of(p) != OK && first_of(p) != END))
		return false;
	if (first_of(p) == END && p->len <= 5) {
		out->warnings = (uint16_t)mysql_le(&b, 2);
		out->status = (uint16_t)mysql_le(&b, 2);
		return true;
	}
	if (p->bytes.n < 7)
		return false;
	out->affected = mysql_int(&b);
	mysql_int(&b); /* the last id that was made */
	out->status = (uint16_t)mysql_le(&b, 2);
	out->warnings = (uint16_t)mysql_le(&b, 2);
	return true;
}

bool mysql_error(const struct mysql_packet *p, struct mysql_error *out)
{
	struct sv b = sv_sub(p->bytes, 1, p->bytes.n);

	if (!mysql_is_error(p))
		return false;
	out->code = (uint16_t)mysql_le(&b, 2);
	out->message =
		sv_starts(b, "#") ? sv_sub(b, 6, b.n) : b; /* "#", and the state's 5 letters */
	return true;
}
