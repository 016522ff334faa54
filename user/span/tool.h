/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tool calls that have no answer yet: what tool.c, which follows their life, tool_index.c, by which they
 * are found, tool_match.c, which holds their arguments against something, tool_pick.c, which chooses one, and
 * tool_link.c, which finds what did them, share; others go by the functions in engine.h.
 */
#ifndef RINGSPAN_SPAN_TOOL_H
#define RINGSPAN_SPAN_TOOL_H

#include "base/phrase.h"
#include "span/engine.h"

#define TOOL_CANONICAL_MAX 65536 /* of a command line or an argument that is compared */
#define TOOL_VALUES_MAX 256 /* texts and numbers among the arguments of a call that are compared */
#define TOOL_NUMBER_MAX 32  /* bytes of a number as text */
#define TOOL_INPUT_MIN 16   /* shorter arguments are in an agent's input by chance */

/* What an open call is found by; the parts of the key are as told. */
enum tool_by {
	TOOL_BY_ID,         /* hash of the model's id */
	TOOL_BY_SPAN,       /* hash of its span's id */
	TOOL_OF_EXCHANGE,   /* connection, request: that asked for it */
	TOOL_OF_AGENT,      /* address of whose conversation it is of */
	TOOL_OF_ASKER,      /* tgid, start: who asked the model */
	TOOL_FREE_OF_ASKER, /* likewise, while no process is tied to it by its arguments */
	TOOL_OF_BOTH,       /* tgid, start, class */
	TOOL_NOBODYS,       /* neither a process nor a request is tied to it */
	TOOL_NOT_BEGUN,     /* nothing was seen to do it */
	TOOL_NAMES_AGENT,   /* its name says that it asks for another agent */
	TOOL_LINKS,         /* and struct tool_class: */
	TOOL_CLASS_BY_ARGS = TOOL_LINKS, /* hash of the arguments */
	TOOL_CLASS_HAS_URL,              /* one of them is a URL, or has one */
	TOOL_CLASS_BY_VALUE, /* hash of a text or number among them, as tool_value() has it */
};

/* A text among the arguments, as it is looked for in command lines, URLs and the inputs of agents. */
struct tool_text {
	struct tool_text *next;
	struct tool_class *class;
	struct phrase command, url, input;
	struct sv raw;   /* the call's */
	struct sv plain; /* canonical: the same bytes, or copy */
	char copy[];
};

/* A text or number among the arguments, as a parameter of a statement may be the same. */
struct tool_value {
	struct tool_value *next;
	struct tool_class *class;
	struct index_link by_value;
	struct sv text; /* the call's, or number */
	char number[TOOL_NUMBER_MAX];
};

/* The open calls with the same arguments: whatever fits one of them fits all. */
struct tool_class {
	uint64_t number; /* in order of birth */
	struct index_link by_args, with_url;
	const struct tool *shown; /* whose arguments its texts are views of */
	struct tool_text *texts;
	struct tool_value *values;
	size_t value_cnt;
	size_t longest;  /* of the raw texts, bytes */
	uint64_t *names; /* filter of the file names in its texts, see tool_match.c; or NULL */
	size_t name_mask;
	struct tool_class *prev, *next; /* by birth */
	struct tool *first, *last;      /* likewise */
	/* of the search that goes on */
	uint64_t search, line;
	size_t n; /* how much of its arguments was found */
	struct tool_class *next_hit;
};

struct tool {
	struct tool *prev, *next; /* by birth */
	uint64_t number;
	struct index_link links[TOOL_LINKS];
	struct tool_class *class;
	struct tool *class_prev, *class_next;
	struct span *span;
	struct sv id, name;
	uint64_t conn_id, seq; /* of the exchange that asked for it */
	uint64_t ts_start;
	const struct json *args; /* as the span has them: redacted, like the command lines */
	bool has_process;        /* some process was tied to it by its arguments */
	bool has_ask;            /* so was an MCP call, or an HTTP request */
	bool has_agent;          /* a sub-agent does it */
	struct agent *agent;     /* held; may be NULL */
	int64_t turn;
	struct waits waits;
	struct usage
		used; /* as of the last settlement of its share, and of those of what is done for it */
	struct share share;
	uint32_t tgid; /* who asked the model */
	uint64_t proc_start;
	uint64_t ts_begun; /* the first thing that was seen to do it; 0: nothing */
	struct approval approval;
	bool invalid;         /* its arguments break its schema */
	struct ledger *files; /* what was changed for it; may be NULL */
};

/* The open tool calls of a run. */
struct tools {
	struct tool *first, *last; /* by birth */
	size_t cnt;
	uint64_t born, classes_born;
	struct index by; /* (enum tool_by, ...) -> struct tool */
	struct tool_class *first_class, *last_class;
	struct phrases commands, urls, inputs; /* -> struct tool_text */
	uint64_t searches;
};

/* tool_index.c */
/* The oldest that is found by that, then those behind it; NULL: there is none. */
struct index_link *tool_first(const struct run *r, enum tool_by by, uint64_t a, uint64_t b);
/* Those of the class that this process asked the model for. */
struct index_link *tool_first_of_both(const struct run *r, const struct tool_class *class,
				      uint32_t tgid, uint64_t start);
int tool_enter(struct run *r, struct tool *tool); /* it is whole, and the youngest; 0 or -ENOMEM */
void tool_leave(struct run *r, struct tool *tool);
void tools_free(struct run *r);                             /* none is left */
struct tool *tool_find(struct run *r, const char *span_id); /* NULL: it is over, or none */
/* The class of calls with arguments like these; NULL: there is none. */
struct tool_class *tool_class_of(const struct run *r, const struct json *args);
/* What has that value among its arguments, by index_link of struct tool_value; NULL: nothing. */
struct index_link *tool_first_with(const struct run *r, struct sv value);
/* Something does the call from then on: what is read now answers no question about it. */
void tool_begin(struct run *r, struct tool *tool, uint64_t ts);
void tool_had_process(struct run *r, struct tool *tool);
void tool_had_ask(struct run *r, struct tool *tool);

#define tools_of(r, by, a, b, l) \
	for (struct index_link *l = tool_first(r, by, a, b); l; l = l->next)

/* tool_match.c */
bool tool_is_word(char ch); /* a letter or a digit */
/*
 * Shells, JSON and argv quote differently: what is compared has no quotes, no backslashes and one
 * space where there was white space (or the end of an argument).  In out, max bytes of it at most.
 */
struct sv tool_canonical(struct sv in, char *out, size_t max);
/*
 * A number as it is compared: 7, 7.0 and 7e0 are the same; what is none stays as it is.  In number, where it is
 * one.
 */
struct sv tool_value(struct sv text, char number[TOOL_NUMBER_MAX]);
/*
 * How much of the values, which are no more than one call may have, is among the arguments, 0: nothing that tells.
 * Short ones tell together, when none of them is missing.
 */
size_t tool_match_values(const struct tool_class *class, const struct sv *values, size_t cnt);
/* How much of the arguments is in a canonical command line, 0: nothing that tells. */
size_t tool_match_line(const struct tool_class *class, struct sv line);
/* The same of a request, canonical, with its URL as it is. */
size_t tool_match_request(const struct tool_class *class, struct sv request, struct sv url);
/*
 * How much a text among the arguments has in common with the input, one of which is in the other: the
 * longer the likelier, and of two that have as much the one that is the same.
 */
size_t tool_match_input(const struct tool_class *class, struct sv input);
/* How well the arguments name the file: by more of its path is better, and an argument than a part. */
size_t tool_match_path(const struct tool_class *class, struct sv path, struct sv name);
/* Which file names are in the texts, for tool_match_path(): out of memory, any may be. */
void tool_names_init(struct tool_class *class);

#endif
