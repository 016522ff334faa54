// SPDX-License-Identifier: BSD-2-Clause
/*
 * Walks over header blocks (RFC 7541 6) and masks the values of fields where they lie.  A string in Huffman
 * code gets other symbols, which have as many bits in all.  Of the dynamic table only that is kept which
 * matters: whether a name is that of a secret, and what the field says of the body.  Sizes and evictions are not
 * followed, since newer entries have the smaller indices: an entry that was seen is where the encoder means it to
 * be, and one that was not is unknown; the value of a field with an unknown name is masked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "seal/seal_int.h"

#define ENTRIES (LIMIT_HPACK_TABLE / 32) /* 4.1: no entry is smaller */
#define STATIC_CNT 61
#define SHIFT_MAX 28 /* of an integer, 5.1 */
#define NAME_LEN 32  /* no name that matters is longer */
#define VALUE_MAX 64 /* nor a value */

/* What a field is. */
enum what {
	WHAT_OTHER,
	WHAT_SECRET,
	WHAT_UNKNOWN,
	WHAT_CODING,
	WHAT_GRPC_CODING,
	WHAT_TYPE,
	WHAT_PROTOCOL,
};

struct entry {
	uint8_t what,
		value; /* enum what; enum seal_coding, or whether it is the one that matters */
};

enum form { FORM_INDEXED, FORM_ADDED, FORM_SIZE, FORM_PLAIN };
enum part { AT_FIELD, IN_INDEX, AT_LEN, IN_LEN, IN_STRING, LOST };

struct seal_hpack {
	struct entry entries[ENTRIES]; /* a ring */
	uint64_t added;
	struct seal_head head;
	enum part part;
	enum form form;
	uint64_t number;
	unsigned int shift;
	bool in_name, coded;
	uint64_t left; /* bytes of the string */
	uint32_t code; /* bits of a symbol that is not complete */
	unsigned int code_len;
	struct entry field;
	char name[NAME_LEN], value[VALUE_MAX];
	size_t name_len, value_len;
	struct redact redact;
};

/* --- Huffman code: Appendix B is canonical, so that the lengths tell all of it */

static const uint8_t lengths[SEAL_EOS + 1] = {
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28,
	30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11,
	8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,
	7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
	8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,
	6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20,
	22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
	22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23,
	22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
	28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
	26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};

void seal_huffman_make(struct seal_huffman *h)
{
	uint32_t code = 0;
	uint16_t cnt = 0;

	for (unsigned int l = 1; l <= SEAL_CODE_MAX; l++) {
		code <<= 1;
		h->begin[l] = cnt;
		h->first[l] = code;
		for (unsigned int s = 0; s <= SEAL_EOS; s++) {
			if (lengths[s] != l)
				continue;
			h->symbols[cnt++] = (uint16_t)s;
			h->codes[s] = code++;
		}
	}
	h->begin[SEAL_CODE_MAX + 1] = cnt;
}

/* The symbol with that code; -1: none so far, it takes more bits. */
static int symbol_of(const struct seal_huffman *h, uint32_t code, unsigned int len)
{
	uint32_t nth = code - h->first[len];

	if (code < h->first[len] || nth >= (uint32_t)(h->begin[len + 1] - h->begin[len]))
		return -1;
	return h->symbols[h->begin[len] + nth];
}

/*
 * Decodes a piece of a string to w->text and w->symbols; how many there are, or -1: it is no such code.
 */
static int decode(struct seal_work *w, struct seal_hpack *h, const char *p, size_t n)
{
	int cnt = 0;

	for (size_t bit = 0; bit < n * 8; bit++) {
		int symbol;

		h->code = h->code << 1 | ((unsigned char)p[bit / 8] >> (7 - bit % 8) & 1);
		symbol = symbol_of(&w->huffman, h->code, ++h->code_len);
		if (symbol < 0 && h->code_len < SEAL_CODE_MAX)
			continue;
		if (symbol < 0 || symbol == SEAL_EOS)
			return -1;
		w->symbols[cnt] =
			(struct seal_symbol){ (int32_t)bit + 1 - (int32_t)h->code_len,
					      (unsigned char)h->code_len, (unsigned char)symbol };
		w->text[cnt++] = (char)symbol;
		h->code = h->code_len = 0;
	}
	return cnt;
}

static void put_code(const struct seal_huffman *h, char *p, int32_t bit, unsigned char ch)
{
	unsigned int len = lengths[ch], i = bit < 0 ? (unsigned int)-bit : 0;

	for (uint32_t at = (uint32_t)bit + i; i < len; i++, at++) {
		unsigned char one = (unsigned char)(0x80u >> at % 8), *to;

		to = (unsigned char *)p + at / 8;
		*to = h->codes[ch] >> (len - 1 - i) & 1 ? *to | one : *to & ~one;
	}
}

/* The first bits of its code are written already: another one that has them, if there is. */
static void put_first(const struct seal_huffman *h, char *p, const struct seal_symbol *s)
{
	static const char choice[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"-_.%/=*;,!()?'+|#>$@~^[]`{}<";
	unsigned int rest = s->len + (unsigned int)s->bit;

	for (const char *c = choice; *c; c++) {
		unsigned char ch = (unsigned char)*c;

		if (lengths[ch] != s->len || ch == s->ch ||
		    (h->codes[ch] ^ h->codes[s->ch]) >> rest)
			continue;
		put_code(h, p, s->bit, ch);
		return;
	}
}

/* n symbols that follow one another; they become bytes of a word where those have codes as long. */
static void put_run(const struct seal_huffman *h, char *p, const struct seal_symbol *s, size_t n)
{
	static const char of_len[SEAL_CODE_MAX + 1] = {
		[5] = '0',  [6] = '3',  [7] = 'B',  [8] = 'X',  [10] = '!',  [11] = '|',
		[12] = '>', [13] = '~', [14] = '^', [15] = '`', [19] = '\\',
	};
	static const uint32_t words = 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8;
	static const uint32_t signs =
		1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15;
	int32_t bit = s->bit;
	unsigned int bits = 0;
	uint8_t lens[SEAL_RUN];

	for (size_t i = 0; i < n; i++)
		bits += s[i].len;
	if (!seal_fill(words, (unsigned int)n, bits, lens) &&
	    !seal_fill(words | signs, (unsigned int)n, bits, lens)) {
		/* no text: each becomes the first of its length */
		for (size_t i = 0; i < n; i++)
			put_code(h, p, s[i].bit, (unsigned char)h->symbols[h->begin[s[i].len]]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		put_code(h, p, bit, (unsigned char)of_len[lens[i]]);
		bit += lens[i];
	}
}

static void put_masked(struct seal_work *w, char *p, size_t cnt)
{
	size_t i = 0, n;

	while (i < cnt) {
		n = 0;
		while (n < SEAL_RUN && i + n < cnt && w->text[i + n] == '*' &&
		       w->symbols[i + n].ch != '*' && w->symbols[i + n].bit >= 0)
			n++;
		if (n)
			put_run(&w->huffman, p, &w->symbols[i], n);
		else if (w->text[i] == '*' && w->symbols[i].ch != '*')
			put_first(&w->huffman, p, &w->symbols[i]);
		i += n ? n : 1;
	}
}

/* --- fields */

struct seal_hpack *seal_hpack_new(void)
{
	return calloc(1, sizeof(struct seal_hpack));
}

void seal_hpack_free(struct seal_hpack **h)
{
	free(*h);
	*h = NULL;
}

void seal_hpack_lose(struct seal_hpack *h)
{
	h->added = 0;
	h->part = LOST;
	h->head.unknown = true;
}

void seal_hpack_begin(struct seal_hpack *h)
{
	h->part = AT_FIELD;
	memset(&h->head, 0, sizeof(h->head));
}

void seal_hpack_end(struct seal_hpack *h, struct seal_head *head)
{
	if (h->part != AT_FIELD)
		seal_hpack_lose(h); /* it ends inside of a field */
	*head = h->head;
}

static struct entry entry_at(const struct seal_hpack *h, uint64_t index)
{
	static const uint8_t fixed[STATIC_CNT + 1] = {
		[23] = WHAT_SECRET, [26] = WHAT_CODING, [31] = WHAT_TYPE,
		[32] = WHAT_SECRET, [49] = WHAT_SECRET, [55] = WHAT_SECRET,
	};
	uint64_t back = index - STATIC_CNT;

	if (index <= STATIC_CNT)
		return (struct entry){ .what = fixed[index] };
	if (back > h->added || back > ENTRIES)
		return (struct entry){ .what = WHAT_UNKNOWN };
	return h->entries[(h->added - back) % ENTRIES];
}

static enum what what_of(struct sv name)
{
	char line[NAME_LEN + 8];
	int n;

	if (name.n >= NAME_LEN)
		return WHAT_OTHER;
	if (sv_is(name, "content-encoding"))
		return WHAT_CODING;
	if (sv_is(name, "grpc-encoding"))
		return WHAT_GRPC_CODING;
	if (sv_is(name, "content-type"))
		return WHAT_TYPE;
	if (sv_is(name, ":protocol"))
		return WHAT_PROTOCOL;
	n = snprintf(line, sizeof(line), SV_FMT ": x", SV_ARG(name));
	return redact_text(line, (size_t)n) ? WHAT_SECRET : WHAT_OTHER;
}

static uint8_t value_of(enum what what, struct sv value)
{
	struct coding_list l = { 0 };

	switch (what) {
	case WHAT_CODING:
	case WHAT_GRPC_CODING:
		codings_add(&l, value);
		return (uint8_t)seal_coding_of(&l);
	case WHAT_TYPE:
		return sv_istarts(value, "application/grpc");
	case WHAT_PROTOCOL:
		return sv_ieq(value, "websocket");
	default:
		return 0;
	}
}

static void tell(struct seal_hpack *h, struct entry e)
{
	switch (e.what) {
	case WHAT_UNKNOWN:
		h->head.unknown = true;
		break;
	case WHAT_CODING:
		h->head.coding = h->head.coding && e.value ? SEAL_GUESS
				 : e.value                 ? e.value
							   : h->head.coding;
		break;
	case WHAT_GRPC_CODING:
		h->head.grpc_coding = e.value;
		break;
	case WHAT_TYPE:
		h->head.grpc = e.value;
		break;
	case WHAT_PROTOCOL:
		h->head.websocket = e.value;
		break;
	default:
		break;
	}
}

/* --- representations: 6 */

static void begin_string(struct seal_hpack *h)
{
	static const struct sv secret = { "authorization: ", 15 }, other = { "x: ", 3 };
	char line[16];
	struct sv name = other;

	h->part = IN_STRING;
	h->left = h->number;
	h->code = h->code_len = 0;
	if (h->in_name) {
		h->name_len = 0;
		return;
	}
	h->value_len = 0;
	if (h->field.what == WHAT_SECRET || h->field.what == WHAT_UNKNOWN)
		name = secret;
	h->redact = (struct redact)REDACT_INIT;
	memcpy(line, name.p, name.n);
	redact_bytes(&h->redact, line, name.n);
}

static void end_string(struct seal_hpack *h)
{
	struct sv value = { h->value, h->value_len };

	if (h->in_name) {
		h->field = (struct entry){ .what = what_of((struct sv){ h->name, h->name_len }) };
		h->in_name = false;
		h->part = AT_LEN;
		return;
	}
	h->field.value = value_of(h->field.what, value);
	tell(h, h->field);
	if (h->form == FORM_ADDED)
		h->entries[h->added++ % ENTRIES] = h->field;
	h->part = AT_FIELD;
}

static void end_index(struct seal_hpack *h)
{
	h->part = AT_FIELD;
	if (h->form == FORM_SIZE)
		return;
	if (h->form == FORM_INDEXED) {
		if (h->number)
			tell(h, entry_at(h, h->number));
		else
			seal_hpack_lose(h);
		return;
	}
	h->in_name = !h->number;
	h->field = entry_at(h, h->number);
	h->field.value = 0;
	h->part = AT_LEN;
}

static void begin_number(struct seal_hpack *h, unsigned char byte, unsigned int max, enum part more)
{
	h->number = byte & max;
	h->shift = 0;
	if (h->number == max)
		h->part = more;
	else if (more == IN_INDEX)
		end_index(h);
	else
		begin_string(h);
}

/* 5.1: bytes of an integer behind its prefix. */
static void next_number(struct seal_hpack *h, unsigned char byte)
{
	if (h->shift > SHIFT_MAX) {
		seal_hpack_lose(h);
		return;
	}
	h->number += (uint64_t)(byte & 0x7f) << h->shift;
	h->shift += 7;
	if (byte & 0x80)
		return;
	if (h->part == IN_INDEX)
		end_index(h);
	else
		begin_string(h);
}

static void next_byte(struct seal_hpack *h, unsigned char byte)
{
	if (h->part == IN_INDEX || h->part == IN_LEN) {
		next_number(h, byte);
	} else if (h->part == AT_LEN) {
		h->coded = byte & 0x80;
		begin_number(h, byte, 0x7f, IN_LEN);
	} else if (byte & 0x80) {
		h->form = FORM_INDEXED;
		begin_number(h, byte, 0x7f, IN_INDEX);
	} else if (byte & 0x40) {
		h->form = FORM_ADDED;
		begin_number(h, byte, 0x3f, IN_INDEX);
	} else if (byte & 0x20) {
		h->form = FORM_SIZE;
		begin_number(h, byte, 0x1f, IN_INDEX);
	} else {
		h->form = FORM_PLAIN;
		begin_number(h, byte, 0x0f, IN_INDEX);
	}
	if (h->part == IN_STRING && !h->left)
		end_string(h);
}

static void note(char *to, size_t *len, size_t max, const char *p, size_t n)
{
	if (n > max - *len)
		n = max - *len;
	memcpy(to + *len, p, n);
	*len += n;
}

/* What is to be masked of the n bytes in w->text becomes '*'. */
static void mask_value(struct seal_work *w, struct seal_hpack *h, size_t n, bool last)
{
	size_t end = n;

	/* nothing ends the value of a secret before its length does */
	for (size_t i = 0; i < n; i++)
		if (!w->text[i] || w->text[i] == '\n' || w->text[i] == '\r')
			w->text[i] = 'x';
	while (!last && end && w->text[end - 1] == '*')
		w->text[--end] = 'x'; /* as seal_text() has it */
	if (last)
		w->text[n] = '\n';
	redact_bytes(&h->redact, w->text, n + last);
}

static void string_piece(struct seal_work *w, struct seal_hpack *h, char *p, size_t n)
{
	bool last = h->left == n;
	int cnt = (int)n;

	if (h->coded)
		cnt = decode(w, h, p, n);
	else
		memcpy(w->text, p, n);
	if (cnt < 0) {
		seal_hpack_lose(h);
		seal_blank(w, p, n);
		return;
	}
	if (h->in_name)
		note(h->name, &h->name_len, sizeof(h->name), w->text, (size_t)cnt);
	else
		note(h->value, &h->value_len, sizeof(h->value), w->text, (size_t)cnt);
	if (!h->in_name) {
		mask_value(w, h, (size_t)cnt, last);
		if (h->coded)
			put_masked(w, p, (size_t)cnt);
		for (size_t i = 0; i < n && !h->coded; i++)
			if (w->text[i] == '*')
				p[i] = '*';
	}
	h->left -= n;
	if (!h->left)
		end_string(h);
}

void seal_hpack_feed(struct seal_work *w, struct seal_hpack *h, char *p, size_t n)
{
	while (n && h->part != LOST) {
		size_t now = 1;

		if (h->part == IN_STRING) {
			now = n < SEAL_STRING ? n : SEAL_STRING;
			if (now > h->left)
				now = (size_t)h->left;
			string_piece(w, h, p, now);
		} else {
			next_byte(h, (unsigned char)*p);
		}
		p += now;
		n -= now;
	}
	if (n)
		seal_blank(w, p, n);
}
