/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a statement in SQL does, by its words alone, and without what it is done to: as OpenTelemetry
 * asks of db.query.text, literals are "?".  Any text goes; what is no SQL gives something harmless.
 */
#ifndef RINGSPAN_SQL_H
#define RINGSPAN_SQL_H

#include "base/buf.h"

/* The statement with ? for its texts and numbers, one space for white space, and no comments. */
void sql_plain(struct buf *out, struct sv statement);
/* Its first word in capitals, in out; empty: it begins with none. */
struct sv sql_operation(struct sv plain, char out[32]);
/* The only table that follows FROM, INTO, UPDATE, JOIN or TABLE; empty: none, or several. */
struct sv sql_table(struct sv plain);

#endif
