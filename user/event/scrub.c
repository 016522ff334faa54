// SPDX-License-Identifier: BSD-2-Clause
/*
 * Masks secrets in records before anything reads or writes them.  Keeps the masker's state for each
 * direction of each connection, so that a secret that two records share is found.
 */
#include "event/event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/map.h"
#include "base/redact.h"
#include "event/scrub_db.h"

struct stream {
	struct redact state[2]; /* enum ev_dir */
	enum scrub_login login[2];
};

struct event_scrub {
	struct map streams; /* (tgid, start, conn) -> struct stream */
};

int event_scrub_new(struct event_scrub **out)
{
	struct event_scrub *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*out = s;
	return 0;
}

void event_scrub_free(struct event_scrub **s)
{
	if (!*s)
		return;
	map_for_each (&(*s)->streams, e)
		free(e->value);
	map_fini(&(*s)->streams);
	free(*s);
	*s = NULL;
}

static struct stream *stream_get(struct event_scrub *s, struct map_key key)
{
	struct stream *st = map_get(&s->streams, key);

	if (st)
		return st;
	if (s->streams.cnt >= LIMIT_CONNS)
		free(map_del(&s->streams, s->streams.first->key));
	st = calloc(1, sizeof(*st));
	if (st && map_put(&s->streams, key, st)) {
		free(st);
		st = NULL;
	}
	return st;
}

static char *payload(struct ev_hdr *rec, struct sv part)
{
	return (char *)rec + (part.p - (const char *)rec);
}

static void scrub_data(struct event_scrub *s, struct ev_data *d)
{
	struct map_key key = { d->hdr.tgid, d->hdr.start, d->conn };
	struct stream *st = stream_get(s, key);
	struct sv bytes = event_payload(&d->hdr);
	enum scrub_login login = SCRUB_NO_LOGIN;

	scrub_db(st ? &st->login[d->dir] : &login, payload(&d->hdr, bytes), bytes.n);
	if (!st) { /* no memory for the state: better too much than a key in the clear */
		redact_text(payload(&d->hdr, bytes), bytes.n);
		return;
	}
	/* a hole does not reset the state: its other side may be the rest of the same secret */
	redact_bytes(&st->state[d->dir], payload(&d->hdr, bytes), bytes.n);
}

static void forget(struct event_scrub *s, const struct ev_hdr *rec, uint64_t conn)
{
	free(map_del(&s->streams, (struct map_key){ rec->tgid, rec->start, conn }));
}

/* A secret may begin in what joins and end in what follows. */
static void scrub_join(struct event_scrub *s, const struct ev_join *j)
{
	struct map_key key = { j->hdr.tgid, j->hdr.start, j->conn };
	struct stream *from = map_get(&s->streams, key), *into;

	if (!from)
		return;
	key.c = j->into;
	into = stream_get(s, key);
	key.c = j->conn;
	from = map_get(&s->streams, key);
	if (into && from) {
		into->state[j->dir] = from->state[j->dir];
		into->login[j->dir] = from->login[j->dir];
	}
	forget(s, &j->hdr, j->conn);
}

void event_scrub(struct event_scrub *s, struct ev_hdr *rec)
{
	uint64_t conn;

	switch (rec->kind) {
	case EV_DATA:
		scrub_data(s, (struct ev_data *)(void *)rec);
		break;
	case EV_EXEC:
	case EV_PROC: {
		struct sv args = event_exec_args((const struct ev_exec *)(const void *)rec);

		redact_text(payload(rec, args), args.n);
		break;
	}
	case EV_SYSCALL:
	case EV_FILE:
	case EV_OPEN:
	case EV_FUNCTION:
	case EV_FUNC_OPEN: {
		struct sv texts = event_payload(rec);

		redact_text(payload(rec, texts), texts.n);
		break;
	}
	case EV_FRAMES: { /* a program may name the code that it makes as it likes */
		const struct ev_frames *f = (const struct ev_frames *)(const void *)rec;
		struct sv texts =
			sv_sub(event_payload(rec), f->cnt * sizeof(struct ev_name), rec->size);

		redact_text(payload(rec, texts), texts.n);
		break;
	}
	case EV_JOIN:
		scrub_join(s, (const struct ev_join *)(const void *)rec);
		break;
	default:
		if (event_ends_conn(rec, &conn))
			forget(s, rec, conn);
		break;
	}
}
