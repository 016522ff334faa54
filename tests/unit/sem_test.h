/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of user/sem share: a call from a request line, events by hand, JSON by text.  JSON is
 * written with ' for ", so that it can be read; no fixture has an apostrophe.
 */
#ifndef RINGSPAN_TESTS_UNIT_SEM_TEST_H
#define RINGSPAN_TESTS_UNIT_SEM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sem/sem.h"

#define _cleanup_call_ __attribute__((cleanup(sem_call_free)))

#define assert_sv(s, cstr)                                     \
	do {                                                   \
		struct sv _s = (s);                            \
		assert_int_equal(_s.n, strlen(cstr));          \
		assert_memory_equal(_s.p, cstr, strlen(cstr)); \
	} while (0)

/* The caller frees. */
static inline char *quoted(const char *text)
{
	char *p = strdup(text);

	for (char *q = p; *q; q++)
		if (*q == '\'')
			*q = '"';
	return p;
}

static inline struct sem_call *call_to(const char *host, const char *path)
{
	struct sem_route r = { .method = SV("POST"), .host = sv(host), .path = sv(path) };
	struct sem_call *c = NULL;

	return sem_call_new(&c, &r) ? NULL : c;
}

static inline void send_request(struct sem_call *c, const char *body)
{
	_cleanup_free_ char *text = quoted(body);

	sem_request(c, sv(text), false);
}

static inline void send_answer(struct sem_call *c, int status, const char *body)
{
	_cleanup_free_ char *text = quoted(body);

	sem_response(c, status, sv(text), false);
}

static inline void send_event(struct sem_call *c, const char *event, const char *data, uint64_t ts)
{
	_cleanup_free_ char *text = quoted(data);
	struct sse_event ev = {
		.event = sv(event), .data = sv(text), .ts_first = ts, .ts_last = ts
	};

	sem_event(c, &ev);
}

/* The value's JSON text is exactly this. */
static inline void assert_json(const struct json *v, const char *want)
{
	_cleanup_free_ char *text = quoted(want);
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_write(&b, v);
	assert_string_equal(buf_cstr(&b), text);
}

static inline void assert_sv_json(struct sv s, const char *want)
{
	_cleanup_free_ char *text = quoted(want);

	assert_sv(s, text);
}

/*
 * Every prefix of a unary answer: nothing crashes, and what is found is a prefix of the text that the
 * whole has.
 */
static inline void assert_every_cut(const char *host, const char *path, const char *body,
				    const char *text)
{
	_cleanup_free_ char *whole = quoted(body);
	size_t len = strlen(whole);

	for (size_t n = 0; n <= len; n++) {
		_cleanup_call_ struct sem_call *c = call_to(host, path);
		_cleanup_free_ char *part = malloc(n ? n : 1);

		/* a block of its own, so that the sanitizer sees a read behind it */
		memcpy(part, whole, n);
		sem_response(c, 200, (struct sv){ part, n }, n < len);
		sem_finish(c, n < len);
		assert_true(c->text.len <= strlen(text));
		if (c->text.len)
			assert_memory_equal(c->text.p, text, c->text.len);
		if (n == len)
			assert_int_equal(c->text.len, strlen(text));
		assert_int_equal(c->response_cut, n < len);
	}
}

#endif
