// SPDX-License-Identifier: BSD-2-Clause
/* What is asked of MySQL and MariaDB, however it is cut, compressed or broken. */
#include <sys/socket.h>
#include <zlib.h>
#include "rpc_test.h"
#include "proto/mysql.h"

#define DB 3 /* connection */
#define B(text)                        \
	(struct sv)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

#define DEPRECATE_EOF (1u << 24)
#define FLAGS (0xa685u | MYSQL_CONNECT_WITH_DB | MYSQL_SECURE_CONNECTION)

#define COLUMN "\3def\0\0\0\1n\0\x0c\x2d\0\4\0\0\0\xfd\1\0\x1f\0\0"
#define EOF_PACKET "\xfe\0\0\2\0"
#define EOF_MORE "\xfe\0\0\x0a\0"
#define END_OK "\xfe\0\0\2\0\0\0"

/* A connection that is played, in pieces of `cut` bytes at most; 0: each packet is one. */
struct play {
	struct world *w;
	void *own;
	uint64_t ts;
	size_t cut;
	uint32_t flags;
	bool compress;
	unsigned int noise; /* in one of so many pieces a byte is another; 0: in none */
	uint8_t seq;
};

static unsigned int next_random(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

static void piece(struct play *p, enum ev_dir dir, struct sv b)
{
	while (b.n) {
		struct sv part = sv_sub(b, 0, p->cut ? p->cut : b.n);
		struct ev_data *d = record_data(p->ts += MS / 100, AGENT, DB, dir,
						p->w->pos[DB][dir], part.p, part.n);
		char *bytes = (char *)(d + 1);

		d->src = EV_SRC_STREAM;
		if (p->noise && next_random() % p->noise == 0)
			bytes[next_random() % part.n] = (char)next_random();
		if (p->noise && next_random() % (8 * p->noise) == 0)
			p->w->pos[DB][dir] += 1 + next_random() % 100;
		feed(p->w, d);
		p->w->pos[DB][dir] += part.n;
		b = sv_sub(b, part.n, b.n);
	}
}

/* Compressed: its first half as it is, the rest by zlib. */
static void compressed(struct play *p, enum ev_dir dir, struct sv b)
{
	for (size_t i = 0; i < 2; i++) {
		struct sv half = i ? sv_sub(b, b.n / 2, b.n) : sv_sub(b, 0, b.n / 2);
		unsigned char out[4096];
		uLongf n = sizeof(out) - 7;

		if (i)
			assert_int_equal(compress(out + 7, &n, (const void *)half.p, half.n), Z_OK);
		else
			memcpy(out + 7, half.p, n = half.n);
		memcpy(out,
		       (unsigned char[]){ n & 0xff, n >> 8 & 0xff, 0, i, i ? half.n : 0, 0, 0 }, 7);
		if (half.n >> 8)
			out[5] = i ? (unsigned char)(half.n >> 8) : 0;
		piece(p, dir, (struct sv){ (char *)out, n + 7 });
	}
}

static void packet(struct play *p, enum ev_dir dir, struct sv content)
{
	struct buf b = BUF_INIT;

	buf_add(&b, (unsigned char[]){ content.n & 0xff, content.n >> 8 & 0xff, 0, p->seq++ }, 4);
	buf_sv(&b, content);
	assert_int_equal(b.err, 0);
	if (p->compress)
		compressed(p, dir, buf_view(&b));
	else
		piece(p, dir, buf_view(&b));
	buf_fini(&b);
}

static void ask(struct play *p, struct sv command)
{
	p->seq = 0;
	packet(p, EV_WRITE, command);
}

static void server(struct play *p, struct sv content)
{
	packet(p, EV_READ, content);
}

/* An end of columns, or rows, as the client wants it. */
static void columns_end(struct play *p)
{
	if (!(p->flags & DEPRECATE_EOF))
		server(p, B(EOF_PACKET));
}

static void rows_end(struct play *p)
{
	server(p, p->flags & DEPRECATE_EOF ? B(END_OK) : B(EOF_PACKET));
}

static void open_db(struct play *p, enum ev_proto proto)
{
	struct ev_flow *f;

	p->own = NULL;
	assert_int_equal(setup(&p->own), 0);
	p->w = p->own;
	p->ts = 10 * MS;
	f = flow(3 * MS, AGENT, DB, EV_SRC_STREAM, 800);
	f->proto = proto;
	f->addr.family = AF_INET;
	f->addr.lport = 5000;
	f->addr.rport = 3307;
	feed(p->w, f);
}

static void log_in(struct play *p, const char *version)
{
	struct buf b = BUF_INIT;
	uint32_t flags = p->flags | FLAGS | MYSQL_PROTOCOL_41;

	open_db(p, EV_PROTO_MYSQL);
	buf_ch(&b, 10);
	buf_add(&b, version, strlen(version) + 1);
	buf_sv(&b, B("\1\0\0\0scramble\0\xff\xff\x2d\2\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0"
		     "scramblescra\0mysql_native_password\0"));
	p->seq = 0;
	server(p, buf_view(&b));
	buf_clear(&b);
	buf_add(&b, &flags, 4);
	buf_sv(&b, B("\0\0\0\1\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		     "me\0\x14proofproofproofproofzoo\0mysql_native_password\0"));
	packet(p, EV_WRITE, buf_view(&b));
	server(p, B("\xfe"
		    "caching_sha2_password\0scramblescramblescra\0"));
	packet(p, EV_WRITE, B("otherproof"));
	server(p, B("\1\4"));
	packet(p, EV_WRITE, B("geheim\0"));
	server(p, B("\0\0\0\2\0\0\0"));
	p->compress = p->flags & MYSQL_COMPRESS;
	buf_fini(&b);
}

static const struct span *db(const struct play *p, size_t n)
{
	return told_nth(&p->w->told, SPAN_DB, n);
}

static void is_statement(const struct span *s, const char *name, const char *text, int64_t rows)
{
	assert_non_null(s);
	ASSERT_SV(s->name, name);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DB_QUERY), text);
	assert_int_equal(span_attr_int(s, ATTR_ID_DB_ROWS, -1), rows);
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
}

static void is_failure(const struct span *s, const char *code, const char *message)
{
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DB_STATUS), code);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), code);
	ASSERT_SV(s->status_message, message);
	assert_int_equal(s->status, STATUS_ERROR);
}

/* --- whole connections */

static void ask_texts(struct play *p)
{
	ask(p, B("\3select n from `cats` where n = \"tom\" # which\n"));
	server(p, B("\1"));
	server(p, B(COLUMN));
	columns_end(p);
	server(p, B("\3tom"));
	server(p, B("\xfb"));
	rows_end(p);
	ask(p, B("\3insert into dogs values (1), (2)"));
	server(p, B("\0\2\0\2\0\1\0"));
	ask(p, B("\3select * from mice"));
	server(p, B("\xff\x7a\x04#42S02no mice here"));
	ask(p, B("\2farm"));
	server(p, B("\0\0\0\2\0\0\0"));
	ask(p, B("\3call both()")); /* two results, and how it went */
	for (int i = 0; i < 2; i++) {
		server(p, B("\2"));
		server(p, B(COLUMN));
		server(p, B(COLUMN));
		columns_end(p);
		server(p, B("\1a\1b"));
		server(p, p->flags & DEPRECATE_EOF ? B("\xfe\0\0\x0a\0\0\0") : B(EOF_MORE));
	}
	server(p, B("\0\0\0\2\0\0\0"));
	ask(p, B("\x0e"));
	server(p, B("\0\0\0\2\0\0\0"));
}

static void check_texts(struct play *p, const char *system)
{
	is_statement(db(p, 0), "SELECT `cats`", "select n from `cats` where n = ?", 2);
	ASSERT_SV(span_attr_sv(db(p, 0), ATTR_ID_DB_SYSTEM), system);
	ASSERT_SV(span_attr_sv(db(p, 0), ATTR_ID_DB_NAMESPACE), "zoo");
	assert_int_equal(span_attr_int(db(p, 0), ATTR_ID_SERVER_PORT, 0), 3307);
	assert_int_equal(db(p, 0)->status, STATUS_UNSET);
	assert_null(span_attr(db(p, 0), ATTR_ID_DB_AFFECTED));
	is_statement(db(p, 1), "INSERT dogs", "insert into dogs values (?), (?)", -1);
	assert_int_equal(span_attr_int(db(p, 1), ATTR_ID_DB_AFFECTED, -1), 2);
	assert_int_equal(span_attr_int(db(p, 1), ATTR_ID_DB_WARNINGS, -1), 1);
	is_statement(db(p, 2), "SELECT mice", "select * from mice", -1);
	is_failure(db(p, 2), "1146", "no mice here");
	is_statement(db(p, 3), "USE", "", -1);
	is_statement(db(p, 4), "CALL", "call both()", 2);
	ASSERT_SV(span_attr_sv(db(p, 4), ATTR_ID_DB_NAMESPACE), "farm");
	is_statement(db(p, 5), "PING", "", -1);
}

static void ask_prepared(struct play *p)
{
	ask(p, B("\x16select n from cats where n = ? and a > 7"));
	server(p, B("\0\7\0\0\0\1\0\1\0\0\0\0"));
	server(p, B(COLUMN));
	columns_end(p);
	server(p, B(COLUMN));
	columns_end(p);
	for (int i = 0; i < 2; i++) {
		ask(p, B("\x17\7\0\0\0\0\1\0\0\0\0\1\xfe\0\3tom"));
		server(p, B("\1"));
		server(p, B(COLUMN));
		columns_end(p);
		server(p, B("\0\0\3tom"));
		rows_end(p);
	}
	ask(p, B("\x18\7\0\0\0\0\0long")); /* neither has an answer */
	ask(p, B("\x19\7\0\0\0"));
	ask(p, B("\x17\7\0\0\0\0\1\0\0\0\0\1\xfe\0\3tom"));
	server(p, B("\xff\xdb\x04#HY000Unknown prepared statement"));
	ask(p, B("\x16selct"));
	server(p, B("\xff\x28\x04#42000near 'selct'"));
	ask(p, B("\x1f")); /* not told: it only keeps the connection */
	server(p, B("\0\0\0\2\0\0\0"));
	ask(p, B("\1"));
}

static void check_prepared(struct play *p)
{
	for (size_t i = 6; i < 8; i++)
		is_statement(db(p, i), "SELECT cats", "select n from cats where n = ? and a > ?",
			     1);
	is_statement(db(p, 8), "mysql", "", -1);
	is_failure(db(p, 8), "1243", "Unknown prepared statement");
	is_statement(db(p, 9), "SELCT", "selct", -1);
	is_failure(db(p, 9), "1064", "near 'selct'");
	assert_int_equal(told_count(&p->w->told, SPAN_DB), 10);
}

static void whole(uint32_t flags, size_t most)
{
	for (size_t cut = 0; cut < most; cut++) {
		struct play p = { .cut = cut, .flags = flags };

		log_in(&p, "8.0.36");
		ask_texts(&p);
		ask_prepared(&p);
		end(p.w);
		check_texts(&p, "mysql");
		check_prepared(&p);
		assert_true(sv_find(buf_view(&p.w->told.ndjson), SV("geheim")) < 0);
		assert_true(sv_find(buf_view(&p.w->told.ndjson), SV("proof")) < 0);
		teardown(&p.own);
	}
}

static void connections(void **state)
{
	(void)state;
	whole(0, 24);
	whole(DEPRECATE_EOF, 24);
}

static void compressed_ones(void **state)
{
	(void)state;
	whole(MYSQL_COMPRESS, 24);
}

static void maria(void **state)
{
	struct play p = { 0 };

	(void)state;
	log_in(&p, "5.5.5-10.11.19-MariaDB");
	ask_texts(&p);
	end(p.w);
	check_texts(&p, "mariadb");
	teardown(&p.own);
}

static void attributes(void **state)
{
	struct play p = { .flags = MYSQL_QUERY_ATTRIBUTES };

	(void)state;
	log_in(&p, "8.4.0");
	ask(&p, B("\3\0\1select 1"));
	server(&p, B("\0\0\0\2\0\0\0"));
	ask(&p, B("\3\1\1\0\1\xfe\0\1a\0011select 2"));
	server(&p, B("\0\0\0\2\0\0\0"));
	end(p.w);
	is_statement(db(&p, 0), "SELECT", "select ?", -1);
	is_statement(db(&p, 1), "SELECT", "select ?", -1);
	teardown(&p.own);
}

/* The client sends a file in between, by as many packets as there are numbers; the use of a database by SQL. */
static void file(void **state)
{
	struct play p = { 0 };

	(void)state;
	log_in(&p, "8.0.36");
	ask(&p, B("\3load data local infile 'x' into table cats"));
	server(&p, B("\xfbx"));
	for (int i = 0; i < 300; i++)
		packet(&p, EV_WRITE, B("\3select a row"));
	packet(&p, EV_WRITE, B(""));
	server(&p, B("\0\7\0\2\0\0\0"));
	ask(&p, B("\3use `farm`;"));
	server(&p, B("\0\0\0\2\0\0\0"));
	ask(&p, B("\3begin"));
	server(&p, B("\0\0\0\2\0\0\0"));
	end(p.w);
	assert_int_equal(told_count(&p.w->told, SPAN_DB), 3);
	is_statement(db(&p, 0), "LOAD cats", "load data local infile ? into table cats", -1);
	assert_int_equal(span_attr_int(db(&p, 0), ATTR_ID_DB_AFFECTED, -1), 7);
	ASSERT_SV(span_attr_sv(db(&p, 2), ATTR_ID_DB_NAMESPACE), "farm");
	teardown(&p.own);
}

/* More than fits a packet: it goes on in another. */
static void long_statement(void **state)
{
	struct play p = { 0 };
	size_t n = 0xffffff;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n);
	snprintf(text, n, "\3select '");
	text[strlen(text)] = 'x';
	log_in(&p, "8.0.36");
	piece(&p, EV_WRITE, B("\xff\xff\xff\0"));
	p.cut = 4096;
	piece(&p, EV_WRITE, (struct sv){ text, n });
	p.seq = 1;
	packet(&p, EV_WRITE, B("' from cats"));
	server(&p, B("\0\0\0\2\0\0\0"));
	ask(&p, B("\3select 2"));
	server(&p, B("\0\0\0\2\0\0\0"));
	end(p.w);
	assert_int_equal(told_count(&p.w->told, SPAN_DB), 2);
	ASSERT_SV(span_attr_sv(db(&p, 0), ATTR_ID_DB_QUERY), "select ?");
	assert_true(json_str_is(json_at(span_attr(db(&p, 0), ATTR_ID_INCOMPLETE), 0), "cap"));
	is_statement(db(&p, 1), "SELECT", "select ?", -1);
	free(text);
	teardown(&p.own);
}

/* --- what is not all of it */

/* Nobody knows what was agreed on when it began. */
static void joined(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct play p = { .flags = more ? DEPRECATE_EOF : 0 };

		open_db(&p, EV_PROTO_UNKNOWN);
		ask(&p, more ? B("\3\0\1SELECT n from cats") : B("\3SELECT n from cats"));
		server(&p, B("\1"));
		server(&p, B(COLUMN));
		columns_end(&p);
		server(&p, B("\3tom"));
		rows_end(&p);
		ask(&p, B("\x0e"));
		server(&p, B("\0\0\0\2\0\0\0"));
		end(p.w);
		assert_int_equal(told_count(&p.w->told, SPAN_DB), 2);
		is_statement(db(&p, 0), "SELECT cats", "SELECT n from cats", 1);
		teardown(&p.own);
	}
}

static void after_a_hole(void **state)
{
	(void)state;
	for (uint32_t flags = 0; flags <= MYSQL_COMPRESS; flags += MYSQL_COMPRESS) {
		struct play p = { .flags = flags };

		log_in(&p, "8.0.36");
		ask(&p, B("\3select 1"));
		server(&p, B("\1"));
		p.w->pos[DB][EV_READ] += 100;
		p.ts += 300 * MS;
		server(&p, B("\3tom"));
		p.ts += 300 * MS;
		ask(&p, B("\3select 2"));
		server(&p, B("\xff\x7a\x04#42S02no"));
		end(p.w);
		assert_int_equal(told_count(&p.w->told, SPAN_DB), 2);
		assert_true(
			json_str_is(json_at(span_attr(db(&p, 0), ATTR_ID_INCOMPLETE), 0), "hole"));
		is_statement(db(&p, 1), "SELECT", "select ?", -1);
		is_failure(db(&p, 1), "1146", "no");
		teardown(&p.own);
	}
}

/* What comes behind a request for TLS is no packet. */
static void becomes_tls(void **state)
{
	struct play p = { 0 };

	(void)state;
	open_db(&p, EV_PROTO_MYSQL);
	piece(&p, EV_READ,
	      B("\x32\0\0\0\x0a"
		"8.0.36\0\1\0\0\0scramble\0\xff\xff\x2d\2\0\xff\xff\x15\0\0\0\0\0\0\0"
		"\0\0\0scrambl\0"));
	piece(&p, EV_WRITE,
	      B("\x20\0\0\1\x85\xae\xff\1\0\0\0\1\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0"));
	piece(&p, EV_WRITE,
	      B("\x16\3\1\0\x08"
		"12345678"));
	piece(&p, EV_WRITE, B("\x09\0\0\0\3select 1"));
	end(p.w);
	assert_int_equal(told_count(&p.w->told, SPAN_DB), 0);
	teardown(&p.own);
}

/* --- what is bound */

static void is_bound(const struct span *s, const char *json)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_non_null(s);
	json_write(&b, span_attr(s, ATTR_ID_DB_PARAMETERS));
	ASSERT_SV(buf_view(&b), json);
}

static void is_of(struct play *p, size_t n, const char *tool)
{
	assert_string_equal(db(p, n)->parent_span_id, told_tool(&p->w->told, tool)->span_id);
	ASSERT_SV(span_attr_sv(db(p, n), ATTR_ID_LINK), "argument");
}

/* The same statement at the same time for two calls, the later one's first; types are sent once. */
static void two_tools_execute(void **state)
{
	struct play p = { 0 };

	(void)state;
	log_in(&p, "8.0.36");
	model_asks(p.w, p.ts,
		   "[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look_up\",\"input\":{"
		   "\"name\":\"felix\"}},{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"look_"
		   "up\","
		   "\"input\":{\"name\":\"garfield\"}}]");
	p.ts += 10 * MS;
	ask(&p, B("\x16select n from cats where n = ? and a > ?"));
	server(&p, B("\0\7\0\0\0\0\0\2\0\0\0\0"));
	server(&p, B(COLUMN));
	server(&p, B(COLUMN));
	server(&p, B(EOF_PACKET));
	ask(&p, B("\x17\7\0\0\0\0\1\0\0\0\0\1\xfe\0\3\0\x8garfield\xff\xff\xff\xff"));
	server(&p, B("\0\0\0\2\0\0\0"));
	ask(&p, B("\x17\7\0\0\0\0\1\0\0\0\2\0\5felix"));
	server(&p, B("\0\0\0\2\0\0\0"));
	ask(&p, B("\x18\7\0\0\0\0\0long"));
	ask(&p, B("\x17\7\0\0\0\0\1\0\0\0\0\0\1\0\0\0"));
	server(&p, B("\0\0\0\2\0\0\0"));
	end(p.w);
	is_of(&p, 0, "toolu_2");
	is_of(&p, 1, "toolu_1");
	is_bound(db(&p, 0), "{\"0\":\"garfield\",\"1\":\"-1\"}");
	is_bound(db(&p, 1), "{\"0\":\"felix\",\"1\":null}");
	is_bound(db(&p, 2), "{\"1\":\"1\",\"0\":\"<4 bytes>\"}");
	teardown(&p.own);
}

static void on_value(void *ctx, unsigned int i, struct sv name, struct sv value)
{
	buf_fmt(ctx, "%u" SV_FMT "%s" SV_FMT ";", i, SV_ARG(name), value.p ? "=" : "-",
		SV_ARG(value));
}

/* "Binary Protocol Value" */
static void values(void **state)
{
	static const struct sv bound = B("\x0e\0\0\1"
					 "\1\0\1a"
					 "\2\x80\0"
					 "\3\0\0"
					 "\x8\x80\0"
					 "\4\0\0"
					 "\5\0\0"
					 "\x0a\0\0"
					 "\x0c\0\0"
					 "\x0c\0\0"
					 "\x0b\0\0"
					 "\x0b\0\0"
					 "\6\0\0"
					 "\xf6\0\0"
					 "\xfc\0\0"
					 "\xff"
					 "\xff\xff"
					 "\xfe\xff\xff\xff"
					 "\xff\xff\xff\xff\xff\xff\xff\xff"
					 "\xcd\xcc\xcc\x3d"
					 "\x9a\x99\x99\x99\x99\x99\xb9\x3f"
					 "\4\xe8\7\2\x1d"
					 "\7\xe8\7\2\x1d\x17\x3b\x3a"
					 "\x0b\xe8\7\2\x1d\x17\x3b\x3a\1\0\0\0"
					 "\0"
					 "\x8\1\1\0\0\0\1\2\3"
					 "\4-7.5"
					 "\xfc\2\0hi");
	struct mysql_types types = { 0 };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct mysql_params how = { .named = true, .types = &types, .fn = on_value, .ctx = &b };

	(void)state;
	assert_int_equal(mysql_params(bound, &how).n, 0);
	ASSERT_SV(buf_view(&b),
		  "0a=-1;1=65535;2=-2;3=18446744073709551615;4=0.1;5=0.1;6=2024-02-29;"
		  "7=2024-02-29 23:59:58;8=2024-02-29 23:59:58.000001;9=00:00:00;10=-25:02:03;11-;"
		  "12=-7.5;13=hi;");
	for (size_t n = 1; n < bound.n; n++)
		assert_null(mysql_params(sv_sub(bound, 0, n), &how).p);
}

/* --- what anybody may send */

static void on_param(void *ctx, unsigned int i, struct sv name, struct sv value)
{
	*(size_t *)ctx += i + name.n + value.n;
}

static void on_packet(void *ctx, const struct mysql_packet *p)
{
	struct mysql_types types = { 0 };
	struct mysql_params how = { .cnt = next_random() % 3,
				    .named = next_random() % 2,
				    .sets = next_random() % 2,
				    .types = &types,
				    .fn = on_param,
				    .ctx = ctx };
	struct mysql_greeting g;
	struct mysql_login in;
	struct mysql_error e;
	struct mysql_ok ok;
	struct sv rest = p->bytes;

	*(size_t *)ctx += mysql_greeting(p->bytes, &g) + mysql_login(p->bytes, &in) +
			  mysql_error(p, &e) + mysql_ok(p, &ok) + mysql_params(rest, &how).n +
			  mysql_changed_database(rest).n + mysql_text(&rest).n;
}

static void hostile(void **state)
{
	static const char bytes[] =
		"\x0c\0\0\0\0\1\xfe\0\1a\0011\1\1\3\0\x09\0\0\0\3select 1\x07\0\0\1\0\0\0\2\0\0\0"
		"\x0f\0\0\1\xff\x7a\x04#42S02no "
		"mice\x05\0\0\1\xfe\0\0\2\0\x0b\0\0\0\0\1\x0c\0\7\1\2\3\4"
		"\5\6\7\x0e\0\0\0\0\1\x05\0\0\0\0\0\0\0\xf8\x3f\x02\0\0\0\1\xfc\0\0\0";
	size_t sum = 0;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		struct mysql m = {
			.client = round % 2, .login = round % 3 == 0, .fn = on_packet, .ctx = &sum
		};
		char a[sizeof(bytes)];

		memcpy(a, bytes, sizeof(a));
		if (round % 7 == 0)
			mysql_compress(&m, round % 2 ? CODING_ZSTD : CODING_DEFLATE);
		for (unsigned int n = next_random() % 6; n; n--)
			a[next_random() % sizeof(a)] = (char)next_random();
		for (size_t at = 0; at < sizeof(a);) {
			size_t n = 1 + next_random() % 40;
			struct sv part = sv_sub((struct sv){ a, sizeof(a) }, at, n);

			if (next_random() % 16)
				mysql_feed(&m, at, part);
			else
				mysql_gap(&m);
			at += n;
		}
		mysql_fini(&m);
	}
	assert_true(sum > 0);
}

/* Whole connections in which bytes are others, or missing: whatever is told, no more than was asked. */
static void broken_connections(void **state)
{
	static const uint32_t flags[] = { 0,
					  DEPRECATE_EOF,
					  MYSQL_COMPRESS,
					  MYSQL_QUERY_ATTRIBUTES,
					  MYSQL_OPTIONAL_METADATA,
					  MYSQL_ZSTD };

	(void)state;
	for (unsigned int round = 0; round < 600; round++) {
		struct play p = { .flags = flags[round % ARRAY_SIZE(flags)],
				  .cut = round % 3 ? 0 : 1 + round % 50,
				  .noise = 2 + round % 20 };

		log_in(&p, round % 2 ? "8.0.36" : "10.11.19-MariaDB");
		ask_texts(&p);
		ask_prepared(&p);
		ask(&p, B("\x11me\0\4oofzfarm\0"));
		server(&p, B("\0\0\0\2\0\0\0"));
		ask(&p, B("\3load data local infile 'x' into table cats"));
		server(&p, B("\xfbx"));
		end(p.w);
		assert_true(told_count(&p.w->told, SPAN_DB) <= 64);
		teardown(&p.own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections),
		cmocka_unit_test(compressed_ones),
		cmocka_unit_test(maria),
		cmocka_unit_test(attributes),
		cmocka_unit_test(file),
		cmocka_unit_test(long_statement),
		cmocka_unit_test(joined),
		cmocka_unit_test(after_a_hole),
		cmocka_unit_test(becomes_tls),
		cmocka_unit_test(two_tools_execute),
		cmocka_unit_test(values),
		cmocka_unit_test(hostile),
		cmocka_unit_test(broken_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
