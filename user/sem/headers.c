// SPDX-License-Identifier: BSD-2-Clause
/* Facts of a model API's HTTP header: see struct sem_headers in sem.h. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "sem/sem.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define NS_MAX (86400 * NS_PER_S) /* no answer takes a day, nor is a longer wait meant */
#define DIGITS_MAX 15             /* exact in a double */

/* "12", "12.5" -> ns, in the given unit; 0 when it is no such number. */
static uint64_t parse_ns(struct sv s, uint64_t unit)
{
	double v = 0, scale = 1;
	bool point = false;

	s = sv_trim(s);
	if (!s.n || s.n > DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s.p[i] < '0' || s.p[i] > '9')
			return 0;
		v = v * 10 + (s.p[i] - '0');
		if (point)
			scale *= 10;
	}
	v = v / scale * (double)unit;
	return v < (double)NS_MAX ? (uint64_t)llround(v) : NS_MAX;
}

/* Server-Timing: name;dur=123.4;desc="...", name2 ... (W3C); the longest counts, in ms. */
static uint64_t server_timing(struct sv value)
{
	uint64_t longest = 0;

	while (value.n) {
		struct sv metric = sv_token(&value, ',');

		sv_token(&metric, ';');
		while (metric.n) {
			struct sv param = sv_trim(sv_token(&metric, ';'));
			uint64_t ns;

			if (!sv_istarts(param, "dur="))
				continue;
			ns = parse_ns(sv_sub(param, strlen("dur="), param.n), NS_PER_MS);
			if (ns > longest)
				longest = ns;
		}
	}
	return longest;
}

static uint64_t server_time(const struct http_msg *m)
{
	static const char *const names[] = { "openai-processing-ms",
					     "x-envoy-upstream-service-time" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t ns = parse_ns(http_field_get(m, names[i]), NS_PER_MS);

		if (ns)
			return ns;
	}
	return server_timing(http_field_get(m, "server-timing"));
}

/* IMF-fixdate (RFC 9110 5.6.7), as seconds; -1 for anything else. */
static time_t parse_date(struct sv s)
{
	char text[40];
	struct tm tm = { 0 };

	if (!s.n || s.n >= sizeof(text))
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		return -1;
	return timegm(&tm);
}

/* Retry-After is a number of seconds or a date, which the answer's own Date makes a duration. */
static uint64_t retry_after(const struct http_msg *m)
{
	struct sv value = http_field_get(m, "retry-after");
	uint64_t ns = parse_ns(http_field_get(m, "retry-after-ms"), NS_PER_MS);
	time_t then, now;

	if (!ns)
		ns = parse_ns(value, NS_PER_S);
	if (ns)
		return ns;
	then = parse_date(value);
	now = parse_date(http_field_get(m, "date"));
	if (then < 0 || now < 0 || then <= now)
		return 0;
	ns = (uint64_t)(then - now);
	return ns < NS_MAX / NS_PER_S ? ns * NS_PER_S : NS_MAX;
}

/* A gateway that knows prices, in US dollars. */
static double gateway_cost(const struct http_msg *m)
{
	struct sv s = http_field_get(m, "x-litellm-response-cost");
	double usd = NAN;
	char text[32];
	char *end;

	if (!s.n || s.n >= sizeof(text))
		return NAN;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	usd = strtod(text, &end); /* also 2.5e-05 */
	return *end || !isfinite(usd) || usd < 0 ? NAN : usd;
}

static struct sv request_id(struct arena *a, const struct http_msg *m)
{
	static const char *const names[] = { "x-request-id",     "request-id",
					     "apim-request-id",  "x-amzn-requestid",
					     "x-ds-trace-id",    "mistral-correlation-id",
					     "x-debug-trace-id", "x-litellm-call-id" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct sv v = http_field_get(m, names[i]);

		if (v.n)
			return arena_dup(a, v);
	}
	return (struct sv){ NULL, 0 };
}

static struct sv lower_case(struct arena *a, struct sv s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; p && i < s.n; i++)
		p[i] = (char)tolower((unsigned char)s.p[i]);
	return (struct sv){ p, p ? s.n : 0 };
}

/* Names in lower case; the first of a repeated name counts, as in http_field_get(). */
static struct json *rate_limits(struct arena *a, const struct http_msg *m)
{
	struct json *out = NULL;

	for (size_t i = 0; i < m->field_cnt; i++) {
		struct sv name = m->fields[i].name, key;

		if (!sv_istarts(name, "x-ratelimit-") && !sv_istarts(name, "anthropic-ratelimit-"))
			continue;
		key = lower_case(a, name);
		if (!out)
			out = json_object(a);
		if (key.p && !json_get_sv(out, key))
			json_add(a, out, key, json_string(a, m->fields[i].value));
	}
	return out;
}

/* "attempt=2; max=4" (AWS SDKs) */
static int64_t aws_attempt(struct sv value)
{
	int64_t n;

	while (value.n) {
		struct sv field = sv_trim(sv_token(&value, ';'));

		if (sv_starts(field, "attempt=") &&
		    !sv_i64(sv_sub(field, strlen("attempt="), field.n), &n) && n > 0 &&
		    n < INT32_MAX)
			return n;
	}
	return SEM_NONE;
}

void sem_headers(struct sem_headers *out, struct arena *a, const struct http_msg *request,
		 const struct http_msg *response)
{
	struct sv retry = request ? http_field_get(request, "x-stainless-retry-count") : SV("");
	int64_t n;

	*out = (struct sem_headers){ .attempt = SEM_NONE, .cost = NAN };
	if (!sv_i64(retry, &n) && n >= 0 && n < INT32_MAX)
		out->attempt = n + 1;
	else if (request)
		out->attempt = aws_attempt(http_field_get(request, "amz-sdk-request"));
	if (!response)
		return;
	out->request_id = request_id(a, response);
	out->server_ns = server_time(response);
	out->retry_after_ns = retry_after(response);
	out->cost = gateway_cost(response);
	out->rate_limits = rate_limits(a, response);
}
