// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client asks PostgreSQL.  A simple query is over with ReadyForQuery, whatever it holds; of the
 * extended protocol each Execute is a statement, over with its own completion.  Behind an error the server
 * skips what was sent up to the next Sync.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/limits.h"
#include "proto/postgres.h"
#include "span/db.h"

struct statement {
	size_t type_cnt; /* of its parameters */
	uint32_t types[LIMIT_DB_PARAMS];
	char text[];
};

struct pg_conn {
	struct db_conn db;
	struct postgres side[2];  /* enum ev_dir */
	struct map prepared;      /* hash of a name -> struct statement */
	char *bound;              /* the statement of the latest Bind */
	struct db_params params;  /* ... and what was bound */
	struct map_key described; /* the name of that whose types are asked for */
	unsigned int describes;   /* how many are: of several nobody knows which is told */
	uint64_t batch, ready;    /* ReadyForQuery that are asked for, and that came */
};

static struct map_key name_key(struct sv name)
{
	return (struct map_key){ hash64(name), name.n, 0 };
}

/* types: of the parameters, which the client knows itself. */
static void prepare(struct pg_conn *c, struct sv name, struct sv text, struct sv types)
{
	struct map_key key = name_key(name);
	struct statement *s = calloc(1, sizeof(*s) + text.n + 1);

	free(map_del(&c->prepared, key));
	if (c->prepared.cnt >= LIMIT_DB_PREPARED) /* the oldest */
		free(map_del(&c->prepared, c->prepared.first->key));
	if (!s)
		return;
	if (text.n)
		memcpy(s->text, text.p, text.n);
	s->type_cnt = postgres_types(types, s->types, LIMIT_DB_PARAMS);
	if (map_put(&c->prepared, key, s))
		free(s);
}

static void on_param(void *ctx, unsigned int i, struct sv value, bool hidden)
{
	struct pg_conn *c = ctx;

	if (hidden)
		db_param_hidden(&c->params, i, value.n);
	else
		db_param(&c->params, i, value);
}

/* Bind: the portal, the statement, and what is bound. */
static void bind(struct pg_conn *c, struct sv rest)
{
	const struct statement *s;

	postgres_text(&rest);
	s = map_get(&c->prepared, name_key(postgres_text(&rest)));
	free(c->bound);
	c->bound = s ? strdup(s->text) : NULL;
	db_params_clear(&c->params);
	c->params.more |=
		!postgres_params(rest, s ? s->types : NULL, s ? s->type_cnt : 0, on_param, c);
}

static void describe(struct pg_conn *c, struct sv rest)
{
	if (!rest.n || rest.p[0] != 'S')
		return;
	rest = sv_sub(rest, 1, rest.n);
	c->described = name_key(postgres_text(&rest));
	c->describes++;
}

/* ParameterDescription: what the server took the parameters for. */
static void described(struct pg_conn *c, struct sv types)
{
	struct statement *s = map_get(&c->prepared, c->described);

	if (c->describes == 1 && s)
		s->type_cnt = postgres_types(types, s->types, LIMIT_DB_PARAMS);
	c->describes -= c->describes > 0;
}

static void ask(struct pg_conn *c, const struct postgres_msg *m, struct sv query, bool simple)
{
	struct db_question q = { .ts = m->ts_first,
				 .query = query,
				 .params = simple ? NULL : &c->params };
	struct db_ask *a = db_asked_sql(&c->db, &q, SQL_STANDARD);

	if (!a)
		return;
	a->simple = simple;
	a->batch = c->batch;
	a->cut = m->cut;
}

static void start(struct pg_conn *c, struct sv params)
{
	struct sv user = SV(""), database = SV("");

	if (params.n < 4 || params.p[0] || params.p[1] != 3)
		return; /* it asks for TLS, or for a cancellation */
	c->batch = 1;
	params = sv_sub(params, 4, params.n);
	while (params.n && params.p[0]) {
		struct sv key = postgres_text(&params), value = postgres_text(&params);

		if (sv_is(key, "user"))
			user = value;
		else if (sv_is(key, "database"))
			database = value;
	}
	free(c->db.database);
	database = database.n ? database : user;
	c->db.database = database.n ? strndup(database.p, database.n) : NULL;
}

static void on_client(void *ctx, const struct postgres_msg *m)
{
	struct pg_conn *c = ctx;
	struct sv rest = m->bytes, name, text;

	switch (m->type) {
	case POSTGRES_STARTUP:
		start(c, rest);
		break;
	case 'Q':
		ask(c, m, postgres_text(&rest), true);
		c->batch++;
		break;
	case 'P':
		name = postgres_text(&rest);
		text = postgres_text(&rest);
		prepare(c, name, text, rest);
		break;
	case 'B':
		bind(c, rest);
		break;
	case 'D':
		describe(c, rest);
		break;
	case 'E':
		ask(c, m, sv(c->bound), false);
		break;
	case 'C':
		if (rest.n && rest.p[0] == 'S') {
			rest = sv_sub(rest, 1, rest.n);
			free(map_del(&c->prepared, name_key(postgres_text(&rest))));
		}
		break;
	case 'S': /* Sync */
		c->batch++;
		break;
	default:
		break;
	}
}

/* The one that the server works on; NULL: none. */
static struct db_ask *current(struct pg_conn *c)
{
	return c->db.first && !c->db.first->done ? c->db.first : NULL;
}

/* "INSERT 0 5", "SELECT 3": rows are at the end. */
static void completed(struct db_ask *a, struct sv tag)
{
	const char *space = tag.n ? memrchr(tag.p, ' ', tag.n) : NULL;
	int64_t rows;

	if (!a->operation[0]) {
		struct sv word = sv_sub(sv_token(&tag, ' '), 0, sizeof(a->operation) - 1);

		memcpy(a->operation, word.p, word.n);
	}
	if (!space || sv_i64(sv_sub(tag, (size_t)(space + 1 - tag.p), tag.n), &rows) || rows < 0)
		return;
	if (a->rows < 0 && sv_is(sv(a->operation), "SELECT"))
		a->rows = rows;
	db_affected(a, (uint64_t)rows);
}

static void failed(struct db_ask *a, struct sv fields)
{
	struct sv code = SV("_OTHER"), message = SV("");

	while (fields.n && fields.p[0]) {
		char field = fields.p[0];
		struct sv text;

		fields = sv_sub(fields, 1, fields.n);
		text = postgres_text(&fields);
		if (field == 'C' && text.n)
			code = text;
		else if (field == 'M')
			message = sv_clip_utf8(text, 200);
	}
	db_failed(a, code, message);
}

/* It is ready for the next: what is left of those before was skipped. */
static void ready(struct pg_conn *c, uint64_t ts)
{
	struct db_ask *a;

	while ((a = c->db.first) && a->batch <= c->ready) {
		if (!a->simple && !a->done)
			db_failed(a, SV("25P02"), SV("skipped: another one failed before it"));
		db_over(&c->db, ts);
	}
	c->ready = c->db.first ? c->ready + 1 : c->batch;
}

static void on_server(void *ctx, const struct postgres_msg *m)
{
	struct pg_conn *c = ctx;
	struct db_ask *a = current(c);
	struct sv rest = m->bytes;

	if (m->type == 't')
		described(c, rest);
	if (m->type == 'Z') {
		c->describes = 0; /* what failed is not told */
		ready(c, m->ts_last);
		return;
	}
	if (!a || a->batch > c->ready)
		return;
	if (m->type == 'D')
		a->rows = a->rows < 0 ? 1 : a->rows + 1;
	if (m->type == 'E')
		failed(a, rest);
	if (m->type == 'C')
		completed(a, postgres_text(&rest));
	if (a->simple || !strchr("CEIs", m->type))
		return;
	if (m->type == 'E')
		a->done = true; /* ... and those behind it were skipped, told with the next Z */
	else
		db_over(&c->db, m->ts_last);
}

/* --- connections */

static int postgres_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	if (c->proto == EV_PROTO_POSTGRES)
		return 100;
	return dir == EV_WRITE && postgres_is_startup(first) ? 95 : 0;
}

static int postgres_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct pg_conn *c = calloc(1, sizeof(*c));

	(void)dir;
	(void)first;
	if (!c)
		return -ENOMEM;
	c->db.stream = s;
	c->db.system = "postgresql";
	c->side[EV_WRITE] = (struct postgres){ .client = true, .fn = on_client, .ctx = c };
	c->side[EV_READ] = (struct postgres){ .fn = on_server, .ctx = c };
	s->state = c;
	return 0;
}

static void postgres_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct pg_conn *c = s->state;

	postgres_feed(&c->side[dir], ts, bytes);
}

static void postgres_missed(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct pg_conn *c = s->state;

	(void)missing;
	postgres_gap(&c->side[dir]);
	db_give_up(&c->db, ts, "hole");
}

static void postgres_close(struct stream *s, uint64_t ts)
{
	struct pg_conn *c = s->state;

	db_fini(&c->db, ts);
	map_for_each (&c->prepared, e)
		free(e->value);
	map_fini(&c->prepared);
	free(c->bound);
	db_params_fini(&c->params);
	postgres_fini(&c->side[EV_READ]);
	postgres_fini(&c->side[EV_WRITE]);
	free(c);
}

const struct stream_ops stream_postgres = {
	.name = "postgresql",
	.detect = postgres_detect,
	.open = postgres_open,
	.data = postgres_data,
	.gap = postgres_missed,
	.close = postgres_close,
};
