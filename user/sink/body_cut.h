/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts the text of a request where it is likely to repeat an earlier one: between the members of its
 * object and between the elements of the arrays in it.  Two texts that begin alike are cut alike as
 * far as they are.  The pieces together are the text, whatever it is: nothing is parsed, and what is
 * no JSON is merely cut elsewhere.
 */
#ifndef RINGSPAN_BODY_CUT_H
#define RINGSPAN_BODY_CUT_H

#include "base/str.h"

#define BODY_PIECE_MIN 256 /* bytes; only the last piece is shorter */

/* All zero but for text is a new one. */
struct body_cut {
	struct sv text;
	size_t at; /* how far it is read */
	int depth;
	bool in_string, escaped;
};

/* The next piece, a view of the text; false: there is none. */
bool body_cut_next(struct body_cut *c, struct sv *piece);

#endif
