// SPDX-License-Identifier: BSD-2-Clause
/* Cutting a request's text: see body_cut.h. */
#include "sink/body_cut.h"

#define LIST_DEPTH 2 /* of the elements of an array in the outermost object */

static void step_in_string(struct body_cut *c, char ch)
{
	if (c->escaped)
		c->escaped = false;
	else if (ch == '\\')
		c->escaped = true;
	else if (ch == '"')
		c->in_string = false;
}

/* Reads a byte; may a piece end before it, or behind it? */
static void step(struct body_cut *c, char ch, bool *before, bool *behind)
{
	if (c->in_string) {
		step_in_string(c, ch);
		return;
	}
	switch (ch) {
	case '"':
		c->in_string = true;
		break;
	case '{':
	case '[':
		c->depth++;
		*behind = ch == '[' && c->depth == LIST_DEPTH;
		break;
	case '}':
	case ']':
		*before = ch == ']' && c->depth == LIST_DEPTH;
		if (c->depth)
			c->depth--;
		break;
	case ',':
		*before = c->depth <= LIST_DEPTH;
		break;
	}
}

bool body_cut_next(struct body_cut *c, struct sv *piece)
{
	size_t from = c->at;

	while (c->at < c->text.n) {
		struct body_cut was = *c;
		bool before = false, behind = false;

		step(c, c->text.p[c->at], &before, &behind);
		if (before && c->at - from >= BODY_PIECE_MIN) {
			*c = was;
			break;
		}
		c->at++;
		if (behind && c->at - from >= BODY_PIECE_MIN)
			break;
	}
	*piece = sv_sub(c->text, from, c->at - from);
	return piece->n;
}
