// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decodes deflate (RFC 1951) and remembers which bits every byte came from, so that mask.c can put others in
 * their place.  zlib does not tell those.  Broken input is followed as far as its code goes, like any other.
 *
 * Works in steps, each of which needs less than 57 bits; bits that are not enough for one are kept for
 * the next piece, and are the only ones of earlier pieces that are.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "seal/seal_int.h"

#define WINDOW (32u << 10)
#define MATCH_MAX 258
#define CAP_FIRST (4u << 10)
#define CAP_MAX (WINDOW + SEAL_BATCH + MATCH_MAX)
#define INFLATES_MAX 512      /* 100 kB and more each */
#define RATIO_FREE (1u << 20) /* as decode.c has it */
#define CLENS 19
#define END_OF_BLOCK 256
#define WORD_BYTES 64 /* that there are */

enum { CODE_MORE = -1, CODE_BAD = -2 };

/* Bits of a piece: of w->in, from `at` to `end`. */
struct input {
	const unsigned char *p;
	uint32_t at, end;
};

struct seal_inflate *seal_inflate_new(struct seal_work *w, enum seal_check check)
{
	struct seal_inflate *z = w->inflates < INFLATES_MAX ? calloc(1, sizeof(*z)) : NULL;

	if (!z)
		return NULL;
	w->inflates++;
	z->check = check;
	z->sum = check == CHECK_ADLER32;
	return z;
}

void seal_inflate_free(struct seal_work *w, struct seal_inflate **z)
{
	if (!*z)
		return;
	w->inflates--;
	seal_events_fini(w, &(*z)->events);
	free((*z)->sent);
	free((*z)->now);
	free((*z)->hidden);
	free(*z);
	*z = NULL;
}

void seal_inflate_next(struct seal_inflate *z)
{
	if (z->state == INFLATE_BROKEN)
		return;
	z->state = INFLATE_BLOCK;
	z->final = false;
	z->carry_len = z->carry_bit = 0;
	z->sum = z->check == CHECK_ADLER32;
}

void seal_inflate_break(struct seal_inflate *z)
{
	z->state = INFLATE_BROKEN;
	z->carry_len = z->carry_bit = 0;
}

/* --- the window */

static bool grow(struct seal_inflate *z)
{
	size_t cap = z->cap ? z->cap * 2 : CAP_FIRST;
	char *sent, *now;
	bool *hidden;

	if (cap > CAP_MAX)
		cap = CAP_MAX;
	sent = realloc(z->sent, cap);
	if (sent)
		z->sent = sent;
	now = realloc(z->now, cap);
	if (now)
		z->now = now;
	hidden = realloc(z->hidden, cap * sizeof(*hidden));
	if (hidden)
		z->hidden = hidden;
	if (!sent || !now || !hidden)
		return false;
	z->cap = cap;
	return true;
}

/* Makes room for more bytes of output; false when there is none. */
static bool make_room(struct seal_inflate *z, size_t more)
{
	while (z->cap - z->len < more)
		if (z->cap == CAP_MAX || !grow(z))
			return false;
	return true;
}

/* What no copy can reach any more goes, when room is needed. */
static void slide(struct seal_inflate *z)
{
	size_t gone = z->len > WINDOW ? z->len - WINDOW : 0;

	if (gone < WINDOW / 2)
		return;
	memmove(z->sent, z->sent + gone, WINDOW);
	memmove(z->now, z->now + gone, WINDOW);
	memmove(z->hidden, z->hidden + gone, WINDOW * sizeof(*z->hidden));
	z->len = WINDOW;
}

/* --- codes: 3.2.2 */

/* False: there are more codes than bits for them. */
static bool code_make(struct seal_code *c, const uint8_t *lens, unsigned int cnt, uint16_t *codes)
{
	uint16_t next[16] = { 0 }, at[16] = { 0 };
	int left = 1;

	memset(c, 0, sizeof(*c));
	for (unsigned int i = 0; i < cnt; i++)
		c->count[lens[i]]++;
	c->count[0] = 0;
	for (unsigned int l = 1; l < 16; l++) {
		next[l] = (uint16_t)((next[l - 1] + c->count[l - 1]) << 1);
		at[l] = (uint16_t)(at[l - 1] + c->count[l - 1]);
		left = (left << 1) - c->count[l];
		if (left < 0)
			return false;
	}
	for (unsigned int i = 0; i < cnt; i++) {
		unsigned int l = lens[i], code = l ? next[l]++ : 0, turned = 0;

		for (unsigned int b = 0; b < l; b++)
			turned |= (code >> b & 1) << (l - 1 - b);
		if (codes)
			codes[i] = (uint16_t)turned;
		if (!l)
			continue;
		c->symbol[at[l]++] = (uint16_t)i;
		for (unsigned int e = turned; l <= SEAL_FAST && e < 1u << SEAL_FAST; e += 1u << l)
			c->fast[e] = (uint16_t)(i << 4 | l);
	}
	return true;
}

static int code_slow(const struct seal_code *c, uint64_t bits, unsigned int avail,
		     unsigned int *len)
{
	int code = 0, first = 0, index = 0;

	for (unsigned int l = 1; l < 16; l++) {
		int count = c->count[l];

		if (l > avail)
			return CODE_MORE;
		code |= (int)(bits & 1);
		bits >>= 1;
		if (code - count < first) {
			*len = l;
			return c->symbol[index + (code - first)];
		}
		index += count;
		first = (first + count) << 1;
		code <<= 1;
	}
	return CODE_BAD;
}

/* The symbol that the bits begin with, or CODE_MORE, CODE_BAD. */
static int code_next(const struct seal_code *c, uint64_t bits, unsigned int avail,
		     unsigned int *len)
{
	unsigned int e = c->fast[bits & ((1u << SEAL_FAST) - 1)];

	if (!e || (e & 15) > avail)
		return code_slow(c, bits, avail, len);
	*len = e & 15;
	return (int)(e >> 4);
}

static uint64_t peek(const struct input *in, unsigned int *avail)
{
	uint64_t v;

	memcpy(&v, in->p + in->at / 8, sizeof(v));
	*avail = in->end - in->at > 56 ? 56 : in->end - in->at;
	return le64toh(v) >> in->at % 8;
}

/* What a literal may become: a byte of a word, so that what is masked looks like a token yet. */
static void block_make(struct seal_block *b, const uint8_t *lens, const uint16_t *codes)
{
	static const char choice[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"_-*.~!%^(),;@+=/";

	memset(b, 0, sizeof(*b));
	for (const char *c = choice; *c; c++) {
		unsigned char ch = (unsigned char)*c;
		unsigned int l = lens[ch];

		if (!l || b->any >> l & 1)
			continue;
		b->any |= 1u << l;
		if (c - choice < WORD_BYTES)
			b->words |= 1u << l;
		b->ch[l] = ch;
		b->code[l] = codes[ch];
	}
	b->end_code = codes[END_OF_BLOCK];
	b->end_bits = lens[END_OF_BLOCK];
}

static void codes_make(struct seal_inflate *z)
{
	z->state = INFLATE_BROKEN;
	memset(z->codes, 0, sizeof(z->codes));
	if (!code_make(&z->lit, z->lens, z->lit_cnt, z->codes) ||
	    !code_make(&z->dist, z->lens + z->lit_cnt, z->dist_cnt, NULL))
		return;
	block_make(&z->block, z->lens, z->codes);
	z->state = INFLATE_SYMBOLS;
}

/* 3.2.6 */
static void codes_fixed(struct seal_inflate *z)
{
	z->lit_cnt = SEAL_CODES;
	z->dist_cnt = 30;
	memset(z->lens, 8, 144);
	memset(z->lens + 144, 9, 112);
	memset(z->lens + 256, 7, 24);
	memset(z->lens + 280, 8, 8);
	memset(z->lens + SEAL_CODES, 5, 30);
	codes_make(z);
}

/* --- steps: each takes all its bits, or none and returns false */

static bool step_block(struct seal_inflate *z, struct input *in)
{
	unsigned int avail;
	uint64_t bits = peek(in, &avail);

	if (z->final) {
		in->at = (in->at + 7) & ~7u;
		z->state = INFLATE_OVER;
		return true;
	}
	if (avail < 3)
		return false;
	in->at += 3;
	z->final = bits & 1;
	switch (bits >> 1 & 3) {
	case 0:
		in->at = (in->at + 7) & ~7u;
		z->state = INFLATE_STORED_LEN;
		break;
	case 1:
		codes_fixed(z);
		break;
	case 2:
		z->state = INFLATE_COUNTS;
		break;
	default:
		z->state = INFLATE_BROKEN;
		break;
	}
	return true;
}

static bool step_stored_len(struct seal_inflate *z, struct input *in)
{
	unsigned int avail;
	uint64_t bits = peek(in, &avail);

	if (avail < 32)
		return false;
	in->at += 32;
	z->left = bits & 0xffff;
	z->state = (bits >> 16 & 0xffff) == (~bits & 0xffff) ? INFLATE_STORED : INFLATE_BROKEN;
	return true;
}

/* 3.2.7 */
static bool step_counts(struct seal_inflate *z, struct input *in)
{
	unsigned int avail;
	uint64_t bits = peek(in, &avail);

	if (avail < 14)
		return false;
	in->at += 14;
	z->lit_cnt = 257 + (bits & 31);
	z->dist_cnt = 1 + (bits >> 5 & 31);
	z->clen_cnt = 4 + (bits >> 10 & 15);
	z->at = 0;
	memset(z->lens, 0, sizeof(z->lens));
	z->state = z->lit_cnt > 286 ? INFLATE_BROKEN : INFLATE_CLENS;
	return true;
}

static bool step_clen(struct seal_inflate *z, struct input *in)
{
	static const uint8_t order[CLENS] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					      11, 4,  12, 3, 13, 2, 14, 1, 15 };
	unsigned int avail;
	uint64_t bits = peek(in, &avail);

	if (avail < 3)
		return false;
	in->at += 3;
	z->lens[order[z->at++]] = bits & 7;
	if (z->at < z->clen_cnt)
		return true;
	z->state = code_make(&z->lit, z->lens, CLENS, NULL) ? INFLATE_LENS : INFLATE_BROKEN;
	memset(z->lens, 0, sizeof(z->lens));
	z->at = 0;
	return true;
}

static bool step_len(struct seal_inflate *z, struct input *in)
{
	static const struct {
		uint8_t bits, least;
	} repeat[] = { { 2, 3 }, { 3, 3 }, { 7, 11 } };
	unsigned int avail, len = 0, cnt = 1;
	uint64_t bits = peek(in, &avail);
	int symbol = code_next(&z->lit, bits, avail, &len);
	uint8_t value = (uint8_t)symbol;

	if (symbol == CODE_MORE)
		return false;
	if (symbol >= 16) {
		unsigned int more = repeat[symbol - 16].bits;

		if (avail < len + more)
			return false;
		cnt = repeat[symbol - 16].least + (bits >> len & ((1u << more) - 1));
		len += more;
		value = symbol == 16 && z->at ? z->lens[z->at - 1] : 0;
	}
	in->at += len;
	if (symbol == CODE_BAD || z->at + cnt > z->lit_cnt + z->dist_cnt) {
		z->state = INFLATE_BROKEN;
		return true;
	}
	memset(z->lens + z->at, value, cnt);
	z->at += cnt;
	if (z->at == z->lit_cnt + z->dist_cnt)
		codes_make(z);
	return true;
}

static void put_token(struct seal_work *w, struct seal_inflate *z, struct seal_token t)
{
	t.out = (uint32_t)z->len;
	w->tokens[w->token_cnt++] = t;
}

static bool step_stored(struct seal_work *w, struct seal_inflate *z, struct input *in,
			uint8_t block)
{
	if (z->left && in->end - in->at < 8)
		return false;
	if (z->left) {
		put_token(w, z, (struct seal_token){ .bit = in->at, .block = block });
		z->sent[z->len++] = (char)in->p[in->at / 8];
		in->at += 8;
		z->left--;
	}
	if (!z->left)
		z->state = INFLATE_BLOCK;
	return true;
}

static void copy(struct seal_inflate *z, unsigned int len, unsigned int dist)
{
	for (char *to = z->sent + z->len, *end = to + len; to < end; to++)
		*to = to[-(ptrdiff_t)dist];
	z->len += len;
}

/* 3.2.5: the length's symbol has been read, and is `used` bits long. */
static bool step_copy(struct seal_work *w, struct seal_inflate *z, struct input *in, uint8_t block,
		      unsigned int symbol, unsigned int used)
{
	static const uint16_t len_base[] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
					     15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
					     67, 83, 99, 115, 131, 163, 195, 227, 258 };
	static const uint8_t len_extra[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
					     2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
	struct seal_token t = { .bit = in->at, .block = block };
	unsigned int avail, more = len_extra[symbol - 257], code_len = 0, len, dist;
	uint64_t bits = peek(in, &avail);
	int code;

	if (avail < used + more)
		return false;
	len = len_base[symbol - 257] + (bits >> used & ((1u << more) - 1));
	used += more;
	code = code_next(&z->dist, bits >> used, avail - used, &code_len);
	if (code == CODE_MORE)
		return false;
	used += code_len;
	t.extra = code > 3 ? (uint8_t)(code / 2 - 1) : 0;
	if (code >= 0 && code < 30 && avail < used + t.extra)
		return false;
	dist = code > 3 ? (2u + (unsigned int)code % 2) << t.extra : (unsigned int)code;
	dist += 1 + (bits >> used & ((1u << t.extra) - 1));
	if (code < 0 || code >= 30 || dist > z->len) {
		z->state = INFLATE_BROKEN;
		return true;
	}
	t.extra_at = (uint8_t)used;
	t.len = (uint16_t)len;
	t.dist = (uint16_t)(dist - 1);
	in->at += used + t.extra;
	put_token(w, z, t);
	copy(z, len, dist);
	return true;
}

static bool step_symbol(struct seal_work *w, struct seal_inflate *z, struct input *in,
			uint8_t block)
{
	unsigned int avail, len = 0;
	uint64_t bits = peek(in, &avail);
	int symbol = code_next(&z->lit, bits, avail, &len);

	if (symbol == CODE_MORE)
		return false;
	if (symbol > END_OF_BLOCK && symbol < 286)
		return step_copy(w, z, in, block, (unsigned int)symbol, len);
	if (symbol >= 0 && symbol < END_OF_BLOCK) {
		put_token(
			w, z,
			(struct seal_token){ .bit = in->at, .bits = (uint8_t)len, .block = block });
		z->sent[z->len++] = (char)symbol;
	} else {
		z->state = symbol == END_OF_BLOCK ? INFLATE_BLOCK : INFLATE_BROKEN;
	}
	in->at += len;
	return true;
}

/* --- a piece */

/* Decodes until the input or the room for output is used up.  True: more may come of this input. */
static bool decode(struct seal_work *w, struct seal_inflate *z, struct input *in, size_t from)
{
	unsigned int block = 0;
	bool moved = true;

	w->blocks[0] = z->block;
	while (moved && z->state < INFLATE_OVER) {
		enum seal_istate was = z->state;

		if (z->len - from >= SEAL_BATCH || block == SEAL_BLOCKS || !make_room(z, MATCH_MAX))
			return true;
		switch (was) {
		case INFLATE_BLOCK:
			moved = step_block(z, in);
			break;
		case INFLATE_STORED_LEN:
			moved = step_stored_len(z, in);
			break;
		case INFLATE_STORED:
			moved = step_stored(w, z, in, (uint8_t)block);
			break;
		case INFLATE_COUNTS:
			moved = step_counts(z, in);
			break;
		case INFLATE_CLENS:
			moved = step_clen(z, in);
			break;
		case INFLATE_LENS:
			moved = step_len(z, in);
			break;
		default:
			moved = step_symbol(w, z, in, (uint8_t)block);
			break;
		}
		if (z->state == INFLATE_SYMBOLS && was != INFLATE_SYMBOLS)
			w->blocks[++block] = z->block;
	}
	return false;
}

static void sum_up(struct seal_inflate *z, size_t from)
{
	const Bytef *p = (const Bytef *)z->now + from;
	uInt n = (uInt)(z->len - from);

	if (z->check == CHECK_CRC32)
		z->sum = (uint32_t)crc32(z->sum, p, n);
	else if (z->check == CHECK_ADLER32)
		z->sum = (uint32_t)adler32(z->sum, p, n);
}

/* All of a bomb's decoded bytes are not worth looking at: whoever reads it stops as well. */
static bool is_bomb(const struct seal_inflate *z)
{
	return z->given > LIMIT_BODY ||
	       (z->given > RATIO_FREE && z->given / LIMIT_INFLATE_RATIO > z->taken);
}

/* What is pending of an end goes first, all behind it is zero. */
static void wipe(struct seal_work *w, struct seal_inflate *z, char *p, size_t n)
{
	seal_blank(w, p, n);
	for (size_t i = 0; i < n && z->pend_cnt; i++) {
		unsigned int now = z->pend_cnt < 8 ? z->pend_cnt : 8;

		p[i] = (char)(z->pend & ((1u << now) - 1));
		z->pend >>= now;
		z->pend_cnt = (uint8_t)(z->pend_cnt - now);
	}
}

/* Keeps what is not done with; it is less than a step. */
static void keep(struct seal_inflate *z, const struct input *in)
{
	uint32_t from = in->at / 8, bytes = in->end / 8 - from;

	z->carry_len = (uint8_t)bytes;
	z->carry_bit = in->at % 8;
	memcpy(z->carry, in->p + from, bytes);
}

/* Decodes and masks all of it. */
static void run(struct seal_work *w, struct seal_inflate *z, struct input *in, uint32_t floor)
{
	bool more = z->state < INFLATE_OVER;

	while (more) {
		size_t from;

		slide(z);
		from = z->len;
		w->token_cnt = 0;
		more = decode(w, z, in, from);
		if (more && z->len == from && z->cap != CAP_MAX) /* no memory */
			z->state = INFLATE_BROKEN;
		z->given += z->len - from;
		if (z->len > from && !seal_mask(w, z, from, floor, in->end))
			z->state = INFLATE_BROKEN;
		else if (is_bomb(z))
			z->state = INFLATE_BROKEN;
		if (z->len > from)
			sum_up(z, from);
		more &= z->state < INFLATE_OVER;
	}
}

size_t seal_inflate_feed(struct seal_work *w, struct seal_inflate *z, char *p, size_t n,
			 enum seal_zstate *state)
{
	uint32_t floor = z->carry_len * 8u;
	struct input in = { w->in, z->carry_bit, floor + (uint32_t)n * 8 };
	size_t taken;

	*state = ZIP_BROKEN;
	if (z->state == INFLATE_BROKEN) {
		wipe(w, z, p, n);
		return n;
	}
	memcpy(w->in, z->carry, z->carry_len);
	memcpy(w->in + z->carry_len, p, n);
	memset(w->in + z->carry_len + n, 0, 8);
	z->taken += n;
	if (floor) {
		memcpy(w->first_codes, z->codes, sizeof(z->codes));
		memset(w->first_lens, 0, sizeof(w->first_lens));
		memcpy(w->first_lens, z->lens, z->lit_cnt);
	}
	run(w, z, &in, floor);
	memcpy(p, w->in + z->carry_len, n);
	taken = in.at / 8 > z->carry_len ? in.at / 8 - z->carry_len : 0;
	if (z->state == INFLATE_BROKEN) {
		if (taken < n && !z->cut)
			seal_blank(w, p + taken, n - taken);
		return n;
	}
	*state = z->state == INFLATE_OVER ? ZIP_END : ZIP_MORE;
	if (z->state == INFLATE_OVER)
		return taken;
	keep(z, &in);
	return n;
}
