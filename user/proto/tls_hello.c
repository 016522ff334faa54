// SPDX-License-Identifier: BSD-2-Clause
/* TLS hellos: see tls_hello.h. */
#include "proto/tls_hello.h"

#include <errno.h>

#define RECORD_HEADER 5
#define HANDSHAKE 22
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define EXT_SERVER_NAME 0
#define EXT_ALPN 16
#define EXT_PRE_SHARED_KEY 41
#define EXT_SUPPORTED_VERSIONS 43

/* The random of a HelloRetryRequest: SHA-256 of that word, RFC 8446 4.1.3. */
#define RETRY                                                                 \
	SV("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" \
	   "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")

/* A vector of a vector ...; what is read behind the end is zero, and `cut` stays set. */
struct reader {
	struct sv rest;
	bool cut;
};

static unsigned int number(struct reader *r, size_t bytes)
{
	unsigned int v = 0;

	if (r->rest.n < bytes) {
		r->cut = true;
		r->rest.n = 0;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)r->rest.p[i];
	r->rest = sv_sub(r->rest, bytes, r->rest.n);
	return v;
}

/* n bytes, or as many as there are. */
static struct reader vector(struct reader *r, size_t n)
{
	struct reader v = { sv_sub(r->rest, 0, n), r->rest.n < n };

	r->cut |= v.cut;
	r->rest = sv_sub(r->rest, n, r->rest.n);
	return v;
}

static struct sv printable(struct arena *a, struct sv s)
{
	struct sv copy = arena_dup(a, s);

	for (size_t i = 0; i < copy.n; i++)
		if (copy.p[i] <= ' ' || copy.p[i] > '~')
			((char *)copy.p)[i] = '?';
	return copy;
}

/* Values without a meaning, which are sent so that servers learn to ignore such: RFC 8701 2. */
static bool is_grease(unsigned int v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static void read_server_name(struct tls_hello *h, struct arena *a, struct reader *ext)
{
	struct reader list = vector(ext, number(ext, 2));

	while (list.rest.n) {
		unsigned int type = number(&list, 1);
		struct reader name = vector(&list, number(&list, 2));

		if (type == 0 && !name.cut && !h->sni.n)
			h->sni = printable(a, name.rest);
	}
}

static void read_alpn(struct tls_hello *h, struct arena *a, struct reader *ext)
{
	struct reader list = vector(ext, number(ext, 2));

	while (list.rest.n && h->alpn_cnt < TLS_ALPN_MAX) {
		struct reader name = vector(&list, number(&list, 1));
		struct reader value = name;

		if (name.cut || !name.rest.n || (name.rest.n == 2 && is_grease(number(&value, 2))))
			continue;
		h->alpn[h->alpn_cnt++] = printable(a, name.rest);
	}
}

static void read_versions(struct tls_hello *h, struct reader *ext)
{
	struct reader list = *ext;

	if (h->client)
		list = vector(ext, number(ext, 1));
	while (list.rest.n >= 2) {
		unsigned int v = number(&list, 2);

		if (!is_grease(v) && v > h->version)
			h->version = v;
	}
}

static void read_extensions(struct tls_hello *h, struct arena *a, struct reader *r)
{
	struct reader all = vector(r, number(r, 2));

	while (all.rest.n) {
		unsigned int type = number(&all, 2);
		struct reader ext = vector(&all, number(&all, 2));

		if (type == EXT_SERVER_NAME && h->client)
			read_server_name(h, a, &ext);
		else if (type == EXT_ALPN)
			read_alpn(h, a, &ext);
		else if (type == EXT_SUPPORTED_VERSIONS)
			read_versions(h, &ext);
		else if (type == EXT_PRE_SHARED_KEY && !h->client)
			h->resumed = true;
	}
	h->cut |= all.cut;
}

/* The handshake messages in the records at the start of the bytes, without the records' headers. */
static struct sv unwrap(struct arena *a, struct sv bytes)
{
	char *out = arena_alloc(a, bytes.n);
	size_t n = 0;

	while (out && bytes.n > RECORD_HEADER && bytes.p[0] == HANDSHAKE && bytes.p[1] == 3) {
		size_t len = (size_t)(unsigned char)bytes.p[3] << 8 | (unsigned char)bytes.p[4];
		struct sv part = sv_sub(bytes, RECORD_HEADER, len);

		memcpy(out + n, part.p, part.n);
		n += part.n;
		bytes = sv_sub(bytes, RECORD_HEADER + len, bytes.n);
	}
	return (struct sv){ out, n };
}

int tls_hello_parse(struct tls_hello *h, struct arena *a, struct sv bytes)
{
	struct reader all = { unwrap(a, bytes), false }, r;
	struct reader random;
	unsigned int type;

	*h = (struct tls_hello){ 0 };
	if (arena_failed(a))
		return -ENOMEM;
	type = number(&all, 1);
	if (all.cut || (type != CLIENT_HELLO && type != SERVER_HELLO))
		return -EINVAL;
	h->client = type == CLIENT_HELLO;
	r = vector(&all, number(&all, 3));
	h->version = number(&r, 2);
	random = vector(&r, 32);
	vector(&r, number(&r, 1)); /* session id */
	if (h->client) {
		vector(&r, number(&r, 2)); /* cipher suites */
		vector(&r, number(&r, 1)); /* compression methods */
	} else {
		h->retry = sv_eq(random.rest, RETRY);
		h->cipher = number(&r, 2);
		vector(&r, 1); /* compression method */
	}
	if (r.rest.n)
		read_extensions(h, a, &r);
	h->cut |= r.cut || all.cut;
	return arena_failed(a) ? -ENOMEM : 0;
}

const char *tls_version_text(uint16_t version)
{
	switch (version) {
	case 0x0300:
		return "3.0"; /* SSL */
	case 0x0301:
		return "1.0";
	case 0x0302:
		return "1.1";
	case 0x0303:
		return "1.2";
	case 0x0304:
		return "1.3";
	default:
		return "";
	}
}
