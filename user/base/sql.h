/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a statement in SQL does, by its words alone, and without what it is done to: as OpenTelemetry
 * asks of db.query.text, literals are "?".  Any text goes; what is no SQL gives something harmless.
 */
#ifndef RINGSPAN_SQL_H
#define RINGSPAN_SQL_H

#include "base/buf.h"

enum sql_dialect {
	SQL_STANDARD, /* and PostgreSQL's */
	SQL_MYSQL,    /* "" holds a text too, \ escapes in both, # begins a comment */
};

/* The statement with ? for its texts and numbers, one space for white space, and no comments. */
void sql_plain(struct buf *out, struct sv statement, enum sql_dialect dialect);
/* Its first word in capitals, in out; empty: it begins with none. */
struct sv sql_operation(struct sv plain, char out[32]);
/* The only table that follows FROM, INTO, UPDATE, JOIN or TABLE; empty: none, or several. */
struct sv sql_table(struct sv plain);
/*
 * Overwrites by * the texts that a statement sets as a password: behind a word that ends with "password", or
 * "identified", up to the first that names no user.
 */
void sql_mask_secrets(char *statement, size_t n);
bool sql_tells_secret(struct sv statement); /* does it have such a word? */
#endif
