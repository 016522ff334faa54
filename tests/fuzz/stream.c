// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every parser of a byte stream, by the drivers that tests/case has for it: an input is fed whole, cut
 * where it says, cut at random, and byte by byte, and what the parser gives must be the same.
 *
 * Pieces: '>' and '<' bytes of that direction, each at a time of its own; '|' more of the piece before
 * it, behind a cut; '-' and '_' a hole of as many bytes in the one or other direction as its text has;
 * '.' the end; '+' what the answer accepts (WebSocket).
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../case/case.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "proto/dns.h"
#include "proto/framing.h"

#define LOG_MAX (4u << 20)   /* a decompressor makes more of little */
#define BYTEWISE_MAX 2048    /* longer inputs are not fed byte by byte */
#define PIECE_MAX_RANDOM 64u /* bytes of a piece that is cut at random */

/* --- parsers that have no cases of their own: those of framing.h, and DNS over TCP */

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct log *l = ctx;

	buf_fmt(&l->text, "%llu %llu %d%d%d ", (unsigned long long)ev->ts_first,
		(unsigned long long)ev->ts_last, ev->unterminated, ev->cut, ev->error);
	json_write_str(&l->text, ev->event);
	json_write_str(&l->text, ev->data);
	buf_ch(&l->text, '\n');
}

static void framer_case_bytes(void *state, const struct step *st, struct sv piece)
{
	if (framer_feed(state, st->ts, piece))
		case_die("out of memory");
}

static void framer_case_gap(void *state, const struct step *st)
{
	(void)st;
	framer_gap(state);
}

static void framer_case_end(void *state, uint64_t ts)
{
	framer_end(state, ts);
}

static void framer_case_close(void *state, struct log *log)
{
	struct framer *f = state;

	(void)log;
	framer_free(&f);
}

#define FRAMER(id, how)                                                                    \
	static int id##_open(void **state, struct log *log, const struct http_msg *answer) \
	{                                                                                  \
		(void)answer;                                                              \
		return framer_new((struct framer **)state, how, on_event, log);            \
	}                                                                                  \
	static const struct driver id##_driver = { #id,                                    \
						   "",                                     \
						   id##_open,                              \
						   framer_case_bytes,                      \
						   framer_case_gap,                        \
						   framer_case_end,                        \
						   framer_case_close }

FRAMER(ndjson, FRAMING_LINES);
FRAMER(jsonarray, FRAMING_ARRAY);
FRAMER(eventstream, FRAMING_EVENTSTREAM);

struct dns_state {
	struct dns_tcp tcp;
	struct log *log;
};

static void on_dns(void *ctx, struct sv msg)
{
	struct dns_state *d = ctx;
	_cleanup_arena_ struct arena a;
	struct dns_msg m;

	arena_init(&a, 0);
	if (!dns_parse(&m, &a, msg)) {
		buf_fmt(&d->log->text, "%u %d %u %x %u %u ", m.id, m.response, m.rcode, m.flags,
			m.type, m.class);
		json_write_str(&d->log->text, m.name);
		for (size_t i = 0; i < m.answer_cnt; i++) {
			buf_fmt(&d->log->text, " %u %u ", m.answers[i].type, m.answers[i].ttl);
			json_write_str(&d->log->text, m.answers[i].text);
		}
	}
	buf_ch(&d->log->text, '\n');
}

static int dns_open(void **state, struct log *log, const struct http_msg *answer)
{
	struct dns_state *d = calloc(1, sizeof(*d));

	(void)answer;
	if (!d)
		return -1;
	d->log = log;
	*state = d;
	return 0;
}

static void dns_bytes(void *state, const struct step *st, struct sv piece)
{
	struct dns_state *d = state;

	(void)st;
	if (dns_tcp_feed(&d->tcp, piece, on_dns, d))
		case_die("out of memory");
}

static void dns_gap(void *state, const struct step *st)
{
	struct dns_state *d = state;

	dns_tcp_gap(&d->tcp, st->missing);
}

static void dns_end(void *state, uint64_t ts)
{
	(void)state;
	(void)ts;
}

static void dns_close(void *state, struct log *log)
{
	struct dns_state *d = state;

	(void)log;
	dns_tcp_fini(&d->tcp);
	free(d);
}

static const struct driver dns_driver = { "dns",   "",      dns_open, dns_bytes,
					  dns_gap, dns_end, dns_close };

/* --- an input as steps */

enum cut { CUT_NONE, CUT_SAID, CUT_RANDOM, CUT_ALL };

struct run {
	const struct driver *d;
	void *state;
	struct step step;
	uint64_t rnd;
	enum cut cut;
	bool ended;
};

static void give(void *ctx, struct sv bytes)
{
	struct run *r = ctx;

	r->d->bytes(r->state, &r->step, bytes);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void give_cut(struct run *r, struct sv bytes)
{
	while (bytes.n) {
		size_t n = bytes.n;

		if (r->cut == CUT_ALL)
			n = 1;
		else if (r->cut == CUT_RANDOM)
			n = 1 + next_random(&r->rnd) % PIECE_MAX_RANDOM;
		fuzz_exact(sv_sub(bytes, 0, n), give, r);
		bytes = sv_sub(bytes, n, SIZE_MAX);
	}
}

/* The bytes of a step, with what follows behind cuts that this run does not make. */
static void give_step(struct run *r, struct sv piece, struct sv *rest)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sv ahead = *rest;
	char what;

	buf_sv(&b, piece);
	while (fuzz_piece(&ahead, &what, &piece) && what == '|') {
		*rest = ahead;
		if (r->cut == CUT_SAID) {
			give_cut(r, buf_view(&b));
			buf_clear(&b);
		}
		buf_sv(&b, piece);
	}
	give_cut(r, buf_view(&b));
}

static void run_piece(struct run *r, char what, struct sv piece, struct sv *rest)
{
	r->step.ts++;
	r->step.dir = what == '<' || what == '_' ? HTTP_RESPONSE : HTTP_REQUEST;
	if (what == '-' || what == '_') {
		for (r->step.missing = 0; piece.n && r->step.missing < 1u << 24;)
			r->step.missing = r->step.missing * 64 + fuzz_byte(&piece) % 64;
		r->step.missing += !r->step.missing;
		r->d->gap(r->state, &r->step);
	} else if (what == '.') {
		r->d->end(r->state, r->step.ts);
		r->ended = true; /* nothing may follow */
	} else {
		give_step(r, piece, rest);
	}
}

static void run_input(const struct driver *d, struct sv input, enum cut cut, struct log *log)
{
	struct run r = { .d = d, .cut = cut, .rnd = hash64(input) };
	struct http_field accepted = { SV("Sec-WebSocket-Extensions"), { NULL, 0 } };
	struct http_msg answer = { .fields = &accepted };
	struct sv piece, first = input;
	char what;

	if (fuzz_piece(&first, &what, &piece) && what == '+') {
		accepted.value = piece;
		answer.field_cnt = 1;
		input = first;
	}
	log->text.max = log->body.max = LOG_MAX;
	if (d->open(&r.state, log, &answer))
		case_die("out of memory");
	while (!r.ended && fuzz_piece(&input, &what, &piece))
		run_piece(&r, what, piece, &input);
	if (!r.ended)
		d->end(r.state, r.step.ts + 1);
	d->close(r.state, log);
}

static void log_fini(struct log *l)
{
	buf_fini(&l->text);
	buf_fini(&l->body);
}

/* decode.h: where a bomb is stopped, and what a broken br or zstd still gives, may depend on the cut */
static bool may_differ(const struct log *l)
{
	struct sv text = buf_view(&l->text);

	return l->text.err || l->body.err || sv_has(text, " undecoded") ||
	       sv_has(text, " body-cap");
}

static void run_driver(const struct driver *d, struct sv input)
{
	struct log whole = { 0 };

	run_input(d, input, CUT_NONE, &whole);
	for (enum cut cut = CUT_SAID; cut <= CUT_ALL; cut++) {
		struct log l = { 0 };

		if (cut == CUT_ALL && input.n > BYTEWISE_MAX)
			break;
		run_input(d, input, cut, &l);
		if (!may_differ(&whole) && !may_differ(&l) &&
		    !sv_eq(buf_view(&whole.text), buf_view(&l.text)))
			fuzz_fail("cut %d:\n%s\nwhole:\n%s", cut, buf_cstr(&l.text),
				  buf_cstr(&whole.text));
		log_fini(&l);
	}
	log_fini(&whole);
}

/* Name of a driver of tests/case. */
#define STREAM(id)                                       \
	static void id##_run(struct sv input)            \
	{                                                \
		run_driver(case_driver(SV(#id)), input); \
	}                                                \
	const struct fuzz_target fuzz_##id = { #id, id##_run, NULL }

STREAM(http1);
STREAM(http2);
STREAM(sse);
STREAM(websocket);
STREAM(grpc);
STREAM(jsonrpc);
STREAM(mysql);
STREAM(postgres);

#define STREAM_OWN(id)                           \
	static void id##_run(struct sv input)    \
	{                                        \
		run_driver(&id##_driver, input); \
	}                                        \
	const struct fuzz_target fuzz_##id = { #id, id##_run, NULL }

STREAM_OWN(ndjson);
STREAM_OWN(jsonarray);
STREAM_OWN(eventstream);
STREAM_OWN(dns);
