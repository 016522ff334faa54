// SPDX-License-Identifier: BSD-2-Clause
/*
 * corpus [-v] DIR: runs every recorded exchange under DIR (folders with an expect.json) through the
 * parsers and scores what they find.  Each runs whole and cut at random places with fixed seeds, also
 * in chunks and compressed; all runs must find the same.  Exits with 1 when an API has too few fields right (score.h), when a cut
 * changed something, or when an exchange of another kind was taken for a model operation.
 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "exchange.h"
#include "reframe.h"
#include "score.h"

#define ROUNDS 6
#define SHOW 20 /* differences that are printed */
#define SHOW_ALL 100000
#define READ_BLOCK 65536

struct tally {
	struct score score;
	size_t unequal; /* exchanges that a cut changed */
	size_t others, claimed;
};

static int read_file(struct buf *b, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return log_err(-errno, "cannot read %s: %s", path, strerror(errno));
	do {
		if (buf_reserve(b, READ_BLOCK))
			return -ENOMEM;
		n = fread(b->p + b->len, 1, READ_BLOCK, f);
		b->len += n;
	} while (n);
	return ferror(f) ? log_err(-EIO, "cannot read %s", path) : 0;
}

/* Not a model provider's, or nobody's that we describe. */
static bool is_other(struct sv api)
{
	return sv_is(api, "other") || sv_is(api, "mcp.http");
}

/* As recorded, in chunks, and in chunks of gzip. */
static bool cuts_agree(struct arena *a, const struct json *whole, struct sv request,
		       struct sv response, const char *name)
{
	static const char *const how[] = { "recorded", "chunked", "gzip" };
	struct sv want = json_text(a, whole);

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		_cleanup_buf_ struct buf framed = BUF_INIT;
		uint64_t seed = round * 0x9e3779b97f4a7c15ull;
		size_t k = round % ARRAY_SIZE(how);
		struct json *v;

		if (k && reframe(&framed, response, k == 2, seed))
			v = exchange_run(a, request, buf_view(&framed), seed);
		else
			v = exchange_run(a, request, response, seed);
		if (sv_eq(json_text(a, v), want))
			continue;
		printf("%s: cut with seed %d, %s, gives another result\n", name, (int)round,
		       how[k]);
		return false;
	}
	return true;
}

static int exchange(struct tally *t, const char *folder, const struct json *expected)
{
	_cleanup_arena_ struct arena a = { 0 };
	_cleanup_buf_ struct buf request = BUF_INIT, response = BUF_INIT, path = BUF_INIT;
	struct sv file = json_sv(json_get(expected, "file")),
		  api = json_sv(json_get(expected, "api"));
	struct json *found;

	buf_fmt(&path, "%s/" SV_FMT ".request.http", folder, SV_ARG(file));
	if (read_file(&request, buf_cstr(&path)))
		return -EIO;
	buf_clear(&path);
	buf_fmt(&path, "%s/" SV_FMT ".response.http", folder, SV_ARG(file));
	if (read_file(&response, buf_cstr(&path)))
		return -EIO;
	found = exchange_run(&a, buf_view(&request), buf_view(&response), 0);
	buf_clear(&path);
	buf_fmt(&path, "%s/" SV_FMT, folder, SV_ARG(file));
	if (!is_other(api)) {
		score_add(&t->score, buf_cstr(&path), api, expected, found);
		t->unequal += !cuts_agree(&a, found, buf_view(&request), buf_view(&response),
					  buf_cstr(&path));
		return 0;
	}
	t->others++;
	/* the recordings leave open what a store's search is: that it is no inference is certain */
	if (json_get(found, "operation") &&
	    !(json_str_is(json_get(found, "operation"), "retrieval") &&
	      !json_get(expected, "operation"))) {
		t->claimed++;
		printf("%s: is " SV_FMT ", claimed as " SV_FMT "\n", buf_cstr(&path), SV_ARG(api),
		       SV_ARG(json_sv(json_get(found, "api"))));
	}
	return 0;
}

static int cassette(struct tally *t, const char *expect)
{
	_cleanup_arena_ struct arena a = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT, folder = BUF_INIT;
	struct json *list;
	int err = read_file(&text, expect);

	if (err)
		return err;
	list = json_parse(&a, buf_view(&text), NULL);
	buf_add(&folder, expect, (size_t)(strrchr(expect, '/') - expect));
	json_for_each (list, expected) {
		err = exchange(t, buf_cstr(&folder), expected);
		if (err)
			return err;
	}
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk(struct tally *t, char *dir)
{
	char *roots[] = { dir, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *e;
	int err = 0;

	if (!fts)
		return log_err(-errno, "cannot read %s: %s", dir, strerror(errno));
	while (!err && (e = fts_read(fts)))
		if (e->fts_info == FTS_F && !strcmp(e->fts_name, "expect.json"))
			err = cassette(t, e->fts_path);
	fts_close(fts);
	return err;
}

int main(int argc, char **argv)
{
	struct tally t = { .score.show = SHOW };
	int opt;

	while ((opt = getopt(argc, argv, "v")) != -1) {
		if (opt != 'v')
			return 2;
		t.score.show = SHOW_ALL;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "usage: corpus [-v] DIR\n");
		return 2;
	}
	if (walk(&t, argv[optind]))
		return 1;
	if (!t.score.row_cnt) {
		log_err(0, "no exchange of a known API under %s", argv[optind]);
		return 1;
	}
	printf("%zu differences; %zu exchanges that a cut changed (%d rounds each); "
	       "%zu of %zu other exchanges claimed\n\n",
	       t.score.differences, t.unequal, ROUNDS, t.claimed, t.others);
	return score_report(&t.score) && !t.unequal && !t.claimed ? 0 : 1;
}
