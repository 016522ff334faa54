/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a model API's messages mean, whatever the transport.  One file a wire format, one line in
 * sem.def.  Pure: requests, response bodies and stream events in, a struct sem_call out.
 *
 * All views point into the call's arena.  A number that the wire does not have is SEM_NONE, a text
 * that it does not have is {NULL, 0}, a JSON value NULL.
 *
 * Sources: facts are the providers' published API references and recorded traffic; usage follows
 * OpenTelemetry's rule that input tokens include what a cache served.
 */
#ifndef RINGSPAN_SEM_H
#define RINGSPAN_SEM_H

#include "base/json.h"
#include "proto/msg.h"

#define SEM_NONE INT64_MIN

struct sem_usage {
	int64_t input;                     /* with cache reads and writes */
	int64_t output;                    /* with reasoning */
	int64_t cache_read, cache_write;   /* parts of input */
	int64_t reasoning;                 /* part of output */
	int64_t input_audio, output_audio; /* parts of input and output */
};

struct sem_tool_call {
	struct sv id, name;
	struct sv args;         /* as on the wire, assembled: JSON text, maybe cut */
	struct json *args_json; /* parsed; NULL when it is no JSON, though it is whole */
	bool server;            /* run by the provider, not by the client */
	bool args_cut;          /* it is not whole: the stream ended inside it, or the model did */
	uint64_t ts;            /* when its last argument byte was seen; 0 in a unary answer */
	bool told;              /* sem_next_call() gave it */
	struct sem_tool_call *next;
};

struct sem_tool_result {
	struct sv id, name;
	bool has_error, is_error; /* has_error: the wire says whether it failed */
	struct sv text;           /* its text parts, a line end between them */
	struct sem_tool_result *next;
};

/* A call that the provider runs only with somebody's leave, or the word about it. */
struct sem_leave {
	struct sv id;
	struct sv name;   /* of the tool; of the word empty */
	bool granted;     /* of the word */
	struct sv reason; /* likewise; may be empty */
	struct sem_leave *next;
};

struct sem_error {
	struct sv type, code, message; /* type: by facts of the API; never the HTTP status */
};

struct sem_ops;
struct sem_live;

struct sem_call {
	const struct sem_ops *ops;
	struct arena arena;
	void *state; /* the wire format's, in the arena */

	/* the request */
	const char *api;       /* "anthropic.messages", "openai.chat", "openai.responses" ... */
	struct sv provider;    /* gen_ai.provider.name by host; empty when the host tells nothing */
	const char *operation; /* gen_ai.operation.name; NULL when it is no model operation */
	bool stream;
	bool request_seen; /* its body was there and was JSON */
	bool request_cut;  /* ... but not all of it */
	bool prepares;     /* it says that no answer is wanted, only that the provider reads it */
	/* The path alone does not tell whose it is; the body has this API's own shape. */
	bool confirmed;
	struct sv request_model;
	int64_t max_tokens, choice_count, seed;
	double temperature, top_p, top_k, frequency_penalty, presence_penalty; /* NAN = absent */
	struct json *stop_sequences; /* array of strings */
	struct sv output_type;       /* gen_ai.output.type */
	struct sv reasoning_effort, service_tier, previous_response_id, conversation_id;
	int64_t input_message_cnt;
	struct json *input_messages, *system_instructions,
		*tool_definitions;       /* OpenTelemetry's shapes */
	struct json *tool_names;         /* array of strings, in the order of the request */
	struct sem_tool_result *results; /* in the request, behind the last thing the model made */
	struct sem_leave *leaves;        /* likewise: words about calls that wait for leave */
	int64_t embedding_dimensions;    /* asked for, else as answered */
	struct json *encoding_formats;   /* of embeddings: array of strings */
	struct sv retrieval_query;
	struct sv data_source;             /* gen_ai.data_source.id: store, index, collection */
	struct sv db_system, db_namespace; /* db.system.name, db.namespace */
	int64_t query_dimensions;          /* of the vector that was searched for */

	/* the response */
	struct sv response_id, response_model, response_service_tier, system_fingerprint;
	struct json *finish_reasons; /* array of strings: the provider's words, one a choice */
	struct json *output_messages;
	struct buf text; /* visible answer of the first choice */
	struct buf reasoning;
	struct buf refusal;
	struct sem_tool_call *calls;      /* of the first choice, in order */
	struct sem_leave *asks_leave;     /* calls that the provider does not run without */
	struct json *retrieval_documents; /* array of {id, score or distance}, best first */
	bool has_usage;
	struct sem_usage usage;
	double reported_cost; /* US dollars, as the answer says; NAN = absent */
	struct sv upstream;   /* whom a gateway asked, as the answer says */
	struct sv usage_raw;  /* the provider's usage object as it was sent */
	bool has_error;
	struct sem_error error;
	bool response_cut; /* its JSON or stream ended early */
	bool terminated; /* a stream said that it was over (message_stop, [DONE], response.completed) */
	bool prompt_blocked; /* what ended it was a judgement on the request */
	/* of an API that judges content (operation "moderation") */
	bool judged, flagged;
	struct json *flags; /* array of strings: what it was flagged for */
	uint64_t
		ts_first_token; /* when the first content (text, reasoning, tool argument) was seen */
	uint64_t content_events; /* stream events that carried content */
	size_t bad_events;       /* stream events that were not JSON */
};

/* What of a request line and header tells the API. */
struct sem_route {
	struct sv method, host; /* host without port, lower case */
	struct sv path;         /* without query */
	struct sv query;
	const struct http_msg *head; /* header fields; may be NULL */
	bool websocket;              /* messages behind the handshake, not a request */
};

struct sem_ops {
	const char *api;       /* NULL: only the request's body tells */
	const char *operation; /* gen_ai.operation.name; NULL when it is no model operation */
	size_t state_sz;       /* a struct that starts with struct answer (sem/answer.h) */
	/* How it streams where the content type says nothing: FRAMING_LINES, FRAMING_ARRAY. */
	enum framing framing;
	/* 0..100: how sure it is that the request is its own.  Body shape is not asked. */
	int (*claim)(const struct sem_route *r);
	/* All that follow may be NULL. */
	const struct sem_live *live; /* over a WebSocket: see session.h */
	/* What the request line holds: a model, whether a stream is asked for. */
	void (*route)(struct sem_call *c, const struct sem_route *r);
	/* Fills the request part.  body may be cut; no JSON given here outlives the call. */
	void (*request)(struct sem_call *c, const struct json *body);
	/* The answer's header fields; nothing of them may be kept but by copying. */
	void (*head)(struct sem_call *c, const struct http_msg *head);
	/* The whole of an answer that is one JSON text.  What is an HTTP error never gets here. */
	void (*response)(struct sem_call *c, const struct json *body);
	/* One message of a streamed answer, a JSON object ("[DONE]" and what is no JSON is kept off). */
	void (*event)(struct sem_call *c, struct sv event, const struct json *data, uint64_t ts);
	/* The answer is over, in whatever way: assemble what is open. */
	void (*finish)(struct sem_call *c);
};

extern const struct sem_ops *const sem_apis[];
extern const size_t sem_api_cnt;

/* The API that claims a request, or NULL. */
const struct sem_ops *sem_find(const struct sem_route *r);
/*
 * A call of the API that claims a request.  *out is untouched then.  0, -ENOENT (no API), -ENOMEM.
 * Only the API, provider, operation and what the path holds are filled.
 */
int sem_call_new(struct sem_call **out, const struct sem_route *r);
/* The same of an API that is named, whoever claims the request. */
int sem_call_of(struct sem_call **out, const struct sem_ops *api, const struct sem_route *r);
void sem_call_free(struct sem_call **c);
void sem_request(struct sem_call *c, struct sv body, bool cut);     /* the decoded request body */
void sem_head(struct sem_call *c, const struct http_msg *response); /* before body or events */
/*
 * How the answer comes: its content type tells, unless its first bytes (8 are enough) know better,
 * since servers answer errors as JSON under text/event-stream and streams under any type.
 */
enum framing sem_framing(const struct sem_call *c, struct sv content_type, struct sv first);
/* FRAMING_WHOLE: the decoded body. */
void sem_response(struct sem_call *c, int status, struct sv body, bool cut);
/* Any other: one message of the stream, in the shape that proto/framing.h gives. */
void sem_event(struct sem_call *c, const struct sse_event *ev);
/*
 * The next call in the first choice that is whole, while more of the answer may come: a client may run
 * it already.  Each once, in order; NULL: none.  c->text and c->reasoning are then what stood before it.
 */
struct sem_tool_call *sem_next_call(struct sem_call *c);
/* After the last event or body.  cut: the transport broke off.  Fills calls, output_messages ... */
void sem_finish(struct sem_call *c, bool cut);

/* Content that was turned down. */
struct sem_verdict {
	const char *subject; /* "prompt", "answer"; of an API that only judges "content" */
	const char *
		type; /* "refusal", "content_filter", "guardrail", "invalid_tool_call", "flagged" */
	struct sv reason; /* the provider's word; may be empty */
};
/* After sem_finish(); false: nothing was.  The views are the call's. */
bool sem_verdict(const struct sem_call *c, struct sem_verdict *out);
#define SEM_FLAGS_MAX 64
void sem_flag(struct sem_call *c, struct sv what); /* adds it to c->flags, once */

/* gen_ai.provider.name for a host, or the empty view. */
struct sv sem_provider(struct sv host);

/*
 * Facts of the response header that no body has.  All ns; 0 = absent.
 * server_ns: openai-processing-ms, x-envoy-upstream-service-time, server-timing (RFC draft: dur in ms).
 */
struct sem_headers {
	struct sv request_id; /* x-request-id, request-id, apim-request-id ... */
	uint64_t server_ns;
	uint64_t retry_after_ns;
	double cost; /* US dollars, as LiteLLM says; NAN = absent */
	int64_t attempt; /* x-stainless-retry-count + 1, or amz-sdk-request's, of the request; SEM_NONE */
	struct json *
		rate_limits; /* object: header name -> value, of x-ratelimit-* and anthropic-ratelimit-* */
};
void sem_headers(struct sem_headers *out, struct arena *a, const struct http_msg *request,
		 const struct http_msg *response); /* either may be NULL */

#endif
