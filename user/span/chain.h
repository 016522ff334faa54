/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which conversation a request belongs to, by its messages alone: each request of an agent repeats the
 * history and extends it, so a conversation is a chain of messages, whatever connection, thread or
 * process sends them.  Messages are compared by hashes of their meaning (OpenTelemetry's shape): what
 * providers let move between requests (cache marks) is not in it.
 *
 * Evidence, strongest first: the id of an earlier answer; that the history holds the chain's own last
 * answer (the id of a tool call, or its text) behind all of the chain's messages; that it holds that
 * answer; that it repeats all of the messages; that most of them are there (history edited or trimmed);
 * that it holds the text of an earlier answer (history replaced by its summary).  As texts and ids may
 * be the same in many conversations, more messages at its start count for more.  Requests with the same
 * history to the letter are one conversation when the first of them had no answer, or the model has
 * spoken in it: the answer was of no use.  Else they are two that begin alike.  Where the last answers of
 * several are there, and nothing else of any, nobody can tell whose it is: it is taken for another's.
 */
#ifndef RINGSPAN_SPAN_CHAIN_H
#define RINGSPAN_SPAN_CHAIN_H

#include "base/phrase.h"
#include "sem/sem.h"

#define CHAIN_PARTS 16                /* of the system instructions that are compared */
#define CHAIN_CALLS 16                /* tool calls of the last answer that are remembered */
#define CHAIN_KEEP_MIN 2              /* messages that edited histories must share */
#define CHAIN_LINKS (CHAIN_CALLS + 4) /* also answer, text, conversation and messages */
#define CHAIN_SURE (5 << 24)          /* of chain_match(): no message says more */
#define CHAIN_ID_ALONE (4 << 24) /* likewise: its last answer is there, and nothing before it */

struct chain {
	uint64_t *msgs; /* of its latest request */
	size_t cnt;
	uint64_t whole;               /* chain_prefix() of all of them; 0: none */
	uint64_t system[CHAIN_PARTS]; /* likewise; 0 behind the last */
	uint64_t tools;               /* names of the tools that were declared; 0: none */
	bool answered;                /* the latest request was */
	uint64_t text;                /* of the latest answer; 0: none */
	uint64_t calls[CHAIN_CALLS];  /* ids of the tools that it called; 0 behind the last */
	struct sv response_id, conversation_id; /* allocated */
	char *summary; /* text that may take the history's place; NULL: none that is long enough */
	size_t summary_len;
	uint64_t ts_last; /* when it was last heard of */
	/* chains.h's */
	uint64_t number; /* in order of birth */
	struct chain *prev, *next;
	struct index_link links[CHAIN_LINKS];
	struct phrase phrase;
	void *of; /* whose conversation it is */
};

/* How a request continues a chain. */
enum chain_step {
	CHAIN_NEW,
	CHAIN_AGAIN,    /* the same request: there was no answer, or none that was of use */
	CHAIN_NEXT,     /* all of the history, and more */
	CHAIN_EDITED,   /* a part of the history is not what it was */
	CHAIN_REPLACED, /* a summary took the history's place */
	CHAIN_HANDED,   /* all of the history, under other instructions */
};

/* What a request is compared by. */
struct chain_request {
	uint64_t *msgs; /* allocated */
	size_t cnt;
	uint64_t system[CHAIN_PARTS];
	uint64_t tools;
	uint64_t *
		said; /* allocated, sorted: texts, and ids of tool calls, that the model answered */
	size_t said_cnt;
	const struct sem_call *call;
};

int chain_request_init(struct chain_request *q, const struct sem_call *c); /* 0 or -ENOMEM */
void chain_request_fini(struct chain_request *q);
/* A message that holds instructions: some APIs have them nowhere else. */
bool chain_is_system(const struct json *message);

/* Of all that the request asks: messages, instructions and which tools there are. */
uint64_t chain_request_hash(const struct chain_request *q);
/* Of a message and all before it. */
uint64_t chain_prefix(uint64_t before, uint64_t msg);
/*
 * How sure it is that the request continues the chain, 0: it does not; and how it does.  Whether a
 * history was edited or replaced is worth a look only where no chain continues as it is.
 */
int chain_match(const struct chain *ch, const struct chain_request *q, enum chain_step *step);
/* Is most of its history there? */
bool chain_match_edited(const struct chain *ch, const struct chain_request *q);
/* It may, if other evidence says so: it is not another agent's, nor the same request again. */
bool chain_may_continue(const struct chain *ch, const struct chain_request *q);
/* The user goes on without an answer, or without a result of any tool that the latest one called. */
bool chain_interrupted(const struct chain *ch, const struct chain_request *q);
/* The chain is as the request says now; takes q->msgs. */
void chain_advance(struct chain *ch, struct chain_request *q);
/* The answer to its latest request. */
void chain_answer(struct chain *ch, const struct sem_call *c);
/* The answer to a request that was made beside it, for a summary. */
void chain_summary(struct chain *ch, const struct sem_call *c);
void chain_fini(struct chain *ch); /* it is in no set */

#endif
