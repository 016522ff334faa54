// SPDX-License-Identifier: BSD-2-Clause
/*
 * Content codings: the first byte chooses one or two, the rest is the body.  However it is cut the
 * same comes out, but where decode.h says otherwise, and never more than the bound on bombs.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/decode.h"

#define FREE (1u << 20) /* decode.c lets pass this much whatever the input */
#define STAGE_OUT (16u << 10)

static const char *const lists[] = { "gzip",       "deflate",  "br",       "zstd",
				     "gzip, gzip", "br, gzip", "zstd, br", "deflate, zstd",
				     "identity",   "x" };

struct out {
	uint64_t given;
	uint64_t hash;
};

static int take(void *ctx, struct sv bytes)
{
	struct out *o = ctx;

	for (size_t i = 0; i < bytes.n; i++)
		o->hash = (o->hash ^ (unsigned char)bytes.p[i]) * 0x100000001b3u;
	o->given += bytes.n;
	return 0;
}

struct feed {
	struct decode *d;
	int err;
};

static void feed(void *ctx, struct sv bytes)
{
	struct feed *f = ctx;

	f->err = decode_feed(f->d, bytes);
}

/* step: bytes of a piece */
static int run(const struct coding_list *l, struct sv body, size_t step, struct out *o)
{
	struct feed f = { .d = NULL };

	*o = (struct out){ 0 };
	f.err = decode_new(&f.d, l, take, o);
	if (f.err)
		return f.err;
	while (body.n && !f.err) {
		fuzz_exact(sv_sub(body, 0, step), feed, &f);
		body = sv_sub(body, step, SIZE_MAX);
	}
	if (!f.err)
		f.err = decode_end(f.d);
	decode_free(&f.d);
	return f.err;
}

static void decode_run(struct sv input)
{
	struct sv names = sv(lists[fuzz_byte(&input) % ARRAY_SIZE(lists)]);
	struct coding_list l = { 0 };
	struct out whole, cut;
	int err, cut_err;

	codings_add(&l, names);
	err = run(&l, input, SIZE_MAX, &whole);
	fuzz_assert(whole.given <=
		    FREE + STAGE_OUT + (uint64_t)(input.n + 1) * LIMIT_INFLATE_RATIO);
	cut_err = run(&l, input, 1 + hash64(input) % 50, &cut);
	if (err == -E2BIG || cut_err == -E2BIG)
		return;
	if (err && (sv_has(names, "br") || sv_has(names, "zstd")))
		return;
	fuzz_assert(err == cut_err && whole.given == cut.given && whole.hash == cut.hash);
}

const struct fuzz_target fuzz_decode = { "decode", decode_run, NULL };
