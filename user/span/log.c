// SPDX-License-Identifier: BSD-2-Clause
/*
 * What processes write to stdout and stderr, put together to lines.  A line belongs to the span of its
 * process, or to the run; its time is that of the write that began it.
 */
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/redact.h"
#include "span/engine.h"

#define PAUSE_NS \
	1000000000ull /* a text without a line end stands for itself after that: a prompt */

struct output {
	uint64_t pos;         /* of the next byte */
	uint64_t ts, ts_last; /* of the line's first write, and of the latest */
	uint64_t missing;     /* bytes that are missing before the line */
	struct buf line;
};

bool log_takes(const struct ev_hdr *rec)
{
	const struct ev_data *d = (const void *)rec;

	return rec->kind == EV_DATA && (d->src == EV_SRC_STDOUT || d->src == EV_SRC_STDERR);
}

static void tell(const struct pstate *ps, uint32_t pid, int fd, struct output *o)
{
	struct trace *t = ps->run->t;
	struct trace_log l = { .time_ns = engine_wall(ps->run, o->ts), .pid = pid, .fd = fd };

	if (o->line.len && o->line.p[o->line.len - 1] == '\r')
		o->line.len--;
	if (!t->cfg.no_redact)
		redact_text(o->line.p, o->line.len);
	memcpy(l.trace_id, ps->run->trace_id, sizeof(l.trace_id));
	memcpy(l.span_id, engine_parent(ps), sizeof(l.span_id));
	l.text = buf_view(&o->line);
	l.missing = o->missing;
	if (t->cfg.log)
		t->cfg.log(t->ctx, &l);
	o->missing = 0;
	buf_clear(&o->line);
}

static void add_text(const struct pstate *ps, const struct ev_data *d, int fd, struct output *o)
{
	struct sv text = event_payload(&d->hdr);

	while (text.n) {
		bool ends = sv_find(text, SV("\n")) >= 0;
		struct sv part = sv_token(&text, '\n');

		if (!o->line.len)
			o->ts = d->hdr.ts;
		while (o->line.len + part.n > LIMIT_LOG_LINE) {
			size_t room = LIMIT_LOG_LINE - o->line.len;

			buf_sv(&o->line, sv_sub(part, 0, room));
			part = sv_sub(part, room, part.n);
			tell(ps, d->hdr.tgid, fd, o);
		}
		buf_sv(&o->line, part);
		if (ends)
			tell(ps, d->hdr.tgid, fd, o);
	}
}

void log_feed(struct trace *t, const struct ev_data *d)
{
	struct pstate *ps = engine_pstate(t, d->hdr.tgid, d->hdr.start);
	bool err = d->src == EV_SRC_STDERR;
	struct output *o;

	if (!ps)
		return;
	if (!ps->output[err])
		ps->output[err] = calloc(1, sizeof(*o));
	o = ps->output[err];
	if (!o)
		return;
	if (o->line.len && (d->pos > o->pos || d->hdr.ts > o->ts_last + PAUSE_NS))
		tell(ps, d->hdr.tgid, 1 + err, o);
	if (d->pos > o->pos)
		o->missing += d->pos - o->pos;
	o->ts_last = d->hdr.ts;
	add_text(ps, d, 1 + err, o);
	o->pos = d->pos + d->len + d->missing;
	o->missing += d->missing;
}

void log_end(struct pstate *ps, uint32_t pid)
{
	for (int i = 0; i < 2; i++) {
		struct output *o = ps->output[i];

		if (!o || (!o->line.len && !o->missing))
			continue;
		if (!o->line.len)
			o->ts = o->ts_last;
		tell(ps, pid, 1 + i, o);
	}
}

void log_free(struct pstate *ps)
{
	for (int i = 0; i < 2; i++) {
		if (ps->output[i])
			buf_fini(&ps->output[i]->line);
		free(ps->output[i]);
	}
}
