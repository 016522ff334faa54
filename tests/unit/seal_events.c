// SPDX-License-Identifier: BSD-2-Clause
/*
 * Secrets in texts that models stream, a few letters an event: none is left in the events of a capture,
 * however records, chunks and frames cut these, and the text is what was sent but for what is masked.
 */
#include "../zip.h"
#include "seal_test.h"

#include "base/json.h"

#define SECRET_LEN 32
#define EVENTS_MAX 4096
#define TEXTS 2
#define STREAMS 70
#define PACKED 35

/* What stands around the letters of an event; %d is which text they are of. */
struct dialect {
	const char *before, *behind;
	const char *path, *index; /* of the letters, and of the number; NULL: there is none */
	const char *first, *last; /* of a stream */
};

static const struct dialect dialects[] = {
	{ "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4.1\","
	  "\"choices\":[{\"index\":%d,\"delta\":{\"role\":\"assistant\",\"content\":\"",
	  "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", "choices.0.delta.content",
	  "choices.0.index", "", "data: [DONE]\n\n" },
	{ "data: {\"choices\": [{\"index\": 0, \"delta\": {\"tool_calls\": [{\"index\": %d, "
	  "\"function\": {\"arguments\": \"",
	  "\"}}]}}]}\n\n", "choices.0.delta.tool_calls.0.function.arguments",
	  "choices.0.delta.tool_calls.0.index", ": a comment\n\n", "data: [DONE]\n\n" },
	{ "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":%d,"
	  "\"delta\":{\"type\":\"text_delta\",\"text\":\"",
	  "\"}}\r\n\r\n", "delta.text", "index",
	  "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}"
	  "\r\n\r\n",
	  "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n" },
	{ "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
	  "\"sequence_number\":7,\"item_id\":\"msg_1\",\"output_index\":%d,\"delta\":\"",
	  "\",\"obfuscation\":\"x7Q\"}\n\n", "delta", "output_index", "\xef\xbb\xbf", "" },
	{ "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"",
	  "\"}],\"role\": \"model\"}}],\"usageMetadata\": {\"promptTokenCount\": 4}}\r\n\r\n",
	  "candidates.0.content.parts.0.text", NULL, "", "" },
	{ "{\"model\":\"llama\",\"message\":{\"role\":\"assistant\",\"content\":\"",
	  "\"},\"done\":false}\n", "message.content", NULL, "", "" },
	{ "{\n  \"candidates\": [\n    {\n\"content\": {\"parts\": [{\"text\": \"",
	  "\"}]}}]\n}\n,\r\n", "candidates.0.content.parts.0.text", NULL, "[", "{}]" },
};

struct stream {
	const struct dialect *d;
	struct buf body;
	size_t at[EVENTS_MAX], n[EVENTS_MAX], cnt; /* where in it events are */
	struct buf text[TEXTS];                    /* what they say */
	struct buf planted;
};

static void stream_fini(struct stream *s)
{
	buf_fini(&s->body);
	buf_fini(&s->planted);
	for (size_t i = 0; i < TEXTS; i++)
		buf_fini(&s->text[i]);
}

/* --- making */

static void put_secret(struct stream *s, struct buf *b, uint64_t *seed)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (int i = 0; i < SECRET_LEN; i++)
		buf_ch(b, letters[rnd_below(seed, sizeof(letters) - 1)]);
	buf_add(&s->planted, b->p + b->len - SECRET_LEN, SECRET_LEN);
}

static void put_words(struct stream *s, struct buf *b, uint64_t *seed, size_t cnt)
{
	static const char *const words[] = {
		"the ",      "**answer** ",   "\"quoted\" ", "a\\b ",  "\n- ",
		"\xc3\xa4 ", "\xe2\x82\xac ", "so ",         "2 * 3 ", "http://localhost:8080/v1 ",
		"and\t",     "user:group ",   "{\"a\": 1} "
	};
	static const char *const fronts[] = { "{\"password\": \"", "sk-ant-api03-",
					      "?api_key=", "postgres://me:" };
	static const char *const behind[] = { "\", \"b\": 2} ", " ", " ", "@db/x " };

	for (size_t i = 0; i < cnt; i++) {
		size_t kind = rnd_below(seed, 60);

		if (kind < ARRAY_SIZE(fronts)) {
			buf_str(b, fronts[kind]);
			put_secret(s, b, seed);
			buf_str(b, behind[kind]);
		} else if (kind == ARRAY_SIZE(fronts)) {
			buf_str(b, " " TOKEN " ");
		} else {
			buf_str(b, words[rnd_below(seed, ARRAY_SIZE(words))]);
		}
	}
}

/* The letters as JSON has them; some of ASCII are escaped without need. */
static void put_escaped(struct buf *b, struct sv text, unsigned int one_of, uint64_t *seed)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			buf_fmt(b, "\\%c", c);
		else if (c == '\n')
			buf_str(b, "\\n");
		else if (c < ' ' || (c < 0x80 && one_of && !rnd_below(seed, one_of)))
			buf_fmt(b, "\\u%04x", c);
		else
			buf_ch(b, (char)c);
	}
}

static size_t letters_end(struct sv text, size_t n)
{
	while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static void make(struct stream *s, const struct dialect *d, size_t letters, unsigned int escapes,
		 uint64_t *seed)
{
	struct sv rest[TEXTS] = { { NULL, 0 } };
	size_t cnt = d->index ? TEXTS : 1;

	*s = (struct stream){ .d = d };
	for (size_t i = 0; i < cnt; i++) {
		put_words(s, &s->text[i], seed, 60);
		rest[i] = buf_view(&s->text[i]);
	}
	buf_str(&s->body, d->first);
	while ((rest[0].n || rest[1].n) && s->cnt < EVENTS_MAX) {
		size_t i = rnd_below(seed, cnt), n;
		const char *number = strstr(d->before, "%d");

		n = letters_end(rest[i], 1 + rnd_below(seed, letters));
		s->at[s->cnt] = s->body.len;
		if (number)
			buf_fmt(&s->body, "%.*s%zu%s", (int)(number - d->before), d->before, i,
				number + 2);
		else
			buf_str(&s->body, d->before);
		put_escaped(&s->body, sv_sub(rest[i], 0, n), escapes, seed);
		buf_str(&s->body, d->behind);
		s->n[s->cnt] = s->body.len - s->at[s->cnt];
		s->cnt++;
		rest[i] = sv_sub(rest[i], n, SIZE_MAX);
	}
	buf_str(&s->body, d->last);
}

/* --- looking */

static void assert_none_planted(const struct stream *s, struct sv text)
{
	for (size_t at = 0; at < s->planted.len; at += SECRET_LEN / 4) {
		struct sv part = sv_sub(buf_view(&s->planted), at, SECRET_LEN / 4);

		if (sv_find(text, part) >= 0)
			fail_msg("there is " SV_FMT ":\n" SV_FMT, SV_ARG(part), SV_ARG(text));
	}
	assert_no_token(text);
}

/* The texts that a body's events have; how many are no JSON any more. */
static size_t join(const struct stream *s, struct sv body, struct buf *texts)
{
	size_t broken = 0;

	assert_int_equal(body.n, s->body.len);
	for (size_t i = 0; i < s->cnt; i++) {
		struct sv event = sv_sub(body, s->at[i], s->n[i]);
		struct json_err err;
		struct arena a;
		int64_t index = 0;
		struct json *v;

		event = sv_sub(event, (size_t)sv_find(event, SV("{")), SIZE_MAX);
		while (event.n && event.p[event.n - 1] != '}')
			event.n--;
		arena_init(&a, 1 << 20);
		v = json_parse(&a, event, &err);
		broken += err.broken || err.cut;
		if (s->d->index)
			assert_true(json_i64(json_path(v, s->d->index), &index));
		buf_sv(&texts[index], json_sv(json_path(v, s->d->path)));
		arena_fini(&a);
	}
	return broken;
}

/* same: what it says is what was sent, redacted.  How many events are no JSON any more. */
static size_t check(const struct stream *s, struct sv body, bool same)
{
	struct buf texts[TEXTS] = { BUF_INIT };
	size_t broken = join(s, body, texts);

	for (size_t i = 0; i < TEXTS; i++) {
		assert_none_planted(s, buf_view(&texts[i]));
		if (same && !broken && s->text[i].len)
			assert_same_redacted(buf_view(&texts[i]), buf_view(&s->text[i]));
		buf_fini(&texts[i]);
	}
	return broken;
}

/* --- how it travels */

/* How a body travels. */
struct travel {
	const struct zip_how *how; /* NULL: as it is */
	size_t chunk;              /* up to so many bytes; 0: no chunks */
	size_t record;             /* likewise; 0: each event is a chunk and a record */
	bool scrub;
};

/* The next piece of a body: an event, or some bytes. */
static struct sv next_piece(const struct stream *s, struct sv rest, size_t max, uint64_t *seed)
{
	size_t at = s->body.len - rest.n;

	if (max)
		return sv_sub(rest, 0, 1 + rnd_below(seed, max));
	for (size_t i = 0; i < s->cnt; i++)
		if (s->at[i] > at)
			return sv_sub(rest, 0, s->at[i] - at);
	return rest;
}

static void send(struct wire *w, const struct stream *s, const struct travel *t, struct sv body,
		 uint64_t *seed)
{
	_cleanup_buf_ struct buf out = BUF_INIT;

	buf_fmt(&out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s%s\r\n",
		t->how ? "Content-Encoding: gzip\r\n" : "",
		t->chunk ? "Transfer-Encoding: chunked\r\n" : "");
	wire_feed(w, EV_READ, buf_view(&out));
	buf_clear(&w->out[EV_READ]);
	buf_clear(&out);
	while (body.n) {
		struct sv now =
			next_piece(s, body, t->chunk && t->record ? t->chunk : t->record, seed);

		if (t->chunk)
			put_chunk(&out, now);
		else
			buf_sv(&out, now);
		body = sv_sub(body, now.n, SIZE_MAX);
		if (!t->record) {
			wire_feed(w, EV_READ, buf_view(&out));
			buf_clear(&out);
		}
	}
	if (t->chunk)
		buf_str(&out, "0\r\n\r\n");
	wire_cut(w, EV_READ, buf_view(&out), seed, t->record ? t->record : 65000);
}

/* The body as it is behind its mask; false: it was cut short. */
static bool by_http1(const struct stream *s, const struct travel *t, uint64_t *seed,
		     struct buf *now)
{
	_cleanup_buf_ struct buf packed = BUF_INIT, wire = BUF_INIT;
	struct wire w;
	bool whole = true;

	wire_init(&w);
	if (t->scrub)
		assert_int_equal(event_scrub_new(&w.scrub), 0);
	if (t->how)
		assert_true(zip_pack(&packed, buf_view(&s->body), t->how));
	else
		buf_sv(&packed, buf_view(&s->body));
	send(&w, s, t, buf_view(&packed), seed);
	if (t->chunk)
		take_chunks(&wire, buf_view(&w.out[EV_READ]));
	else
		buf_sv(&wire, buf_view(&w.out[EV_READ]));
	if (t->how)
		whole = zip_unpack(now, buf_view(&wire), t->how->bits);
	else
		buf_sv(now, buf_view(&wire));
	assert_true(whole || seal_lost(w.seal));
	wire_fini(&w);
	return whole;
}

static void at_random(void **state)
{
	static const size_t records[] = { 65000, 4000, 300, 40, 3, 1, 0, 0 };

	(void)state;
	for (uint64_t i = 1; i <= STREAMS; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15u;
		unsigned int escapes = rnd_below(&seed, 4) ? 0 : 1 + rnd_below(&seed, 20);
		struct travel t = {
			.chunk = rnd_below(&seed, 3) ? 1 + rnd_below(&seed, 500) : 0,
			.record = records[rnd_below(&seed, ARRAY_SIZE(records))],
			.scrub = rnd_below(&seed, 2),
		};
		_cleanup_buf_ struct buf now = BUF_INIT;
		struct stream s;

		make(&s, &dialects[i % ARRAY_SIZE(dialects)], 1 + rnd_below(&seed, 30), escapes,
		     &seed);
		assert_true(by_http1(&s, &t, &seed, &now));
		/* a record that ends in a word has more of it masked */
		assert_int_equal(check(&s, buf_view(&now),
				       !t.record || (!t.chunk && t.record > s.body.len)),
				 0);
		stream_fini(&s);
	}
}

/* Events that cannot be read are those that are copies of a secret in part. */
static void deflated(void **state)
{
	static const size_t records[] = { 65000, 4000, 300, 40 };
	size_t cut = 0, broken = 0, events = 0;

	(void)state;
	for (uint64_t i = 1; i <= PACKED; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15u;
		struct zip_how how = { .bits = ZIP_GZIP,
				       .level = 1 + (int)rnd_below(&seed, 9),
				       .flush = Z_SYNC_FLUSH,
				       .piece = 100 + rnd_below(&seed, 400) };
		struct travel t = {
			.how = &how,
			.chunk = rnd_below(&seed, 2) ? 1 + rnd_below(&seed, 500) : 0,
			.record = records[rnd_below(&seed, ARRAY_SIZE(records))],
		};
		_cleanup_buf_ struct buf now = BUF_INIT;
		struct stream s;

		make(&s, &dialects[i % ARRAY_SIZE(dialects)], 1 + rnd_below(&seed, 30), 0, &seed);
		events += s.cnt;
		if (by_http1(&s, &t, &seed, &now))
			broken += check(&s, buf_view(&now), false);
		else
			cut++;
		stream_fini(&s);
	}
	print_message("%zu of %d were cut short, %zu of %zu events cannot be read\n", cut, PACKED,
		      broken, events);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(at_random),
					    cmocka_unit_test(deflated) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
