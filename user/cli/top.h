/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of `ringspan top` share: top.c (the verb, looks), top_own.c (what ringspan takes itself),
 * top_draw.c (lines of text), top_json.c, top_tree.c (the tree of one run), top_screen.c (keys and the
 * terminal).  Nobody else includes this.
 */
#ifndef RINGSPAN_CLI_TOP_H
#define RINGSPAN_CLI_TOP_H

#include "analysis/top.h"
#include "base/buf.h"
#include "cli/live.h"
#include "sink/term.h"

/* --- top_own.c: what this process and its BPF programs take */

struct own_program {
	char name[32];
	uint64_t runs, run_ns; /* so far */
	double share;          /* of one CPU, since the look before; NaN: not known yet */
	double run_mean_ns;    /* of a run, likewise */
};

struct own {
	bool counted; /* the kernel counts what programs take */
	struct own_program *programs;
	size_t cnt;
	uint64_t time_ns, cpu_ns; /* of the latest look */
	uint64_t rss_bytes;
	double cpu, bpf; /* of one CPU, since the look before; NaN: not known yet */
};

int own_look(struct own *o, struct monitor *m, uint64_t now_ns); /* 0 or -errno */
void own_fini(struct own *o);

/* --- top_tree.c: finished spans of the runs that are shown, the latest of each */

struct kept {
	struct map runs; /* trace id -> struct kept_run */
	size_t bytes;
};

void kept_add(struct kept *k, const struct span *s);  /* what finds no room is left out, and told */
void kept_sweep(struct kept *k, const struct top *t); /* runs that are not shown any more */
void kept_fini(struct kept *k);
/* The tree of a run as `show` draws it, with what is open.  To be freed by the caller; 0 or -errno. */
int kept_draw(const struct kept *k, struct session *s, const char *trace_id, unsigned int columns,
	      bool colour, char **text, size_t *size);

/* --- what is shown */

struct top_view {
	const struct top *top;
	const struct own *own;        /* NULL: a replay takes nothing */
	struct session_totals totals; /* for what was lost */
	struct sv host;               /* may be empty */
	unsigned int columns;         /* 0: no bound */
	bool colour;
	enum top_key key;
	bool reverse;
	const char *filter;
};

/* top_draw.c: each line is ended by a line end and takes no more columns than the view has. */
#define TOP_HEAD_LINES 4
void top_draw_head(struct buf *b, const struct top_view *v);
void top_draw_titles(struct buf *b, const struct top_view *v);
void top_draw_row(struct buf *b, const struct top_view *v, const struct top_row *r);
void top_draw_detail(struct buf *b, const struct top_view *v, const struct top_row *r);
void top_draw_own(struct buf *b, const struct top_view *v); /* a line each program */
void top_draw_help(struct buf *b, const struct top_view *v);

/* top_json.c: one object, a line.  0 or -errno. */
int top_write_json(struct buf *b, const struct top_view *v, uint64_t interval_ns);

/* --- top_screen.c */

struct top_watch {
	struct live *live;
	struct top top;
	struct own own;
	struct kept kept;
	struct top_view view; /* of all that; columns are the screen's */
	uint64_t interval_ns;
};

/* Takes a look.  1: a signal asks to end; 0; -errno, logged. */
int top_look(struct top_watch *w);
/* Until q or a signal.  0 or -errno, logged. */
int top_screen(struct top_watch *w);

#endif
