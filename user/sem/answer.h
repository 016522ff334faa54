/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An answer while it is being put together: choices, each with parts in the order of the wire.  A
 * unary answer is one big delta of the same shape, so both ways of answering share the code.
 *
 * The state of every API starts with a struct answer.  All memory is the call's arena; everything
 * here takes NULL parts, so that a full arena or a bound needs no check at each step.
 */
#ifndef RINGSPAN_SEM_ANSWER_H
#define RINGSPAN_SEM_ANSWER_H

#include "sem/sem.h"

#define ANSWER_CHOICES 128 /* OpenAI's own bound of `n` */
#define ANSWER_PARTS 1024

enum part_kind {
	PART_TEXT,
	PART_REASONING,
	PART_REFUSAL,
	PART_TOOL,   /* a call that the client runs; text holds the arguments */
	PART_SERVER, /* a call that the provider ran */
	PART_OTHER,  /* `other`, else {type: name, content: text} */
};

struct part_text {
	struct part_piece *head, *tail;
	size_t n;
};

struct part {
	enum part_kind kind;
	int64_t key, sub; /* its place: output index and content index, or the like */
	int64_t index;    /* tool call index of a chat stream; SEM_NONE */
	struct sv id, name;
	struct part_text text;
	struct sv args; /* arguments for when text stays empty */
	struct json *other;
	struct sem_tool_call *call; /* made once, at the end */
	uint64_t ts;                /* when its last piece was seen */
	bool done;                  /* the wire said that it is complete */
	bool cut;                   /* the JSON ended inside it */
	bool stale;                 /* not in the final answer */
};

struct choice {
	int64_t index;
	struct sv finish; /* the provider's word */
	struct part *parts[ANSWER_PARTS];
	size_t cnt;
};

struct answer {
	struct choice *choices[ANSWER_CHOICES]; /* by rising index */
	size_t cnt;
	size_t looked,
		passed; /* parts of the first choice: without a call that waits, handed out */
	bool streamed;  /* at least one event came */
	bool content;   /* the event at hand carried content */
	bool finished;
};

/*
 * Find or make, of this kind then.  NULL over the bound (the call is then marked cut) or when the
 * arena is full.
 */
struct choice *answer_choice(struct sem_call *c, int64_t index);
struct part *answer_part(struct sem_call *c, struct choice *ch, enum part_kind kind, int64_t key,
			 int64_t sub);

void part_add(struct sem_call *c, struct part *p, struct sv piece,
	      uint64_t ts); /* appends a copy */
/* Replaces all pieces by the whole as the wire repeats it; nothing happens when that is empty. */
void part_set(struct sem_call *c, struct part *p, struct sv whole, uint64_t ts);
/* Names a tool call, as far as it has no id or name yet. */
void part_name(struct sem_call *c, struct part *p, struct sv id, struct sv name, uint64_t ts);

struct sem_tool_call *answer_next_call(struct sem_call *c); /* see sem_next_call() */
/* Fills text, reasoning, refusal, calls, finish_reasons and output_messages. */
void answer_finish(struct sem_call *c);

#endif
