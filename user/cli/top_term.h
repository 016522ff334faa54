/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of text on the screen of a terminal, by ncurses, which sends what has changed.  Lines hold what
 * text_put() and term_style() write (sink/term.h), and nothing else that begins with an escape.
 */
#ifndef RINGSPAN_CLI_TOP_TERM_H
#define RINGSPAN_CLI_TOP_TERM_H

#include <stdbool.h>
#include "base/buf.h"

struct screen; /* ncurses' SCREEN */

struct top_term {
	struct screen *screen;
	int log_fd, err_fd; /* what is logged meanwhile, and stderr as it was */
};

/*
 * The terminal of stdin and stdout; keys come one by one, and none is waited for.  What goes to stderr
 * from now on waits until the end.  A signal that says that this program is broken ends it as it would, with
 * the terminal as it was.  0 or -errno, logged; to be closed in any case.
 */
int top_term_open(struct top_term *t, bool colour);
void top_term_close(struct top_term *t);
void top_term_logged(const struct top_term *t,
		     struct buf *out); /* the latest line; nothing: none */

void top_term_line(int y, struct sv line, bool marked);
/* Lines from the from-th on, from row y to the one before end. */
void top_term_lines(int y, int end, struct sv text, size_t from);

#endif
