/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What JSON-RPC messages mean: MCP and A2A, whatever the transport.  One file a protocol, one line in
 * rpc.def.  Pure: messages in, a struct rpc_facts out, whose views point into its arena; a text that
 * the wire does not have is {NULL, 0}, a JSON value NULL.
 *
 * Sources: the MCP specification, revisions 2024-11-05 to 2026-07-28, and that of A2A, 0.2 to 1.0.
 */
#ifndef RINGSPAN_SEM_RPC_H
#define RINGSPAN_SEM_RPC_H

#include "proto/msg.h"

/* Of one request or notification, and of its answer. */
struct rpc_facts {
	struct arena arena;
	struct sv method; /* of A2A as 1.0 has it */
	struct sv target; /* what a span's name has behind the method; empty: nothing */
	struct sv tool, prompt, uri;
	struct json *arguments; /* of a tool or prompt */
	struct json *result;    /* of a tool: its text, or all of it */
	struct json *tools;     /* array of the names that a list gives */
	struct json *schemas; /* object: tool -> the schema of its arguments, as the list has it */
	bool next_page;       /* the list goes on from an earlier one */
	struct sv protocol_version;            /* agreed on, else asked for */
	struct sv client_name, client_version; /* who asks */
	struct sv server_name, server_version; /* who answers; of an A2A agent its card's */
	struct sv traceparent, tracestate;     /* W3C trace context that it carries */
	struct sv progress_token;              /* by which notifications name it */
	struct json *ids;                 /* array of texts that may be a model's tool call id */
	struct sv model;                  /* sampling: that answered */
	struct sv result_type;            /* MCP 2026-07-28: complete, input_required */
	struct sv approval_mode;          /* elicitation: form, url; A2A: message, auth */
	struct sv approval_message;       /* what the human is asked */
	struct sv approval_action;        /* accept, decline, cancel; A2A: reply, cancel */
	struct sv task_id, task_state;    /* state as A2A 1.0 has it, of MCP as on the wire */
	struct sv context_id, message_id; /* A2A */
	struct sv status_code;            /* JSON-RPC error code */
	bool comes_back;                  /* the MCP server asks the client */
	bool failed;
	struct sv error_type, error_message;
};

void rpc_facts_init(struct rpc_facts *f);
void rpc_facts_fini(struct rpc_facts *f);

struct rpc_ops {
	const char *name; /* "mcp", "a2a" */
	/* 0..100: how sure it is that the request or notification is its own.  http: its header, or NULL. */
	int (*claim)(const struct jsonrpc_msg *m, const struct http_msg *http);
	void (*request)(struct rpc_facts *f, const struct jsonrpc_msg *m);
	/* A stream may answer more than once. */
	void (*answer)(struct rpc_facts *f, const struct jsonrpc_msg *m);
	/*
	 * The method that an HTTP request which is no JSON-RPC stands for, empty for none; its bodies
	 * are then given as params and result.  May be NULL.
	 */
	struct sv (*rest)(struct rpc_facts *f, const struct http_msg *http);
};

/* The protocol that claims a message, or NULL. */
const struct rpc_ops *rpc_claim(const struct jsonrpc_msg *m, const struct http_msg *http);
/* The same for a request without JSON-RPC; *f then has method and what the path tells. */
const struct rpc_ops *rpc_claim_rest(struct rpc_facts *f, const struct http_msg *http);
/* What every request (f->method is set then), and every answer has. */
void rpc_request(const struct rpc_ops *ops, struct rpc_facts *f, const struct jsonrpc_msg *m);
void rpc_answer(const struct rpc_ops *ops, struct rpc_facts *f, const struct jsonrpc_msg *m);

/* Facts of MCP notifications, which belong to a request or to none. */
struct mcp_note {
	enum { MCP_NOTE_OTHER, MCP_NOTE_PROGRESS, MCP_NOTE_LOG, MCP_NOTE_CANCELLED } what;
	struct sv token;                     /* progress */
	const struct json *progress, *total; /* numbers, as they are */
	struct sv request_id;                /* cancelled */
	bool request_id_is_string;
	struct sv level, logger; /* log */
	struct sv text;          /* message, log data or reason; in the arena */
};

/* m's views must outlive *out. */
void mcp_note(struct mcp_note *out, struct arena *a, const struct jsonrpc_msg *m);

/* For the protocols' files: a text or number of an object, copied as text; empty for neither. */
struct sv rpc_text(struct rpc_facts *f, const struct json *obj, const char *key);
struct sv rpc_path(const struct http_msg *http); /* of the target, without query */

#endif
