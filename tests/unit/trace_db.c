// SPDX-License-Identifier: BSD-2-Clause
/* What is asked of databases: the statements of PostgreSQL and the commands of Redis, however they are cut. */
#include <sys/socket.h>
#include "rpc_test.h"
#include "base/limits.h"
#include "base/sql.h"
#include "proto/postgres.h"
#include "proto/redis.h"

#define DB 3 /* connection */

/* Every byte of a message's length is written here, so that a text says all of it. */
#define START "\0\0\0\x1e\0\3\0\0user\0me\0database\0zoo\0\0"
#define B(text)                        \
	(struct sv)                    \
	{                              \
		text, sizeof(text) - 1 \
	}
#define READY "Z\0\0\0\5I"
#define AUTH_OK "R\0\0\0\x8\0\0\0\0" READY

static void db_flow(struct world *w, enum ev_proto proto)
{
	struct ev_flow *f = flow(3 * MS, AGENT, DB, EV_SRC_STREAM, 800);

	f->proto = proto;
	f->addr.family = AF_INET;
	f->addr.lport = 5000;
	f->addr.rport = proto == EV_PROTO_REDIS ? 6379 : 5432;
	feed(w, f);
}

/* cut: a piece has that many bytes at most; 0: all is one. */
static void piece(struct world *w, uint64_t *ts, enum ev_dir dir, struct sv b, size_t cut)
{
	while (b.n) {
		struct sv part = sv_sub(b, 0, cut ? cut : b.n);
		struct ev_data *d = record_data(*ts += MS / 100, AGENT, DB, dir, w->pos[DB][dir],
						part.p, part.n);

		d->src = EV_SRC_STREAM;
		feed(w, d);
		w->pos[DB][dir] += part.n;
		b = sv_sub(b, part.n, b.n);
	}
}

static const struct span *db(const struct world *w, size_t n)
{
	return told_nth(&w->told, SPAN_DB, n);
}

static void is_statement(const struct span *s, const char *name, const char *text, int64_t rows)
{
	ASSERT_SV(s->name, name);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DB_QUERY), text);
	assert_int_equal(span_attr_int(s, ATTR_ID_DB_ROWS, -1), rows);
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
}

/* --- PostgreSQL */

/* However many bytes a piece has. */
static void simple_queries(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 24; cut++) {
		void *own = NULL;
		struct world *w;
		uint64_t ts = 10 * MS;

		assert_int_equal(setup(&own), 0);
		w = own;
		db_flow(w, EV_PROTO_POSTGRES);
		piece(w, &ts, EV_WRITE, B(START), cut);
		piece(w, &ts, EV_READ, B("R\0\0\0\x8\0\0\0\3"), cut);
		piece(w, &ts, EV_WRITE, B("p\0\0\0\x0bsecret\0"), cut);
		piece(w, &ts, EV_READ, B(AUTH_OK), cut);
		piece(w, &ts, EV_WRITE, B("Q\0\0\0\x27select * from cats where n = 'tom'\0"), cut);
		piece(w, &ts, EV_READ,
		      B("T\0\0\0\6\0\0D\0\0\0\x0c\0\1\0\0\0\2ab"
			"D\0\0\0\x0c\0\1\0\0\0\2ab"
			"C\0\0\0\x0dSELECT 2\0" READY),
		      cut);
		piece(w, &ts, EV_WRITE, B("Q\0\0\0\x17insert into dogs x\0"), cut);
		piece(w, &ts, EV_READ,
		      B("E\0\0\0\x29SERROR\0C42P01\0Mno such relation \"d\"\0\0" READY), cut);
		end(w);
		assert_int_equal(told_count(&w->told, SPAN_DB), 2);
		is_statement(db(w, 0), "SELECT cats", "select * from cats where n = ?", 2);
		ASSERT_SV(span_attr_sv(db(w, 0), ATTR_ID_DB_SYSTEM), "postgresql");
		ASSERT_SV(span_attr_sv(db(w, 0), ATTR_ID_DB_NAMESPACE), "zoo");
		assert_int_equal(span_attr_int(db(w, 0), ATTR_ID_SERVER_PORT, 0), 5432);
		assert_int_equal(db(w, 0)->status, STATUS_UNSET);
		is_statement(db(w, 1), "INSERT dogs", "insert into dogs x", -1);
		assert_int_equal(db(w, 1)->status, STATUS_ERROR);
		ASSERT_SV(span_attr_sv(db(w, 1), ATTR_ID_DB_STATUS), "42P01");
		ASSERT_SV(db(w, 1)->status_message, "no such relation \"d\"");
		assert_true(sv_find(buf_view(&w->told.ndjson), SV("secret")) < 0);
		teardown(&own);
	}
}

#define PARSE "P\0\0\0\x15s\0select $1, 7\0\0\0"
#define BIND "B\0\0\0\x0d\0s\0\0\0\0\0\0\0"
#define EXECUTE "E\0\0\0\x9\0\0\0\0\0"
#define SYNC "S\0\0\0\4"

/* Prepared, asked for three times at once: the second fails, the third is skipped. */
static void prepared_statements(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	db_flow(w, EV_PROTO_POSTGRES);
	piece(w, &ts, EV_WRITE, B(START), 0);
	piece(w, &ts, EV_READ, B(AUTH_OK), 0);
	piece(w, &ts, EV_WRITE, B(PARSE BIND EXECUTE BIND EXECUTE BIND EXECUTE SYNC), 0);
	piece(w, &ts, EV_WRITE, B(BIND EXECUTE SYNC), 0);
	piece(w, &ts, EV_READ,
	      B("1\0\0\0\4"
		"2\0\0\0\4"
		"C\0\0\0\x0dSELECT 1\0"
		"2\0\0\0\4"
		"E\0\0\0\x13SERROR\0C22012\0\0" READY),
	      0);
	piece(w, &ts, EV_READ,
	      B("2\0\0\0\4"
		"C\0\0\0\x0dSELECT 9\0" READY),
	      0);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DB), 4);
	is_statement(db(w, 0), "SELECT", "select $1, ?", 1);
	ASSERT_SV(span_attr_sv(db(w, 1), ATTR_ID_DB_STATUS), "22012");
	ASSERT_SV(span_attr_sv(db(w, 2), ATTR_ID_DB_STATUS), "25P02");
	is_statement(db(w, 3), "SELECT", "select $1, ?", 9);
}

/* Statements in between may be lost: that is told, and what comes then is right again. */
static void after_a_hole(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	db_flow(w, EV_PROTO_POSTGRES);
	piece(w, &ts, EV_WRITE, B(START), 0);
	piece(w, &ts, EV_READ, B(AUTH_OK), 0);
	piece(w, &ts, EV_WRITE, B("Q\0\0\0\x0dselect 1\0"), 0);
	w->pos[DB][EV_READ] += 100;
	ts += 300 * MS;
	piece(w, &ts, EV_READ, B(READY), 0);
	ts += 300 * MS;
	piece(w, &ts, EV_WRITE, B("Q\0\0\0\x0dselect 2\0"), 0);
	piece(w, &ts, EV_READ, B("C\0\0\0\x0dSELECT 5\0" READY), 0);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DB), 2);
	assert_true(json_str_is(json_at(span_attr(db(w, 0), ATTR_ID_INCOMPLETE), 0), "hole"));
	is_statement(db(w, 1), "SELECT", "select ?", 5);
	assert_null(span_attr(db(w, 1), ATTR_ID_INCOMPLETE));
}

static void statement_of_a_tool(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	model_asks(w, 5 * MS,
		   "[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look_up\",\"input\":{"
		   "\"name\":"
		   "\"felix\"}},{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"look_up\","
		   "\"input\":"
		   "{\"name\":\"garfield\"}}]");
	db_flow(w, EV_PROTO_POSTGRES);
	piece(w, &ts, EV_WRITE, B(START), 0);
	piece(w, &ts, EV_READ, B(AUTH_OK), 0);
	piece(w, &ts, EV_WRITE, B("Q\0\0\0\x16select 'garfield'\0"), 0);
	piece(w, &ts, EV_READ, B("C\0\0\0\x0dSELECT 1\0" READY), 0);
	end(w);
	assert_string_equal(db(w, 0)->parent_span_id, told_tool(&w->told, "toolu_2")->span_id);
	ASSERT_SV(span_attr_sv(db(w, 0), ATTR_ID_LINK), "argument");
}

/* --- what is bound */

static void message(struct world *w, uint64_t *ts, enum ev_dir dir, char type, struct sv content)
{
	struct buf b = BUF_INIT;
	uint32_t n = (uint32_t)content.n + 4;

	buf_ch(&b, type);
	buf_add(&b, (unsigned char[]){ n >> 24, n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff }, 4);
	buf_sv(&b, content);
	piece(w, ts, dir, buf_view(&b), 0);
	buf_fini(&b);
}

static void has_params(const struct span *s, const char *json)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_write(&b, span_attr(s, ATTR_ID_DB_PARAMETERS));
	ASSERT_SV(buf_view(&b), json);
}

static void is_of(const struct world *w, size_t n, const char *tool)
{
	assert_non_null(db(w, n));
	assert_string_equal(db(w, n)->parent_span_id, told_tool(&w->told, tool)->span_id);
	ASSERT_SV(span_attr_sv(db(w, n), ATTR_ID_LINK), "argument");
}

static void pg_open(struct world *w, uint64_t *ts)
{
	db_flow(w, EV_PROTO_POSTGRES);
	piece(w, ts, EV_WRITE, B(START), 0);
	piece(w, ts, EV_READ, B(AUTH_OK), 0);
}

static void execute(struct world *w, uint64_t *ts, struct sv bind)
{
	message(w, ts, EV_WRITE, 'B', bind);
	piece(w, ts, EV_WRITE, B(EXECUTE SYNC), 0);
	piece(w, ts, EV_READ,
	      B("2\0\0\0\4"
		"C\0\0\0\x0dSELECT 1\0" READY),
	      0);
}

#define TWO_TOOLS                                                                             \
	"[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look_up\",\"input\":"          \
	"{\"name\":\"felix\",\"age\":7}},{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":" \
	"\"look_up\","                                                                        \
	"\"input\":{\"name\":\"garfield\",\"age\":1978}}]"

/* The same statement at the same time for two calls, the later one's first. */
static void two_tools_bind(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	model_asks(w, 5 * MS, TWO_TOOLS);
	pg_open(w, &ts);
	message(w, &ts, EV_WRITE, 'P', B("s\0select * from cats where name = $1 and a > $2\0\0\0"));
	execute(w, &ts, B("\0s\0\0\0\0\2\0\0\0\x8garfield\xff\xff\xff\xff\0\0"));
	execute(w, &ts, B("\0s\0\0\0\0\2\0\0\0\5felix\0\0\0\0\0\0"));
	end(w);
	is_of(w, 0, "toolu_2");
	is_of(w, 1, "toolu_1");
	has_params(db(w, 0), "{\"0\":\"garfield\",\"1\":null}");
	has_params(db(w, 1), "{\"0\":\"felix\",\"1\":\"\"}");
}

/* Binary numbers, by the types that the client says or the server; one that is short tells if it is all there is. */
static void two_tools_bind_numbers(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	model_asks(w, 5 * MS, TWO_TOOLS);
	pg_open(w, &ts);
	message(w, &ts, EV_WRITE, 'P', B("s\0select * from cats where age = $1\0\0\1\0\0\0\x17"));
	execute(w, &ts, B("\0s\0\0\1\0\1\0\1\0\0\0\4\0\0\7\xba\0\0"));
	execute(w, &ts, B("\0s\0\0\1\0\1\0\1\0\0\0\4\0\0\0\7\0\0"));
	message(w, &ts, EV_WRITE, 'P', B("t\0select * from cats where age < $1\0\0\0"));
	message(w, &ts, EV_WRITE, 'D', B("St\0"));
	piece(w, &ts, EV_WRITE, B(SYNC), 0);
	piece(w, &ts, EV_READ, B("1\0\0\0\4t\0\0\0\x0a\0\1\0\0\0\x14n\0\0\0\4" READY), 0);
	execute(w, &ts, B("\0t\0\0\1\0\1\0\1\0\0\0\x8\0\0\0\0\0\0\7\xba\0\0"));
	end(w);
	is_of(w, 0, "toolu_2");
	is_of(w, 1, "toolu_1");
	is_of(w, 2, "toolu_2");
	has_params(db(w, 2), "{\"0\":\"1978\"}");
}

/* A number beside others that no call has tells nothing: it is as before, one of two that are open. */
static void short_value_by_chance(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	model_asks(w, 5 * MS, TWO_TOOLS);
	pg_open(w, &ts);
	message(w, &ts, EV_WRITE, 'P', B("s\0select * from dogs limit $1 offset $2\0\0\0"));
	execute(w, &ts,
		B("\0s\0\0\0\0\2\0\0\0\1\x37\0\0\0\3"
		  "100\0\0"));
	end(w);
	assert_null(span_attr(db(w, 0), ATTR_ID_LINK));
}

/* A statement about passwords shows none, and what is not text its length. */
static void hidden_values(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	pg_open(w, &ts);
	message(w, &ts, EV_WRITE, 'P', B("s\0update cats set \"password\" = $1\0\0\0"));
	execute(w, &ts, B("\0s\0\0\0\0\1\0\0\0\6geheim\0\0"));
	message(w, &ts, EV_WRITE, 'P', B("t\0select $1\0\0\0"));
	execute(w, &ts, B("\0t\0\0\1\0\1\0\1\0\0\0\4\1\2\3\4\0\0"));
	end(w);
	assert_null(span_attr(db(w, 0), ATTR_ID_DB_PARAMETERS));
	has_params(db(w, 1), "{\"0\":\"<4 bytes>\"}");
	assert_true(sv_find(buf_view(&w->told.ndjson), SV("geheim")) < 0);
}

static void bind_cut(void *ctx, unsigned int i, struct sv value, bool hidden)
{
	assert_true(i < LIMIT_DB_PARAMS && (!hidden || value.n));
	*(size_t *)ctx += value.n + 1;
}

static void on_bound(void *ctx, unsigned int i, struct sv value, bool hidden)
{
	buf_fmt(ctx, "%u%s" SV_FMT ";", i, hidden ? "?" : value.p ? "=" : "-", SV_ARG(value));
}

static void binary_values(void **state)
{
	static const struct sv bound = B("\0\1\0\1\0\x09"
					 "\0\0\0\2\xff\xfe"
					 "\0\0\0\1\1"
					 "\0\0\0\4\x3d\xcc\xcc\xcd"
					 "\0\0\0\x8\x3f\xb9\x99\x99\x99\x99\x99\x9a"
					 "\0\0\0\x10\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"
					 "\0\0\0\3\1{}"
					 "\0\0\0\2hi"
					 "\0\0\0\2\0\1"
					 "\xff\xff\xff\xff");
	static const uint32_t types[] = { 21, 16, 700, 701, 2950, 3802, 25, 23, 25 };
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t sum = 0;

	(void)state;
	assert_true(postgres_params(bound, types, ARRAY_SIZE(types), on_bound, &b));
	ASSERT_SV(
		buf_view(&b),
		"0=-2;1=true;2=0.1;3=0.1;4=00010203-0405-0607-0809-0a0b0c0d0e0f;5={};6=hi;7?;8-;");
	for (size_t n = 0; n < bound.n; n++)
		assert_false(postgres_params(sv_sub(bound, 0, n), types, n % ARRAY_SIZE(types),
					     bind_cut, &sum));
	assert_true(sum > 0);
}

/* The words of a command are all that it has. */
static void two_tools_ask_redis(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	model_asks(w, 5 * MS, TWO_TOOLS);
	db_flow(w, EV_PROTO_REDIS);
	piece(w, &ts, EV_WRITE,
	      B("*4\r\n$4\r\nHSET\r\n$4\r\ncats\r\n$8\r\ngarfield\r\n$1\r\n1\r\n"), 0);
	piece(w, &ts, EV_READ, B(":1\r\n"), 0);
	piece(w, &ts, EV_WRITE, B("*3\r\n$4\r\nHGET\r\n$4\r\ncats\r\n$5\r\nfelix\r\n"), 0);
	piece(w, &ts, EV_READ, B("$1\r\n1\r\n"), 0);
	end(w);
	is_of(w, 0, "toolu_2");
	is_of(w, 1, "toolu_1");
	is_statement(db(w, 1), "HGET", "HGET cats ?", -1);
}

/* --- Redis */

static void commands(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 24; cut++) {
		void *own = NULL;
		struct world *w;
		uint64_t ts = 10 * MS;

		assert_int_equal(setup(&own), 0);
		w = own;
		db_flow(w, EV_PROTO_REDIS);
		piece(w, &ts, EV_WRITE, B("*2\r\n$4\r\nauth\r\n$6\r\nsecret\r\n"), cut);
		piece(w, &ts, EV_READ, B("+OK\r\n"), cut);
		piece(w, &ts, EV_WRITE,
		      B("*3\r\n$3\r\nset\r\n$3\r\ncat\r\n$3\r\nt\no\r\n"
			"*2\r\n$3\r\nGET\r\n$3\r\ncat\r\n*2\r\n$4\r\nLPOP\r\n$3\r\ncat\r\n"),
		      cut);
		piece(w, &ts, EV_READ,
		      B(">2\r\n+invalidate\r\n*0\r\n+OK\r\n%1\r\n+a\r\n*2\r\n$-1\r\n:1\r\n"
			"-WRONGTYPE not a list\r\n"),
		      cut);
		piece(w, &ts, EV_WRITE, B("*1\r\n$4\r\nPING\r\n"), cut);
		end(w);
		assert_int_equal(told_count(&w->told, SPAN_DB), 5);
		is_statement(db(w, 0), "AUTH", "AUTH ?", -1);
		is_statement(db(w, 1), "SET", "SET cat ?", -1);
		is_statement(db(w, 2), "GET", "GET cat", -1);
		assert_int_equal(db(w, 2)->status, STATUS_UNSET);
		is_statement(db(w, 3), "LPOP", "LPOP cat", -1);
		ASSERT_SV(span_attr_sv(db(w, 3), ATTR_ID_DB_STATUS), "WRONGTYPE");
		assert_int_equal(db(w, 3)->status, STATUS_ERROR);
		assert_non_null(span_attr(db(w, 4), ATTR_ID_INCOMPLETE));
		assert_true(sv_find(buf_view(&w->told.ndjson), SV("secret")) < 0);
		teardown(&own);
	}
}

/* What comes then is no answer. */
static void subscription(void **state)
{
	struct world *w = *state;
	uint64_t ts = 10 * MS;

	db_flow(w, EV_PROTO_REDIS);
	piece(w, &ts, EV_WRITE, B("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"), 0);
	piece(w, &ts, EV_READ, B("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"), 0);
	piece(w, &ts, EV_READ, B("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"), 0);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DB), 1);
}

/* --- what anybody may send */

static unsigned int next_random(void)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

static void on_message(void *ctx, const struct postgres_msg *m)
{
	*(size_t *)ctx += m->bytes.n;
}

static void on_value(void *ctx, const struct redis_value *v)
{
	*(size_t *)ctx += v->texts ? v->text[0].n : 0;
}

/* Bytes that look like it, changed here and there. */
static void hostile(void **state)
{
	static const char pg[] = START PARSE BIND EXECUTE SYNC "Q\0\0\0\x0dselect 1\0" AUTH_OK;
	static const char redis[] =
		"*3\r\n$3\r\nset\r\n$3\r\ncat\r\n$3\r\nt\no\r\n%1\r\n+a\r\n*2\r\n$-1\r\n:1\r\n"
		"*2\r\n*1\r\n:1\r\n$2\r\nab\r\n|1\r\n+k\r\n+v\r\n:7\r\n";
	size_t sum = 0;

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		struct postgres p = { .client = round % 2, .fn = on_message, .ctx = &sum };
		struct redis r = { .fn = on_value, .ctx = &sum };
		char a[sizeof(pg)], b[sizeof(redis)];

		memcpy(a, pg, sizeof(a));
		memcpy(b, redis, sizeof(b));
		for (unsigned int n = next_random() % 6; n; n--) {
			a[next_random() % sizeof(a)] = (char)next_random();
			b[next_random() % sizeof(b)] = "0129\r\n$*%|-"[next_random() % 11];
		}
		for (size_t at = 0; at < sizeof(a);) {
			size_t n = 1 + next_random() % 40;
			struct sv part = sv_sub((struct sv){ a, sizeof(a) }, at, n);

			if (next_random() % 16)
				postgres_feed(&p, at, part);
			else
				postgres_gap(&p);
			at += n;
		}
		for (size_t at = 0; at < sizeof(b);) {
			size_t n = 1 + next_random() % 40;
			struct sv part = sv_sub((struct sv){ b, sizeof(b) }, at, n);

			if (next_random() % 16)
				redis_feed(&r, at, part);
			else
				redis_gap(&r);
			at += n;
		}
		postgres_fini(&p);
	}
	assert_true(sum > 0);
}

/* --- SQL */

static void is_plain_of(enum sql_dialect dialect, const char *from, const char *to,
			const char *operation, const char *table)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char word[32];

	sql_plain(&b, sv(from), dialect);
	ASSERT_SV(buf_view(&b), to);
	ASSERT_SV(sql_operation(buf_view(&b), word), operation);
	ASSERT_SV(sql_table(buf_view(&b)), table);
}

static void is_plain(const char *from, const char *to, const char *operation, const char *table)
{
	is_plain_of(SQL_STANDARD, from, to, operation, table);
}

static void is_mysql(const char *from, const char *to, const char *operation, const char *table)
{
	is_plain_of(SQL_MYSQL, from, to, operation, table);
}

static void is_masked(const char *from, const char *to)
{
	char text[256];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", from);

	sql_mask_secrets(text, n);
	ASSERT_SV(((struct sv){ text, n }), to);
}

static void sql(void **state)
{
	(void)state;
	is_plain(" select  a1, 12.5e-3\n from \"Cats\" where b='x''y' -- or\n and c = $1;",
		 "select a1, ? from \"Cats\" where b=? and c = $1", "SELECT", "\"Cats\"");
	is_plain("insert into zoo.cats values (E'a\\'b', $$ it's $$, $t$ $$ $t$, -7)",
		 "insert into zoo.cats values (?, ?, ?, -?)", "INSERT", "zoo.cats");
	is_plain("/* hi */ UPDATE only cats SET n = 'open", "UPDATE only cats SET n = ?", "UPDATE",
		 "cats");
	is_plain("select 1 from a join b on a.x = b.y", "select ? from a join b on a.x = b.y",
		 "SELECT", "");
	is_plain("insert into t values (1) on conflict do update set n = 2",
		 "insert into t values (?) on conflict do update set n = ?", "INSERT", "t");
	is_plain("create table if not exists t (n int)", "create table if not exists t (n int)",
		 "CREATE", "t");
	is_plain("", "", "", "");
	is_plain("'", "?", "", "");
	is_plain("/*", "", "", "");
	is_mysql("select \"a\\\"b\", 'c\\'d' from `my cats` # or\n where n--1 -- x\n and m = X'1f'",
		 "select ?, ? from `my cats` where n--? and m = ?", "SELECT", "`my");
	is_mysql("insert into t values ($x, \"y\"\"z\")", "insert into t values ($x, ?)", "INSERT",
		 "t");
	is_mysql("\"", "?", "", "");
}

static void secrets(void **state)
{
	(void)state;
	is_masked("create user 'a'@'%' identified by 'geheim', b IDENTIFIED WITH x AS \"it''s\"",
		  "create user 'a'@'%' identified by '******', b IDENTIFIED WITH x AS \"*****\"");
	is_masked("SET PASSWORD FOR 'a' @ 'b' = 'c'", "SET PASSWORD FOR '*' @ '*' = '*'");
	is_masked("set password = password('c'); select 'd'",
		  "set password = password('*'); select 'd'");
	is_masked("change master to MASTER_PASSWORD='x', master_user='me'",
		  "change master to MASTER_PASSWORD='*', master_user='me'");
	is_masked("alter role a password 'geh", "alter role a password '***");
	is_masked("select 'a' from passwords where b = 'c'",
		  "select 'a' from passwords where b = 'c'");
	is_masked("password '", "password '");
	is_masked("", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_queries),
		TEST(prepared_statements),
		TEST(after_a_hole),
		TEST(statement_of_a_tool),
		cmocka_unit_test(commands),
		TEST(subscription),
		cmocka_unit_test(hostile),
		cmocka_unit_test(sql),
		cmocka_unit_test(secrets),
		TEST(two_tools_bind),
		TEST(two_tools_bind_numbers),
		TEST(short_value_by_chance),
		TEST(hidden_values),
		cmocka_unit_test(binary_values),
		TEST(two_tools_ask_redis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
