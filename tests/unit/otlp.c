// SPDX-License-Identifier: BSD-2-Clause
/* The sinks that write to a stream: OTLP/JSON by its rules, NDJSON, and lines for people. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sink/sink.h"

#define TRACE "0123456789abcdef0123456789abcdef"
#define T0 1700000000000000000ull

static struct span *make(unsigned int id, const char *host)
{
	struct span *s = NULL;

	assert_int_equal(span_new(&s, SPAN_MODEL_CALL), 0);
	strcpy(s->trace_id, TRACE);
	snprintf(s->span_id, sizeof(s->span_id), "%016x", id);
	s->start_ns = T0 + id;
	s->end_ns = T0 + 1830000000;
	span_set_name(s, SV("chat m\"1"));
	json_add(&s->arena, s->resource, SV("host.name"), json_string(&s->arena, sv(host)));
	return s;
}

/* What a sink writes for the spans, which are freed. */
static char *written(const char *format, struct sink_cfg cfg, struct span **spans, size_t cnt)
{
	const struct sink_ops *ops = sink_find(sv(format));
	char *text = NULL;
	size_t n = 0;
	void *st = NULL;

	assert_non_null(ops);
	cfg.out = open_memstream(&text, &n);
	assert_non_null(cfg.out);
	assert_int_equal(ops->open(&st, &cfg), 0);
	for (size_t i = 0; i < cnt; i++) {
		assert_int_equal(ops->span(st, spans[i]), 0);
		span_free(&spans[i]);
	}
	assert_int_equal(ops->close(st), 0);
	fclose(cfg.out);
	return text;
}

static const struct json *attr(const struct json *holder, const char *key)
{
	json_for_each (json_get(holder, "attributes"), kv) {
		if (json_str_is(json_get(kv, "key"), key))
			return json_get(kv, "value");
	}
	return NULL;
}

static void assert_str(const struct json *v, const char *path, const char *want)
{
	if (!json_str_is(json_path(v, path), want))
		fail_msg("%s is not %s", path, want);
}

static void assert_num(const struct json *v, const char *path, int64_t want)
{
	int64_t n = -999;

	json_i64(json_path(v, path), &n);
	if (n != want)
		fail_msg("%s is %lld", path, (long long)n);
}

static void assert_written_value(const struct json *holder, const char *key, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_write(&b, attr(holder, key));
	assert_string_equal(buf_cstr(&b), want);
}

static void fill(struct span *s)
{
	struct arena *a = &s->arena;

	strcpy(s->parent_span_id, "00000000000000ff");
	s->kind = SPAN_KIND_CLIENT;
	span_set_status(s, STATUS_ERROR, SV("over\nload"));
	span_set_int(s, ATTR_ID_USAGE_INPUT, 9007199254740993);
	span_set_float(s, ATTR_ID_REQUEST_TEMPERATURE, 1);
	span_set_bool(s, ATTR_ID_REQUEST_STREAM, true);
	span_set_json(s, ATTR_ID_FINISH_REASONS, json_parse(a, SV("[\"stop\",\"length\"]"), NULL));
	span_set_json(s, ATTR_ID_RATE_LIMITS,
		      json_parse(a, SV("{\"a\":[1,1.5,null,{}],\"b\":1e400}"), NULL));
	span_set_json(s, ATTR_ID_INPUT_MESSAGES, json_parse(a, SV("[{\"role\":\"user\"}]"), NULL));
	span_event(s, T0 + 5, "ev", json_parse(a, SV("{\"error.type\":\"t\"}"), NULL));
	json_push(s->links, json_parse(a,
				       SV("{\"trace_id\":\"" TRACE "\",\"span_id\":"
					  "\"00000000000000bb\",\"attributes\":{}}"),
				       NULL));
}

static void test_otlp_span(void **state)
{
	_cleanup_arena_ struct arena a;
	struct span *s = make(0xaa, "h");
	const struct json *doc, *sp;
	struct json_err err;

	(void)state;
	arena_init(&a, 0);
	fill(s);
	_cleanup_free_ char *text = written("otlp-json", (struct sink_cfg){ 0 }, &s, 1);

	doc = json_parse(&a, sv(text), &err);
	assert_false(err.cut || err.broken);
	assert_int_equal(strchr(text, '\n') - text, strlen(text) - 1);
	assert_written_value(json_path(doc, "resourceSpans.0.resource"), "host.name",
			     "{\"stringValue\":\"h\"}");
	assert_str(doc, "resourceSpans.0.schemaUrl", SEMCONV_SCHEMA_URL);
	assert_str(doc, "resourceSpans.0.scopeSpans.0.scope.name", "ringspan");
	assert_str(doc, "resourceSpans.0.scopeSpans.0.scope.version", RINGSPAN_VERSION);
	sp = json_path(doc, "resourceSpans.0.scopeSpans.0.spans.0");
	assert_str(sp, "traceId", TRACE);
	assert_str(sp, "spanId", "00000000000000aa");
	assert_str(sp, "parentSpanId", "00000000000000ff");
	assert_str(sp, "name", "chat m\"1");
	assert_num(sp, "kind", 3);
	assert_str(sp, "startTimeUnixNano", "1700000000000000170");
	assert_str(sp, "endTimeUnixNano", "1700000001830000000");
	assert_num(sp, "status.code", 2);
	assert_str(sp, "status.message", "over\nload");
	assert_str(sp, "events.0.timeUnixNano", "1700000000000000005");
	assert_str(sp, "events.0.name", "ev");
	assert_written_value(json_path(sp, "events.0"), "error.type", "{\"stringValue\":\"t\"}");
	assert_str(sp, "links.0.traceId", TRACE);
	assert_str(sp, "links.0.spanId", "00000000000000bb");
	assert_written_value(sp, "ringspan.kind", "{\"stringValue\":\"model_call\"}");
	assert_written_value(sp, "gen_ai.usage.input_tokens",
			     "{\"intValue\":\"9007199254740993\"}");
	assert_written_value(sp, "gen_ai.request.temperature", "{\"doubleValue\":1}");
	assert_written_value(sp, "gen_ai.request.stream", "{\"boolValue\":true}");
	assert_written_value(sp, "gen_ai.response.finish_reasons",
			     "{\"arrayValue\":{\"values\":[{\"stringValue\":\"stop\"},"
			     "{\"stringValue\":\"length\"}]}}");
	assert_written_value(
		sp, "ringspan.response.rate_limits",
		"{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"arrayValue\":"
		"{\"values\":[{\"intValue\":\"1\"},{\"doubleValue\":1.5},{},"
		"{\"kvlistValue\":{\"values\":[]}}]}}},"
		"{\"key\":\"b\",\"value\":{\"stringValue\":\"1e400\"}}]}}");
	assert_null(attr(sp, "gen_ai.input.messages"));
}

static void test_otlp_defaults_are_left_out(void **state)
{
	_cleanup_arena_ struct arena a;
	struct span *s = make(1, "h");
	const struct json *sp;

	(void)state;
	arena_init(&a, 0);
	_cleanup_free_ char *text = written("otlp-json", (struct sink_cfg){ 0 }, &s, 1);

	sp = json_path(json_parse(&a, sv(text), NULL), "resourceSpans.0.scopeSpans.0.spans.0");
	assert_null(json_get(sp, "parentSpanId"));
	assert_null(json_get(sp, "events"));
	assert_null(json_get(sp, "links"));
	assert_num(sp, "kind", 1);
	assert_int_equal(json_get(sp, "status")->cnt, 0);
}

static void test_otlp_payload(void **state)
{
	_cleanup_arena_ struct arena a;
	struct span *s = make(1, "h");

	(void)state;
	arena_init(&a, 0);
	fill(s);
	_cleanup_free_ char *text =
		written("otlp-json", (struct sink_cfg){ .payload = true }, &s, 1);

	assert_written_value(json_path(json_parse(&a, sv(text), NULL),
				       "resourceSpans.0.scopeSpans.0.spans.0"),
			     "gen_ai.input.messages",
			     "{\"arrayValue\":{\"values\":[{\"kvlistValue\":{\"values\":[{\"key\":"
			     "\"role\",\"value\":{\"stringValue\":\"user\"}}]}}]}}");
}

static void test_otlp_groups(void **state)
{
	_cleanup_arena_ struct arena a;
	struct span *s[] = { make(1, "a"), make(2, "b"), make(3, "a") };
	const struct json *doc;

	(void)state;
	arena_init(&a, 0);
	_cleanup_free_ char *text = written("otlp-json", (struct sink_cfg){ 0 }, s, 3);

	doc = json_parse(&a, sv(text), NULL);
	assert_int_equal(json_get(doc, "resourceSpans")->cnt, 2);
	assert_int_equal(json_path(doc, "resourceSpans.0.scopeSpans.0.spans")->cnt, 2);
	assert_str(doc, "resourceSpans.0.scopeSpans.0.spans.1.spanId", "0000000000000003");
	assert_str(doc, "resourceSpans.1.scopeSpans.0.spans.0.spanId", "0000000000000002");

	_cleanup_free_ char *nothing = written("otlp-json", (struct sink_cfg){ 0 }, NULL, 0);

	assert_string_equal(nothing, "");
}

/* More resources than a document has room for, and more bytes: several documents, no span lost. */
static void assert_documents(const char *text, size_t docs_min, size_t spans)
{
	struct sv rest = sv(text);
	size_t docs = 0, seen = 0;

	while (rest.n) {
		_cleanup_arena_ struct arena a;
		const struct json *doc;
		struct json_err err;

		arena_init(&a, 0);
		doc = json_parse(&a, sv_token(&rest, '\n'), &err);
		assert_false(err.cut || err.broken);
		json_for_each (json_get(doc, "resourceSpans"), r) {
			seen += json_path(r, "scopeSpans.0.spans")->cnt;
		}
		docs++;
	}
	assert_true(docs >= docs_min);
	assert_int_equal(seen, spans);
}

static void test_otlp_documents(void **state)
{
	struct span *s[100];
	_cleanup_buf_ struct buf big = BUF_INIT;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		char host[8];

		snprintf(host, sizeof(host), "%u", i);
		s[i] = make(i + 1, host);
	}
	_cleanup_free_ char *many = written("otlp-json", (struct sink_cfg){ 0 }, s, 100);

	assert_documents(many, 2, 100);
	buf_reserve(&big, 1 << 20);
	while (big.len < 1 << 20)
		buf_ch(&big, 'x');
	for (unsigned int i = 0; i < 20; i++) {
		s[i] = make(i + 1, "h");
		span_set_str(s[i], ATTR_ID_URL_FULL, buf_view(&big));
	}
	_cleanup_free_ char *large = written("otlp-json", (struct sink_cfg){ 0 }, s, 20);

	assert_documents(large, 2, 20);
}

static void test_ndjson(void **state)
{
	struct span *s[] = { make(1, "a"), make(2, "b") };
	struct sv rest;

	(void)state;
	fill(s[0]);
	_cleanup_free_ char *text = written("ndjson", (struct sink_cfg){ 0 }, s, 2);

	rest = sv(text);
	for (unsigned int i = 1; i <= 2; i++) {
		struct span *back = NULL;

		assert_int_equal(span_read_json(&back, sv_token(&rest, '\n')), 0);
		assert_int_equal(back->span_id[HEX64 - 2], '0' + (int)i);
		assert_null(span_attr(back, ATTR_ID_INPUT_MESSAGES));
		span_free(&back);
	}
	assert_int_equal(rest.n, 0);
}

static void test_lines(void **state)
{
	struct span *s[] = { make(0, "h"), make(0, "h") };

	(void)state;
	span_set_name(s[0], SV("chat \x1b[31mred\nline"));
	span_set_int(s[0], ATTR_ID_USAGE_INPUT, 1200);
	span_set_int(s[0], ATTR_ID_USAGE_OUTPUT, 340);
	span_set_status(s[1], STATUS_ERROR, SV("m"));
	span_set_str(s[1], ATTR_ID_ERROR_TYPE, SV("\x1b]0;429"));
	_cleanup_free_ char *text = written("lines", (struct sink_cfg){ 0 }, s, 2);

	assert_null(strchr(text, '\x1b'));
	assert_int_equal(strchr(strchr(text, '\n') + 1, '\n') - text, strlen(text) - 1);
	assert_non_null(strstr(text, "+1.83s  model_call  chat "));
	assert_non_null(strstr(text, "  1.2k>340 tok\n"));
	assert_non_null(strstr(text, "  ERROR "));

	struct span *failed = make(0, "h");

	span_set_status(failed, STATUS_ERROR, SV("m"));
	_cleanup_free_ char *coloured =
		written("lines", (struct sink_cfg){ .colour = true, .columns = 40 }, &failed, 1);

	assert_non_null(strstr(coloured, "\x1b["));
}

static void test_broken_stream(void **state)
{
	static const char *const formats[] = { "ndjson", "otlp-json", "lines" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct sink_ops *ops = sink_find(sv(formats[i]));
		struct sink_cfg cfg = { .out = fopen("/dev/full", "w") };
		struct span *s = make(1, "h");
		void *st = NULL;
		int err;

		assert_non_null(cfg.out);
		assert_int_equal(ops->open(&st, &cfg), 0);
		err = ops->span(st, s);
		if (!err)
			err = ops->close(st);
		else
			ops->close(st);
		assert_int_equal(err, -ENOSPC);
		fclose(cfg.out);
		span_free(&s);
	}
	assert_null(sink_find(SV("otlp-jso")));
}

/* What was bound to a statement is payload, and each value an attribute of its own. */
static void parameters(void **state)
{
	(void)state;
	for (int payload = 0; payload < 2; payload++) {
		struct span *s = make(1, "a");
		_cleanup_free_ char *text = NULL;
		struct json *of = json_object(&s->arena);

		json_add(&s->arena, of, SV("0"), json_string(&s->arena, SV("tom")));
		json_add(&s->arena, of, SV("1"), json_null(&s->arena));
		span_set_json(s, ATTR_ID_DB_PARAMETERS, of);
		text = written("otlp-json", (struct sink_cfg){ .payload = payload }, &s, 1);
		assert_int_equal(!!strstr(text, "{\"key\":\"db.query.parameter.0\",\"value\":{"
						"\"stringValue\":\"tom\"}},"
						"{\"key\":\"db.query.parameter.1\",\"value\":{}}"),
				 payload);
		assert_int_equal(!!strstr(text, "tom"), payload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters),
		cmocka_unit_test(test_otlp_span),
		cmocka_unit_test(test_otlp_defaults_are_left_out),
		cmocka_unit_test(test_otlp_payload),
		cmocka_unit_test(test_otlp_groups),
		cmocka_unit_test(test_otlp_documents),
		cmocka_unit_test(test_ndjson),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_broken_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
