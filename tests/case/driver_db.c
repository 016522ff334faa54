// SPDX-License-Identifier: BSD-2-Clause
/* Drivers for the protocols of databases, whose directions are parsed by themselves. */
#include "case.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "proto/mysql.h"
#include "proto/postgres.h"

static void log_times(struct log *l, char dir, const char *what, uint64_t first, uint64_t last)
{
	buf_fmt(&l->text, "%c %s@%" PRIu64 "..%" PRIu64, dir, what, first, last);
}

static void log_bytes(struct log *l, uint64_t len, struct sv bytes, bool cut)
{
	buf_fmt(&l->text, " len=%" PRIu64 " ", len);
	case_log_quoted(&l->text, bytes);
	buf_str(&l->text, cut ? " cut\n" : "\n");
}

static void no_end(void *state, uint64_t ts)
{
	(void)state;
	(void)ts;
}

/* --- MySQL */

struct mysql_side {
	struct mysql p;
	struct log *log;
};

struct mysql_state {
	struct mysql_side side[2]; /* by enum http_dir */
};

static void on_packet(void *ctx, const struct mysql_packet *p)
{
	struct mysql_side *s = ctx;

	log_times(s->log, s->p.client ? '>' : '<', "packet", p->ts_first, p->ts_last);
	buf_fmt(&s->log->text, " seq=%u", p->seq);
	log_bytes(s->log, p->len, p->bytes, p->cut);
}

static int mysql_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	struct mysql_state *m = calloc(1, sizeof(*m));

	(void)answer;
	if (!m)
		return -ENOMEM;
	for (int dir = 0; dir < 2; dir++) {
		struct mysql_side *s = &m->side[dir];

		s->log = log;
		s->p = (struct mysql){ .client = dir == HTTP_REQUEST, .fn = on_packet, .ctx = s };
	}
	*state = m;
	return 0;
}

/* Where packets begin again depends on what came together, which a case does not. */
static void mysql_case_bytes(void *state, const struct step *st, struct sv piece)
{
	struct mysql_side *s = &((struct mysql_state *)state)->side[st->dir];

	if (s->p.lost)
		return;
	mysql_feed(&s->p, st->ts, piece);
	if (s->p.lost)
		buf_fmt(&s->log->text, "%c lost\n", s->p.client ? '>' : '<');
}

static void mysql_case_gap(void *state, const struct step *st)
{
	struct mysql_side *s = &((struct mysql_state *)state)->side[st->dir];

	if (!s->p.lost)
		mysql_gap(&s->p);
}

static void mysql_case_close(void *state, struct log *log)
{
	struct mysql_state *m = state;

	(void)log;
	mysql_fini(&m->side[0].p);
	mysql_fini(&m->side[1].p);
	free(m);
}

const struct driver case_mysql = { "mysql",        "",     mysql_case_open, mysql_case_bytes,
				   mysql_case_gap, no_end, mysql_case_close };

/* --- PostgreSQL */

struct postgres_side {
	struct postgres p;
	struct log *log;
};

struct postgres_state {
	struct postgres_side side[2];
};

static void on_bound(void *ctx, unsigned int i, struct sv value, bool hidden)
{
	struct log *l = ctx;

	buf_fmt(&l->text, " %u=", i);
	if (hidden)
		buf_fmt(&l->text, "<%zu>", value.n);
	else if (value.p)
		case_log_quoted(&l->text, value);
	else
		buf_str(&l->text, "NULL");
}

/* Behind the names of a portal and a statement. */
static void log_bind(struct log *l, struct sv rest)
{
	postgres_text(&rest);
	postgres_text(&rest);
	buf_str(&l->text, "> bind");
	buf_str(&l->text, postgres_params(rest, NULL, 0, on_bound, l) ? "\n" : " cut\n");
}

static void on_message(void *ctx, const struct postgres_msg *m)
{
	char type[2] = { m->type ? m->type : '0', 0 };
	struct postgres_side *s = ctx;

	log_times(s->log, s->p.client ? '>' : '<', type, m->ts_first, m->ts_last);
	log_bytes(s->log, m->len, m->bytes, m->cut);
	if (s->p.client && m->type == 'B')
		log_bind(s->log, m->bytes);
}

static int postgres_case_open(void **state, struct log *log, const struct http_msg *answer)
{
	struct postgres_state *m = calloc(1, sizeof(*m));

	(void)answer;
	if (!m)
		return -ENOMEM;
	for (int dir = 0; dir < 2; dir++) {
		struct postgres_side *s = &m->side[dir];

		s->log = log;
		s->p = (struct postgres){ .client = dir == HTTP_REQUEST,
					  .fn = on_message,
					  .ctx = s };
	}
	*state = m;
	return 0;
}

static void postgres_case_bytes(void *state, const struct step *st, struct sv piece)
{
	struct postgres_side *s = &((struct postgres_state *)state)->side[st->dir];

	if (s->p.lost)
		return;
	postgres_feed(&s->p, st->ts, piece);
	if (s->p.lost)
		buf_fmt(&s->log->text, "%c lost\n", s->p.client ? '>' : '<');
}

static void postgres_case_gap(void *state, const struct step *st)
{
	struct postgres_side *s = &((struct postgres_state *)state)->side[st->dir];

	if (!s->p.lost)
		postgres_gap(&s->p);
}

static void postgres_case_close(void *state, struct log *log)
{
	struct postgres_state *m = state;

	(void)log;
	postgres_fini(&m->side[0].p);
	postgres_fini(&m->side[1].p);
	free(m);
}

const struct driver case_postgres = { "postgres",         "",
				      postgres_case_open, postgres_case_bytes,
				      postgres_case_gap,  no_end,
				      postgres_case_close };
