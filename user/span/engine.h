/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the trace engine share: trace.c (runs, records in), process.c (processes),
 * flow.c (connections as wholes), shake.c (TLS handshakes), phase.c (what an exchange waited for on the
 * network; the three share flow.h), stream.c (connections to protocols),
 * http.c, exchange.c and exchange_span.c (HTTP exchanges), ws.c, dns.c, model.c (model calls and their attempts),
 * agent.c (agents and turns), tool*.c (tool calls and what did them: tool.h), verdict.c
 * (validations), served.c (for which request a server asks), approval.c (waits for a human), crash.c
 * (signals), clock.c (the time of day), wait.c (waits by cause), charge.c (who took what), threads.c (what threads took), now.c (what
 * runs are at), peer.c (the other end of connections), open.c (what is not over yet), file.c (files that
 * are changed), read.c (files that are read), function.c (functions that the user named), profile.c
 * (samples of stacks), db*.c (databases), rpc*.c (MCP and A2A; grpc_call.c: gRPC).
 * Nobody else includes this.  Times are CLOCK_MONOTONIC ns until a span is made.
 */
#ifndef RINGSPAN_ENGINE_H
#define RINGSPAN_ENGINE_H

#include "base/index.h"
#include "base/limits.h"
#include "proc/proc.h"
#include "proto/framing.h"
#include "proto/http1.h"
#include "proto/http2.h"
#include "sem/sem.h"
#include "span/gather.h"
#include "span/loss.h"
#include "span/calls.h"
#include "span/chains.h"
#include "span/charge.h"
#include "span/file.h"
#include "span/function.h"
#include "span/now_int.h"
#include "span/profile.h"
#include "span/stream.h"
#include "span/trace.h"
#include "span/usage.h"

struct agent;
struct tools;
struct leave;
struct call;
struct dns_query;
struct rpc_end;
struct rpc_exchange;
struct exchange;
struct grpc_call;

/* The machine was suspended: at one moment of CLOCK_MONOTONIC. */
struct suspend {
	uint64_t ts, ns;
	uint64_t sum; /* of it and all before it */
};

struct suspends {
	bool known;           /* CLOCK was there */
	uint64_t boot_offset; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC then */
	uint64_t forgotten;   /* length of those that are too old for any run */
	unsigned int cnt;
	struct suspend of[LIMIT_SUSPENDS]; /* by rising time */
};

struct trace {
	struct trace_cfg cfg;
	trace_span_fn fn;
	void *ctx;
	struct proc_table *procs;
	struct conn_table *conns;
	struct map flows;       /* (tgid, start, inode number) -> struct flow */
	struct index flows_of;  /* (tgid, start) -> struct flow */
	struct map runs;        /* (tgid, start) of the root -> struct run */
	struct run *over;       /* its last process ended with this record */
	struct index exchanges; /* (run, key of the call) -> struct exchange, once it was asked */
	struct index served;    /* (tgid, start, hash of a trace id, or 0) -> struct exchange */
	struct index rpc_calls; /* (address, request) -> struct rpc_call that came by HTTP */
	uint64_t born;          /* runs, exchanges, ends and calls of MCP and A2A */
	struct profile profile;
	struct arena meta;
	struct sv boot_id, host, kernel, arch;
	uint64_t wall_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC - all suspends, now */
	struct suspends suspends;
	uint64_t now;
	bool ending;           /* what ends now ends because the recording does */
	struct ev_stats stats; /* the latest */
	struct loss_sums loss; /* likewise */
	struct gather_budget bodies;
	uint64_t hdr_lost; /* records lost, summed from the records' own counts */
	struct trace_totals totals;
	size_t change_cnt; /* changes of files that are held */
	size_t read_cnt;   /* and files that were read */
	struct map probes; /* id -> what the user named, see function.c */
	bool priced;
	char first_run[HEX128];
};

/* What is waited for.  Attributes ringspan.wait.*_ns. */
enum wait_cause {
	WAIT_PROVIDER,  /* the end of a request to the first byte of its answer */
	WAIT_STREAM,    /* ... to its last */
	WAIT_NETWORK,   /* DNS, connects, TLS handshakes */
	WAIT_HUMAN,     /* approvals */
	WAIT_THROTTLED, /* between attempts, after a provider said that it is too much */
	WAIT_RETRY,     /* ... after any other failure */
	WAIT_CNT
};
#define WAIT_OPEN 32 /* intervals of a set that are apart and may still grow together */

/* A union of intervals, of which only the length is asked for. */
struct wait_set {
	uint64_t closed; /* length of those that are forgotten */
	uint64_t floor;  /* and their end: nothing before it is added */
	unsigned int cnt;
	struct wait {
		uint64_t from, to;
	} of[WAIT_OPEN]; /* by rising time */
};

struct waits {
	struct wait_set by[WAIT_CNT];
};

#define CONTEXTS 16 /* traces of others that a run is linked to */

struct context {
	char trace_id[HEX128], span_id[HEX64];
};

#define CRASH_KEPT 64 /* latest spans of a run */
#define CRASH_TOLD 8  /* and how many of them a process that a signal ended tells of */

struct recent {
	int64_t pid; /* of the process that it is of; 0: none */
	uint64_t end_ns;
	bool failed;
	char span_id[HEX64];
	char name[64];
};

/* The conversations of a run. */
struct agents {
	struct agent *first, *last; /* by birth */
	size_t cnt;
	struct chains chains;
	struct index idle; /* struct chain: those that nothing points to, idle longest first */
	size_t idle_cnt;
	bool forgot;             /* one that was idle, to make room */
	struct index by_process; /* (tgid, start) of who began it, while a turn is open */
};

/* A process tree that is one trace. */
struct run {
	struct trace *t;
	uint64_t number; /* in order of birth */
	uint32_t tgid;
	uint64_t start;
	char trace_id[HEX128], span_id[HEX64];
	unsigned int origin; /* enum ev_run_origin */
	uint64_t ts_start;
	uint64_t wall_offset; /* as that of the trace was when it began */
	struct clock_step {
		uint64_t ts;
		int64_t ns;
	} steps[LIMIT_CLOCK_STEPS];
	unsigned int step_cnt;
	unsigned int live;    /* processes of it that have not ended */
	char *agent;          /* gen_ai.agent.name */
	struct span *root;    /* made when the root process ended */
	struct tools *tools;  /* without an answer; NULL: there was none yet */
	struct leave *leaves; /* that are asked for, oldest first */
	size_t leave_cnt;
	struct call *calls;         /* failed, may be tried again; newest first */
	struct index calls_by;      /* the same by their key */
	struct stream *streams;     /* connections of its processes, newest first */
	struct exchange *exchanges; /* in flight, newest first */
	struct agents agents;
	struct buf result;         /* gen_ai.output.messages of its latest final answer */
	uint64_t result_ts;        /* when that was whole */
	struct dns_query *queries; /* without an answer, oldest first */
	size_t query_cnt;
	struct map names;                    /* address -> the name that was asked for, char * */
	struct map lookups;                  /* (name, process) -> struct lookup of dns.c */
	int64_t not_seen;                    /* connections */
	struct rpc_end *rpc_ends, *rpc_last; /* who speaks MCP or A2A, by birth */
	size_t rpc_cnt;
	struct index rpc; /* (enum rpc_key, what it is of) -> struct rpc_end or rpc_call */
	int64_t model_calls, tool_calls, errors;
	int64_t over_limit; /* given up or forgotten, since more was open than is kept */
	struct waits waits;
	struct usage used;               /* by all of its processes */
	struct map crowds;               /* (tgid, start, enum charge_crowd) -> struct crowd */
	struct index shares;             /* (whose sums have it) -> struct share */
	struct call_sums calls_made;     /* by all of its processes */
	int64_t func_calls, func_untold; /* of functions that the user named */
	struct file_sums files; /* what processes and tool calls that are over have changed */
	struct recent recent[CRASH_KEPT];
	unsigned int recent_cnt;
	struct context contexts[CONTEXTS];
	unsigned int context_cnt;
	uint64_t lost_records, lost_bytes; /* what the counts were when it began */
	struct loss_sums loss;             /* ... */
	uint64_t budget_cut;               /* ... of bodies */
	struct now_sums now;
};

/* A program that a process started; a process may run several, one after the other. */
struct program {
	struct program *next;
	uint64_t ts;
	char *path; /* may be NULL */
	char *args; /* argv, NUL-separated */
	size_t args_len;
	uint32_t args_missing;
};

struct output;
struct fault;

/* proc->user: which run a process belongs to and where its span hangs. */
struct pstate {
	struct run *run; /* NULL: of none */
	bool is_root;
	char span_id[HEX64];
	char tool_span[HEX64];        /* the tool call that started it; "" for none */
	const char *link;             /* ringspan.link of that */
	bool tool_sure;               /* and its arguments told */
	struct output *output[2];     /* stdout and stderr; NULL: nothing came */
	struct fault *faults;         /* newest first; see crash.c */
	struct ledger *files;         /* what it changed; NULL: nothing */
	struct threads *threads;      /* that ended; NULL: none was told */
	struct call_sums calls;       /* system calls, so far */
	struct func_calls *functions; /* NULL: none of those that the user named */
	struct program *programs;     /* in order, LIMIT_PROGRAMS of them at most */
	const struct program
		*command; /* the one that is what a tool call asks for; NULL: the first */
	uint64_t lost;    /* records that were lost before it was born */
	struct usage_totals used;
	struct now_proc now;
	bool program_lost; /* and more of them before its first program was seen */
};

/* open.c: spans that are not over, parents first */
struct open_walk {
	trace_span_fn fn;
	void *ctx;
};
void open_give(const struct open_walk *w, struct run *r, struct span **s); /* hands out, frees */
/* A span that is being put together, without its payloads; NULL: out of memory. */
struct span *open_copy(struct run *r, const struct span *of);

/* trace.c */
struct span *engine_span(struct run *r, enum span_what what, uint64_t ts_start, uint64_t ts_end);
struct json *engine_resource(struct run *r, struct arena *a);
void engine_emit(struct run *r, struct span **s); /* counts, hands out, frees */
void engine_id(char out[HEX64], const struct run *r, enum span_what what, const uint64_t key[4]);
void engine_fail(struct span *s, struct sv type, struct sv message); /* status ERROR, error.type */
void engine_join(struct run *r, const struct proc *p, struct pstate *ps);
struct pstate *engine_pstate(struct trace *t, uint32_t tgid, uint64_t start); /* NULL: of no run */
/* Where a span of that process hangs: its own process span, or the run for the root. */
const char *engine_parent(const struct pstate *p);

/* clock.c: from CLOCK_MONOTONIC to the time of day, and nowhere else */
/*
 * Unix time, ns, as the spans of the run have it: by the wall clock as it was when the run began, and going
 * on while the machine was suspended.  So what is inside of another span stays there, and what came
 * first is first, whatever is done to the wall clock meanwhile: its steps are events of the run.
 */
uint64_t engine_wall(const struct run *r, uint64_t ts);
uint64_t engine_ts(const struct run *r, uint64_t wall_ns); /* the other way */
void clock_feed(struct trace *t, const struct ev_clock *e);
void clock_run_begins(struct run *r);
void clock_set_suspended(const struct run *r,
			 struct span *s); /* while it was open; it has its end */
void clock_set_steps(const struct run *r, struct span *root);

/* peer.c */
/*
 * The trace context that a request carries, as attributes; a link goes from the span and from the run to
 * the span that it names.
 */
void peer_context(struct run *r, struct span *s, struct sv parent, struct sv state);
void peer_run_links(struct run *r); /* the run is over: links on its span */
/* The request is whole: finds who is traced at the other end of its connection. */
void peer_find(struct exchange *x);
/* A span of the exchange: where it hangs, and its link, where the other end is known. */
void peer_set(struct span *s, const struct exchange *x);

/* served.c */
void served_begin(struct exchange *x); /* its request is for the process */
void served_end(struct exchange *x);   /* it is over; nothing when it never began */
struct served {
	char span_id[HEX64]; /* of the server's side */
	bool exact; /* both name the same trace; else it is the only one that is answered */
};
/* The request that the process answers, and for which it sends x; false: none, or nobody can tell. */
bool served_for(const struct exchange *x, struct served *out);

/* log.c: what processes write to stdout and stderr */
bool log_takes(const struct ev_hdr *rec); /* DATA of these, which is no connection's */
void log_feed(struct trace *t, const struct ev_data *d);
void log_end(struct pstate *ps, uint32_t pid); /* the process is over: tells what has no line end */
void log_free(struct pstate *ps);

/* crash.c */
void crash_signal(struct trace *t, const struct ev_signal *e);
void crash_stack(struct trace *t, const struct ev_stack *e);
void crash_keep(struct run *r, const struct span *s); /* it is handed out */
/* On a process's span, as events: signals that it handled, but for what ended it (0: nothing yet). */
void crash_survived(struct span *s, const struct pstate *ps, int ended_by);
/* A signal ended it: which, where and with which stack, and its latest spans as events. */
void crash_tell(struct span *s, const struct pstate *ps, uint32_t tgid, int signal);
void crash_free(struct pstate *ps);

/* process.c */
extern const struct proc_ops process_ops; /* ctx: struct trace */
void process_unfinished(struct trace *t);
void process_each_open(struct trace *t, const struct open_walk *w); /* runs too */

/* flow.c */
void flow_feed(struct trace *t, const struct ev_hdr *rec);
void flow_end_all(struct trace *t);
struct tool_ref;
/* The request was sent for that call: so was its connection made, if it was after the call. */
void flow_of_tool(const struct exchange *x, const struct tool_ref *ref);
void flow_named(const struct exchange *x); /* its request tells whom the connection leads to */
/* What is at the other end, by whatever name the run knows it, and at this end. */
void flow_addr(const struct run *r, struct span *s, const struct ev_addr *a);

/* phase.c */
void phases_set(struct span *s, const struct exchange *x); /* the attributes */

/* dns.c */
/*
 * What the process waited for the lookup of the name that it has connected to; once for each lookup.
 * False: none was seen that was over by then.
 */
bool dns_lookup_of(struct run *r, const struct ev_connect *e, uint64_t *ns);
void dns_expire(struct run *r, uint64_t now, bool all);                  /* unanswered queries */
void dns_process_over(struct run *r, const struct proc *p, uint64_t ts); /* those of a process */
struct sv dns_name_of(const struct run *r,
		      const struct ev_addr *addr); /* empty: none was asked for */
void dns_forget(struct run *r);

/* exchange.c */
struct chunk_stats {
	uint64_t cnt, ts_last, max_gap;
};

struct exchange {
	struct exchange *next;                /* on its connection, oldest first */
	struct exchange *run_prev, *run_next; /* in its run */
	uint64_t number;                      /* in order of birth */
	struct index_link of_call;
	struct index_link served, served_trace; /* see served.c */
	struct run *run;
	struct http_conn *http;
	struct arena arena;
	uint64_t conn_id, seq;
	uint32_t tgid;
	uint64_t proc_start;
	bool client; /* the process asked; else it answered */
	bool tls;
	bool first; /* of its connection */
	struct ev_addr addr;
	bool request_done, response_done, response_seen;
	bool answered; /* model_answered() was here */
	bool begins;   /* its request begins a conversation, as far as is known */
	struct sv method, target, host, user_agent, content_type;
	uint64_t req_first, req_last, req_wire, req_missing, req_over;
	unsigned int req_flags;
	int status;
	int http_major, http_minor;
	uint64_t resp_first, resp_last, resp_wire, resp_missing, resp_over;
	unsigned int resp_flags;
	struct chunk_stats chunks;
	struct sem_headers facts;
	struct sem_call *call;  /* NULL: no model API */
	struct framer *framer;  /* NULL: the answer is one text */
	struct grpc_call *grpc; /* NULL: no gRPC */
	struct gather req_body, resp_body;
	uint64_t answer_charged;  /* of the budget for bodies: for what its call's answer holds */
	struct sv req_head;       /* of a model call: what to send its body with again */
	struct rpc_exchange *rpc; /* NULL: neither MCP nor A2A, or not known yet */
	bool may_be_rpc;          /* its request's body, or a GET's events, will tell */
	struct sv traceparent, tracestate;
	struct sv session, protocol_version, last_event; /* MCP's header fields */
	uint64_t key;        /* same for every attempt of one call: host, target and request body */
	struct agent *agent; /* whose conversation it is; NULL: nobody's */
	int64_t turn;        /* ordinal in it */
	struct usage used;   /* as of its share's last settlement */
	struct share share;
	const struct agent
		*from;           /* who handed the conversation over by its request; NULL: nobody */
	struct agent *beside;    /* whose conversation it is made beside of, held; NULL: nobody's */
	uint64_t tools_asked;    /* by its answer, so far */
	char parent_span[HEX64]; /* "": its process's */
	struct context peer;     /* span of the other end; "": not known */
	uint32_t peer_tgid;
	char own_span[HEX64]; /* what the other end was told; "": nothing */
	const char *context;  /* ringspan.context, or NULL */
	const char *purpose;  /* ringspan.purpose, or NULL */
	const char *link;     /* ringspan.link of parent_span, or NULL */
};

enum role { ROLE_CLIENT, ROLE_SERVER };

/* A connection that speaks HTTP. */
struct http_conn {
	struct stream *stream;
	struct http1 *http1;
	struct http2 *http2; /* instead of http1 */
	enum role role;
	bool is_http2;
	bool used;             /* by an exchange */
	uint64_t fed[2];       /* bytes of each direction (enum ev_dir) so far, missing ones too */
	struct ws *ws;         /* NULL: no WebSocket */
	uint64_t ws_from[2];   /* where it begins */
	struct exchange *open; /* oldest first; LIMIT_HTTP_PIPELINE bounds them */
	struct early *early;   /* bytes of answers that came before what they answer, in order */
	size_t early_cnt, early_bytes;
};

struct http_conn *http_of(const struct conn *c); /* NULL: it carries none; http.c */

extern const struct http_ops exchange_ops; /* ctx: struct http_conn */
/* What a request's line and header tell the API; texts are views of m or in a. */
void exchange_route(struct sem_route *r, struct arena *a, const struct http_msg *m);
struct exchange *exchange_new(struct http_conn *h, uint64_t seq); /* NULL: out of memory */
void exchange_asked(struct exchange *x, bool cut); /* its call's request is whole, in req_body */
void exchange_event(struct exchange *x, const struct sse_event *ev); /* of its call's answer */
void exchange_piece(struct exchange *x, uint64_t ts);                /* of the answer's bytes */
void exchange_end(struct exchange *x);                               /* it is over */
void exchange_end_all(struct http_conn *h);                          /* so is its connection */
/* A part of what came back is not there: until they are seen, answers may have been in it. */
void exchange_answers_missed(struct http_conn *h);
/* Nothing is known of an answer, but there may have been one. */
bool exchange_answer_is_lost(const struct exchange *x);
/* A span with what every HTTP exchange has; its parent is the run. */
struct span *exchange_span(const struct exchange *x, enum span_what what);
void exchange_describe(struct span *s,
		       const struct exchange *x); /* the same on a span that is there */
/* The id that its span has, as far as it is not part of a call that was tried before. */
void exchange_id(char out[HEX64], const struct exchange *x, enum span_what what);
/*
 * May x, which asks the same as e, be another attempt while e is not over?  SDKs say which attempt one
 * is; else it may where e's answer stopped in the middle before x began, since what broke may not be
 * known to be closed yet.
 */
bool exchange_may_retry(const struct exchange *x, const struct exchange *e);
struct sv exchange_url(struct arena *a,
		       const struct exchange *x); /* whole, as far as it is known */
/* The host that it asks, as its request says; port: text, empty when that does not say. */
struct sv exchange_server(const struct exchange *x, struct sv *port);
void exchange_place(struct span *s, const struct exchange *x); /* name and parent of an http span */
void exchange_each_open(struct run *r, const struct open_walk *w);
/* Ends an exchange whose answer stalled, because its request was sent again elsewhere. */
void exchange_abandon(struct exchange *x);
/* Those of its run that ask the same as x and were asked already, x too. */
struct index_link *exchange_of_call(const struct exchange *x);
/* Paths are claimed on any host; what neither names a model nor is answered like one is no call. */
bool exchange_is_call(const struct exchange *x);

/* grpc_call.c: gRPC; each does nothing for an exchange that is none */
void grpc_call_head(struct exchange *x, const struct http_msg *m);
void grpc_call_body(struct exchange *x, enum http_dir dir, uint64_t ts, struct sv bytes);
void grpc_call_hole(struct exchange *x, enum http_dir dir, uint64_t missing);
void grpc_call_done(struct exchange *x, const struct http_msg *m);
void grpc_call_set(struct span *s, const struct exchange *x);
void grpc_call_free(struct grpc_call **r);

/* ws.c: model calls over a WebSocket */
void ws_open(struct http_conn *h, const struct exchange *handshake, const struct http_msg *answer);
void ws_feed(struct http_conn *h, enum http_dir dir, uint64_t ts, struct sv bytes);
void ws_gap(struct http_conn *h, enum http_dir dir, uint64_t missing);
void ws_close(struct http_conn *h);

/* model.c */
void model_answered(struct exchange *x);    /* the answer is whole: its tool calls are known */
void model_calls_tools(struct exchange *x); /* some of them may be before that */
/* The id of the span that will stand for the call: an earlier attempt may have made it. */
void model_id(char out[HEX64], const struct exchange *x);
void model_attempt(struct exchange *x);                   /* an exchange with a model API is over */
void model_expire(struct run *r, uint64_t now, bool all); /* calls that nobody tried again */
void model_given_up(struct run *r,
		    const struct agent *a); /* it goes on: its failed calls are over */
void model_each_open(struct run *r, const struct open_walk *w);
void model_forget(struct run *r); /* after model_expire() of all */

/* agent.c */
/* What a call is for that begins no conversation (ringspan.purpose); NULL: it may begin one. */
const char *call_purpose(const struct sem_call *c);
void agent_asked(struct exchange *x); /* its request is known: finds agent and turn */
void agent_answered(struct exchange *x);
void agent_calls_tool(struct exchange *x);
/* A call of it is over for good, in that turn. */
void agent_called(struct agent *a, const struct span *call, int64_t turn, uint64_t ts);
/* So is one beside its turns. */
void agent_called_beside(struct agent *a, const struct span *call, uint64_t ts);
/* In that turn; nothing when it is over. */
void agent_waited(struct agent *a, int64_t turn, enum wait_cause cause, uint64_t from, uint64_t to);
/* In the open turns of a process's agents. */
void agent_process_waited(struct run *r, const struct proc *p, enum wait_cause cause, uint64_t from,
			  uint64_t to);
/* Something in that turn took it. */
void agent_charge(struct agent *a, int64_t turn, const struct usage *u);
void agent_hold(struct agent *a); /* it stays until it is released */
void agent_release(struct agent *a);
void agent_leave(struct exchange *x); /* it is freed: releases what it held */
void agent_finish_all(struct run *r);
void agent_each_open(struct run *r, const struct open_walk *w);

/* verdict.c */
/* Arguments (NULL: none) under a schema; true: they break it, and both spans say so. */
bool verdict_of_schema(struct run *r, struct span *of, const struct json *schema,
		       const struct json *args, struct sv by);
/* The same of a call that a model asks for, under the request's own definitions. */
bool verdict_of_tool_call(const struct exchange *x, const struct sem_tool_call *tc,
			  struct span *tool);
void verdict_of_call(struct exchange *x, struct span *call); /* refusals, filters, moderation */
/* program: its name, without an interpreter's; args: what is behind it; exit_code: -1 for a signal. */
void verdict_of_tests(struct span *process, struct sv program, struct sv args, int exit_code);

/* approval.c */
struct approval {
	uint64_t ts_from, ts_to; /* ts_to 0: nobody was asked */
	bool own;                /* the process that had asked the model was answered */
	bool counted;            /* who waited was told so before */
	bool blocked;            /* a read began behind the question and waited for the answer */
	const char *by;          /* "terminal", "pipe", "elicitation", "message", "request" */
	const char *decision;    /* "approved", "denied", "cancelled"; NULL: not known */
	struct sv action, mode, message; /* as an elicitation has them */
	uint64_t key;                    /* tells it from others at the same time and place */
};
void approval_feed(struct trace *t, const struct ev_input *in);
/* in may be the answer to what was asked at that time; own: by the process that asked the model. */
void approval_input(struct approval *a, const struct ev_input *in, uint64_t asked, bool own);
/* The tool call is over; ran: something was seen to do it.  res: NULL without an answer. */
void approval_of_tool(struct run *r, const struct span *tool, struct approval *a, bool ran,
		      const struct sem_tool_result *res);
/*
 * An elicitation, or an A2A task that wanted input, was answered as a->action says.  tool: of the request that it is for, if known;
 * tool_span: the model's call of it, which waited, too.
 */
void approval_elicited(struct run *r, const char *parent, struct sv tool, const char *tool_span,
		       struct approval *a);

/* An answer of a model API asks for leave, and a request has the word. */
void approval_of_answer(struct exchange *x);
void approval_of_request(struct exchange *x);
void approval_forget(struct run *r); /* it is over: what nobody said is not told */

/* charge.c */
void usage_feed(struct trace *t, const struct ev_usage *e);
/* It is there, or may_be_rpc changed: takes its share, or gives it up. */
void charge_exchange(struct exchange *x);
/* The span that a whole thing of a process goes to: those that would be charged, one after the other. */
void usage_owner(const struct pstate *ps, const struct proc *p, char out[HEX64]);

/* wait.c */
void wait_add(struct wait_set *w, uint64_t from, uint64_t to); /* nothing when from >= to */
void waits_set(struct span *s, const struct waits *w);         /* the attributes */
/* A process waited for the network: its tool call did, where one started it, else the run. */
void wait_of_process(struct run *r, const struct proc *p, uint64_t from, uint64_t to);

/* tool.c */
/* An open tool call waited, and so did the turn that it is of; of another id only the run did. */
void tool_waited(struct run *r, const char *span_id, enum wait_cause cause, uint64_t from,
		 uint64_t to);
/* A process of the open tool call of that span took it. */
void tool_charge(struct run *r, const char *span_id, const struct usage *u);
/* It was sent for the open tool call of that span: what it took, and takes, is the call's, too. */
void tool_has_exchange(struct exchange *x, const char *span_id);
/* The process was answered, by a human maybe. */
void tool_input(struct run *r, const struct proc *p, const struct ev_input *in);
struct tool_ref {
	const char *span_id;
	uint64_t asked;   /* when the model had asked for it */
	struct sv agent;  /* name of the sub-agent that the call asks for; may be empty */
	const char *link; /* "exact", "argument" or "time" */
	bool invalid;     /* its arguments were found to break its schema */
	bool by_args;     /* its arguments told, if only that it is one of several */
};
void tool_asked(struct run *r, struct exchange *x, const struct sem_tool_call *tc);
/* The answer that asked for it is whole now: only that tells whether its bound cut the arguments. */
void tool_told(const struct exchange *x, const struct sem_tool_call *tc);
/* Its latest answer is of no use to the client, which asks the same again: nor are the calls in it. */
void tool_dropped(struct run *r, const struct agent *a, uint64_t ts);
void tool_broken_off(const struct exchange *x); /* the answer that asks did not come to its end */
/* A request has the result of a call: of its own conversation, where that has one of this id. */
void tool_answered(const struct exchange *x, const struct sem_tool_result *res);
/*
 * The open tool call that a process was started by, of what it ran; false: none can be told.  Time
 * alone says so only of a call that an ancestor of the process asked for.
 */
bool tool_of_process(struct run *r, const struct proc *p, struct tool_ref *out);
/* Do the arguments of that open tool call name what the program was started with? */
bool tool_names_program(struct run *r, const char *span_id, const struct program *prog);
/*
 * The open tool call that began the conversation whose first request this is; by_time: also when only
 * the call's name and time say so.
 */
bool tool_of_input(const struct exchange *x, bool by_time, struct tool_ref *out);
void tool_unanswered(struct run *r, uint64_t now);
void tool_each_open(struct run *r, const struct open_walk *w);

/* A call of an MCP tool, as its own span has it. */
struct tool_ask {
	struct sv name;
	const struct json *args,
		*ids; /* ids: array of texts that may be the model's id of the call */
	uint64_t ts;
	const struct proc *proc; /* whose end of the conversation; may be NULL */
	bool by_time;            /* when nothing else tells, being the only open one does */
};
/* The open tool call that it was made for; false: none can be told. */
bool tool_of_ask(struct run *r, const struct tool_ask *ask, struct tool_ref *out);
/* Files that were changed for an open tool call of that span; NULL: there is no such call. */
struct ledger **tool_ledger(struct run *r, const char *span_id);
/*
 * The same of the open tool call whose arguments name the path that the process changed, and how sure
 * that is; NULL: none does.
 */
struct ledger **tool_of_file(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link);
/* The same of a path that it read: that says nothing of when the call began, a preview reads it, too. */
struct ledger **tool_of_read(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link);
/*
 * The open tool call that an HTTP request was sent for, by its URL and body, or by the time; false: none
 * can be told.
 */
bool tool_of_request(struct exchange *x, struct sv url, struct tool_ref *out);
/* What a process asks a database. */
struct tool_query {
	uint64_t ts;
	struct sv text;
	const struct sv *values; /* of its parameters, which are no part of the text */
	size_t value_cnt;
};

/* The same of that, by its text and the parameters' values, or by the time. */
bool tool_of_query(struct run *r, const struct proc *p, const struct tool_query *q,
		   struct tool_ref *out);
/* The span of the tool call that the process or one above it was started by, or NULL. */
const char *process_tool(const struct proc *p);

/* rpc_span.c */
void rpc_each_open(struct run *r, const struct open_walk *w);

/* rpc_link.c */
void rpc_tick(struct run *r, uint64_t now);
void rpc_end_all(struct run *r); /* the run is over */

/* rpc_http.c: what an exchange holds of MCP or A2A */
void rpc_http_head(struct exchange *x, const struct http_msg *m); /* request; may set may_be_rpc */
void rpc_http_asked(struct exchange *x, const struct http_msg *m, bool cut); /* its body is whole */
void rpc_http_answer_head(struct exchange *x, const struct http_msg *m);
void rpc_http_event(struct exchange *x, const struct sse_event *ev);
bool rpc_http_wants(const struct exchange *x, bool events); /* its answer's body */
void rpc_http_answered(struct exchange *x, bool cut);
bool rpc_http_over(struct exchange *x); /* false: its requests, if any, are no span of their own */
void rpc_http_describe(struct span *s, const struct exchange *x); /* an http span's session */
void rpc_http_free(struct exchange *x);

#endif
