// SPDX-License-Identifier: BSD-2-Clause
/*
 * HTTP on a connection: which version, who asks, and the bytes through the parser whose messages
 * become exchanges.  Behind an upgrade they go to ws.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"

extern const struct stream_ops stream_http;

static int max(int a, int b)
{
	return a > b ? a : b;
}

static enum http_dir http_dir(const struct http_conn *h, enum ev_dir dir)
{
	return (h->role == ROLE_CLIENT) == (dir == EV_WRITE) ? HTTP_REQUEST : HTTP_RESPONSE;
}

static int http_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	int scores[] = { http1_detect(HTTP_REQUEST, first), http1_detect(HTTP_RESPONSE, first),
			 http2_detect(HTTP_REQUEST, first), http2_detect(HTTP_RESPONSE, first) };
	int best = 0;

	(void)c;
	(void)dir;
	for (size_t i = 0; i < ARRAY_SIZE(scores); i++) {
		if (scores[i] < 0)
			return -1;
		best = max(best, scores[i]);
	}
	return best;
}

/*
 * A client's preface is a constant of its program, handed to the TLS library where it lies: in a page
 * that nobody has touched yet, which the kernel side cannot read.  What it says is known.
 */
static bool is_preface(uint64_t missing)
{
	return missing == HTTP2_PREFACE.n;
}

/* Who asks?  The first bytes tell; a connection that was joined half way is taken for a client's. */
static void find_role(struct http_conn *h, enum ev_dir dir, struct sv first)
{
	int request = http1_detect(HTTP_REQUEST, first);
	int response = http1_detect(HTTP_RESPONSE, first);
	int request2 = http2_detect(HTTP_REQUEST, first);
	int response2 = http2_detect(HTTP_RESPONSE, first);

	h->is_http2 = max(request2, response2) > max(request, response);
	if (h->is_http2) {
		request = request2;
		response = response2;
	}
	if (h->is_http2 && is_preface(h->stream->missed[dir])) /* both sides' SETTINGS look alike */
		request = response + 1;
	if (response > request)
		h->role = dir == EV_READ ? ROLE_CLIENT : ROLE_SERVER;
	else if (request > response)
		h->role = dir == EV_WRITE ? ROLE_CLIENT : ROLE_SERVER;
	else
		h->role = ROLE_CLIENT;
}

static int http_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct http_conn *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->stream = s;
	find_role(h, dir, first);
	err = h->is_http2 ? http2_new(&h->http2, &exchange_ops, h)
			  : http1_new(&h->http1, &exchange_ops, h);
	if (err) {
		free(h);
		return err;
	}
	s->state = h;
	return 0;
}

static void feed(struct http_conn *h, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	uint64_t end = h->fed[dir] += bytes.n;
	bool was_ws = h->ws;

	if (h->http2)
		http2_feed(h->http2, http_dir(h, dir), ts, bytes);
	else if (!h->ws)
		http1_feed(h->http1, http_dir(h, dir), ts, bytes);
	if (h->ws && !was_ws) { /* only now the parser knows how far HTTP goes */
		h->ws_from[EV_WRITE] = http1_pos(h->http1, http_dir(h, EV_WRITE));
		h->ws_from[EV_READ] = http1_pos(h->http1, http_dir(h, EV_READ));
	}
	if (h->ws && h->ws_from[dir] < end) {
		uint64_t n = end - h->ws_from[dir];

		ws_feed(h, http_dir(h, dir), ts,
			sv_sub(bytes, n < bytes.n ? bytes.n - n : 0, bytes.n));
	}
}

/* --- answers that came early */

/*
 * The thread that writes a request and the one that reads its answer are not always the same (Go), and
 * the first may be stopped between the write's last step and the probe behind it, on a busy machine for
 * longer than the answer takes.  So the answer waits for it, within the bounds that conn.h has for what
 * comes early in one direction.
 */
struct early {
	struct early *next;
	uint64_t ts;
	size_t n;
	char bytes[];
};

static bool is_early(const struct http_conn *h, struct sv bytes)
{
	if (h->ws || h->role != ROLE_CLIENT)
		return false;
	return h->http2 ? http2_is_early(h->http2, bytes) : http1_is_early(h->http1);
}

/* The oldest is fed, and gone. */
static void early_feed(struct http_conn *h)
{
	struct early *e = h->early;

	h->early = e->next;
	h->early_cnt--;
	h->early_bytes -= e->n;
	feed(h, EV_READ, e->ts, (struct sv){ e->bytes, e->n });
	free(e);
}

static void early_feed_all(struct http_conn *h)
{
	while (h->early)
		early_feed(h);
}

static bool early_waits_enough(const struct http_conn *h, uint64_t ts, size_t n)
{
	return h->early &&
	       (ts > h->early->ts + LIMIT_REORDER_NS || h->early_cnt >= LIMIT_REORDER_RECORDS ||
		h->early_bytes + n > LIMIT_REORDER_BYTES);
}

/* False: it is not to wait, or there is no memory for it. */
static bool early_hold(struct http_conn *h, uint64_t ts, struct sv bytes)
{
	struct early **at = &h->early, *e;

	if (early_waits_enough(h, ts, bytes.n))
		early_feed_all(h);
	else if (!h->early && !is_early(h, bytes))
		return false;
	else if ((e = malloc(sizeof(*e) + bytes.n))) {
		*e = (struct early){ .ts = ts, .n = bytes.n };
		memcpy(e->bytes, bytes.p, bytes.n);
		while (*at)
			at = &(*at)->next;
		*at = e;
		h->early_cnt++;
		h->early_bytes += bytes.n;
		return true;
	}
	early_feed_all(h);
	return false;
}

static void http_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct http_conn *h = s->state;

	if (dir == EV_READ && early_hold(h, ts, bytes))
		return;
	while (h->early &&
	       h->early->ts < ts) /* it came before this request, so it is not its answer */
		early_feed(h);
	feed(h, dir, ts, bytes);
	while (h->early && !is_early(h, (struct sv){ h->early->bytes, h->early->n }))
		early_feed(h);
}

static void http_gap(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct http_conn *h = s->state;

	if (h->is_http2 && !h->fed[dir] && is_preface(missing) &&
	    http_dir(h, dir) == HTTP_REQUEST) {
		http_data(s, dir, ts, HTTP2_PREFACE);
		return;
	}
	if (dir == EV_READ)
		early_feed_all(h);
	h->fed[dir] += missing;
	if (http_dir(h, dir) == HTTP_RESPONSE)
		exchange_answers_missed(h);
	if (h->ws)
		ws_gap(h, http_dir(h, dir), missing);
	else if (h->http2)
		http2_gap(h->http2, http_dir(h, dir), ts, missing);
	else
		http1_gap(h->http1, http_dir(h, dir), ts, missing);
	early_feed_all(h); /* what they answer may have been in it */
}

static void http_close(struct stream *s, uint64_t ts)
{
	struct http_conn *h = s->state;

	early_feed_all(h);
	ws_close(h);
	if (h->http2)
		http2_end(h->http2);
	else
		http1_end(h->http1, ts);
	exchange_end_all(h); /* no answer came, or only half of one side is known */
	http1_free(&h->http1);
	http2_free(&h->http2);
	free(h);
}

struct http_conn *http_of(const struct conn *c)
{
	const struct stream *s = c->user;

	return s && s->ops == &stream_http ? s->state : NULL;
}

const struct stream_ops stream_http = {
	.name = "http",
	.detect = http_detect,
	.open = http_open,
	.data = http_data,
	.gap = http_gap,
	.close = http_close,
};
