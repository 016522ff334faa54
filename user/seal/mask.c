// SPDX-License-Identifier: BSD-2-Clause
/*
 * Masks what a piece of a deflate stream decodes to, by changing its bits.
 *
 * A literal becomes another one of its block; those that follow one another are chosen together, so that
 * only the sum of their lengths is as it was.  A copy of what was masked is masked with it.  One into a secret
 * of what is none, or the other way round, is made to copy something else, if a distance with as many bits has
 * that.  If none has, the block ends before it, and behind it begins one of a kind that there is not; but a
 * byte or two of a long secret, sent as one with the text beside it, may stay, and text that was sent
 * as a piece of a secret stays masked.  Other literals are never changed.
 */
#include <string.h>

#include "seal/seal_int.h"

#define MATCH_MAX 258
#define TRIES_MAX (1u << 18) /* distances that are looked at in a piece */
#define TRIES_CUT 4096       /* and for one that ends it */
#define BAD_BLOCK 6          /* 3.2.3: not the last one, and of type 3 */
#define BAD_BITS 3
#define EDGE 2  /* bytes of a secret that may stay, */
#define LONG 16 /* of one that has more than so many */

struct masker {
	struct seal_work *w;
	struct seal_inflate *z;
	size_t from;
	uint32_t floor, end;
	/* literals that follow one another */
	size_t run, run_cnt;
	unsigned int run_bits;
	unsigned int tries;
};

static bool is_secret(const struct masker *m, size_t out)
{
	return m->w->text[out - m->from] != m->z->sent[out];
}

static void put_bits(struct seal_work *w, uint32_t at, uint32_t value, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, at++) {
		unsigned char bit = (unsigned char)(1u << at % 8);

		w->in[at / 8] = value >> i & 1 ? w->in[at / 8] | bit : w->in[at / 8] & ~bit;
	}
}

static void put_literal(const struct masker *m, const struct seal_token *t, uint32_t bit,
			unsigned int len)
{
	const struct seal_block *b = &m->w->blocks[t->block];

	put_bits(m->w, bit, b->code[len], len);
	m->z->now[t->out] = (char)b->ch[len];
	m->z->hidden[t->out] = true;
}

/* The bits of the input before `floor` that a token begins with. */
static uint32_t fixed_bits(const struct masker *m, const struct seal_token *t)
{
	uint32_t bits = 0;

	for (uint32_t at = t->bit; at < m->floor; at++)
		bits |= (uint32_t)(m->w->in[at / 8] >> at % 8 & 1) << (at - t->bit);
	return bits;
}

/* Has the literal a code of len bits (0: of any number) that begins with the n bits? */
static bool begins_with(const struct seal_work *w, unsigned int ch, uint32_t bits, unsigned int n,
			unsigned int len)
{
	unsigned int l = w->first_lens[ch];

	return l > n && (!len || l == len) && !((w->first_codes[ch] ^ bits) & ((1u << n) - 1));
}

/* Another literal than it was, or, where there is none with these bits, the same. */
static unsigned int other_literal(const struct masker *m, const struct seal_token *t, uint32_t bits,
				  unsigned int n)
{
	unsigned char sent = (unsigned char)m->z->sent[t->out];

	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int ch = pass ? 0 : ' ' + 1; ch < (pass ? 256 : 0x7f); ch++)
			if (ch != sent && ch != '"' && ch != '\\' &&
			    begins_with(m->w, ch, bits, n, 0))
				return ch;
	return sent;
}

/* A distance of which the first bits are written, to where nothing of the secret is; as it is in its symbol. */
static uint32_t other_distance(const struct masker *m, const struct seal_token *t,
			       unsigned int fixed)
{
	uint32_t mask = (1u << t->extra) - 1, was = t->dist & mask, keep = (1u << fixed) - 1;
	uint32_t tries = 0;

	for (uint32_t x = 0; x <= mask && tries < TRIES_CUT; x++, tries++) {
		uint32_t dist = (t->dist & ~mask) + x + 1, apart = x > was ? x - was : was - x;
		uint32_t i = 0;

		if ((x ^ was) & keep || dist > t->out || apart < t->len)
			continue;
		while (i < t->len &&
		       (!is_secret(m, t->out + i) ||
			m->z->now[t->out + i - (i / dist + 1) * dist] != m->z->sent[t->out + i]))
			i++;
		if (i == t->len)
			return x;
	}
	return fixed < t->extra ? was ^ 1u << (t->extra - 1) : was;
}

/*
 * What to write so that nothing is readable from the token on; how many bits.  One that begins in what is written
 * already is made another literal, or a copy of something else, and nothing is readable behind it.
 */
static unsigned int end_bits(const struct masker *m, const struct seal_token *t, uint64_t *value)
{
	const struct seal_block *b = &m->w->blocks[t->block];
	unsigned int n = m->floor > t->bit ? m->floor - t->bit : 0, cnt = 0;
	uint64_t rest = 0;

	if (n && t->len) {
		unsigned int fixed = n > t->extra_at ? n - t->extra_at : 0;

		cnt = t->extra_at + t->extra;
		for (unsigned int i = 0; i < t->extra_at; i++)
			rest |= (uint64_t)(m->w->in[(t->bit + i) / 8] >> (t->bit + i) % 8 & 1) << i;
		rest |= (uint64_t)other_distance(m, t, fixed) << t->extra_at;
	} else if (n) {
		unsigned int ch = other_literal(m, t, fixed_bits(m, t), n);

		cnt = m->w->first_lens[ch];
		rest = m->w->first_codes[ch];
	}
	*value = rest >> n | ((uint64_t)BAD_BLOCK << b->end_bits | b->end_code) << (cnt - n);
	return cnt - n + b->end_bits + BAD_BITS;
}

/* Nothing is readable from there on, and where the bits suffice that is so for whoever decodes it, too. */
static void cut(const struct masker *m, const struct seal_token *t)
{
	uint32_t bit = t->bit > m->floor ? t->bit : m->floor;
	uint64_t value;
	unsigned int n = end_bits(m, t, &value), here;

	here = m->end - bit < n ? m->end - bit : n;
	for (unsigned int i = 0; i < here; i++)
		put_bits(m->w, bit + i, value >> i & 1, 1);
	for (uint32_t at = bit + here; at < m->end; at++)
		put_bits(m->w, at, 0, 1);
	m->z->pend = value >> here;
	m->z->pend_cnt = (uint8_t)(n - here);
	m->z->cut = true;
	m->z->len = t->out;
	m->w->lost += (m->end - bit + 7) / 8;
}

/* --- literals */

/* Lengths of the codes that a run gets, and in *first, where that begins in what is written, its literal. */
static bool choose(const struct masker *m, const struct seal_token *t, unsigned int cnt,
		   uint8_t *lens, unsigned char *first)
{
	static const char choice[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"_-*.~!%^(),;@+=/";
	const struct seal_block *b = &m->w->blocks[t->block];
	unsigned int n = m->floor > t->bit ? m->floor - t->bit : 0;

	if (!n)
		return seal_fill(b->words, cnt, m->run_bits, lens) ||
		       seal_fill(b->any, cnt, m->run_bits, lens);
	for (const char *c = choice; *c; c++) {
		unsigned int l = m->w->first_lens[(unsigned char)*c];

		*first = (unsigned char)*c;
		if (l > m->run_bits || !begins_with(m->w, *first, fixed_bits(m, t), n, 0))
			continue;
		lens[0] = (uint8_t)l;
		if (cnt == 1 ? l == m->run_bits && *c != m->z->sent[t->out]
			     : seal_fill(b->words, cnt - 1, m->run_bits - l, lens + 1))
			return true;
	}
	return false;
}

static bool put_run(struct masker *m)
{
	const struct seal_token *t = &m->w->tokens[m->run];
	uint8_t lens[SEAL_RUN];
	uint32_t bit = t->bit;
	unsigned int cnt = (unsigned int)m->run_cnt;
	unsigned char first = 0;

	m->run_cnt = 0;
	if (!cnt)
		return true;
	if (!choose(m, t, cnt, lens, &first)) {
		cut(m, t);
		return false;
	}
	for (unsigned int i = 0; i < cnt; i++) {
		if (t[i].bit < m->floor) {
			put_bits(m->w, bit, m->w->first_codes[first], lens[i]);
			m->z->now[t->out] = (char)first;
			m->z->hidden[t->out] = true;
		} else {
			put_literal(m, &t[i], bit, lens[i]);
		}
		bit += lens[i];
	}
	return true;
}

static bool literal(struct masker *m, size_t i)
{
	const struct seal_token *t = &m->w->tokens[i], *first = &m->w->tokens[m->run];
	struct seal_inflate *z = m->z;

	z->now[t->out] = z->sent[t->out];
	z->hidden[t->out] = false;
	if (!is_secret(m, t->out))
		return put_run(m);
	if (!t->bits) {
		m->w->in[t->bit / 8] = '*';
		z->now[t->out] = '*';
		z->hidden[t->out] = true;
		return put_run(m);
	}
	if (m->run_cnt && (first->block != t->block || m->run_cnt == SEAL_RUN) && !put_run(m))
		return false;
	if (!m->run_cnt) {
		m->run = i;
		m->run_bits = 0;
	}
	m->run_cnt++;
	m->run_bits += t->bits;
	return true;
}

/* --- copies */

static bool is_harmless(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

/* Is it hidden where it is secret, and what was sent where it is not? */
static bool is_right(const struct masker *m, size_t out, char now, bool hidden)
{
	char sent = m->z->sent[out];

	return is_secret(m, out) ? hidden || (now != sent && is_harmless(now)) : now == sent;
}

static bool try_distance(const struct masker *m, const struct seal_token *t, uint32_t dist,
			 char *to)
{
	for (uint32_t i = 0; i < t->len; i++) {
		to[i] = i < dist ? m->z->now[t->out - dist + i] : to[i - dist];
		if (!is_right(m, t->out + i, to[i], false))
			return false;
	}
	return true;
}

static bool repoint(struct masker *m, const struct seal_token *t)
{
	uint32_t mask = (1u << t->extra) - 1, was = t->dist + 1u, base = (t->dist & ~mask) + 1;
	uint32_t bit = t->bit + t->extra_at;
	char to[MATCH_MAX] = { 0 };

	if (bit < m->floor)
		return false;
	for (uint32_t x = 0; x <= mask && base + x <= t->out && m->tries < TRIES_MAX; x++) {
		uint32_t dist = base + x, apart = dist > was ? dist - was : was - dist;

		m->tries++;
		/* the neighbours of where it was have most of it */
		if (apart < t->len || !try_distance(m, t, dist, to))
			continue;
		put_bits(m->w, bit, x, t->extra);
		memcpy(m->z->now + t->out, to, t->len);
		for (uint32_t i = 0; i < t->len; i++)
			m->z->hidden[t->out + i] = is_secret(m, t->out + i);
		return true;
	}
	return false;
}

/* Is a long secret there, around what is masked of a copy?  Of that one a byte or two tell nothing. */
static bool is_edge(const struct masker *m, const struct seal_token *t, unsigned int bare)
{
	size_t first = t->out, last, left, right;

	while (!is_secret(m, first))
		first++;
	left = last = first;
	while (left > m->from && first - left < LONG && is_secret(m, left - 1))
		left--;
	while (last + 1 < m->z->len && last - first < LONG && is_secret(m, last + 1))
		last++;
	right = t->out + t->len - 1;
	return bare <= EDGE && last - left >= LONG &&
	       (!is_secret(m, t->out) || !is_secret(m, right));
}

static bool copy(struct masker *m, size_t i)
{
	const struct seal_token *t = &m->w->tokens[i];
	struct seal_inflate *z = m->z;
	unsigned int bare = 0;
	bool right = true;

	if (!put_run(m))
		return false;
	for (uint32_t at = t->out; at < t->out + t->len; at++) {
		z->now[at] = z->now[at - t->dist - 1];
		z->hidden[at] = z->hidden[at - t->dist - 1];
		bare += is_secret(m, at) && !z->hidden[at];
		right &= is_right(m, at, z->now[at], z->hidden[at]);
	}
	/* what is a copy of a part of a secret, and no part of one, may be lost with it */
	if (right || repoint(m, t) || !bare || is_edge(m, t, bare))
		return true;
	cut(m, t);
	return false;
}

bool seal_mask(struct seal_work *w, struct seal_inflate *z, size_t from, uint32_t floor,
	       uint32_t end)
{
	struct masker m = { .w = w, .z = z, .from = from, .floor = floor, .end = end };
	size_t n = z->len - from;

	memcpy(w->text, z->sent + from, n);
	redact_bytes(&z->redact, w->text, n);
	seal_events_feed(w, &z->events, w->text, n, true);
	seal_joined_flush(w);
	if (!z->altered && !memcmp(w->text, z->sent + from, n)) {
		memcpy(z->now + from, z->sent + from, n);
		memset(z->hidden + from, 0, n * sizeof(*z->hidden));
		return true;
	}
	z->altered = true;
	for (size_t i = 0; i < w->token_cnt; i++)
		if (w->tokens[i].len ? !copy(&m, i) : !literal(&m, i))
			return false;
	return put_run(&m);
}
