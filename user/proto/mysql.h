/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MySQL's and MariaDB's client/server protocol (MySQL source code documentation, "Client/Server Protocol";
 * MariaDB, "Clients & Utilities: Client/Server Protocol"), incremental, each direction of a connection by
 * itself: packets, also those that are sent compressed, with as much of their content as is asked for.  What
 * packets hold is read by mysql_value.c; what answers what, is the caller's.
 */
#ifndef RINGSPAN_PROTO_MYSQL_H
#define RINGSPAN_PROTO_MYSQL_H

#include "base/buf.h"
#include "proto/decode.h"

#define MYSQL_KEEP_ANSWER 1024 /* bytes of a server's packet: its message has 512 */

/* "Capabilities Flags" */
enum mysql_flag {
	MYSQL_LONG_PASSWORD = 1u << 0, /* CLIENT_MYSQL of MariaDB: it is not MariaDB */
	MYSQL_CONNECT_WITH_DB = 1u << 3,
	MYSQL_COMPRESS = 1u << 5,
	MYSQL_PROTOCOL_41 = 1u << 9,
	MYSQL_SSL = 1u << 11,
	MYSQL_SECURE_CONNECTION = 1u << 15,
	MYSQL_AUTH_LENENC = 1u << 21,
	MYSQL_OPTIONAL_METADATA = 1u << 25,
	MYSQL_ZSTD = 1u << 26,
	MYSQL_QUERY_ATTRIBUTES = 1u << 27,
};

#define MARIADB_CACHE_METADATA (1u << 4) /* of MariaDB's own flags */

/* "Command Phase" */
enum mysql_command {
	MYSQL_QUIT = 1,
	MYSQL_INIT_DB = 2,
	MYSQL_QUERY = 3,
	MYSQL_CHANGE_USER = 0x11,
	MYSQL_STMT_PREPARE = 0x16,
	MYSQL_STMT_EXECUTE = 0x17,
	MYSQL_STMT_SEND_LONG_DATA = 0x18,
	MYSQL_STMT_CLOSE = 0x19,
	MYSQL_STMT_RESET = 0x1a,
	MYSQL_STMT_FETCH = 0x1c,
	MYSQL_RESET_CONNECTION = 0x1f,
	MYSQL_STMT_BULK_EXECUTE = 0xfa, /* MariaDB's */
};

struct mysql_packet {
	uint64_t ts_first, ts_last;
	uint64_t len;    /* of its content, in all its parts */
	struct sv bytes; /* of it, as far as it is kept; valid during the call */
	uint8_t seq;     /* of a client's command: 0 */
	bool cut;        /* some of it was not kept, or is missing */
};

typedef void (*mysql_fn)(void *ctx, const struct mysql_packet *p);

/* One direction.  Set client, login, fn and ctx; zero the rest. */
struct mysql {
	bool client;
	bool login; /* packets are short as yet */
	bool lost;  /* where packets begin, until bytes that are given together begin like one */
	bool more;  /* of the packet: another part follows */
	mysql_fn fn;
	void *ctx;
	unsigned char head[4];
	unsigned int head_len;
	uint32_t left; /* of the part's content */
	uint8_t seq;   /* of the part */
	struct mysql_packet packet;
	struct buf text;
	/* of compressed packets, which hold pieces of packets */
	bool compressed;
	enum coding coding;
	unsigned char outer[7];
	unsigned int outer_len;
	uint32_t outer_left;
	uint64_t outer_ts;
	struct decode *decode; /* NULL: this one is not */
};

void mysql_fini(struct mysql *p);
/* Bytes that were written, or read, together. */
void mysql_feed(struct mysql *p, uint64_t ts, struct sv bytes);
/* Some are missing: a packet that they may be of is given cut, others are not found at once. */
void mysql_gap(struct mysql *p);
void mysql_restart(struct mysql *p);                      /* what comes next begins a packet */
void mysql_compress(struct mysql *p, enum coding coding); /* from now on */

/* Does a server's stream begin like this, or a client's? */
bool mysql_is_greeting(struct sv first);
bool mysql_is_login(struct sv first);   /* HandshakeResponse41, or SSLRequest */
bool mysql_is_command(struct sv first); /* with a statement, so that it is no chance */

/* --- what packets hold; false: it is none, or cut too short */

struct mysql_greeting {
	struct sv version;
	uint32_t flags, own_flags; /* enum mysql_flag; MariaDB's */
};

bool mysql_greeting(struct sv content, struct mysql_greeting *out);

struct mysql_login {
	uint32_t flags, own_flags;
	bool tls; /* SSLRequest: it says only that TLS begins */
	struct sv user, database;
};

bool mysql_login(struct sv content, struct mysql_login *out);
/* COM_CHANGE_USER, behind its first byte: the database. */
struct sv mysql_changed_database(struct sv content);

enum mysql_status {
	MYSQL_MORE_RESULTS = 0x8,
	MYSQL_CURSOR_EXISTS = 0x40,
};

/* OK_Packet and EOF_Packet: both end something. */
struct mysql_ok {
	uint64_t affected;
	uint16_t status, warnings; /* enum mysql_status */
};

bool mysql_ok(const struct mysql_packet *p, struct mysql_ok *out);
bool mysql_is_end(const struct mysql_packet *p);   /* of columns or rows */
bool mysql_is_error(const struct mysql_packet *p); /* MariaDB's reports of progress are none */

struct mysql_error {
	uint16_t code;
	struct sv message;
};

bool mysql_error(const struct mysql_packet *p, struct mysql_error *out);

/* Cuts n bytes, or a text with its length before it, off *rest; false: there are not as many, and none is left. */
bool mysql_cut(struct sv *rest, size_t n, struct sv *out);
bool mysql_cut_text(struct sv *rest, struct sv *out);
uint64_t mysql_le_of(struct sv bytes); /* 8 of them at most */
/* An integer or a text with its length before it is cut off *rest; UINT64_MAX, or an empty text: there is none. */
uint64_t mysql_int(struct sv *rest);
struct sv mysql_text(struct sv *rest);
uint32_t mysql_le(struct sv *rest,
		  unsigned int n); /* n bytes, likewise; 0: there are not as many */

/* A parameter's value as text; value.p NULL: it is NULL.  Valid during the call. */
typedef void (*mysql_param_fn)(void *ctx, unsigned int i, struct sv name, struct sv value);

/* "enum_field_types", with a flag for unsigned in the second byte */
struct mysql_types {
	unsigned int cnt;
	unsigned char of[2 * LIMIT_DB_PARAMS];
};

struct mysql_params {
	unsigned int cnt; /* of them, as the statement has them */
	bool named;    /* CLIENT_QUERY_ATTRIBUTES: their number is sent, and each may have a name */
	bool sets;     /* of COM_QUERY: there is a number of sets */
	uint64_t sent; /* bit i: it went before, as long data */
	struct mysql_types *types; /* of the statement: what is not sent again is as it was */
	mysql_param_fn fn;
	void *ctx;
};

/* Those of COM_STMT_EXECUTE, or before the statement of COM_QUERY: what is behind them.  .p NULL: broken, or
 * too many. */
struct sv mysql_params(struct sv content, const struct mysql_params *how);

#endif
