// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exchanges with model APIs that are no chat over server-sent events, through the trace engine: which
 * span they become, and that every framing of a stream gives its times.
 */
#include "../fixture.h"
#include "base/cleanup.h"
#include "span/trace.h"

#define MS 1000000ull
#define AGENT 10
#define ARGS "python3\0agent.py"

struct world {
	struct trace *trace;
	struct span *call, *run; /* the only exchange's span, and the run's */
	uint64_t pos[2];
};

static void on_span(void *ctx, const struct span *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = ctx;
	struct span **to = s->what == SPAN_RUN ? &w->run : &w->call;

	if (s->what == SPAN_AGENT || s->what == SPAN_TURN)
		return;
	assert_null(*to);
	assert_int_equal(span_write_json(&b, s, true), 0);
	assert_int_equal(span_read_json(to, buf_view(&b)), 0);
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static void bytes(struct world *w, uint64_t ts, int dir, struct sv s)
{
	feed(w, record_data(ts, AGENT, 1, dir, w->pos[dir], s.p, s.n));
	w->pos[dir] += s.n;
}

/* The request, and the head of its answer, whose body has that length. */
static void begin(struct world *w, const char *host, const char *path, const char *request,
		  const char *type, size_t length)
{
	static const struct trace_cfg cfg = { 0 };
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS, sizeof(ARGS)));
	buf_fmt(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n%s", path, host,
		strlen(request), request);
	bytes(w, 10 * MS, EV_WRITE, buf_view(&b));
	buf_clear(&b);
	buf_fmt(&b, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type,
		length);
	bytes(w, 20 * MS, EV_READ, buf_view(&b));
}

static void end(struct world *w)
{
	feed(w, record_exit(900 * MS, AGENT, 0));
	trace_end(w->trace);
	trace_free(&w->trace);
	assert_non_null(w->call);
	assert_non_null(w->run);
}

static void fini(struct world *w)
{
	span_free(&w->call);
	span_free(&w->run);
}

static void unary(struct world *w, const char *host, const char *path, const char *request,
		  const char *answer)
{
	begin(w, host, path, request, "application/json", strlen(answer));
	bytes(w, 30 * MS, EV_READ, sv(answer));
	end(w);
}

static void test_embedding(void **state)
{
	struct world w = { 0 };

	(void)state;
	unary(&w, "api.openai.com", "/v1/embeddings",
	      "{\"model\":\"e-1\",\"input\":\"hi\",\"encoding_format\":\"float\"}",
	      "{\"model\":\"e-1\",\"data\":[{\"embedding\":[1,2,3]}],"
	      "\"usage\":{\"prompt_tokens\":4}}");
	assert_int_equal(w.call->what, SPAN_EMBEDDING);
	ASSERT_SV(w.call->name, "embeddings e-1");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_OP), "embeddings");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_API), "openai.embeddings");
	assert_int_equal(span_attr_int(w.call, ATTR_ID_EMBEDDING_DIMENSIONS, 0), 3);
	assert_int_equal(span_attr_int(w.call, ATTR_ID_USAGE_INPUT, 0), 4);
	assert_non_null(span_attr(w.call, ATTR_ID_ENCODING_FORMATS));
	assert_null(span_attr(w.call, ATTR_ID_OPENAI_API));
	assert_int_equal(span_attr_int(w.run, ATTR_ID_MODEL_CALLS, -1), 0);
	fini(&w);
}

static void test_retrieval(void **state)
{
	struct world w = { 0 };

	(void)state;
	unary(&w, "api.cohere.com", "/v2/rerank",
	      "{\"model\":\"r-1\",\"query\":\"who\",\"documents\":[\"a\",\"b\"]}",
	      "{\"id\":\"x\",\"results\":[{\"index\":1,\"relevance_score\":0.5}]}");
	assert_int_equal(w.call->what, SPAN_RETRIEVAL);
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_RETRIEVAL_QUERY), "who");
	ASSERT_SV(json_sv(json_path(span_attr(w.call, ATTR_ID_RETRIEVAL_DOCUMENTS), "0.id")), "1");
	assert_int_equal(span_attr_int(w.run, ATTR_ID_MODEL_CALLS, -1), 0);
	fini(&w);
}

static void test_vector_search(void **state)
{
	struct world w = { 0 };

	(void)state;
	unary(&w, "localhost:6333", "/collections/docs/points/query",
	      "{\"query\":[0.5,1,2],\"limit\":4}",
	      "{\"result\":{\"points\":[{\"id\":7,\"score\":0.5}]},\"status\":\"ok\"}");
	assert_int_equal(w.call->what, SPAN_RETRIEVAL);
	ASSERT_SV(w.call->name, "retrieval docs");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_API), "qdrant.search");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_DB_SYSTEM), "qdrant");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_DB_COLLECTION), "docs");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_DATA_SOURCE), "docs");
	assert_int_equal(span_attr_int(w.call, ATTR_ID_QUERY_DIMENSIONS, 0), 3);
	assert_int_equal(span_attr_int(w.call, ATTR_ID_DB_ROWS, 0), 1);
	assert_true(span_attr_float(w.call, ATTR_ID_REQUEST_TOP_K, 0) == 4);
	fini(&w);
}

/* The path is a vector store's, the body is not. */
static void test_no_vector_search(void **state)
{
	struct world w = { 0 };

	(void)state;
	unary(&w, "api.openai.com", "/query", "{\"query\":\"select 1\"}", "{\"matches\":[]}");
	assert_int_equal(w.call->what, SPAN_HTTP);
	assert_null(span_attr(w.call, ATTR_ID_API));
	assert_null(span_attr(w.call, ATTR_ID_OP));
	fini(&w);
}

static void test_no_model_operation(void **state)
{
	struct world w = { 0 };

	(void)state;
	unary(&w, "api.anthropic.com", "/v1/messages/count_tokens",
	      "{\"model\":\"claude-x\",\"messages\":[]}", "{\"input_tokens\":9}");
	assert_int_equal(w.call->what, SPAN_HTTP);
	ASSERT_SV(w.call->name, "POST");
	ASSERT_SV(span_attr_sv(w.call, ATTR_ID_API), "anthropic.count_tokens");
	assert_null(span_attr(w.call, ATTR_ID_OP));
	assert_null(span_attr(w.call, ATTR_ID_USAGE_INPUT));
	fini(&w);
}

static void test_streams(void **state)
{
	static const struct {
		const char *host, *path, *request, *type, *first, *rest;
		const char *api;
	} cases[] = {
		{ "localhost", "/api/chat", "{\"model\":\"m\",\"messages\":[]}",
		  "application/x-ndjson",
		  "{\"model\":\"m\",\"message\":{\"content\":\"yo\"},\"done\":false}\n",
		  "{\"model\":\"m\",\"done\":true,\"done_reason\":\"stop\",\"eval_count\":7}\n",
		  "ollama.chat" },
		{ "generativelanguage.googleapis.com", "/v1beta/models/m:streamGenerateContent",
		  "{\"contents\":[]}", "application/json",
		  "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"yo\"}]}}]}",
		  ",\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}],"
		  "\"usageMetadata\":{\"candidatesTokenCount\":7}}\n]",
		  "gemini.generate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w = { 0 };

		begin(&w, cases[i].host, cases[i].path, cases[i].request, cases[i].type,
		      strlen(cases[i].first) + strlen(cases[i].rest));
		bytes(&w, 30 * MS, EV_READ, sv(cases[i].first));
		bytes(&w, 50 * MS, EV_READ, sv(cases[i].rest));
		end(&w);
		assert_int_equal(w.call->what, SPAN_MODEL_CALL);
		assert_int_equal(w.call->status, STATUS_UNSET);
		ASSERT_SV(span_attr_sv(w.call, ATTR_ID_API), cases[i].api);
		assert_int_equal(span_attr_int(w.call, ATTR_ID_FIRST_TOKEN_NS, 0), 20 * MS);
		assert_int_equal(span_attr_int(w.call, ATTR_ID_USAGE_OUTPUT, 0), 7);
		assert_true(span_attr_float(w.call, ATTR_ID_TOKEN_RATE, 0) == 350);
		assert_int_equal(span_attr_int(w.run, ATTR_ID_MODEL_CALLS, -1), 1);
		fini(&w);
	}
}

/* --- HTTP/2 (RFC 9113 4.1, RFC 7541 6.2.2) */

static void frame(struct buf *b, int type, int flags, int stream, struct sv payload)
{
	const unsigned char head[9] = {
		payload.n >> 16, payload.n >> 8, payload.n, type, flags, 0, 0, 0, stream
	};

	buf_add(b, head, sizeof(head));
	buf_sv(b, payload);
}

static void field(struct buf *b, const char *name, const char *value)
{
	buf_ch(b, 0); /* literal, not indexed, new name */
	buf_ch(b, (char)strlen(name));
	buf_str(b, name);
	buf_ch(b, (char)strlen(value));
	buf_str(b, value);
}

/* A stream that the client resets behind what came of the answer. */
static void reset(struct world *w, const char *host, const char *path, const char *events)
{
	static const struct trace_cfg cfg = { 0 };
	_cleanup_buf_ struct buf b = BUF_INIT, head = BUF_INIT;

	*w = (struct world){ 0 };
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS, sizeof(ARGS)));
	buf_str(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(&b, 4, 0, 0, SV(""));
	field(&head, ":method", "POST");
	field(&head, ":scheme", "https");
	field(&head, ":authority", host);
	field(&head, ":path", path);
	frame(&b, 1, 4, 1, buf_view(&head));
	frame(&b, 0, 1, 1, SV("{\"model\":\"m\",\"messages\":[],\"input\":\"x\",\"stream\":true}"));
	bytes(w, 10 * MS, EV_WRITE, buf_view(&b));
	buf_clear(&b);
	buf_clear(&head);
	frame(&b, 4, 0, 0, SV(""));
	field(&head, ":status", "200");
	field(&head, "content-type", "text/event-stream");
	frame(&b, 1, 4, 1, buf_view(&head));
	frame(&b, 0, 0, 1, sv(events));
	bytes(w, 20 * MS, EV_READ, buf_view(&b));
	buf_clear(&b);
	frame(&b, 3, 0, 1, (struct sv){ "\0\0\0\x8", 4 });
	bytes(w, 30 * MS, EV_WRITE, buf_view(&b));
	end(w);
	assert_int_equal(w->call->what, SPAN_MODEL_CALL);
}

static void test_reset(void **state)
{
	static const struct {
		const char *host, *path, *events, *last;
	} all[] = {
		{ "api.openai.com", "/v1/responses",
		  "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,"
		  "\"content_index\":0,\"item_id\":\"i\",\"delta\":\"hi\"}\n\n",
		  "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\","
		  "\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\",\"output\":[{"
		  "\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"
		  "\"output_text\",\"text\":\"hi\"}]}]}}\n\n" },
		{ "api.openai.com", "/v1/chat/completions",
		  "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,"
		  "\"delta\":{\"content\":\"hi\"}}]}\n\n",
		  "data: [DONE]\n\n" },
		{ "api.anthropic.com", "/v1/messages",
		  "data: "
		  "{\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n"
		  "data: {\"type\":\"content_block_start\",\"index\":0,"
		  "\"content_block\":{\"type\":\"text\",\"text\":\"hi\"}}\n\n",
		  "data: {\"type\":\"message_stop\"}\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct world w;

		buf_fmt(&b, "%s%s", all[i].events, all[i].last);
		reset(&w, all[i].host, all[i].path, buf_cstr(&b));
		assert_int_not_equal(w.call->status, STATUS_ERROR);
		assert_null(span_attr(w.call, ATTR_ID_INCOMPLETE));
		fini(&w);
		reset(&w, all[i].host, all[i].path, all[i].events);
		ASSERT_SV(span_attr_sv(w.call, ATTR_ID_ERROR_TYPE), "stream_cut");
		assert_true(json_str_is(json_at(span_attr(w.call, ATTR_ID_INCOMPLETE), 0), "cut"));
		fini(&w);
		b.len -= 3; /* the last word itself is cut */
		reset(&w, all[i].host, all[i].path, buf_cstr(&b));
		assert_true(json_str_is(json_at(span_attr(w.call, ATTR_ID_INCOMPLETE), 0), "cut"));
		fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_embedding),
		cmocka_unit_test(test_retrieval),
		cmocka_unit_test(test_vector_search),
		cmocka_unit_test(test_no_vector_search),
		cmocka_unit_test(test_no_model_operation),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
