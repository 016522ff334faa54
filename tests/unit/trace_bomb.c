// SPDX-License-Identifier: BSD-2-Clause
/*
 * Answers of some hundred bytes to a hundred kilobytes that decode to 64 MiB and more, in every coding: the call
 * is told, and says that a bound cut it; memory stays near what one body may have; and what comes
 * behind on the connection is seen.
 */
#include "../fixture.h"

#include <stdio.h>
#include <sys/resource.h>
#include <zstd.h>

#include "../zip.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/trace.h"

#define MS 1000000ull
#define AGENT 10
#define CONN 1
#define BOMB (68u << 20)
#define PIECE 16000
/* a body, what a growing buffer moves, and what is made of it: the call, its turn, its agent, the result */
#define MEMORY (7ull * LIMIT_BODY)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/* brotli's own encoder, quality 9: 64 MiB of zeros */
static const char br_bomb[] = "\xcb\xff\xff\x3f\x00\x24\x00\xe2\xb1\x40\x72\xef\xff\xf8\xff\xff\x07"
			      "\x80\x04\x40\x1c\x16\x80"
			      "\xee\xfd\x1f\xff\xff\xff\x00\x90\x00\x88\xc3\x02\xd0\xbd\xff\xe3\xff"
			      "\xff\x1f\x00\x12\x00\x71"
			      "\x58\x00\xba\xf7\x7f\xfc\xff\xff\x03\x40\x02\x20\x0e\x0b\x40\xf7\xfe"
			      "\x8f\xff\xff\x7f\x00\x48"
			      "\x00\xc4\x61\x01\xe8\xde\xff\xf1\xff\xff\x0f\x00\x09\x80\x38\x2c\x00"
			      "\xdd\xfb\xbf\xfc\xff\xff"
			      "\x03\x20\x01\x10\x87\x05\xa0\x7b\xff\x07";

/* Of a model call; the spans themselves would be most of the memory that is held. */
struct call {
	uint64_t start_ns;
	enum span_status status;
	bool cap;
};

struct world {
	struct trace *trace;
	struct call calls[4];
	size_t cnt;
	uint64_t pos[2], ts;
};

static bool says_cap(const struct span *s)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e)
		if (json_str_is(e, "cap"))
			return true;
	return false;
}

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	if (s->what != SPAN_MODEL_CALL)
		return;
	assert_true(w->cnt < ARRAY_SIZE(w->calls));
	w->calls[w->cnt++] = (struct call){ s->start_ns, s->status, says_cap(s) };
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static void bytes(struct world *w, int dir, struct sv all)
{
	while (all.n) {
		struct sv piece = sv_sub(all, 0, PIECE);

		w->ts += MS;
		feed(w, record_data(w->ts, AGENT, CONN, dir, w->pos[dir], piece.p, piece.n));
		w->pos[dir] += piece.n;
		all = sv_sub(all, piece.n, SIZE_MAX);
	}
}

static void ask(struct world *w, const char *said)
{
	char body[128], text[256];
	int size = snprintf(body, sizeof(body),
			    "{\"model\":\"claude-x\",\"max_tokens\":9,\"messages\":"
			    "[{\"role\":\"user\",\"content\":\"%s\"}]}",
			    said);
	int n = snprintf(text, sizeof(text),
			 "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
			 "Content-Length: %d\r\n\r\n%s",
			 size, body);

	bytes(w, EV_WRITE, (struct sv){ text, (size_t)n });
}

static void answer(struct world *w, const char *coding, struct sv body)
{
	char head[160];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			 "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
			 coding, body.n);

	bytes(w, EV_READ, (struct sv){ head, (size_t)n });
	bytes(w, EV_READ, body);
}

/* An answer that is one very long text. */
static void fill(struct buf *plain)
{
	static const char head[] =
		"{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"";

	assert_int_equal(buf_reserve(plain, BOMB), 0);
	memset(plain->p, 'a', BOMB);
	memcpy(plain->p, head, sizeof(head) - 1);
	plain->len = BOMB;
}

static void pack_zstd(struct buf *to, struct sv plain)
{
	assert_int_equal(buf_reserve(to, ZSTD_compressBound(plain.n)), 0);
	to->len = ZSTD_compress(to->p, to->cap, plain.p, plain.n, 3);
	assert_false(ZSTD_isError(to->len));
}

static uint64_t peak(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)u.ru_maxrss << 10;
}

static void check(const char *coding, struct sv body)
{
	const struct trace_cfg cfg = { 0 };
	struct world w = { .ts = 10 * MS };
	const struct call *first = &w.calls[0], *second = &w.calls[1];
	uint64_t before = peak();

	assert_int_equal(trace_new(&w.trace, &cfg, on_span, &w), 0);
	feed(&w, record_meta());
	feed(&w, record_run(1 * MS, AGENT));
	feed(&w, record_exec(2 * MS, AGENT, 1, "/usr/bin/agent", "agent", 6));
	ask(&w, "one");
	answer(&w, coding, body);
	ask(&w, "another");
	answer(&w, "identity", SV("{\"type\":\"message\",\"content\":[]}"));
	feed(&w, record_exit(w.ts + MS, AGENT, 0));
	trace_end(w.trace);
	assert_int_equal(w.cnt, 2);
	assert_true(first->start_ns < second->start_ns);
	assert_int_not_equal(first->status, STATUS_ERROR); /* who answered did not fail */
	assert_true(first->cap);
	assert_false(second->cap);
	if (!SANITIZED)
		assert_in_range(peak() - before, 0, MEMORY);
	trace_free(&w.trace);
}

static void bombs_of_each_coding(void **state)
{
	_cleanup_buf_ struct buf plain = BUF_INIT, gzip = BUF_INIT, zlib = BUF_INIT, raw = BUF_INIT,
				 zstd = BUF_INIT;

	(void)state;
	fill(&plain);
	assert_true(zip_pack_all(&gzip, buf_view(&plain), ZIP_GZIP));
	assert_true(zip_pack_all(&zlib, buf_view(&plain), ZIP_ZLIB));
	assert_true(zip_pack_all(&raw, buf_view(&plain), ZIP_RAW));
	pack_zstd(&zstd, buf_view(&plain));
	buf_fini(&plain);
	check("br", (struct sv){ br_bomb, sizeof(br_bomb) - 1 });
	check("zstd", buf_view(&zstd));
	check("gzip", buf_view(&gzip));
	check("deflate", buf_view(&zlib));
	check("deflate", buf_view(&raw));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bombs_of_each_coding) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
