// SPDX-License-Identifier: BSD-2-Clause
/* The ways to cut a stream into messages, behind one door: see framing.h. */
#include "proto/framing.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/eventstream.h"
#include "proto/jsonarray.h"
#include "proto/ndjson.h"

struct framer {
	enum framing how;
	sse_event_fn fn;
	void *ctx;
	union {
		struct sse *sse;
		struct ndjson *lines;
		struct jsonarray *array;
		struct eventstream *aws;
	};
};

static void on_piece(void *ctx, const struct json_piece *p)
{
	struct framer *f = ctx;
	struct sse_event ev = {
		.data = p->text,
		.ts_first = p->ts_first,
		.ts_last = p->ts_last,
		.unterminated = p->unterminated,
		.cut = p->cut,
	};

	f->fn(f->ctx, &ev);
}

/* :message-type is event, exception (modelled by the service) or error (not so: code and message). */
static void on_aws(void *ctx, const struct eventstream_msg *m)
{
	struct framer *f = ctx;
	struct sv type = eventstream_string(m, ":message-type");
	struct sse_event ev = {
		.event = eventstream_string(m, ":event-type"),
		.data = m->payload,
		.ts_first = m->ts_first,
		.ts_last = m->ts_last,
		.cut = m->bad,
	};

	if (sv_is(type, "exception")) {
		ev.error = true;
		ev.event = eventstream_string(m, ":exception-type");
	} else if (sv_is(type, "error")) {
		ev.error = true;
		ev.event = eventstream_string(m, ":error-code");
		ev.data = eventstream_string(m, ":error-message");
	}
	f->fn(f->ctx, &ev);
}

static int open_inner(struct framer *f)
{
	switch (f->how) {
	case FRAMING_SSE:
		return sse_new(&f->sse, f->fn, f->ctx);
	case FRAMING_LINES:
		return ndjson_new(&f->lines, on_piece, f);
	case FRAMING_ARRAY:
		return jsonarray_new(&f->array, on_piece, f);
	case FRAMING_EVENTSTREAM:
		return eventstream_new(&f->aws, on_aws, f);
	case FRAMING_WHOLE:
		break;
	}
	return -EINVAL;
}

int framer_new(struct framer **out, enum framing how, sse_event_fn fn, void *ctx)
{
	struct framer *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->how = how;
	f->fn = fn;
	f->ctx = ctx;
	err = open_inner(f);
	if (err) {
		free(f);
		return err;
	}
	*out = f;
	return 0;
}

void framer_free(struct framer **f)
{
	if (!*f)
		return;
	if ((*f)->how == FRAMING_SSE)
		sse_free(&(*f)->sse);
	else if ((*f)->how == FRAMING_LINES)
		ndjson_free(&(*f)->lines);
	else if ((*f)->how == FRAMING_ARRAY)
		jsonarray_free(&(*f)->array);
	else
		eventstream_free(&(*f)->aws);
	free(*f);
	*f = NULL;
}

int framer_feed(struct framer *f, uint64_t ts, struct sv bytes)
{
	if (f->how == FRAMING_SSE)
		return sse_feed(f->sse, ts, bytes);
	if (f->how == FRAMING_LINES)
		return ndjson_feed(f->lines, ts, bytes);
	if (f->how == FRAMING_ARRAY)
		return jsonarray_feed(f->array, ts, bytes);
	return eventstream_feed(f->aws, ts, bytes);
}

void framer_gap(struct framer *f)
{
	if (f->how == FRAMING_SSE)
		sse_gap(f->sse);
	else if (f->how == FRAMING_LINES)
		ndjson_gap(f->lines);
	else if (f->how == FRAMING_ARRAY)
		jsonarray_gap(f->array);
	else
		eventstream_gap(f->aws);
}

void framer_end(struct framer *f, uint64_t ts)
{
	if (f->how == FRAMING_SSE)
		sse_end(f->sse, ts);
	else if (f->how == FRAMING_LINES)
		ndjson_end(f->lines);
	else if (f->how == FRAMING_ARRAY)
		jsonarray_end(f->array);
	else
		eventstream_end(f->aws);
}
