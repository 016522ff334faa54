// SPDX-License-Identifier: BSD-2-Clause
/* Formats of functions, and values as they say: see function.h. */
#include "event/function.h"

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"

struct reader {
	struct sv text;
	size_t at;
	const char *why;
};

static int peek(struct reader *r)
{
	while (r->at < r->text.n && (r->text.p[r->at] == ' ' || r->text.p[r->at] == '\t'))
		r->at++;
	return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static bool take(struct reader *r, int ch)
{
	if (peek(r) != ch)
		return false;
	r->at++;
	return true;
}

static int refuse(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return -EINVAL;
}

static const struct size {
	const char *name;
	unsigned int bits;
} sizes[] = {
	{ "hh", 8 }, { "h", 16 }, { "ll", 64 }, { "l", 64 }, { "j", 64 }, { "t", 64 }, { "z", 64 },
};

static const struct letter {
	char letter;
	enum func_conv conv;
} letters[] = {
	{ 'd', FUNC_INT }, { 'i', FUNC_INT },     { 'u', FUNC_UINT },
	{ 'x', FUNC_HEX }, { 'p', FUNC_POINTER }, { 's', FUNC_TEXT },
};

static int read_type(struct reader *r, struct func_type *out)
{
	bool sized = false;

	if (take(r, '_')) {
		*out = (struct func_type){ FUNC_NONE, 64 };
		return 0;
	}
	if (!take(r, '%'))
		return refuse(r, "want a conversion such as %d or %s, or _");
	out->bits = 32;
	for (size_t i = 0; !sized && i < ARRAY_SIZE(sizes); i++) {
		sized = sv_starts(sv_sub(r->text, r->at, r->text.n), sizes[i].name);
		if (!sized)
			continue;
		out->bits = sizes[i].bits;
		r->at += strlen(sizes[i].name);
	}
	for (size_t i = 0; r->at < r->text.n && i < ARRAY_SIZE(letters); i++) {
		if (r->text.p[r->at] != letters[i].letter)
			continue;
		r->at++;
		out->conv = letters[i].conv;
		if (out->conv != FUNC_POINTER && out->conv != FUNC_TEXT)
			return 0;
		out->bits = 64;
		return sized ? refuse(r, "%p and %s have no size") : 0;
	}
	return refuse(r, "conversions are d, i, u, x, p and s, with hh, h, l, ll, j, t or z before "
			 "the numbers; floating-point arguments are in other registers");
}

static int read_args(struct reader *r, struct func_format *out)
{
	unsigned int n = 0;

	if (!take(r, '(') || take(r, ')'))
		return 0;
	do {
		struct func_type type;
		int err = read_type(r, &type);

		if (err)
			return err;
		if (n == EV_FUNC_ARGS)
			return refuse(r, "only the first six arguments are in registers");
		out->args[n++] = type;
		if (type.conv)
			out->arg_cnt = n;
		take(r, ',');
	} while (peek(r) != ')' && peek(r) != -1);
	return take(r, ')') ? 0 : refuse(r, "a ) is missing");
}

int func_format_read(struct func_format *out, struct sv text, size_t *at, const char **why)
{
	struct reader r = { .text = text };
	int err;

	*out = (struct func_format){ .arg_cnt = 0 };
	err = read_args(&r, out);
	if (!err && take(&r, '='))
		err = read_type(&r, &out->ret);
	if (!err && peek(&r) != -1)
		err = refuse(&r, "want (ARGUMENTS) = RESULT");
	*at = r.at;
	*why = r.why;
	return err;
}

uint32_t func_format_texts(const struct func_format *f)
{
	uint32_t bits = f->ret.conv == FUNC_TEXT ? 1u << EV_FUNC_RET : 0;

	for (unsigned int i = 0; i < f->arg_cnt; i++)
		if (f->args[i].conv == FUNC_TEXT)
			bits |= 1u << i;
	return bits;
}

uint64_t func_value(struct func_type type, uint64_t reg)
{
	unsigned int unused = type.bits ? 64 - type.bits : 0;

	if (type.conv == FUNC_INT)
		return (uint64_t)((int64_t)(reg << unused) >> unused);
	return reg << unused >> unused;
}

bool func_text(const struct ev_function *e, unsigned int which, struct sv *text)
{
	struct sv rest = event_payload(&e->hdr);
	const uint8_t masks[] = { e->texts, e->late };

	for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
		for (unsigned int i = 0; i <= EV_FUNC_RET; i++) {
			if (!(masks[m] >> i & 1))
				continue;
			*text = sv_token(&rest, '\0');
			if (i == which)
				return true;
		}
	}
	return false;
}

struct sv event_probe_text(const struct ev_probe *p, unsigned int which)
{
	size_t from = 0;

	for (unsigned int i = 0; i < which; i++)
		from += p->len[i];
	return sv_sub(event_payload(&p->hdr), from, p->len[which]);
}
