// SPDX-License-Identifier: BSD-2-Clause
/* Logins to databases: see scrub_db.h. */
#include "event/scrub_db.h"

#include <string.h>
#include "base/sql.h"

#define LOGIN_MAX 4096 /* bytes of what proves who one is */

static void mask(char *p, size_t from, size_t n)
{
	for (size_t i = from; i < n; i++)
		if (p[i])
			p[i] = '*';
}

/*
 * PostgreSQL: a message of type 'p', which is written by itself since the server is to answer it
 * (documentation, 55.7: PasswordMessage and its like); statements that set a password.
 */
static void mask_postgres(char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len;

	if (n < 6 || u[1])
		return;
	len = (size_t)u[2] << 16 | (size_t)u[3] << 8 | u[4];
	if (p[0] == 'p' && n <= LOGIN_MAX && len + 1 == n)
		mask(p, 5, n);
	else if (p[0] == 'Q' || p[0] == 'P')
		sql_mask_secrets(p + 5, len < n ? (len > 4 ? len - 4 : 0) : n - 5);
}

/* Redis: the texts behind AUTH in a command, "$6\r\nsecret\r\n"; also in HELLO. */
static void mask_redis(struct sv text, char *p)
{
	struct sv head = sv_sub(text, 0, 96), rest;
	size_t at = 0;

	if (!sv_starts(text, "*"))
		return;
	while (at + 6 <= head.n && !sv_ieq(sv_sub(head, at, 6), "AUTH\r\n"))
		at++;
	if (at + 6 > head.n)
		return;
	rest = sv_sub(text, at + 6, LOGIN_MAX);
	while (sv_starts(rest, "$")) {
		struct sv line = sv_token(&rest, '\n'), secret;
		int64_t len = 0;

		if (sv_i64(sv_sub(line, 1, line.n - 2), &len) || len < 0)
			len = (int64_t)rest.n;
		secret = sv_sub(rest, 0, (size_t)len);
		memset(p + (secret.p - text.p), '*', secret.n);
		rest = sv_sub(rest, secret.n + 2, rest.n);
	}
}

/* --- MySQL: "Protocol::HandshakeResponse41", "COM_CHANGE_USER" and what may follow them */

#define MYSQL_FLAG_41 (1u << 9)
#define MYSQL_FLAG_SECURE (1u << 15)
#define MYSQL_FLAG_LENENC (1u << 21)
#define MYSQL_USER 36 /* offset of the user's name: header, flags, size, character set and filler */
#define MYSQL_OUTER 7 /* bytes of a compressed packet's header */
#define MYSQL_COM_QUERY 3
#define MYSQL_COM_CHANGE_USER 0x11
#define MYSQL_COM_PREPARE 0x16

static uint32_t le32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* A packet that the client answers with: not the first of an exchange, of little length. */
static bool is_mysql_login(const char *p, size_t n)
{
	static const char zero[19];

	return n >= MYSQL_USER && p[3] >= 1 && p[3] <= 2 && !p[2] && le32(p + 4) & MYSQL_FLAG_41 &&
	       memcmp(p + 13, zero, sizeof(zero)) == 0;
}

/* Behind the name at `at` stands the proof: its length in one byte (or up to a NUL), then the bytes. */
static void mask_behind_name(char *p, size_t n, size_t at, bool has_length)
{
	const char *end = at < n ? memchr(p + at, 0, n - at) : NULL;
	size_t len;

	if (!end)
		return;
	at = (size_t)(end - p) + 1;
	if (at >= n)
		return;
	len = has_length ? 1 + (size_t)(unsigned char)p[at] : strnlen(p + at, n - at);
	if (has_length && (unsigned char)p[at] >= 0xfb) /* longer than any that is in use */
		len = n;
	mask(p, at + has_length, len < n - at ? at + len : n);
}

static void mask_command(enum scrub_login *login, char *p, size_t n)
{
	if (n < 5 || p[3] || p[2])
		return;
	if (*login == SCRUB_MYSQL_LOGIN)
		*login = SCRUB_MYSQL_COMMANDS;
	if (p[4] == MYSQL_COM_QUERY || p[4] == MYSQL_COM_PREPARE) {
		sql_mask_secrets(p + 5, n - 5);
	} else if (p[4] == MYSQL_COM_CHANGE_USER && *login == SCRUB_MYSQL_COMMANDS) {
		*login = SCRUB_MYSQL_LOGIN;
		mask_behind_name(p, n, 5, true);
	}
}

static void mask_mysql(enum scrub_login *login, char *p, size_t n)
{
	static const char plain[3]; /* of a compressed packet that is not: its length before is 0 */

	if (is_mysql_login(p, n)) {
		*login = SCRUB_MYSQL_LOGIN;
		mask_behind_name(p, n, MYSQL_USER,
				 le32(p + 4) & (MYSQL_FLAG_SECURE | MYSQL_FLAG_LENENC));
	} else if (n > 4 && *login == SCRUB_MYSQL_LOGIN && p[3]) {
		mask(p, 4, n);
	} else if (n > MYSQL_OUTER + 4 && memcmp(p + 4, plain, sizeof(plain)) == 0) {
		mask_command(login, p + MYSQL_OUTER, n - MYSQL_OUTER);
	} else {
		mask_command(login, p, n);
	}
}

void scrub_db(enum scrub_login *login, char *p, size_t n)
{
	mask_postgres(p, n);
	mask_redis((struct sv){ p, n }, p);
	mask_mysql(login, p, n);
}
