/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text for terminals.  Names, arguments and prompts are traced bytes: what goes through text_put()
 * moves no cursor, sets no colour and turns no direction, and takes the columns that it says it does.
 * Without a UTF-8 locale everything but ASCII becomes '?'.
 */
#ifndef RINGSPAN_TERM_H
#define RINGSPAN_TERM_H

#include "base/buf.h"

bool term_utf8(void);              /* the locale's characters are UTF-8 */
unsigned int term_columns(int fd); /* of a terminal; else $COLUMNS, or 0: no bound */
unsigned int term_rows(int fd);    /* of a terminal; else 0 */
bool term_colour(int fd);          /* a terminal that is not dumb, and nobody set NO_COLOR */

enum term_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_YELLOW, STYLE_CYAN };
/* A picture in place of the one before, from the top, at most rows - 1 lines of it; 0: all. */
void term_repaint(struct buf *b, struct sv picture, unsigned int rows);
void term_style(struct buf *b, bool colour, enum term_style style); /* nothing without colour */

/*
 * The character at the start of *s, which gets shorter by it: its code point as it may be shown, and
 * the columns it takes (0, 1, 2).  White space and line ends become a space.
 */
uint32_t text_next(struct sv *s, unsigned int *width);
/* Columns that s takes; counting stops when it is more than max. */
size_t text_width(struct sv s, size_t max);
/* Adds s, clipped with an ellipsis to at most `width` columns.  The columns that it took. */
size_t text_put(struct buf *b, struct sv s, size_t width);
void text_pad(struct buf *b, size_t columns); /* spaces */

#endif
