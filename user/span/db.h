/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What clients ask databases, as spans of kind `db`: db_postgres.c, db_mysql.c and db_redis.c follow the
 * protocols, and db.c pairs what is asked with what answers it, in order.  Names: OpenTelemetry, database conventions.
 */
#ifndef RINGSPAN_SPAN_DB_H
#define RINGSPAN_SPAN_DB_H

#include "base/limits.h"
#include "base/sql.h"
#include "span/engine.h"

/* What was bound to the places of a statement, as text. */
struct db_params {
	size_t cnt; /* LIMIT_DB_PARAMS at most */
	struct db_param {
		unsigned int place; /* from 0 */
		bool known;         /* it has a text, which may be empty, and is not NULL */
		bool is_null;
		size_t at, n; /* in text; of what is not known n is its length alone */
	} of[LIMIT_DB_PARAMS];
	bool more; /* there are others */
	struct buf text;
};

void db_params_fini(struct db_params *p);
void db_params_clear(struct db_params *p);
void db_param(struct db_params *p, unsigned int place, struct sv value); /* .p NULL: it is NULL */
void db_param_hidden(struct db_params *p, unsigned int place,
		     size_t n); /* of n bytes that are no text */

/* A statement or command without an answer. */
struct db_ask {
	struct db_ask *next;
	uint64_t ts, number; /* in its connection */
	uint64_t batch;      /* PostgreSQL's: up to which ReadyForQuery */
	bool simple;         /* likewise: only that ends it */
	bool done;           /* likewise: what comes before that is another's */
	unsigned int answer; /* MySQL's: enum answer of db_mysql.c */
	uint8_t seq;         /* likewise: of the answer's first packet */
	bool quiet;          /* told only when it fails, or nobody knows */
	int64_t rows;        /* that came; -1: not known */
	int64_t affected;    /* rows, likewise */
	uint64_t warnings;
	char tool[HEX64];    /* the tool call that it is for; "": none */
	const char *link;    /* how sure that is */
	char *text;          /* without literals; may be NULL */
	struct json *params; /* what is shown of them; NULL: none, or the statement is of secrets */
	struct arena arena;  /* of params */
	char *query;         /* of a quiet one: as it was sent; may be NULL */
	char operation[32];
	char *table; /* may be NULL */
	char code[32];
	char *message; /* of its failure, with a code; may be NULL */
	bool cut;
};

/* A connection to a database. */
struct db_conn {
	struct stream *stream;
	const char *system; /* db.system.name */
	char *database;     /* may be NULL */
	struct db_ask *first, *last;
	size_t cnt;
	uint64_t asked, over_limit;
};

struct db_question {
	uint64_t ts;
	struct sv text;                 /* as db.query.text has it */
	struct sv query;                /* as it was sent, by which its tool call is found */
	const struct db_params *params; /* NULL: none */
	const struct sv *words;         /* or what else of it may be an argument */
	size_t word_cnt;
	bool quiet;
};

/* NULL: no memory, or too many wait. */
struct db_ask *db_asked(struct db_conn *c, const struct db_question *q);
struct db_ask *db_asked_sql(struct db_conn *c, struct db_question *q,
			    enum sql_dialect dialect); /* of its query all the rest */
/* So many rows, if it is a statement that affects any; of several the sum. */
void db_affected(struct db_ask *a, uint64_t rows);
void db_failed(struct db_ask *a, struct sv code, struct sv message);
void db_over(struct db_conn *c, uint64_t ts); /* the first of them is answered: tells it */
/* No answer will be known, for that reason (ringspan.incomplete). */
void db_give_up(struct db_conn *c, uint64_t ts, const char *reason);
void db_fini(struct db_conn *c, uint64_t ts); /* the connection is over */

#endif
