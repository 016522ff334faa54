/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of what masks captures: one connection, fed in records, and what became of its bytes. */
#ifndef RINGSPAN_SEAL_TEST_H
#define RINGSPAN_SEAL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/redact.h"
#include "event/event.h"
#include "hostile.h"
#include "seal/seal.h"

#define TOKEN "sk-proj-Zx9Qv7Kw2Lm4Np8Rt6Yb3Hd5Jf1Gc0SaQq"
#define TOKEN_LEN (sizeof(TOKEN) - 1)

struct wire {
	struct seal *seal;
	struct event_scrub *scrub; /* what masks records before, if it is to */
	uint64_t conn, pos[2];
	struct buf out[2]; /* what is left of the bytes, by enum ev_dir */
};

static inline void wire_init(struct wire *w)
{
	*w = (struct wire){ .conn = 7 };
	assert_int_equal(seal_new(&w->seal), 0);
}

static inline void wire_fini(struct wire *w)
{
	seal_free(&w->seal);
	assert_null(w->seal);
	event_scrub_free(&w->scrub);
	buf_fini(&w->out[0]);
	buf_fini(&w->out[1]);
}

/* One record.  Only its bytes may change. */
static inline void wire_record(struct wire *w, enum ev_dir dir, uint64_t pos, struct sv bytes)
{
	_Alignas(8) static char rec[EV_SIZE_MAX], was[EV_SIZE_MAX];
	struct ev_data *d = (void *)rec;
	struct guard g;
	struct sv put;

	*d = (struct ev_data){ .hdr = { .size = sizeof(*d) + bytes.n, .kind = EV_DATA, .tgid = 1 },
			       .conn = w->conn,
			       .pos = pos,
			       .len = bytes.n,
			       .dir = dir,
			       .src = EV_SRC_OPENSSL };
	memcpy(rec + sizeof(*d), bytes.p, bytes.n);
	memcpy(was, rec, sizeof(*d));
	assert_int_equal(event_check(rec, d->hdr.size), 0);
	guard_init(&g, sizeof(rec));
	put = guard_put(&g, (struct sv){ rec, (d->hdr.size + 7) & ~7u });
	if (w->scrub)
		event_scrub(w->scrub, (struct ev_hdr *)(void *)put.p);
	seal_record(w->seal, (struct ev_hdr *)(void *)put.p);
	assert_memory_equal(was, put.p, sizeof(*d));
	buf_add(&w->out[dir], put.p + sizeof(*d), bytes.n);
	guard_fini(&g);
}

static inline void wire_feed(struct wire *w, enum ev_dir dir, struct sv bytes)
{
	wire_record(w, dir, w->pos[dir], bytes);
	w->pos[dir] += bytes.n;
}

/* In pieces of up to max bytes, or, with `at`, cut there alone. */
static inline void wire_cut(struct wire *w, enum ev_dir dir, struct sv bytes, uint64_t *seed,
			    size_t max)
{
	while (bytes.n) {
		struct sv now = sv_sub(bytes, 0, 1 + rnd_below(seed, max));

		wire_feed(w, dir, now);
		bytes = sv_sub(bytes, now.n, SIZE_MAX);
	}
}

/* RFC 9112 7.1: one, and the content of all up to the last. */
static inline void put_chunk(struct buf *b, struct sv bytes)
{
	buf_fmt(b, "%zx\r\n", bytes.n);
	buf_sv(b, bytes);
	buf_str(b, "\r\n");
}

static inline void take_chunks(struct buf *out, struct sv text)
{
	for (;;) {
		struct sv line = sv_token(&text, '\n');
		size_t n = strtoul(line.p, NULL, 16);

		if (!n)
			return;
		buf_sv(out, sv_sub(text, 0, n));
		text = sv_sub(text, n + 2, SIZE_MAX);
	}
}

/* No half of the token is there. */
static inline void assert_no_token(struct sv text)
{
	char half[TOKEN_LEN];

	for (size_t from = 8; from + 16 <= TOKEN_LEN; from += 17) {
		snprintf(half, sizeof(half), "%.16s", &TOKEN[from]);
		if (sv_has(text, half))
			fail_msg("there is %s", half);
	}
}

/* Both read the same once they are redacted. */
static inline void assert_same_redacted(struct sv a, struct sv b)
{
	_cleanup_buf_ struct buf x = BUF_INIT, y = BUF_INIT;

	buf_sv(&x, a);
	buf_sv(&y, b);
	redact_text(x.p, x.len);
	redact_text(y.p, y.len);
	if (x.len != y.len || memcmp(x.p, y.p, x.len) != 0) {
		size_t i = 0;

		while (i < x.len && i < y.len && x.p[i] == y.p[i])
			i++;
		i = i > 40 ? i - 40 : 0;
		fail_msg("%zu and %zu bytes:\n%.120s\n%.120s", x.len, y.len, buf_cstr(&x) + i,
			 buf_cstr(&y) + i);
	}
}

#endif
