/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What proves who one is to a database, masked in the bytes that a client sends: by its shape alone, since
 * nothing has been parsed yet.  The bytes stay as many as they are.
 */
#ifndef RINGSPAN_EVENT_SCRUB_DB_H
#define RINGSPAN_EVENT_SCRUB_DB_H

#include <stddef.h>

/* Of one direction of a connection, remembered by the caller: it begins as the first. */
enum scrub_login {
	SCRUB_NO_LOGIN = 0,
	SCRUB_MYSQL_LOGIN,    /* what the client sends proves who it is, until it gives a command */
	SCRUB_MYSQL_COMMANDS, /* it did */
};

void scrub_db(enum scrub_login *login, char *p, size_t n);

#endif
