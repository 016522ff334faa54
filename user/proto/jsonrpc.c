// SPDX-License-Identifier: BSD-2-Clause
/* JSON-RPC on a byte stream: see jsonrpc.h.  What a text holds is jsonrpc_read.c's. */
#include "proto/jsonrpc.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "proto/jsonrpc_int.h"

#define HEADER_MAX 256 /* bytes of a line that may be a header field */

enum state {
	STATE_LINE,   /* a line, which tells what it is at its end */
	STATE_HEADER, /* behind Content-Length */
	STATE_BODY,   /* `left` bytes */
};

struct jsonrpc {
	jsonrpc_fn fn;
	void *ctx;
	enum state state;
	struct buf head; /* of the line or body that is open */
	struct buf tail; /* what came behind the head's bound or behind a hole: its last bytes */
	uint64_t wire;   /* bytes of it so far, missing ones too */
	bool hole;
	bool lost; /* its beginning was not seen */
	uint64_t ts_first, ts_last;
	uint64_t ts_head, ts_tail; /* when the head ended and the tail began */
	uint64_t left;             /* bytes of the body that have not come */
	uint64_t skipped;
};

int jsonrpc_new(struct jsonrpc **out, jsonrpc_fn fn, void *ctx)
{
	struct jsonrpc *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->fn = fn;
	j->ctx = ctx;
	*out = j;
	return 0;
}

void jsonrpc_free(struct jsonrpc **j)
{
	if (!*j)
		return;
	buf_fini(&(*j)->head);
	buf_fini(&(*j)->tail);
	free(*j);
	*j = NULL;
}

uint64_t jsonrpc_skipped(const struct jsonrpc *j)
{
	return j->skipped;
}

static void reset(struct jsonrpc *j)
{
	buf_clear(&j->head);
	buf_clear(&j->tail);
	j->wire = 0;
	j->hole = j->lost = false;
}

/* The last LIMIT_RPC_TAIL bytes are enough, but behind a hole a whole message may stand. */
static int add_tail(struct jsonrpc *j, uint64_t ts, struct sv bytes)
{
	size_t max = j->hole || j->lost ? LIMIT_RPC_TEXT : 4 * LIMIT_RPC_TAIL;
	int err;

	if (!j->tail.len)
		j->ts_tail = ts;
	err = buf_sv(&j->tail, bytes);
	if (!err && j->tail.len > max)
		buf_drop(&j->tail, j->tail.len - LIMIT_RPC_TAIL);
	return err;
}

static int add(struct jsonrpc *j, uint64_t ts, struct sv bytes)
{
	size_t room = LIMIT_RPC_TEXT - j->head.len;
	int err = 0;

	if (!bytes.n)
		return 0;
	if (!j->wire)
		j->ts_first = ts;
	j->ts_last = ts;
	j->wire += bytes.n;
	if (!j->hole && !j->lost && room && !j->tail.len) {
		err = buf_sv(&j->head, sv_sub(bytes, 0, room));
		j->ts_head = ts;
		bytes = sv_sub(bytes, room, SIZE_MAX);
	}
	if (!err && bytes.n)
		err = add_tail(j, ts, bytes);
	return err;
}

/* The hole, or whatever was before it, hid a line's end when what is behind it is a message. */
static bool give_behind_hole(struct jsonrpc *j, struct sv behind)
{
	const struct jsonrpc_text t = { behind, j->ts_tail, j->ts_last, false };
	_cleanup_arena_ struct arena scratch;
	struct json_err err;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	if (!jsonrpc_is_start(behind) || !jsonrpc_is_message(json_parse(&scratch, behind, &err)) ||
	    err.cut || err.broken)
		return false;
	if (!j->lost)
		jsonrpc_give_parts(&(struct jsonrpc_parts){ .head = buf_view(&j->head),
							    .wire = j->wire - behind.n,
							    .ts_first = j->ts_first,
							    .ts_last = j->ts_head },
				   j->fn, j->ctx);
	return jsonrpc_read(&t, j->fn, j->ctx) != 0;
}

/* The open line or body is over; `whole`: by its line end or length. */
static void give(struct jsonrpc *j, bool whole)
{
	struct sv head = sv_trim(buf_view(&j->head)), tail = buf_view(&j->tail);
	bool found;

	if (j->lost || j->hole)
		found = give_behind_hole(j, tail) ||
			(!j->lost &&
			 jsonrpc_give_parts(&(struct jsonrpc_parts){ head, tail, j->wire,
								     j->ts_first, j->ts_last },
					    j->fn, j->ctx));
	else if (tail.n)
		found = jsonrpc_give_parts(&(struct jsonrpc_parts){ head, tail, j->wire,
								    j->ts_first, j->ts_last },
					   j->fn, j->ctx);
	else
		found = jsonrpc_read(&(struct jsonrpc_text){ head, j->ts_first, j->ts_last,
							     !whole },
				     j->fn, j->ctx) != 0;
	if (!found && (head.n || tail.n))
		j->skipped++;
	reset(j);
}

/* A header field of the base protocol; *length is set by Content-Length alone. */
static bool is_header(struct sv line, uint64_t *length)
{
	struct sv value = line, name;
	int64_t n;

	if (line.n > HEADER_MAX || !sv_istarts(line, "content-"))
		return false;
	name = sv_token(&value, ':');
	if (sv_ieq(name, "content-length") && sv_i64(sv_trim(value), &n) == 0 && n >= 0)
		*length = n;
	return name.n < line.n;
}

static struct sv without_cr(struct sv line)
{
	return sv_ends(line, "\r") ? sv_sub(line, 0, line.n - 1) : line;
}

static void line_end(struct jsonrpc *j)
{
	struct sv line = without_cr(buf_view(&j->head));
	bool plain = !j->lost && !j->hole && !j->tail.len;

	if (plain && is_header(line, &j->left)) {
		j->state = STATE_HEADER;
		reset(j);
	} else if (plain && j->state == STATE_HEADER && !line.n) {
		j->state = j->left ? STATE_BODY : STATE_LINE;
		reset(j);
	} else {
		j->state = STATE_LINE;
		j->head.len = line.n;
		give(j, true);
	}
}

static int feed_body(struct jsonrpc *j, uint64_t ts, struct sv *bytes)
{
	struct sv part = sv_sub(*bytes, 0, j->left);
	int err = add(j, ts, part);

	*bytes = sv_sub(*bytes, part.n, SIZE_MAX);
	j->left -= part.n;
	if (j->left)
		return err;
	give(j, true);
	j->state = STATE_LINE;
	return err;
}

static int feed_line(struct jsonrpc *j, uint64_t ts, struct sv *bytes)
{
	const char *lf = memchr(bytes->p, '\n', bytes->n);
	size_t len = lf ? (size_t)(lf - bytes->p) : bytes->n;
	int err = add(j, ts, sv_sub(*bytes, 0, len));

	*bytes = sv_sub(*bytes, lf ? len + 1 : len, SIZE_MAX);
	if (lf)
		line_end(j);
	return err;
}

int jsonrpc_feed(struct jsonrpc *j, uint64_t ts, struct sv bytes)
{
	int err = 0;

	while (bytes.n && !err)
		err = j->state == STATE_BODY ? feed_body(j, ts, &bytes) : feed_line(j, ts, &bytes);
	return err;
}

void jsonrpc_gap(struct jsonrpc *j, uint64_t missing)
{
	bool open = j->head.len && !j->lost;

	if (j->state == STATE_BODY && missing < j->left) {
		j->left -= missing;
		j->wire += missing;
		j->hole = true;
		return;
	}
	if (j->state == STATE_BODY && (missing == j->left || open)) {
		bool exact = missing == j->left;

		j->hole = true;
		j->wire += j->left;
		give(j, true);
		j->lost = !exact;
	} else if (open && !j->hole) {
		j->wire += missing;
		j->hole = true;
	} else {
		/* a second hole in one line: what stands between them tells nothing */
		buf_clear(&j->tail);
		j->lost = !open;
	}
	j->state = STATE_LINE;
}

void jsonrpc_end(struct jsonrpc *j)
{
	give(j, false);
	j->lost = true;
}

int jsonrpc_detect(struct sv first)
{
	static const char length[] = "content-length:";

	while (first.n && (jsonrpc_is_space(first.p[0]) || first.p[0] == '['))
		first = sv_sub(first, 1, SIZE_MAX);
	if (!first.n)
		return -1;
	if (first.p[0] == '{')
		return jsonrpc_detect_object(sv_sub(first, 1, SIZE_MAX));
	if (sv_istarts(first, length))
		return 80;
	for (size_t i = 0; i < first.n; i++)
		if ((first.p[i] | ' ') != length[i] && first.p[i] != length[i])
			return 0;
	return -1;
}
