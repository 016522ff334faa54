// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start lines of HTTP/1 (RFC 9112 3, 4), recognized byte by byte, so that a search through foreign
 * bytes holds no more than what may yet become one.  Methods are taken to be in capitals, as all
 * registered ones are.
 */
#include <string.h>

#include "base/cleanup.h"
#include "proto/http1_int.h"

#define METHOD_MAX 32
#define VERSION "HTTP/1."
#define VERSION_LEN (sizeof(VERSION) - 1)
#define DETECT_MAX 4096 /* an unknown method's line that is longer is none */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

static enum start_result to(struct start_match *m, enum start_part part)
{
	m->part = part;
	m->n = 0;
	return START_MORE;
}

static enum start_result match_first(struct start_match *m, enum http_dir dir, char c)
{
	bool response = dir == HTTP_RESPONSE;

	to(m, START_NONE);
	if (response ? c != VERSION[0] : !is_upper(c))
		return START_NO;
	m->part = response ? START_VERSION : START_METHOD;
	m->n = 1;
	return START_FIRST;
}

static enum start_result match_method(struct start_match *m, char c)
{
	if (c == ' ')
		return to(m, START_TARGET);
	if (!(is_upper(c) || is_digit(c) || c == '-' || c == '_') || m->n == METHOD_MAX)
		return START_NO;
	m->n++;
	return START_MORE;
}

static enum start_result match_target(struct start_match *m, char c)
{
	if (!m->n) {
		m->n = 1;
		/* a path, "*", a URL or host:port */
		return c == '/' || c == '*' || c == '[' || is_alnum(c) ? START_MORE : START_NO;
	}
	if (c == ' ')
		return to(m, START_VERSION);
	return (unsigned char)c > ' ' && c != 0x7f ? START_MORE : START_NO;
}

static enum start_result match_version(struct start_match *m, enum http_dir dir, char c)
{
	unsigned int n = m->n++;

	if (n < VERSION_LEN)
		return c == VERSION[n] ? START_MORE : START_NO;
	if (n == VERSION_LEN)
		return is_digit(c) ? START_MORE : START_NO;
	if (dir == HTTP_RESPONSE)
		return c == ' ' ? to(m, START_STATUS) : START_NO;
	if (c == '\n')
		return START_YES;
	return c == '\r' ? to(m, START_LF) : START_NO;
}

static enum start_result match_status(struct start_match *m, char c)
{
	unsigned int n = m->n++;

	if (n < 3)
		return is_digit(c) && (n || c != '0') ? START_MORE : START_NO;
	if (c == '\n')
		return START_YES;
	if (c == '\r')
		return to(m, START_LF);
	return c == ' ' ? to(m, START_REASON) : START_NO;
}

static enum start_result match_reason(struct start_match *m, bool strict, char c)
{
	if (c == '\n')
		return START_YES;
	if (c == '\r')
		return to(m, START_LF);
	if ((unsigned char)c < ' ' && c != '\t')
		return START_NO;
	/* what a text would hold that speaks of HTTP */
	return strict && c && strchr("\"\\{}<>", c) ? START_NO : START_MORE;
}

static enum start_result match_next(struct start_match *m, enum http_dir dir, bool strict, char c)
{
	switch (m->part) {
	case START_METHOD:
		return match_method(m, c);
	case START_TARGET:
		return match_target(m, c);
	case START_VERSION:
		return match_version(m, dir, c);
	case START_STATUS:
		return match_status(m, c);
	case START_REASON:
		return match_reason(m, strict, c);
	case START_NONE:
		return START_NO;
	case START_LF:
		break;
	}
	return c == '\n' ? START_YES : START_NO;
}

enum start_result http1_start_match(struct start_match *m, enum http_dir dir, bool strict, char c)
{
	enum start_result res = match_next(m, dir, strict, c);

	if (res == START_NO)
		res = match_first(m, dir, c);
	else if (res == START_YES)
		to(m, START_NONE);
	return res;
}

static bool method_is_known(struct sv method)
{
	static const char *const known[] = { "GET",   "HEAD",  "POST",    "PUT",    "DELETE",
					     "PATCH", "TRACE", "OPTIONS", "CONNECT" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (sv_is(method, known[i]))
			return true;
	}
	return false;
}

int http1_detect(enum http_dir dir, struct sv bytes)
{
	struct start_match m = { .part = START_NONE };

	while (bytes.n && (bytes.p[0] == '\r' || bytes.p[0] == '\n'))
		bytes = sv_sub(bytes, 1, SIZE_MAX);
	for (size_t i = 0; i < bytes.n; i++) {
		enum start_result res = http1_start_match(&m, dir, false, bytes.p[i]);

		if (res == START_NO || (res == START_FIRST && i))
			return 0;
		if (res == START_YES)
			return 100;
		if (m.part >= START_STATUS && (m.part != START_STATUS || m.n == 3))
			return 100;
		if (m.part == START_TARGET && m.n &&
		    method_is_known(sv_token(&(struct sv){ bytes.p, i }, ' ')))
			return 90;
	}
	return bytes.n < DETECT_MAX ? -1 : 0;
}
