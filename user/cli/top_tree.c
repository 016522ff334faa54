// SPDX-License-Identifier: BSD-2-Clause
/* The tree of one run while it runs: spans that are over are kept as text, those that are not are asked for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cli/top.h"
#include "span/trace.h"

#define KEPT_RUN (2u << 20)  /* bytes of one run: some two thousand spans */
#define KEPT_ALL (64u << 20) /* of all */

struct kept_run {
	struct buf lines; /* span_write_json(), a line each, as they came */
	size_t gone;      /* older ones that had to go */
};

static struct map_key key_of(const char *trace_id)
{
	return (struct map_key){ .a = hash64(sv(trace_id)), .b = strlen(trace_id) };
}

static void run_free(struct kept *k, struct kept_run *r)
{
	k->bytes -= r->lines.len;
	buf_fini(&r->lines);
	free(r);
}

static struct kept_run *run_of(struct kept *k, const char *trace_id)
{
	struct kept_run *r = map_get(&k->runs, key_of(trace_id));

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (r && map_put(&k->runs, key_of(trace_id), r)) {
		free(r);
		return NULL;
	}
	return r;
}

/* Its older half goes. */
static void make_room(struct kept *k, struct kept_run *r)
{
	size_t half = r->lines.len / 2, n = 0;
	struct sv rest = buf_view(&r->lines);

	while (rest.n && r->lines.len - rest.n < half) {
		sv_token(&rest, '\n');
		n++;
	}
	k->bytes -= r->lines.len - rest.n;
	buf_drop(&r->lines, r->lines.len - rest.n);
	r->gone += n;
}

void kept_add(struct kept *k, const struct span *s)
{
	struct kept_run *r = run_of(k, s->trace_id);
	size_t before;

	if (!r)
		return;
	if (r->lines.len > KEPT_RUN || k->bytes > KEPT_ALL)
		make_room(k, r);
	before = r->lines.len;
	span_write_json(&r->lines, s, false);
	if (buf_ch(&r->lines, '\n')) { /* out of memory: without this one */
		r->lines.len = before;
		r->lines.err = 0;
		r->gone++;
	}
	k->bytes += r->lines.len - before;
}

void kept_sweep(struct kept *k, const struct top *t)
{
	map_for_each (&k->runs, e)
		if (!map_get(&t->rows, e->key))
			run_free(k, map_del(&k->runs, e->key));
}

void kept_fini(struct kept *k)
{
	map_for_each (&k->runs, e)
		run_free(k, e->value);
	map_fini(&k->runs);
}

struct drawing {
	const struct sink_ops *ops;
	void *sink;
	const char *trace_id;
	int err;
};

static void draw_open(void *ctx, const struct span *s)
{
	struct drawing *d = ctx;

	if (!d->err && strcmp(s->trace_id, d->trace_id) == 0)
		d->err = d->ops->span(d->sink, s);
}

static int draw_lines(struct drawing *d, struct sv text)
{
	int err = 0;

	while (!err && text.n) {
		struct span *s = NULL;

		err = span_read_json(&s, sv_token(&text, '\n'));
		if (!err)
			err = d->ops->span(d->sink, s);
		span_free(&s);
	}
	return err;
}

static int draw(struct drawing *d, const struct kept_run *r, struct session *s,
		const struct sink_cfg *cfg)
{
	int err = d->ops->open(&d->sink, cfg), close_err;

	if (err)
		return err;
	if (r)
		err = draw_lines(d, buf_view(&r->lines));
	if (!err) {
		session_each_open(s, draw_open, d);
		err = d->err;
	}
	close_err = d->ops->close(d->sink);
	return err ? err : close_err;
}

int kept_draw(const struct kept *k, struct session *s, const char *trace_id, unsigned int columns,
	      bool colour, char **text, size_t *size)
{
	const struct kept_run *r = map_get(&k->runs, key_of(trace_id));
	struct drawing d = { .ops = sink_find(SV("tree")), .trace_id = trace_id };
	struct sink_cfg cfg = { .columns = columns, .colour = colour };
	int err;

	cfg.out = open_memstream(text, size);
	if (!cfg.out)
		return log_err(-errno, "open_memstream: %s", strerror(errno));
	if (r && r->gone)
		fprintf(cfg.out, "%zu older spans are not kept here; `ringspan attach` keeps all\n",
			r->gone);
	err = draw(&d, r, s, &cfg);
	fclose(cfg.out);
	return err;
}
