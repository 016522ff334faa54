// SPDX-License-Identifier: BSD-2-Clause
/*
 * Texts that come in pieces, each piece with other bytes around it.  Those of one record are put together and
 * masked as one, so that a cut matters only where records cut: there, what may yet become a secret is
 * masked, as redact.h has it.
 */
#include <string.h>

#include "seal/seal_int.h"

#define NO_PIECE UINT32_MAX
#define PORT_DIGITS 5

static void put(struct seal_work *w, struct seal_joined *t, struct seal_piece piece)
{
	if (w->piece_cnt == SEAL_PIECES)
		seal_joined_flush(w);
	if (!t->waits) {
		t->waits = true;
		t->first = NO_PIECE;
		t->next = w->joined;
		w->joined = t;
	}
	piece.next = NO_PIECE;
	w->pieces[w->piece_cnt] = piece;
	if (t->first == NO_PIECE)
		t->first = w->piece_cnt;
	else
		w->pieces[t->last].next = w->piece_cnt;
	t->last = w->piece_cnt++;
}

void seal_joined_add(struct seal_work *w, struct seal_joined *t, char *p, size_t n)
{
	if (n)
		put(w, t, (struct seal_piece){ .p = p, .len = (uint32_t)n });
}

void seal_joined_escape(struct seal_work *w, struct seal_joined *t, uint16_t unit, char *digits,
			size_t n)
{
	put(w, t,
	    (struct seal_piece){ .p = digits, .len = (uint32_t)n, .escape = true, .unit = unit });
}

/* --- masking */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* What a piece says; of an escape that no letter of ASCII is, any other byte. */
static size_t say(const struct seal_piece *k, char *to)
{
	if (!k->escape) {
		memcpy(to, k->p, k->len);
		return k->len;
	}
	*to = k->unit < 0x80 ? (char)k->unit : (char)0x80;
	return 1;
}

static size_t join(const struct seal_work *w, const struct seal_joined *t, char *to)
{
	size_t n = 0;

	for (uint32_t i = t->first; i != NO_PIECE; i = w->pieces[i].next)
		n += say(&w->pieces[i], to + n);
	return n;
}

/*
 * The digits of an escape say another letter, with as many bytes in UTF-8, so that what redacts the decoded
 * text comes to the same; '*' for one of ASCII.  The first of them may be written already, and do no harm.
 */
static void mask_escape(const struct seal_piece *k)
{
	const char *digits = k->unit < 0x80                          ? "002a"
			     : k->unit < 0x800                       ? "00d7"
			     : k->unit < 0xd800 || k->unit >= 0xe000 ? "2022"
			     : k->unit < 0xdc00                      ? "d83d"
								     : "dd12";

	memcpy(k->p, digits + 4 - k->len, k->len);
}

static void scatter(const struct seal_work *w, const struct seal_joined *t, const char *from)
{
	for (uint32_t i = t->first; i != NO_PIECE; i = w->pieces[i].next) {
		const struct seal_piece *k = &w->pieces[i];

		if (k->escape) {
			if (*from++ == '*')
				mask_escape(k);
			continue;
		}
		for (uint32_t b = 0; b < k->len; b++)
			if (*from++ == '*')
				k->p[b] = '*';
	}
}

/* Remembers what stands behind the last colon. */
static void remember(struct seal_joined *t, struct sv text)
{
	const char *colon = memrchr(text.p, ':', text.n);

	if (colon) {
		t->colon = true;
		t->behind_len = 0;
		text = sv_sub(text, (size_t)(colon - text.p) + 1, SIZE_MAX);
	}
	if (!t->colon || text.n > sizeof(t->behind) - t->behind_len) {
		t->colon = false;
		return;
	}
	memcpy(t->behind + t->behind_len, text.p, text.n);
	t->behind_len += (uint8_t)text.n;
}

/*
 * Models that stream "http://localhost:8080/" or "http://{host}:{port}/" cut these where until '@' there may be
 * a password.  What looks like a port is let pass at a cut, for the sake of all that is none.
 */
static bool ends_in_port(const struct seal_joined *t)
{
	struct sv port = { t->behind, t->behind_len };
	size_t digits = 0, i;

	if (!t->colon)
		return false;
	while (digits < port.n && port.p[digits] >= '0' && port.p[digits] <= '9')
		digits++;
	if (digits == port.n)
		return digits <= PORT_DIGITS;
	i = port.p[0] == '$';
	if (i < port.n && port.p[i] != '{')
		return false;
	for (i++; i < port.n; i++)
		if (!is_word(port.p[i]) && port.p[i] != '}')
			return false;
	return true;
}

static void mask(struct seal_work *w, struct seal_joined *t)
{
	struct redact before = t->redact;
	size_t n = join(w, t, w->together);

	remember(t, (struct sv){ w->together, n });
	redact_bytes(&t->redact, w->together, n);
	if (w->together[n - 1] == '*' && ends_in_port(t)) {
		join(w, t, w->together);
		before.last = true;
		redact_bytes(&before, w->together, n);
	}
	scatter(w, t, w->together);
}

void seal_joined_flush(struct seal_work *w)
{
	while (w->joined) {
		struct seal_joined *t = w->joined;

		w->joined = t->next;
		mask(w, t);
		t->waits = false;
	}
	w->piece_cnt = 0;
}
