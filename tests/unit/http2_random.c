// SPDX-License-Identifier: BSD-2-Clause
/*
 * A client's side of HTTP/2 connections, made at random with nghttp2's encoder; cut, joined, holed and
 * damaged anywhere.
 */
#include "http2_test.h"

#include <nghttp2/nghttp2.h>

#include "base/cleanup.h"
#include "hostile.h"

#define MADE_MAX 4096
#define FIELDS_MAX 8

struct made_head {
	uint64_t pos;
	size_t cnt;
	struct http_field fields[FIELDS_MAX];
};

struct made {
	struct buf wire;
	nghttp2_hd_deflater *deflater;
	size_t cnt;
	struct made_head heads[MADE_MAX];
	uint64_t body;
};

static struct sv pick(uint64_t *seed, const char *prefix, size_t of)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s%zu", prefix, rnd_below(seed, of)) > 0);
	return sv(text); /* freed with its head */
}

static void pick_fields(struct made_head *head, uint64_t *seed)
{
	static const char *const names[] = { "user-agent", "x-request-id", "authorization",
					     "content-type", "x-a" };
	struct http_field *f = head->fields;

	*f++ = (struct http_field){ SV(":method"), pick(seed, "M", 3) };
	*f++ = (struct http_field){ SV(":path"), pick(seed, "/", 20) };
	*f++ = (struct http_field){ SV(":authority"), pick(seed, "host", 3) };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (rnd_below(seed, 2))
			*f++ = (struct http_field){ sv(names[i]),
						    pick(seed, names[i], 1 + i * i * i * i) };
	}
	head->cnt = f - head->fields;
}

static void put_head(struct made *m, uint32_t id, uint64_t *seed)
{
	struct made_head *head = &m->heads[m->cnt++];
	nghttp2_nv nv[FIELDS_MAX] = { 0 };
	uint8_t block[4096];
	ssize_t len, first;

	assert_true(m->cnt <= MADE_MAX);
	head->pos = m->wire.len;
	pick_fields(head, seed);
	for (size_t i = 0; i < head->cnt; i++) {
		nv[i].name = (uint8_t *)head->fields[i].name.p;
		nv[i].namelen = head->fields[i].name.n;
		nv[i].value = (uint8_t *)head->fields[i].value.p;
		nv[i].valuelen = head->fields[i].value.n;
	}
	len = nghttp2_hd_deflate_hd(m->deflater, block, sizeof(block), nv, head->cnt);
	assert_true(len > 0);
	first = rnd_below(seed, 4) ? len : 1 + (ssize_t)rnd_below(seed, len);
	put_frame(&m->wire, 1, first == len ? 4 : 0, id, (struct sv){ (char *)block, first });
	if (first < len)
		put_frame(&m->wire, 9, 4, id, (struct sv){ (char *)block + first, len - first });
}

/* sizes: now and then the encoder takes another size for its table. */
static void make(struct made *m, uint64_t seed, size_t steps, const size_t *sizes, size_t size_cnt)
{
	uint32_t open[8] = { 0 }, next = 1;
	char body[300];

	*m = (struct made){ 0 };
	memset(body, 'b', sizeof(body));
	assert_int_equal(nghttp2_hd_deflate_new(&m->deflater, 65536), 0);
	if (!size_cnt)
		nghttp2_hd_deflate_change_table_size(m->deflater, 4096);
	buf_str(&m->wire, PREFACE);
	put_frame(&m->wire, 4, 0, 0, SV(""));
	for (size_t i = 0; i < steps; i++) {
		uint32_t *id = &open[rnd_below(&seed, ARRAY_SIZE(open))];
		size_t n = rnd_below(&seed, sizeof(body));
		bool end = !rnd_below(&seed, 4);

		if (size_cnt && !rnd_below(&seed, 50))
			nghttp2_hd_deflate_change_table_size(m->deflater,
							     sizes[rnd_below(&seed, size_cnt)]);
		if (!rnd_below(&seed, 10))
			put_frame(&m->wire, 8, 0, 0, SV("\0\1\0\0"));
		if (!*id) {
			*id = next;
			next += 2;
			put_head(m, *id, &seed);
			continue;
		}
		put_frame(&m->wire, 0, end, *id, (struct sv){ body, n });
		m->body += n;
		if (end)
			*id = 0;
	}
}

static void made_fini(struct made *m)
{
	for (size_t i = 0; i < m->cnt; i++) {
		for (size_t k = 0; k < m->heads[i].cnt; k++)
			free((char *)m->heads[i].fields[k].value.p);
	}
	nghttp2_hd_deflate_del(m->deflater);
	buf_fini(&m->wire);
}

static struct sv made_field(const struct made_head *head, struct sv name)
{
	for (size_t i = 0; i < head->cnt; i++) {
		if (head->fields[i].name.n == name.n &&
		    !memcmp(head->fields[i].name.p, name.p, name.n))
			return head->fields[i].value;
	}
	fail_msg("a field " SV_FMT " was not sent", SV_ARG(name));
	return (struct sv){ NULL, 0 };
}

static void check_value(const struct made_head *head, const char *name, struct sv value)
{
	if (value.p)
		assert_true(sv_eq(value, made_field(head, sv(name))));
}

/* Whatever is told of a header was sent in it; where nothing is unknown, all that was sent is told. */
static void check_head(const struct made *truth, const struct http_msg *m)
{
	const struct made_head *head = NULL;

	for (size_t i = 0; i < truth->cnt; i++) {
		if (truth->heads[i].pos == m->pos)
			head = &truth->heads[i];
	}
	if (!head) { /* begins with a frame of data */
		assert_true(m->flags & HTTP_HEAD_UNKNOWN);
		assert_int_equal(m->field_cnt, 0);
		return;
	}
	check_value(head, ":method", m->method);
	check_value(head, ":path", m->target);
	for (size_t i = 0; i < m->field_cnt; i++) {
		bool host = sv_is(m->fields[i].name, "host");

		assert_true(sv_eq(m->fields[i].value,
				  made_field(head, host ? SV(":authority") : m->fields[i].name)));
	}
	if (m->flags & HTTP_HEAD_UNKNOWN)
		return;
	assert_true(m->method.p && m->target.p);
	assert_int_equal(m->field_cnt, head->cnt - 2);
}

static struct http2 *open_checked(struct seen *s, const struct made *truth)
{
	struct http2 *h = open_parser(s);

	s->truth = truth;
	s->check_head = check_head;
	return h;
}

static void feed_cut(struct http2 *h, struct sv bytes, uint64_t seed, size_t max, struct guard *g)
{
	while (bytes.n) {
		size_t n = 1 + rnd_below(&seed, max);

		feed(h, HTTP_REQUEST, guard_put(g, sv_sub(bytes, 0, n)));
		bytes = sv_sub(bytes, n, SIZE_MAX);
	}
}

static const size_t many_sizes[] = { 0, 100, 512, 4096, 16384, 65536 };

static void test_random(void **state)
{
	static struct made m;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct seen whole, cut;
		struct http2 *h = open_checked(&whole, &m);

		make(&m, seed, 1000, many_sizes, seed % 2 ? ARRAY_SIZE(many_sizes) : 0);
		feed(h, HTTP_REQUEST, buf_view(&m.wire));
		close_parser(h, &whole);
		assert_int_equal(whole.heads, m.cnt);
		assert_int_equal(whole.known, m.cnt);
		assert_int_equal(whole.body, m.body);
		h = open_checked(&cut, &m);
		feed_cut(h, buf_view(&m.wire), seed, seed % 3 ? 20 : 1000, &g);
		close_parser(h, &cut);
		assert_int_equal(cut.log.len, whole.log.len);
		assert_memory_equal(cut.log.p, whole.log.p, cut.log.len);
		buf_fini(&whole.log);
		buf_fini(&cut.log);
		made_fini(&m);
	}
	guard_fini(&g);
}

/* Joined anywhere: what is told is true, and all bodies behind the join are given. */
static void test_joined(void **state)
{
	static struct made m;
	size_t known = 0, heads = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint64_t pick_at = seed;
		struct seen s;
		struct http2 *h;
		size_t at;

		make(&m, seed, 2000, many_sizes, seed % 2 ? ARRAY_SIZE(many_sizes) : 0);
		at = rnd_below(&pick_at, m.wire.len / 2);
		h = open_checked(&s, &m);
		http2_gap(h, HTTP_REQUEST, 1, at);
		feed(h, HTTP_REQUEST, sv_sub(buf_view(&m.wire), at, SIZE_MAX));
		close_parser(h, &s);
		assert_true(s.body > m.body / 3);
		known += s.known;
		heads += s.heads;
		buf_fini(&s.log);
		made_fini(&m);
	}
	/* the dynamic table comes back */
	assert_true(known > heads / 2);
}

/* Holes anywhere: what is told is still true. */
static void test_holes(void **state)
{
	static struct made m;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint64_t r = seed;
		struct seen s;
		struct http2 *h = open_checked(&s, &m);
		struct sv rest;

		make(&m, seed, 2000, many_sizes, seed % 2 ? ARRAY_SIZE(many_sizes) : 0);
		rest = buf_view(&m.wire);
		while (rest.n) {
			size_t n = rnd_below(&r, 20000), lost = 1 + rnd_below(&r, 400);

			feed(h, HTTP_REQUEST, sv_sub(rest, 0, n));
			rest = sv_sub(rest, n, SIZE_MAX);
			if (lost > rest.n)
				lost = rest.n;
			http2_gap(h, HTTP_REQUEST, 1, lost);
			rest = sv_sub(rest, lost, SIZE_MAX);
		}
		close_parser(h, &s);
		assert_true(s.body > m.body / 2);
		buf_fini(&s.log);
		made_fini(&m);
	}
}

static void put_fields(struct buf *to, nghttp2_hd_deflater *d, uint32_t id, nghttp2_nv *nv,
		       size_t cnt)
{
	uint8_t block[16384];
	ssize_t len = nghttp2_hd_deflate_hd(d, block, sizeof(block), nv, cnt);

	assert_true(len > 0);
	put_frame(to, 1, 5, id, (struct sv){ (char *)block, len });
}

static nghttp2_nv field_of(char *text, const char *name, unsigned int number)
{
	int n = sprintf(text, "%s%u", name, number);

	return (nghttp2_nv){ (uint8_t *)text, (uint8_t *)"v", n, 1, 0 };
}

/*
 * The encoder's table is large, and it goes on using an old entry of it: what it adds anew is known
 * nevertheless, from the second header on.
 */
static void test_large_table(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	char text[300][16];
	nghttp2_hd_deflater *d;
	nghttp2_nv nv[300];
	struct seen s;
	struct http2 *h = open_parser(&s);

	(void)state;
	assert_int_equal(nghttp2_hd_deflate_new(&d, 65536), 0);
	nghttp2_hd_deflate_change_table_size(d, 65536);
	for (unsigned int i = 0; i < ARRAY_SIZE(nv); i++)
		nv[i] = field_of(text[i], "old", i);
	put_fields(&wire, d, 1, nv, ARRAY_SIZE(nv));
	buf_clear(&wire);
	for (unsigned int i = 1; i < 10; i++) {
		nghttp2_nv now[] = { { (uint8_t *)":method", (uint8_t *)"GET", 7, 3, 0 },
				     nv[0],
				     field_of(text[1], "new", i),
				     field_of(text[2], "new", i - 1) };

		put_fields(&wire, d, 1 + 2 * i, now, ARRAY_SIZE(now));
	}
	http2_gap(h, HTTP_REQUEST, 1, 1000);
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.heads, 9);
	assert_int_equal(s.unknown, 9);
	assert_int_equal(s.field_cnt, 2);
	nghttp2_hd_deflate_del(d);
	close_parser(h, &s);
	buf_fini(&s.log);
}

/* Damaged connections: however the bytes are cut, the same comes of them. */
static void test_damaged(void **state)
{
	static struct made m;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct seen whole, cut;
		struct http2 *h = open_parser(&whole);
		uint64_t r = seed;

		make(&m, seed, 300, many_sizes, ARRAY_SIZE(many_sizes));
		for (size_t i = 0; i < 20; i++)
			m.wire.p[rnd_below(&r, m.wire.len)] ^= 1 << rnd_below(&r, 8);
		feed(h, HTTP_REQUEST, buf_view(&m.wire));
		close_parser(h, &whole);
		h = open_parser(&cut);
		feed_cut(h, buf_view(&m.wire), seed, 50, &g);
		close_parser(h, &cut);
		assert_int_equal(cut.log.len, whole.log.len);
		assert_memory_equal(cut.log.p, whole.log.p, cut.log.len);
		buf_fini(&whole.log);
		buf_fini(&cut.log);
		made_fini(&m);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),  cmocka_unit_test(test_joined),
		cmocka_unit_test(test_holes),   cmocka_unit_test(test_large_table),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
