// SPDX-License-Identifier: BSD-2-Clause
/* DNS messages: see dns.h. */
#include "proto/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/limits.h"

#define HEADER 12
#define NAME_MAX_WIRE 255 /* RFC 1035 2.3.4 */

/* What is read behind the end is zero, and `failed` stays set. */
struct reader {
	const uint8_t *p;
	size_t at, end;
	bool failed;
};

static bool has(struct reader *r, size_t n)
{
	if (r->failed || r->end - r->at < n)
		r->failed = true;
	return !r->failed;
}

static unsigned int u8(struct reader *r)
{
	return has(r, 1) ? r->p[r->at++] : 0;
}

static unsigned int u16(struct reader *r)
{
	unsigned int hi = u8(r);

	return hi << 8 | u8(r);
}

static uint32_t u32(struct reader *r)
{
	uint32_t hi = u16(r);

	return hi << 16 | u16(r);
}

static void skip(struct reader *r, size_t n)
{
	if (has(r, n))
		r->at += n;
}

/* RFC 1035 5.1: what is no visible character, and what has a meaning in a name, is escaped. */
static void put_byte(struct buf *b, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A'; /* names differ by more than that, RFC 4343 */
	if (c <= ' ' || c > '~')
		buf_fmt(b, "\\%03u", c);
	else if (c == '.' || c == '\\' || c == '"')
		buf_fmt(b, "\\%c", c);
	else
		buf_ch(b, (char)c);
}

static void put_label(struct buf *b, const uint8_t *p, size_t n)
{
	if (b->len)
		buf_ch(b, '.');
	for (size_t i = 0; i < n; i++)
		put_byte(b, p[i]);
}

/* Appends a name to an empty b.  A pointer leads to before all that was read of the name (4.1.4). */
static void read_name(struct reader *r, struct buf *b)
{
	size_t at = r->at, lowest = at, wire = 0;
	bool jumped = false;

	while (has(r, 0) && at < r->end) {
		unsigned int len = r->p[at];

		if ((len & 0xc0) == 0xc0 && at + 1 < r->end) {
			size_t to = (len & 0x3f) << 8 | r->p[at + 1];

			if (!jumped)
				r->at = at + 2;
			jumped = true;
			if (to >= lowest)
				break;
			at = lowest = to;
			continue;
		}
		wire += len + 1;
		if (len > 63 || wire > NAME_MAX_WIRE || r->end - at <= len)
			break;
		if (!len) {
			if (!jumped)
				r->at = at + 1;
			if (!b->len)
				buf_ch(b, '.');
			return;
		}
		put_label(b, r->p + at + 1, len);
		at += len + 1;
	}
	r->failed = true;
}

/* --- record data */

static void put_addr(struct buf *b, int family, const uint8_t *p)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(family, p, text, sizeof(text));
	buf_str(b, text);
}

static void put_name(struct reader *r, struct buf *b)
{
	_cleanup_buf_ struct buf name = BUF_INIT;

	read_name(r, &name);
	buf_sv(b, buf_view(&name));
}

static void put_strings(struct reader *r, struct buf *b)
{
	const char *quote = "\"";

	while (r->at < r->end && !r->failed) {
		size_t n = u8(r);

		buf_str(b, quote);
		for (size_t i = 0; i < n && has(r, 1); i++) {
			unsigned int c = u8(r);

			if (c < ' ' || c > '~' || c == '"' || c == '\\')
				buf_fmt(b, "\\%03u", c);
			else
				buf_ch(b, (char)c);
		}
		buf_ch(b, '"');
		quote = " \"";
	}
}

static void put_hints(struct reader *r, struct buf *b, int family)
{
	size_t size = family == AF_INET ? 4 : 16;
	const char *sep = "";

	while (r->at < r->end && has(r, size)) {
		buf_str(b, sep);
		put_addr(b, family, r->p + r->at);
		skip(r, size);
		sep = ",";
	}
}

static void put_alpn(struct reader *r, struct buf *b)
{
	const char *sep = "";

	while (r->at < r->end && !r->failed) {
		size_t n = u8(r);

		buf_str(b, sep);
		while (n-- && has(r, 1))
			put_byte(b, u8(r));
		sep = ",";
	}
}

/* RFC 9460 2.2 and 14.3.2 */
static void put_svc_params(struct reader *r, struct buf *b)
{
	while (r->at < r->end && !r->failed) {
		unsigned int key = u16(r), len = u16(r);
		struct reader v = { r->p, r->at, r->at + len, false };

		skip(r, len);
		if (r->failed)
			return;
		switch (key) {
		case 1:
			buf_str(b, " alpn=");
			put_alpn(&v, b);
			break;
		case 3:
			buf_fmt(b, " port=%u", u16(&v));
			break;
		case 4:
			buf_str(b, " ipv4hint=");
			put_hints(&v, b, AF_INET);
			break;
		case 5:
			buf_str(b, " ech");
			break;
		case 6:
			buf_str(b, " ipv6hint=");
			put_hints(&v, b, AF_INET6);
			break;
		default:
			buf_fmt(b, " key%u", key);
			break;
		}
	}
}

/* The data of a record as zone files have it, so far as it matters to a client. */
static void put_data(struct reader *r, struct buf *b, unsigned int type)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (has(r, type == DNS_A ? 4 : 16))
			put_addr(b, type == DNS_A ? AF_INET : AF_INET6, r->p + r->at);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_DNAME:
		put_name(r, b);
		break;
	case DNS_MX:
		buf_fmt(b, "%u ", u16(r));
		put_name(r, b);
		break;
	case DNS_SRV:
		buf_fmt(b, "%u ", u16(r));
		buf_fmt(b, "%u ", u16(r));
		buf_fmt(b, "%u ", u16(r));
		put_name(r, b);
		break;
	case DNS_TXT:
		put_strings(r, b);
		break;
	case DNS_SVCB:
	case DNS_HTTPS:
		buf_fmt(b, "%u ", u16(r));
		put_name(r, b);
		put_svc_params(r, b);
		break;
	default:
		buf_fmt(b, "%zu bytes", r->end - r->at);
		break;
	}
}

static void keep_addr(struct dns_record *rec, const struct reader *data)
{
	const uint8_t *p = data->p + data->at;

	if (rec->type == DNS_AAAA) {
		memcpy(rec->addr, p, 16);
	} else if (rec->type == DNS_A) {
		rec->addr[10] = rec->addr[11] = 0xff;
		memcpy(rec->addr + 12, p, 4);
	}
}

/* --- messages */

static void read_answer(struct reader *r, struct arena *a, struct dns_msg *m)
{
	_cleanup_buf_ struct buf owner = BUF_INIT, text = BUF_INIT;
	struct dns_record rec = { 0 };
	struct reader data = *r, whole;
	unsigned int len;

	read_name(&data, &owner);
	rec.type = u16(&data);
	skip(&data, 2);
	rec.ttl = u32(&data);
	len = u16(&data);
	if (!has(&data, len)) {
		r->failed = true;
		return;
	}
	r->at = data.at + len;
	data.end = r->at;
	whole = data;
	put_data(&data, &text, rec.type);
	if (data.failed) {
		m->flags |= DNS_CUT;
		return;
	}
	if (m->answer_cnt == LIMIT_DNS_RECORDS) {
		m->flags |= DNS_CAP;
		return;
	}
	keep_addr(&rec, &whole);
	rec.text = arena_dup(a, buf_view(&text));
	m->answers[m->answer_cnt++] = rec;
}

/* Of the sections behind the answers only the upper bits of the rcode matter (RFC 6891 6.1.3). */
static void read_other(struct reader *r, struct dns_msg *m)
{
	_cleanup_buf_ struct buf owner = BUF_INIT;
	unsigned int type;
	uint32_t ttl;

	read_name(r, &owner);
	type = u16(r);
	skip(r, 2);
	ttl = u32(r);
	skip(r, u16(r));
	if (type == DNS_OPT && !r->failed)
		m->rcode |= ttl >> 24 << 4;
}

static int read_questions(struct reader *r, struct arena *a, struct dns_msg *m, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		_cleanup_buf_ struct buf name = BUF_INIT;
		unsigned int type, class;

		read_name(r, &name);
		type = u16(r);
		class = u16(r);
		if (r->failed)
			return -EINVAL;
		if (i)
			continue;
		m->asks = true;
		m->name = arena_dup(a, buf_view(&name));
		m->type = type;
		m->class = class;
	}
	return 0;
}

int dns_parse(struct dns_msg *m, struct arena *a, struct sv bytes)
{
	struct reader r = { (const uint8_t *)bytes.p, 0, bytes.n, false };
	unsigned int flags, questions, answers, others;

	*m = (struct dns_msg){ .id = u16(&r) };
	flags = u16(&r);
	questions = u16(&r);
	answers = u16(&r);
	others = u16(&r);
	others += u16(&r);
	/* opcodes go to 6 (RFC 8490); nobody asks two questions at once (RFC 9619) */
	if (r.failed || (flags >> 11 & 0xf) > 6 || questions > 4)
		return -EINVAL;
	m->response = flags & 0x8000;
	m->rcode = flags & 0xf;
	m->flags = flags & 0x0200 ? DNS_TRUNCATED : 0;
	if (read_questions(&r, a, m, questions))
		return -EINVAL;
	m->answers = arena_alloc(a, LIMIT_DNS_RECORDS * sizeof(*m->answers));
	if (!m->answers)
		return -ENOMEM;
	for (; answers && !r.failed; answers--)
		read_answer(&r, a, m);
	for (; others && !r.failed; others--)
		read_other(&r, m);
	if (r.failed)
		m->flags |= DNS_CUT;
	return arena_failed(a) ? -ENOMEM : 0;
}

const char *dns_type_text(unsigned int type, char buf[DNS_TEXT_LEN])
{
	static const struct {
		unsigned int type;
		const char *text;
	} known[] = {
		{ DNS_A, "A" },         { DNS_NS, "NS" },       { DNS_CNAME, "CNAME" },
		{ DNS_SOA, "SOA" },     { DNS_PTR, "PTR" },     { DNS_MX, "MX" },
		{ DNS_TXT, "TXT" },     { DNS_AAAA, "AAAA" },   { DNS_SRV, "SRV" },
		{ DNS_NAPTR, "NAPTR" }, { DNS_DNAME, "DNAME" }, { DNS_OPT, "OPT" },
		{ DNS_SVCB, "SVCB" },   { DNS_HTTPS, "HTTPS" }, { DNS_ANY, "ANY" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].type == type)
			return known[i].text;
	snprintf(buf, DNS_TEXT_LEN, "TYPE%u", type); /* RFC 3597 5 */
	return buf;
}

const char *dns_rcode_text(unsigned int rcode, char buf[DNS_TEXT_LEN])
{
	static const char *const known[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					     "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					     "NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI" };

	if (rcode < ARRAY_SIZE(known))
		return known[rcode];
	if (rcode == 16)
		return "BADVERS";
	if (rcode == 23)
		return "BADCOOKIE";
	snprintf(buf, DNS_TEXT_LEN, "RCODE%u", rcode);
	return buf;
}

/* --- TCP */

/* Bytes that the message in the buffer has with its length; 2 before that is known. */
static size_t tcp_size(const struct dns_tcp *t)
{
	const uint8_t *p = (const uint8_t *)t->msg.p;

	return t->msg.len < 2 ? 2 : 2 + ((size_t)p[0] << 8 | p[1]);
}

int dns_tcp_feed(struct dns_tcp *t, struct sv bytes, dns_tcp_fn fn, void *ctx)
{
	size_t n = bytes.n < t->skip ? bytes.n : t->skip;

	t->skip -= n;
	bytes = sv_sub(bytes, n, bytes.n);
	while (bytes.n && !t->lost) {
		n = tcp_size(t) - t->msg.len;
		if (n > bytes.n)
			n = bytes.n;
		if (buf_add(&t->msg, bytes.p, n)) {
			t->lost = true;
			return -ENOMEM;
		}
		bytes = sv_sub(bytes, n, bytes.n);
		if (t->msg.len < 2 || t->msg.len < tcp_size(t))
			continue;
		fn(ctx, sv_sub(buf_view(&t->msg), 2, t->msg.len));
		buf_clear(&t->msg);
	}
	return 0;
}

void dns_tcp_gap(struct dns_tcp *t, uint64_t missing)
{
	uint64_t left = t->skip;

	if (t->msg.len >= 2)
		left = tcp_size(t) - t->msg.len;
	buf_clear(&t->msg);
	t->skip = missing < left ? left - missing : 0;
	if (missing > left)
		t->lost = true;
}

void dns_tcp_fini(struct dns_tcp *t)
{
	buf_fini(&t->msg);
}
