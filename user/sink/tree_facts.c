// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a span's line in the tree says beside its name: a list of short facts, the most important first,
 * for a narrow terminal shows only the first of them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "proc/program.h"
#include "sink/tree_priv.h"

#define FACT_MAX 400 /* bytes: wider than any terminal that people read */
#define NAME_MAX_BYTES 200
#define LIST_MAX 4 /* entries of a list that are shown */
#define CALLERS_MAX 3
#define CALLER_BYTES 60
#define ARGUMENT_MAX 32 /* bytes of a request's arguments: more is to be told behind them */

/* Ends the fact that was added from `from` on; an empty one is none. */
static void end_fact(struct buf *b, size_t from)
{
	if (b->len > from)
		buf_ch(b, '\0');
}

static void fact_sv(struct buf *b, const char *before, struct sv text, const char *behind)
{
	if (!text.n)
		return;
	buf_str(b, before);
	text = sv_clip_utf8(text, FACT_MAX);
	for (size_t i = 0; i < text.n; i++)
		buf_ch(b, text.p[i] ? text.p[i] : '?');
	buf_str(b, behind);
	buf_ch(b, '\0');
}

static void fact(struct buf *b, const char *before, const char *text, const char *behind)
{
	fact_sv(b, before, sv(text), behind);
}

static void fact_ns(struct buf *b, const struct span *s, enum attr_id id, const char *before,
		    const char *behind)
{
	int64_t ns = span_attr_int(s, id, 0);

	if (ns > 0)
		fact(b, before, human_duration((uint64_t)ns).s, behind);
}

static void fact_bytes(struct buf *b, const struct span *s, enum attr_id id, const char *before,
		       const char *behind)
{
	int64_t n = span_attr_int(s, id, -1);

	if (n > 0)
		fact(b, before, human_bytes((uint64_t)n).s, behind);
}

static void fact_int(struct buf *b, const struct span *s, enum attr_id id, const char *before,
		     const char *behind)
{
	int64_t v = span_attr_int(s, id, INT64_MIN);
	char text[24];

	if (v == INT64_MIN)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)v);
	fact(b, before, text, behind);
}

/* "rate_limit_error: slow down", or what there is of it. */
static void add_error(struct buf *b, const struct span *s)
{
	struct sv type = span_attr_sv(s, ATTR_ID_ERROR_TYPE), message = s->status_message;
	int64_t number;

	/* an exit code or a status, or a word: the message has it */
	if (message.n && (sv_i64(type, &number) == 0 || sv_find(message, type) >= 0))
		type.n = 0;
	if (type.n && message.n && !sv_eq(type, message))
		fact_sv(b, "", type, ":");
	else if (type.n)
		fact_sv(b, "", type, "");
	if (!message.n || sv_eq(type, message))
		return;
	if (b->len && type.n)
		b->p[b->len - 1] = ' '; /* in one fact with the type */
	fact_sv(b, "", message, "");
}

static void tokens(struct buf *b, const struct span *s)
{
	int64_t in = span_attr_int(s, ATTR_ID_USAGE_INPUT, -1);
	int64_t out = span_attr_int(s, ATTR_ID_USAGE_OUTPUT, -1);
	size_t from = b->len;

	if (in >= 0)
		buf_fmt(b, "%s in", human_count((uint64_t)in).s);
	if (out >= 0)
		buf_fmt(b, "%s%s out", b->len > from ? " " : "", human_count((uint64_t)out).s);
	end_fact(b, from);
}

static void cache_share(struct buf *b, const struct span *s)
{
	int64_t in = span_attr_int(s, ATTR_ID_USAGE_INPUT, -1);
	int64_t hit = span_attr_int(s, ATTR_ID_USAGE_CACHE_READ, 0);
	size_t from = b->len;

	if (in > 0 && hit > 0)
		buf_fmt(b, "%.0f%% cached", 100.0 * (double)hit / (double)in);
	end_fact(b, from);
}

/* "one, two, three, four +3" */
static void joined(struct buf *b, const struct json *list, const char *before)
{
	size_t from = b->len, cnt = 0;

	json_for_each (list, e) {
		struct sv text = sv_clip_utf8(json_sv(e), FACT_MAX);

		if (cnt == LIST_MAX || b->len - from > FACT_MAX ||
		    memchr(text.p ? text.p : "", '\0', text.n))
			break;
		buf_str(b, cnt++ ? ", " : before);
		buf_sv(b, text);
	}
	if (cnt && list->cnt > cnt)
		buf_fmt(b, " +%zu", (size_t)list->cnt - cnt);
	end_fact(b, from);
}

static void sums(struct buf *b, const struct span *s)
{
	double usd = span_attr_float(s, ATTR_ID_COST, NAN);

	tokens(b, s);
	if (!isnan(usd))
		fact(b, "", human_usd(usd).s, "");
}

static void agent_facts(struct buf *b, const struct span *s)
{
	int64_t turns = span_attr_int(s, ATTR_ID_TURNS, 0);

	fact_int(b, s, ATTR_ID_TURNS, "", turns == 1 ? " turn" : " turns");
	sums(b, s);
}

/* Where the time went, the waits that a reader can do something about. */
static void waits(struct buf *b, const struct span *s)
{
	fact_ns(b, s, ATTR_ID_WAIT_HUMAN, "human ", "");
	fact_ns(b, s, ATTR_ID_WAIT_THROTTLED, "throttled ", "");
	fact_ns(b, s, ATTR_ID_WAIT_RETRY, "retries ", "");
	fact_ns(b, s, ATTR_ID_WAIT_PROVIDER, "provider ", "");
	fact_ns(b, s, ATTR_ID_WAIT_STREAM, "stream ", "");
	fact_ns(b, s, ATTR_ID_WAIT_NETWORK, "network ", "");
}

/* What was asked, where messages are shown. */
static void turn_facts(struct buf *b, const struct span *s, bool payload)
{
	if (payload)
		json_for_each (span_attr(s, ATTR_ID_INPUT_MESSAGES), m)
			json_for_each (json_get(m, "parts"), part)
				fact_sv(b, "", json_sv(json_get(part, "content")), "");
	sums(b, s);
	waits(b, s);
}

static void model_facts(struct buf *b, const struct span *s)
{
	int64_t attempts = span_attr_int(s, ATTR_ID_ATTEMPTS, 1);
	struct sv model = span_attr_sv(s, ATTR_ID_RESPONSE_MODEL);
	struct sv asked = span_attr_sv(s, ATTR_ID_REQUEST_MODEL);
	size_t from;

	fact_sv(b, "", span_attr_sv(s, ATTR_ID_PURPOSE), "");
	fact_sv(b, "history ", span_attr_sv(s, ATTR_ID_CONTEXT), "");
	sums(b, s);
	if (attempts > 1)
		fact_int(b, s, ATTR_ID_ATTEMPTS, "", " attempts");
	from = b->len;
	fact_ns(b, s, ATTR_ID_FIRST_TOKEN_NS, "first token ", "");
	if (b->len == from)
		fact_ns(b, s, ATTR_ID_FIRST_BYTE_NS, "first byte ", "");
	cache_share(b, s);
	joined(b, span_attr(s, ATTR_ID_FINISH_REASONS), "");
	if (span_attr_float(s, ATTR_ID_TOKEN_RATE, 0) >= 1) {
		from = b->len;
		buf_fmt(b, "%.0f tokens/s", span_attr_float(s, ATTR_ID_TOKEN_RATE, 0));
		end_fact(b, from);
	}
	/* that an alias stands for its latest release is no news */
	if (asked.n && !sv_eq(sv_sub(model, 0, asked.n), asked))
		fact_sv(b, "by ", model, "");
}

static void attempt_facts(struct buf *b, const struct span *s)
{
	fact_int(b, s, ATTR_ID_HTTP_STATUS, "HTTP ", "");
	tokens(b, s);
	fact_ns(b, s, ATTR_ID_RETRY_AFTER, "told to wait ", "");
	fact_ns(b, s, ATTR_ID_RETRY_WAIT, "after waiting ", "");
}

/* What was asked for, where the provider said how long. */
static void wait_facts(struct buf *b, const struct span *s)
{
	fact_ns(b, s, ATTR_ID_RETRY_AFTER, "told to wait ", "");
}

static void approval_facts(struct buf *b, const struct span *s)
{
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "");
	fact_sv(b, "by ", span_attr_sv(s, ATTR_ID_APPROVAL_BY), "");
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_APPROVAL_MESSAGE), "");
}

/* What was judged by whom, and why it failed. */
static void validation_facts(struct buf *b, const struct span *s)
{
	if (s->status != STATUS_ERROR)
		fact_sv(b, "", span_attr_sv(s, ATTR_ID_VALIDATION_OUTCOME), "");
	joined(b, span_attr(s, ATTR_ID_VALIDATION_REASONS), "");
	fact_sv(b, "by ", span_attr_sv(s, ATTR_ID_VALIDATION_BY), "");
	fact_sv(b, "rule ", span_attr_sv(s, ATTR_ID_VALIDATION_RULE), "");
}

static bool reason_given(const struct span *s, const char *reason)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e) {
		if (json_str_is(e, reason))
			return true;
	}
	return false;
}

/* At most `most` bytes of them. */
static void arguments(struct buf *b, const struct span *s, size_t most)
{
	const struct json *args = span_attr(s, ATTR_ID_TOOL_ARGUMENTS);
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct sv shown;

	if (!args || (args->type == JSON_OBJECT && !args->cnt))
		return;
	/* one string is the whole story: no need for its key and quotes */
	if (args->cnt == 1 && args->head->type == JSON_STRING)
		args = args->head;
	if (args->type != JSON_STRING && json_write(&text, args))
		return;
	shown = args->type == JSON_STRING ? args->s : buf_view(&text);
	fact_sv(b, "", sv_clip_utf8(shown, most), shown.n > most ? ".." : "");
}

static void tool_facts(struct buf *b, const struct span *s)
{
	bool files = span_attr(s, ATTR_ID_FILES_CHANGES) || span_attr(s, ATTR_ID_FILES_READS);

	arguments(b, s, files ? ARGUMENT_MAX : FACT_MAX);
	tree_file_facts(b, s);
	if (json_true(span_attr(s, ATTR_ID_UNFINISHED)))
		fact(b, "", "no answer yet", "");
	else if (reason_given(s, "unanswered"))
		fact(b, "", "no answer", "");
	else if (s->status != STATUS_ERROR &&
		 !reason_given(s, "cap")) /* else nobody waited for it */
		fact(b, "", "answered", "");
}

/* The command line; its first word only where that is another than the program's, which is the span's. */
static void command(struct buf *b, const struct span *s)
{
	const struct json *args = span_attr(s, ATTR_ID_PROCESS_ARGS);
	const struct json *first = args ? args->head : NULL;
	struct sv program = span_attr_sv(s, ATTR_ID_PROCESS_EXE_NAME);
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (!span_attr_int(s, ATTR_ID_EXECS, 1)) { /* the words are its parent's */
		fact(b, "", "forked, ran no program", "");
		return;
	}
	if (first && (!program.n || sv_eq(program_base(json_sv(first)), program)))
		first = first->next;
	for (const struct json *e = first; e && text.len < FACT_MAX; e = e->next) {
		buf_str(&text, text.len ? " " : "");
		buf_sv(&text, sv_clip_utf8(json_sv(e), FACT_MAX));
	}
	fact_sv(b, "", buf_view(&text), "");
}

/* Of a process that a signal ended: what it did last. */
static void last_done(struct buf *b, const struct span *s)
{
	const struct json *last = NULL;

	json_for_each (s->events, e)
		if (json_str_is(json_get(e, "name"), "before_signal"))
			last = e;
	if (last)
		fact_sv(b, "after ",
			json_sv(json_get(json_get(last, "attributes"),
					 attr_defs[ATTR_ID_EVENT_MESSAGE].key)),
			"");
}

/* Of a crash's stack: who called where it happened, as far as they have names. */
static void callers(struct buf *b, const struct span *s)
{
	struct sv stack = span_attr_sv(s, ATTR_ID_EXCEPTION_STACK);
	size_t from = b->len;

	sv_token(&stack, '\n');
	for (size_t i = 0; i < CALLERS_MAX && stack.n; i++) {
		struct sv line = sv_token(&stack, '\n'), name;

		sv_token(&line, ' ');
		name = sv_token(&line, '+');
		if (sv_starts(name, "??"))
			break;
		buf_str(b, i ? " < " : "called by ");
		buf_sv(b, sv_clip_utf8(name, CALLER_BYTES));
	}
	end_fact(b, from);
}

static void process_facts(struct buf *b, const struct span *s)
{
	callers(b, s);
	command(b, s);
	fact_sv(b, "tests ", span_attr_sv(s, ATTR_ID_VALIDATION_OUTCOME), "");
	last_done(b, s);
	if (s->status != STATUS_ERROR)
		fact_int(b, s, ATTR_ID_PROCESS_EXIT_CODE, "exit ", "");
	fact_ns(b, s, ATTR_ID_CPU_NS, "cpu ", "");
	tree_read_sums(b, s);
	fact_bytes(b, s, ATTR_ID_MEM_PEAK, "peak ", "");
	fact_bytes(b, s, ATTR_ID_IO_READ, "disk read ", "");
	fact_bytes(b, s, ATTR_ID_IO_WRITE, "disk written ", "");
	fact_int(b, s, ATTR_ID_PROCESS_PID, "pid ", "");
}

/* "10.0.0.1:443", "[::1]:443" */
static void peer_fact(struct buf *b, const struct span *s)
{
	struct sv peer = span_attr_sv(s, ATTR_ID_NET_PEER_ADDRESS);
	int64_t port = span_attr_int(s, ATTR_ID_NET_PEER_PORT, 0);
	bool v6 = memchr(peer.p ? peer.p : "", ':', peer.n);
	char behind[24] = "";

	if (port)
		snprintf(behind, sizeof(behind), "%s:%lld", v6 ? "]" : "", (long long)port);
	fact_sv(b, v6 && port ? "[" : "", peer, behind);
}

/* What moved over a connection, and how well. */
static void traffic_facts(struct buf *b, const struct span *s)
{
	fact_sv(b, "not seen: ", span_attr_sv(s, ATTR_ID_CONTENT_REASON), "");
	fact_bytes(b, s, ATTR_ID_SENT_BYTES, "", " sent");
	fact_bytes(b, s, ATTR_ID_RECEIVED_BYTES, "", " received");
	if (span_attr_int(s, ATTR_ID_RETRANSMITS, 0) > 0)
		fact_int(b, s, ATTR_ID_RETRANSMITS, "", " retransmitted");
	fact_ns(b, s, ATTR_ID_RTT, "rtt ", "");
	fact_sv(b, "reset by ", span_attr_sv(s, ATTR_ID_RESET), "");
	fact_bytes(b, s, ATTR_ID_UNSEEN_BYTES, "", " by other calls");
}

static void connect_facts(struct buf *b, const struct span *s)
{
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_PEER_NAME), "");
	peer_fact(b, s);
	fact_ns(b, s, ATTR_ID_QUEUE_NS, "waited ", " in the backlog");
	if (span_attr_int(s, ATTR_ID_BACKLOG, 0) > 0)
		fact_int(b, s, ATTR_ID_BACKLOG, "", " more wait");
	if (span_attr_int(s, ATTR_ID_BACKLOG_DROPS, 0) > 0)
		fact_int(b, s, ATTR_ID_BACKLOG_DROPS, "", " dropped so far");
	traffic_facts(b, s);
}

static void tls_facts(struct buf *b, const struct span *s)
{
	if (span_attr(s, ATTR_ID_TLS_ESTABLISHED)) { /* the handshake alone */
		fact_sv(b, "", span_attr_sv(s, ATTR_ID_SERVER_ADDRESS), "");
		fact_sv(b, "TLS ", span_attr_sv(s, ATTR_ID_TLS_PROTOCOL_VERSION), "");
		fact_sv(b, "", span_attr_sv(s, ATTR_ID_TLS_NEXT_PROTOCOL), "");
		if (span_attr(s, ATTR_ID_TLS_RESUMED))
			fact(b, "", "resumed", "");
		if (span_attr(s, ATTR_ID_TLS_RETRIED))
			fact(b, "", "hello sent again", "");
		fact_ns(b, s, ATTR_ID_TLS_ANSWER_NS, "answered in ", "");
		return;
	}
	peer_fact(b, s);
	joined(b, span_attr(s, ATTR_ID_TLS_ALPN), "offers ");
	fact_sv(b, "TLS ", span_attr_sv(s, ATTR_ID_TLS_VERSION), "");
	traffic_facts(b, s);
}

static void dns_facts(struct buf *b, const struct span *s)
{
	struct sv type = span_attr_sv(s, ATTR_ID_DNS_TYPE);
	const struct json *addrs = span_attr(s, ATTR_ID_DNS_ANSWERS);
	const struct json *others = span_attr(s, ATTR_ID_DNS_RECORDS);
	char before[40];

	snprintf(before, sizeof(before), SV_FMT " ", SV_ARG(sv_clip_utf8(type, 16)));
	if (addrs)
		joined(b, addrs, before);
	else if (s->status == STATUS_ERROR || others)
		fact_sv(b, "", type, "");
	else
		fact_sv(b, "", type, " none");
	if (span_attr_int(s, ATTR_ID_ATTEMPTS, 1) > 1)
		fact_int(b, s, ATTR_ID_ATTEMPTS, "asked ", " times");
	joined(b, others, "");
	peer_fact(b, s);
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "");
}

static void db_facts(struct buf *b, const struct span *s)
{
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_DB_SYSTEM), "");
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_DB_QUERY), "");
	joined(b, span_attr(s, ATTR_ID_DB_PARAMETERS), "with ");
	fact_int(b, s, ATTR_ID_DB_ROWS, "",
		 span_attr_int(s, ATTR_ID_DB_ROWS, 0) == 1 ? " row" : " rows");
	peer_fact(b, s);
}

static void http_facts(struct buf *b, const struct span *s)
{
	int64_t status = span_attr_int(s, ATTR_ID_HTTP_STATUS, 0);
	char before[24] = "";

	if (status && s->status != STATUS_ERROR)
		snprintf(before, sizeof(before), "%lld ", (long long)status);
	fact_sv(b, before, span_attr_sv(s, ATTR_ID_URL_FULL), "");
	fact_bytes(b, s, ATTR_ID_HTTP_REQUEST_BODY, "", " sent");
	fact_bytes(b, s, ATTR_ID_HTTP_RESPONSE_BODY, "", " received");
}

/* Who was asked what, what a human said to it, and how long it took there. */
static void rpc_facts(struct buf *b, const struct span *s)
{
	const struct json *tools = span_attr(s, ATTR_ID_MCP_TOOLS);
	size_t from;

	from = b->len;
	fact_sv(b, s->kind == SPAN_KIND_SERVER ? "as " : "",
		span_attr_sv(s, ATTR_ID_MCP_SERVER_NAME), "");
	if (b->len == from && s->what == SPAN_A2A) /* its name stands in the card alone */
		peer_fact(b, s);
	from = b->len;
	arguments(b, s, ARGUMENT_MAX);
	if (b->len == from)
		fact_sv(b, "", span_attr_sv(s, ATTR_ID_MCP_URI), "");
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_APPROVAL_MESSAGE), "");
	fact_sv(b, "human: ", span_attr_sv(s, ATTR_ID_APPROVAL_ACTION), "");
	from = b->len;
	if (tools)
		buf_fmt(b, "%zu tool%s", (size_t)tools->cnt, tools->cnt == 1 ? "" : "s");
	end_fact(b, from);
	if (s->status != STATUS_ERROR) /* the error says it */
		fact_sv(b, "", span_attr_sv(s, ATTR_ID_A2A_TASK_STATE), "");
	fact_sv(b, "by ", span_attr_sv(s, ATTR_ID_RESPONSE_MODEL), "");
	fact_ns(b, s, ATTR_ID_RPC_HANDLING_NS, "handled in ", "");
	fact_bytes(b, s, ATTR_ID_JSONRPC_REQUEST_BYTES, "", " sent");
	fact_bytes(b, s, ATTR_ID_JSONRPC_RESPONSE_BYTES, "", " received");
}

static void file_facts(struct buf *b, const struct span *s)
{
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_FILE_PATH), "");
	fact_sv(b, "to ", span_attr_sv(s, ATTR_ID_FILE_TO), "");
	fact_bytes(b, s, ATTR_ID_FILE_WRITTEN, "", " written");
	fact_bytes(b, s, ATTR_ID_FILE_READ, "", " read");
	fact_ns(b, s, ATTR_ID_FILE_SYNC_NS, "sync ", "");
}

/* "(localhost, 80) = 0", as the format has it. */
static void function_facts(struct buf *b, const struct span *s)
{
	const struct json *args = span_attr(s, ATTR_ID_FUNC_ARGS);
	const struct json *ret = span_attr(s, ATTR_ID_FUNC_RETURN);
	_cleanup_buf_ struct buf text = BUF_INIT;
	const char *before = "(";

	if (args)
		json_for_each (args, arg) {
			buf_str(&text, before);
			json_write(&text, arg);
			before = ", ";
		}
	if (args)
		buf_ch(&text, ')');
	if (ret) {
		buf_str(&text, text.len ? " = " : "= ");
		json_write(&text, ret);
	}
	fact_sv(b, "", buf_view(&text), "");
	fact_sv(b, "", span_attr_sv(s, ATTR_ID_CODE_FILE), "");
	fact_sv(b, "ended by ", span_attr_sv(s, ATTR_ID_FUNC_END), "");
	fact_int(b, s, ATTR_ID_FUNC_UNTOLD, "", " calls in it not told");
}

static void kind_facts(struct buf *b, const struct span *s, bool payload)
{
	switch (s->what) {
	case SPAN_MODEL_CALL:
	case SPAN_EMBEDDING:
	case SPAN_RETRIEVAL:
		model_facts(b, s);
		break;
	case SPAN_ATTEMPT:
		attempt_facts(b, s);
		break;
	case SPAN_AGENT:
		agent_facts(b, s);
		break;
	case SPAN_TURN:
		turn_facts(b, s, payload);
		break;
	case SPAN_TOOL_CALL:
		tool_facts(b, s);
		break;
	case SPAN_PROCESS:
	case SPAN_RUN:
		process_facts(b, s);
		break;
	case SPAN_CONNECT:
		connect_facts(b, s);
		break;
	case SPAN_WAIT:
		wait_facts(b, s);
		break;
	case SPAN_APPROVAL:
		approval_facts(b, s);
		break;
	case SPAN_VALIDATION:
		validation_facts(b, s);
		break;
	case SPAN_HTTP:
		http_facts(b, s);
		break;
	case SPAN_FILE:
		file_facts(b, s);
		break;
	case SPAN_FUNCTION:
		function_facts(b, s);
		break;
	case SPAN_DB:
		db_facts(b, s);
		break;
	case SPAN_DNS:
		dns_facts(b, s);
		break;
	case SPAN_TLS:
		tls_facts(b, s);
		break;
	case SPAN_MCP:
	case SPAN_A2A:
		rpc_facts(b, s);
		break;
	default:
		break;
	}
}

/* When content began to arrive: counted from the last attempt's start, which only the answer tells. */
static uint64_t first_token(const struct node *n, const struct span *s)
{
	int64_t first = span_attr_int(s, ATTR_ID_FIRST_TOKEN_NS, -1);
	int64_t transfer = span_attr_int(s, ATTR_ID_TRANSFER_NS, -1);
	int64_t byte = span_attr_int(s, ATTR_ID_FIRST_BYTE_NS, -1);
	uint64_t length = n->end - n->start, since = 0;

	if (s->what != SPAN_MODEL_CALL || first < 0 || (uint64_t)first > length)
		return 0;
	if (transfer >= 0 && byte >= 0 && (uint64_t)transfer <= length &&
	    (uint64_t)byte <= length - (uint64_t)transfer)
		since = length - (uint64_t)transfer - (uint64_t)byte;
	return since + (uint64_t)first <= length ? n->start + since + (uint64_t)first : 0;
}

void tree_describe(struct tree *t, struct node *n, const struct span *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	n->name = arena_dup(&t->arena, sv_clip_utf8(s->name, NAME_MAX_BYTES));
	n->read = span_is_read(s);
	if (n->failed) {
		add_error(&b, s);
		n->error = arena_dup(&t->arena, sv_sub(buf_view(&b), 0, b.len ? b.len - 1 : 0));
	}
	n->not_seen = arena_dup(&t->arena, span_attr_sv(s, ATTR_ID_CONTENT_REASON));
	if (n->unfinished)
		fact(&b, "", "unfinished", "");
	if (t->cfg.syscalls)
		n->calls = tree_call_fact(t, s);
	kind_facts(&b, s, t->cfg.payload);
	fact_ns(&b, s, ATTR_ID_SUSPENDED, "suspended ", "");
	joined(&b, span_attr(s, ATTR_ID_INCOMPLETE), "incomplete: ");
	n->facts = arena_dup(&t->arena, buf_view(&b));
	n->first_token = first_token(n, s);
}
