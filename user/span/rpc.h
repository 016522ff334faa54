/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MCP and A2A in the trace: what rpc.c (requests and answers), rpc_link.c (streams, and which belong
 * together), rpc_http.c (the same over HTTP) and rpc_span.c (their spans) share.
 *
 * An end is one process's side of a conversation: over stdio the stream or the two one-way streams that
 * it has with another process, over HTTP what it says to one address in one session.  Both sides may
 * ask.  Where both ends are traced in one run, a request has one span, that of who asked.
 */
#ifndef RINGSPAN_SPAN_RPC_H
#define RINGSPAN_SPAN_RPC_H

#include "proto/jsonrpc.h"
#include "sem/rpc.h"
#include "span/engine.h"

#define RPC_ASKED 16 /* questions to humans of one end that are open at once */

struct rpc_end;

enum rpc_key {
	RPC_END_HTTP,     /* its key */
	RPC_CALL_ID,      /* its end's number, direction and id */
	RPC_CALL_TOKEN,   /* its end's number and progress token */
	RPC_CALL_CARRIED, /* the exchange's number */
	RPC_CALL_WAITS,   /* its end's number; for the other end, or for its request */
};

/* A request or notification, with the answer as far as it has come. */
struct rpc_call {
	struct rpc_call *prev, *next; /* of its end, oldest first */
	struct rpc_end *end;
	uint64_t number; /* in order of birth */
	struct index_link by_id, by_token, carried, waits, at_addr;
	enum ev_dir dir; /* EV_WRITE: this process asked */
	struct sv id;    /* in the arena of the facts */
	bool id_is_string;
	bool asked;      /* false: only the answer was seen so far, in `early` */
	bool answered;   /* or cancelled: nothing more is awaited */
	bool unanswered; /* HTTP: its exchange is over, which had no answer */
	bool is_note;
	bool has_parent; /* beside its process */
	bool invalid;    /* the tool call that it is made for was found to be */
	bool cut;
	struct jsonrpc_msg *early;
	struct rpc_facts facts;
	struct sv asked_for; /* of an elicitation: the tool that asks */
	struct span *span;   /* has events, arguments and the parent already */
	uint64_t ts_first, ts_asked, ts_last;
	uint64_t req_wire, resp_wire;
	unsigned int events;
	struct rpc_call *twin;    /* the same request as the other end saw it */
	bool told;                /* the other end's span told of it, or will */
	uint32_t peer_tgid;       /* who answered; 0: not traced */
	uint64_t handling;        /* how long that took there, ns; 0 unknown */
	const struct exchange *x; /* that carries it; NULL: none, or it is over */
	bool http;
	struct ev_addr addr;  /* HTTP: of the connection that it came by */
	bool linked;          /* HTTP: who asked is of another run, and linked to */
	uint64_t waits_since; /* done, but the other end may still tell; 0: not */
};

/* A byte stream of a process, of one direction or two, that carries messages. */
struct rpc_stream {
	struct stream *stream;
	struct rpc_end *end;
	struct rpc_reader {
		struct rpc_stream *rs;
		enum ev_dir dir;
		struct jsonrpc *parser; /* NULL: no bytes came that way */
	} readers[2];                   /* by enum ev_dir */
};

struct rpc_end {
	struct rpc_end *prev, *next; /* in its run */
	struct run *run;
	uint64_t number; /* in order of birth */
	struct index_link by_key;
	uint32_t tgid;
	uint64_t start;
	const struct rpc_ops *ops; /* NULL: not known yet */
	struct rpc_stream *in,
		*out;         /* of a socket the same; NULL: closed or not known; HTTP: both */
	bool whole;           /* both directions were known once */
	struct rpc_end *peer; /* the other process's */
	uint64_t key;         /* HTTP: who, where, which session; else 0 */
	struct rpc_latest {
		uint64_t key; /* what its latest span's id is made of */
		uint64_t cnt; /* spans before that with the same */
	} latest[2];          /* by enum ev_dir */
	struct rpc_call *calls, *last_call;
	size_t call_cnt;
	struct arena arena;
	struct sv version, session; /* once agreed on, for the spans that follow */
	struct sv client_name, server_name, server_version;
	struct rpc_asked {
		uint64_t key; /* of the request; 0: none */
		uint64_t ts;
		char *mode, *message; /* may be NULL */
	} asked[RPC_ASKED]; /* answered by what a human is asked, until that is sent again */
	unsigned int asked_cnt;
	struct arena tools_arena;
	struct json *schemas; /* object: tool -> schema, as last listed; NULL: not, or too much */
};

/* What a message came by. */
struct rpc_from {
	struct rpc_end *end;
	enum ev_dir dir;
	const struct exchange *x;    /* NULL: a stream */
	const struct http_msg *head; /* of the request; NULL likewise */
};

/* rpc.c */
struct rpc_end *rpc_end_new(struct run *r, uint32_t tgid, uint64_t start); /* NULL: too many */
void rpc_end_free(struct rpc_end *e); /* tells what is open; e is off its run's list then */
void rpc_message(const struct rpc_from *from, const struct jsonrpc_msg *m);
/* The open request of that direction with m's id, or (asked false) an answer that waits for its. */
struct rpc_call *rpc_call_find(const struct rpc_end *e, enum ev_dir dir,
			       const struct jsonrpc_msg *m, bool asked);
/* The first of those that an exchange carries; the links' things are calls. */
struct index_link *rpc_call_carried(const struct exchange *x);
void rpc_calls_move(struct rpc_end *to, struct rpc_end *from); /* behind those of `to` */
struct rpc_call *rpc_call_by_token(const struct rpc_end *e, struct sv token);
struct rpc_call *rpc_call_new(const struct rpc_from *from, const struct jsonrpc_msg *m,
			      const struct rpc_facts *known);
void rpc_call_answer(struct rpc_end *e, struct rpc_call *c, const struct jsonrpc_msg *m);
void rpc_call_done(struct rpc_end *e,
		   struct rpc_call *c);          /* tells of it, or leaves that to its twin */
void rpc_flush(struct rpc_end *e, uint64_t now); /* what waited long enough for the other end */
void rpc_link_twins(struct rpc_end *a, struct rpc_end *b);
/* c of e and o of oe are one request: that side's span tells of it which asked. */
void rpc_twin(struct rpc_end *e, struct rpc_call *c, struct rpc_end *oe, struct rpc_call *o);

/* rpc_link.c */
/*
 * e, one direction of a conversation, finds the other by a call of that direction with m's id; both are
 * e then.  false: none can be told, or e has both directions.
 */
bool rpc_join_by_id(struct rpc_end *e, enum ev_dir dir, const struct jsonrpc_msg *m, bool asked);
/* The same by a notification about a request; without a token where only one half has asked. */
void rpc_join_by_note(struct rpc_end *e, struct sv token);

/* rpc_http.c */
enum ev_dir rpc_http_asks(const struct exchange *x); /* which way the request goes */
/* With who is traced at the other side; of another run it gets a link. */
void rpc_http_pair(struct rpc_end *e, struct rpc_call *c);

/* rpc_span.c */
void rpc_span_asked(struct rpc_end *e, const struct rpc_call *c); /* its answer is a question */
void rpc_span_answered(struct rpc_end *e, struct rpc_call *c);    /* a human may have */
void rpc_span_forget(struct rpc_end *e);                          /* the end is over */
struct span *rpc_span_new(const struct rpc_from *from, const struct rpc_call *c);
void rpc_span_parent(const struct rpc_end *e, struct rpc_call *c, bool last);
void rpc_span_emit(struct rpc_end *e, struct rpc_call *c);
void rpc_span_note(struct rpc_end *e, struct rpc_call *c, const struct mcp_note *n, uint64_t ts);

#endif
