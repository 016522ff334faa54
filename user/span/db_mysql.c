// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client asks MySQL or MariaDB.  The server greets first; then each command is answered before the
 * next is sent, or in the order in which they were.  A prepared statement is told when it is executed, or
 * when it cannot be prepared; what only keeps the connection is told when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "proto/mysql.h"
#include "span/db.h"

/* What answers a command. */
enum answer {
	ANSWER_RESULTS, /* one packet, or columns and rows; and again, while more are announced */
	ANSWER_ROWS,    /* of columns that are known */
	ANSWER_PREPARED,
	ANSWER_ONE,   /* whatever it holds */
	ANSWER_LOGIN, /* until it is settled */
	ANSWER_NONE,
	ANSWER_LEAVES, /* what comes then is another protocol */
};

enum at { AT_FIRST, AT_FILE, AT_COLUMNS, AT_ROWS }; /* AT_FILE: the client sends one */

#define PARAMETERS_COUNTED 8 /* of COM_STMT_EXECUTE's flags */
#define LONG_DATA 7          /* bytes before it in COM_STMT_SEND_LONG_DATA */

enum phase { PHASE_LOGIN, PHASE_COMMANDS, PHASE_OVER };

struct statement {
	char *text;
	unsigned int params;
	uint64_t sent; /* bit i: that one was sent as long data */
	size_t sent_len[LIMIT_DB_PARAMS];
	struct mysql_types types;
};

struct my_conn {
	struct db_conn db;
	struct mysql side[2]; /* enum ev_dir */
	enum phase phase;
	uint32_t flags, own_flags; /* what the client asked for; 0: not known */
	bool greeted;              /* the server said what it is */
	bool tls;                  /* was asked for */
	struct map prepared;       /* id -> struct statement */
	struct db_params params;   /* of what is executed now */
	char *latest;              /* the statement that is prepared, or was last */
	char *next_db;             /* when what was asked succeeds */
	/* the answer that comes */
	enum at at;
	bool begun;       /* something of it came */
	uint64_t columns; /* that are still to come */
};

/* --- statements by id */

static struct map_key id_key(uint32_t id)
{
	return (struct map_key){ id, 0, 0 };
}

static void statement_free(struct statement *s)
{
	if (s)
		free(s->text);
	free(s);
}

static void forget_all(struct my_conn *c)
{
	map_for_each (&c->prepared, e)
		statement_free(e->value);
	map_fini(&c->prepared);
}

static void prepared(struct my_conn *c, uint32_t id, const char *text, unsigned int params)
{
	struct statement *s = calloc(1, sizeof(*s));

	statement_free(map_del(&c->prepared, id_key(id)));
	if (c->prepared.cnt >= LIMIT_DB_PREPARED) /* the oldest */
		statement_free(map_del(&c->prepared, c->prepared.first->key));
	if (!s)
		return;
	s->text = text ? strdup(text) : NULL;
	s->params = params;
	if (map_put(&c->prepared, id_key(id), s))
		statement_free(s);
}

static void over(struct my_conn *c, uint64_t ts)
{
	c->at = AT_FIRST;
	c->begun = false;
	free(c->next_db);
	c->next_db = NULL;
	db_over(&c->db, ts);
}

/* --- what is asked */

/* NULL-safe; what was there goes. */
static void set_text(char **to, struct sv text)
{
	free(*to);
	*to = text.n ? strndup(text.p, text.n) : NULL;
}

static struct db_ask *ask(struct my_conn *c, const struct mysql_packet *p, struct sv query,
			  enum answer answer, bool quiet)
{
	struct db_question q = {
		.ts = p->ts_first, .query = query, .quiet = quiet, .params = &c->params
	};
	struct db_ask *a;

	if (!c->db.first) /* nothing else can come now: after a hole that is where it goes on */
		mysql_restart(&c->side[EV_READ]);
	a = db_asked_sql(&c->db, &q, SQL_MYSQL);
	if (a) {
		a->answer = answer;
		a->seq = (uint8_t)(c->side[EV_WRITE].seq + 1);
		a->cut = p->cut;
	}
	return a;
}

static void no_param(void *ctx, unsigned int i, struct sv name, struct sv value)
{
	(void)ctx;
	(void)i;
	(void)name;
	(void)value;
}

/* Attributes stand before the statement. */
static struct sv statement_of(const struct my_conn *c, struct sv content)
{
	struct sv none = sv_sub(content, 2, content.n);
	struct mysql_types types = { 0 };
	struct mysql_params how = { .named = true, .sets = true, .types = &types, .fn = no_param };

	if (!(c->flags & MYSQL_QUERY_ATTRIBUTES))
		/* of a connection that was joined half way: no statement begins like this */
		return !c->flags && content.n > 2 && !content.p[0] && content.p[1] == 1 ? none
											: content;
	return mysql_params(content, &how);
}

static void query(struct my_conn *c, const struct mysql_packet *p, struct sv content)
{
	struct sv text = statement_of(c, content), rest = text;
	struct db_ask *a = ask(c, p, text, ANSWER_RESULTS, false);

	if (!a || !sv_is(sv(a->operation), "USE"))
		return;
	rest = sv_trim(rest);
	sv_token(&rest, ' ');
	rest = sv_trim(sv_token(&rest, ';'));
	if (rest.n > 1 && rest.p[0] == '`')
		rest = sv_sub(rest, 1, rest.n - 2);
	set_text(&c->next_db, rest);
}

static void named(struct db_ask *a, const char *operation)
{
	if (a)
		snprintf(a->operation, sizeof(a->operation), "%s", operation);
}

static void on_param(void *ctx, unsigned int i, struct sv name, struct sv value)
{
	struct my_conn *c = ctx;

	(void)name;
	db_param(&c->params, i, value);
}

/* "COM_STMT_EXECUTE": flags, a count that is 1, and the parameters. */
static void bind(struct my_conn *c, struct statement *s, struct sv content)
{
	bool named = c->flags & MYSQL_QUERY_ATTRIBUTES;
	struct mysql_params how = { .cnt = s->params,
				    .named = named,
				    .sent = s->sent,
				    .types = &s->types,
				    .fn = on_param,
				    .ctx = c };
	uint32_t flags = mysql_le(&content, 1);

	mysql_le(&content, 4);
	if (s->params || (named && flags & PARAMETERS_COUNTED))
		c->params.more = !mysql_params(content, &how).p;
	while (c->params.cnt && c->params.of[c->params.cnt - 1].place >= s->params)
		c->params.cnt--; /* an attribute */
	for (unsigned int i = 0; i < LIMIT_DB_PARAMS; i++)
		if (s->sent >> i & 1)
			db_param_hidden(&c->params, i, s->sent_len[i]);
	s->sent = 0;
}

/* "COM_STMT_SEND_LONG_DATA": of which statement, and parameter. */
static void long_data(struct my_conn *c, const struct mysql_packet *p, struct sv content)
{
	struct statement *s = map_get(&c->prepared, id_key(mysql_le(&content, 4)));
	uint32_t i = mysql_le(&content, 2);

	if (!s || i >= LIMIT_DB_PARAMS)
		return;
	if (!(s->sent >> i & 1))
		s->sent_len[i] = 0;
	s->sent |= 1ull << i;
	s->sent_len[i] += p->len > LONG_DATA ? p->len - LONG_DATA : 0;
}

static void execute(struct my_conn *c, const struct mysql_packet *p, struct sv content,
		    const char *operation)
{
	uint32_t id = mysql_le(&content, 4);
	struct statement *s = map_get(&c->prepared, id_key(id));
	/* MariaDB: all ones is what was prepared last, before its id is known */
	const char *text = s ? s->text : id == UINT32_MAX ? c->latest : NULL;
	struct db_ask *a;

	if (s && p->bytes.p[0] == MYSQL_STMT_EXECUTE)
		bind(c, s, content);
	a = ask(c, p, sv(text), operation ? ANSWER_ROWS : ANSWER_RESULTS, false);
	if (operation)
		named(a, operation);
	db_params_clear(&c->params);
}

/* "Command Phase": those without a statement. */
static const struct command {
	const char *name;
	enum answer answer;
	bool quiet;
} commands[] = {
	[MYSQL_QUIT] = { "QUIT", ANSWER_NONE, true },
	[MYSQL_INIT_DB] = { "USE", ANSWER_ONE, false },
	[4] = { "FIELD_LIST", ANSWER_ROWS, true },
	[5] = { "CREATE_DB", ANSWER_ONE, false },
	[6] = { "DROP_DB", ANSWER_ONE, false },
	[7] = { "REFRESH", ANSWER_ONE, false },
	[8] = { "SHUTDOWN", ANSWER_ONE, false },
	[9] = { "STATISTICS", ANSWER_ONE, false },
	[0xa] = { "PROCESS_INFO", ANSWER_RESULTS, false },
	[0xc] = { "PROCESS_KILL", ANSWER_ONE, false },
	[0xd] = { "DEBUG", ANSWER_ONE, false },
	[0xe] = { "PING", ANSWER_ONE, false },
	[MYSQL_CHANGE_USER] = { "CHANGE_USER", ANSWER_LOGIN, true },
	[0x12] = { "BINLOG_DUMP", ANSWER_LEAVES, false },
	[0x13] = { "TABLE_DUMP", ANSWER_LEAVES, false },
	[0x15] = { "REGISTER_SLAVE", ANSWER_ONE, false },
	[MYSQL_STMT_RESET] = { "STMT_RESET", ANSWER_ONE, true },
	[0x1b] = { "SET_OPTION", ANSWER_ONE, true },
	[0x1e] = { "BINLOG_DUMP", ANSWER_LEAVES, false },
	[MYSQL_RESET_CONNECTION] = { "RESET_CONNECTION", ANSWER_ONE, true },
	[0x20] = { "CLONE", ANSWER_LEAVES, false },
};

static void other(struct my_conn *c, const struct mysql_packet *p, unsigned char code,
		  struct sv content)
{
	const struct command *is = code < ARRAY_SIZE(commands) ? &commands[code] : NULL;
	struct statement *s;

	if (!is || !is->name || is->answer == ANSWER_NONE)
		return;
	named(ask(c, p, SV(""), is->answer, is->quiet), is->name);
	if (code == MYSQL_STMT_RESET && (s = map_get(&c->prepared, id_key(mysql_le(&content, 4)))))
		s->sent = 0;
	else if (code == MYSQL_INIT_DB)
		set_text(&c->next_db, content);
	else if (code == MYSQL_CHANGE_USER)
		set_text(&c->next_db, mysql_changed_database(content));
	if (code == MYSQL_CHANGE_USER || code == MYSQL_RESET_CONNECTION)
		forget_all(c);
	if (is->answer != ANSWER_LEAVES)
		return;
	c->phase = PHASE_OVER;
	over(c, p->ts_last);
}

static void command(struct my_conn *c, const struct mysql_packet *p)
{
	struct sv content = sv_sub(p->bytes, 1, p->bytes.n);
	unsigned char code = p->bytes.n ? (unsigned char)p->bytes.p[0] : 0;

	switch (code) {
	case MYSQL_QUERY:
		query(c, p, content);
		break;
	case MYSQL_STMT_PREPARE:
		set_text(&c->latest, content);
		ask(c, p, content, ANSWER_PREPARED, true);
		break;
	case MYSQL_STMT_EXECUTE:
	case MYSQL_STMT_BULK_EXECUTE:
		execute(c, p, content, NULL);
		break;
	case MYSQL_STMT_FETCH:
		execute(c, p, content, "FETCH");
		break;
	case MYSQL_STMT_SEND_LONG_DATA:
		long_data(c, p, content);
		break;
	case MYSQL_STMT_CLOSE:
		statement_free(map_del(&c->prepared, id_key(mysql_le(&content, 4))));
		break;
	default:
		other(c, p, code, content);
		break;
	}
}

static void commands_begin(struct my_conn *c, enum phase phase)
{
	c->phase = phase;
	c->side[EV_READ].login = c->side[EV_WRITE].login = false;
}

/* Who one is, or that TLS is to begin: what comes then is seen where that is traced, as a connection of its own. */
static void login(struct my_conn *c, const struct mysql_packet *p)
{
	struct mysql_login in;

	if (c->flags && !c->tls) /* more of what proves it */
		return;
	if (!mysql_login(p->bytes, &in)) {
		c->phase = PHASE_OVER;
		return;
	}
	c->tls = in.tls;
	c->flags = in.flags;
	c->own_flags = in.own_flags;
	if (!in.tls)
		set_text(&c->db.database, in.database);
	if (!c->greeted && !(in.flags & MYSQL_LONG_PASSWORD)) /* behind TLS only this tells it */
		c->db.system = "mariadb";
}

static void on_client(void *ctx, const struct mysql_packet *p)
{
	struct my_conn *c = ctx;

	if (c->phase == PHASE_LOGIN && !p->seq) /* its end was missed */
		commands_begin(c, PHASE_COMMANDS);
	if (c->phase == PHASE_LOGIN)
		login(c, p);
	else if (c->phase != PHASE_OVER && !p->seq && c->at != AT_FILE)
		command(c, p);
}

/* --- what answers it */

static void did(struct my_conn *c, const struct mysql_packet *p, const struct mysql_ok *ok)
{
	if (!p->bytes.p[0])
		db_affected(c->db.first, ok->affected);
	c->db.first->warnings += ok->warnings;
	if (c->next_db)
		set_text(&c->db.database, sv(c->next_db));
}

/* An answer, or a part of it, is whole: is it the last? */
static void settled(struct my_conn *c, const struct mysql_packet *p)
{
	struct db_ask *a = c->db.first;
	struct mysql_error e;
	struct mysql_ok ok;

	if (mysql_error(p, &e)) {
		char code[8];

		snprintf(code, sizeof(code), "%u", e.code);
		db_failed(a, sv(code), sv_clip_utf8(e.message, 200));
	} else if (mysql_ok(p, &ok)) {
		did(c, p, &ok);
		if (ok.status & MYSQL_MORE_RESULTS && a->answer == ANSWER_RESULTS) {
			c->at = AT_FIRST;
			return;
		}
	}
	over(c, p->ts_last);
}

/* Behind columns stands an end of its own, unless the client asked to go without. */
static void columns(struct my_conn *c, const struct mysql_packet *p)
{
	struct mysql_ok ok;

	if (c->columns && !mysql_is_error(p)) {
		c->columns--;
		return;
	}
	c->at = AT_ROWS;
	if (mysql_is_end(p) && p->len <= 5) {
		if (mysql_ok(p, &ok) && ok.status & MYSQL_CURSOR_EXISTS) /* they are fetched */
			settled(c, p);
		return;
	}
	if (mysql_is_end(p) || mysql_is_error(p))
		settled(c, p);
	else
		c->db.first->rows++;
}

static void rows(struct my_conn *c, const struct mysql_packet *p)
{
	struct db_ask *a = c->db.first;

	if (mysql_is_end(p) || mysql_is_error(p))
		settled(c, p);
	else
		a->rows = a->rows < 0 ? 1 : a->rows + 1;
}

/*
 * "COM_STMT_PREPARE Response": definitions of parameters and columns follow, each kind with an end of its own
 * unless the client asked to go without; the last may come when nobody waits for it.
 */
static void on_prepared(struct my_conn *c, const struct mysql_packet *p)
{
	struct sv b = sv_sub(p->bytes, 1, p->bytes.n);
	uint32_t id, params;

	if (c->at == AT_COLUMNS) {
		c->columns -= !mysql_is_end(p);
	} else if (p->bytes.n < 9 || p->bytes.p[0]) {
		settled(c, p);
		return;
	} else {
		id = mysql_le(&b, 4);
		c->columns = mysql_le(&b, 2);
		params = mysql_le(&b, 2);
		c->columns += params;
		c->at = AT_COLUMNS;
		prepared(c, id, c->db.first->query, params);
	}
	if (!c->columns)
		over(c, p->ts_last);
}

/* The first packet of a result: no columns, a file that is asked for, or how many columns there are. */
static void results(struct my_conn *c, const struct mysql_packet *p)
{
	struct sv b = p->bytes;
	unsigned char first = b.n ? (unsigned char)b.p[0] : 0;
	bool described = true;

	if (first == 0xfb) {
		c->at = AT_FILE;
		return;
	}
	if (c->flags & MYSQL_OPTIONAL_METADATA && first <= 1 && p->len < 7) {
		described = mysql_le(&b, 1);
	} else if (!first || first >= 0xfe) {
		settled(c, p);
		return;
	}
	c->columns = mysql_int(&b);
	if (c->own_flags & MARIADB_CACHE_METADATA && b.n)
		described = mysql_le(&b, 1);
	c->columns = described && c->columns <= UINT16_MAX ? c->columns : 0;
	c->at = AT_COLUMNS;
	if (c->db.first->rows < 0)
		c->db.first->rows = 0;
}

static void answer(struct my_conn *c, const struct mysql_packet *p)
{
	switch ((enum answer)c->db.first->answer) {
	case ANSWER_RESULTS:
		if (c->at <= AT_FILE)
			results(c, p);
		else if (c->at == AT_COLUMNS)
			columns(c, p);
		else
			rows(c, p);
		break;
	case ANSWER_ROWS:
		rows(c, p);
		break;
	case ANSWER_PREPARED:
		on_prepared(c, p);
		break;
	case ANSWER_LOGIN:
		if (mysql_is_error(p) || (p->bytes.n && !p->bytes.p[0]))
			settled(c, p);
		break;
	default:
		settled(c, p);
		break;
	}
}

static void greeted(struct my_conn *c, const struct mysql_packet *p)
{
	struct mysql_greeting g;

	c->greeted = mysql_greeting(p->bytes, &g);
	if (c->greeted && sv_has(g.version, "MariaDB"))
		c->db.system = "mariadb";
}

/* zlib is taken where both could be. */
static void logged_in(struct my_conn *c)
{
	commands_begin(c, PHASE_COMMANDS);
	for (int dir = EV_READ; dir <= EV_WRITE; dir++)
		if (c->flags & (MYSQL_COMPRESS | MYSQL_ZSTD))
			mysql_compress(&c->side[dir],
				       c->flags & MYSQL_COMPRESS ? CODING_DEFLATE : CODING_ZSTD);
}

static void on_server(void *ctx, const struct mysql_packet *p)
{
	struct my_conn *c = ctx;

	if (c->phase == PHASE_LOGIN) {
		if (!p->seq)
			greeted(c, p);
		else if (p->bytes.n && !p->bytes.p[0])
			logged_in(c);
		return;
	}
	/* what begins no answer is of one that is over */
	if (!c->db.first || (!c->begun && p->seq != c->db.first->seq))
		return;
	if (p->bytes.n >= 3 && (unsigned char)p->bytes.p[0] == 0xff && !mysql_is_error(p))
		return; /* how far it has come */
	c->begun = true;
	answer(c, p);
}

/* --- connections */

static int mysql_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	if (c->proto == EV_PROTO_MYSQL)
		return 100;
	if (dir == EV_READ)
		return mysql_is_greeting(first) ? 95 : 0;
	return mysql_is_login(first) || mysql_is_command(first) ? 95 : 0;
}

static int mysql_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct my_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->db.stream = s;
	c->db.system = "mysql";
	c->phase = dir == EV_WRITE && first.n > 3 && !first.p[3] ? PHASE_COMMANDS : PHASE_LOGIN;
	c->side[EV_WRITE] = (struct mysql){ .client = true, .fn = on_client, .ctx = c };
	c->side[EV_READ] = (struct mysql){ .fn = on_server, .ctx = c };
	for (int side = EV_READ; side <= EV_WRITE; side++)
		c->side[side].login = c->phase == PHASE_LOGIN;
	s->state = c;
	return 0;
}

static void mysql_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct my_conn *c = s->state;

	if (c->phase == PHASE_OVER)
		return;
	mysql_feed(&c->side[dir], ts, bytes);
	if (c->phase == PHASE_LOGIN && c->side[dir].lost)
		commands_begin(c, c->tls ? PHASE_OVER : PHASE_COMMANDS);
}

static void mysql_missed(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct my_conn *c = s->state;

	(void)missing;
	mysql_gap(&c->side[dir]);
	db_give_up(&c->db, ts, "hole");
	c->at = AT_FIRST;
	c->begun = false;
}

static void mysql_close(struct stream *s, uint64_t ts)
{
	struct my_conn *c = s->state;

	db_fini(&c->db, ts);
	forget_all(c);
	free(c->latest);
	free(c->next_db);
	db_params_fini(&c->params);
	mysql_fini(&c->side[EV_READ]);
	mysql_fini(&c->side[EV_WRITE]);
	free(c);
}

const struct stream_ops stream_mysql = {
	.name = "mysql",
	.detect = mysql_detect,
	.open = mysql_open,
	.data = mysql_data,
	.gap = mysql_missed,
	.close = mysql_close,
};
