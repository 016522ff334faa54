// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a client asks Redis: each command is answered by the next value that is no push.  A connection
 * that subscribes is not followed any further: what comes then answers nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "proto/redis.h"
#include "span/db.h"

struct redis_conn {
	struct db_conn db;
	struct redis side[2]; /* enum ev_dir */
	bool subscribed;
	bool lost; /* answers to what was asked before */
};

static bool is_one_of(struct sv word, const char *const words[], size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (sv_is(word, words[i]))
			return true;
	return false;
}

/* What follows may be a secret, or a program. */
static bool hides(struct sv operation)
{
	static const char *const words[] = { "AUTH",    "HELLO",  "ACL",      "CONFIG", "EVAL",
					     "EVAL_RO", "SCRIPT", "FUNCTION", "MIGRATE" };

	return is_one_of(operation, words, ARRAY_SIZE(words));
}

static bool subscribes(struct sv operation)
{
	static const char *const words[] = { "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE",
					     "MONITOR",   "SYNC",       "PSYNC" };

	return is_one_of(operation, words, ARRAY_SIZE(words));
}

static struct sv operation_of(const struct redis_value *v, char out[32])
{
	struct sv word = v->texts ? sv_sub(v->text[0], 0, 31) : SV("");

	for (size_t i = 0; i < word.n; i++)
		out[i] = word.p[i] >= 'a' && word.p[i] <= 'z' ? (char)(word.p[i] - 'a' + 'A')
							      : word.p[i];
	out[word.n] = '\0';
	return (struct sv){ out, word.n };
}

static void on_command(void *ctx, const struct redis_value *v)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct redis_conn *c = ctx;
	char operation[32];
	struct sv word, words[REDIS_TEXTS];
	size_t word_cnt = 0;
	struct db_ask *a;

	if (v->type != '*')
		return;
	word = operation_of(v, operation);
	buf_sv(&text, word);
	if (v->cnt > 1 && v->texts > 1 && !hides(word)) {
		buf_ch(&text, ' ');
		buf_sv(&text, v->text[1]);
	}
	if (v->cnt > 2 || hides(word))
		buf_str(&text, " ?");
	for (size_t i = 1; i < v->texts && !hides(word); i++)
		if (v->text[i].n && v->text[i].n < REDIS_TEXT_MAX) /* of others there may be more */
			words[word_cnt++] = v->text[i];
	a = db_asked(&c->db, &(struct db_question){ .ts = v->ts_first,
						    .text = buf_view(&text),
						    .query = buf_view(&text),
						    .words = words,
						    .word_cnt = word_cnt });
	if (!a) {
		c->lost = true;
		return;
	}
	memcpy(a->operation, operation, word.n);
	if (c->db.first == a)
		c->lost = false;
	c->subscribed |= subscribes(word);
}

static void on_answer(void *ctx, const struct redis_value *v)
{
	struct redis_conn *c = ctx;

	if (v->type == '>' || !c->db.first || c->lost)
		return;
	if (v->type == '-' || v->type == '!') {
		struct sv message = v->texts ? v->text[0] : SV(""), rest = message;
		struct sv code = sv_token(&rest, ' ');

		db_failed(c->db.first, code.n ? code : SV("_OTHER"), sv_clip_utf8(message, 200));
	}
	db_over(&c->db, v->ts_last);
}

/* --- connections */

static int redis_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	if (c->proto == EV_PROTO_REDIS)
		return 100;
	return dir == EV_WRITE && redis_is_command(first) ? 95 : 0;
}

static int redis_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct redis_conn *c = calloc(1, sizeof(*c));

	(void)dir;
	(void)first;
	if (!c)
		return -ENOMEM;
	c->db.stream = s;
	c->db.system = "redis";
	c->side[EV_WRITE] = (struct redis){ .fn = on_command, .ctx = c };
	c->side[EV_READ] = (struct redis){ .fn = on_answer, .ctx = c };
	s->state = c;
	return 0;
}

static void redis_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct redis_conn *c = s->state;

	if (!c->subscribed || (dir == EV_READ && c->db.first))
		redis_feed(&c->side[dir], ts, bytes);
}

static void redis_missed(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct redis_conn *c = s->state;

	(void)missing;
	redis_gap(&c->side[dir]);
	db_give_up(&c->db, ts, "hole");
}

static void redis_close(struct stream *s, uint64_t ts)
{
	struct redis_conn *c = s->state;

	db_fini(&c->db, ts);
	free(c);
}

const struct stream_ops stream_redis = {
	.name = "redis",
	.detect = redis_detect,
	.open = redis_open,
	.data = redis_data,
	.gap = redis_missed,
	.close = redis_close,
};
