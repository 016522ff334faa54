// SPDX-License-Identifier: BSD-2-Clause
/* Following a run: see follow.h. */
#include "cli/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "sink/term.h"

#define WAIT_NS 200000000 /* between two looks at whether the store has changed */

struct follower {
	struct store *store;
	const struct sink_ops *ops;
	const struct sink_cfg *cfg;
	bool terminal;
	char trace_id[HEX128];
	struct read_sink sink;
	struct map told; /* span id -> the span was given; not on a terminal */
	bool over;
};

static int on_span(void *ctx, const struct span *s)
{
	bool open = json_true(span_attr(s, ATTR_ID_UNFINISHED));
	struct follower *f = ctx;
	struct map_key key = { .a = strtoull(s->span_id, NULL, 16) };

	if (s->what == SPAN_RUN && !s->parent_span_id[0] && !open)
		f->over = true;
	if (f->terminal)
		return read_sink_span(&f->sink, s);
	if (open || map_get(&f->told, key))
		return 0;
	return map_put(&f->told, key, f) ? -ENOMEM : read_sink_span(&f->sink, s);
}

static void paint(const struct follower *f, struct sv picture)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	term_repaint(&b, picture, f->over ? 0 : term_rows(fileno(f->cfg->out)));
	fwrite(b.p, 1, b.len, f->cfg->out);
	fflush(f->cfg->out);
}

static int draw(struct follower *f)
{
	struct sink_cfg cfg = *f->cfg;
	_cleanup_free_ char *picture = NULL;
	size_t size = 0;
	int err, close_err;

	cfg.out = open_memstream(&picture, &size);
	if (!cfg.out)
		return log_err(-errno, "open_memstream: %s", strerror(errno));
	err = read_sink_open(&f->sink, f->ops, &cfg);
	if (!err) {
		err = store_spans(f->store, f->trace_id, cfg.payload, on_span, f);
		close_err = read_sink_close(&f->sink);
		err = err ? err : close_err;
	}
	fclose(cfg.out);
	if (!err)
		paint(f, (struct sv){ picture, size });
	return err;
}

static int look(struct follower *f)
{
	return f->terminal ? draw(f)
			   : store_spans(f->store, f->trace_id, f->cfg->payload, on_span, f);
}

static int follow(struct follower *f)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	int64_t seen = -1;

	while (!f->over) {
		int64_t version = store_version(f->store);
		int err = version < 0 ? (int)version : 0;

		if (!err && version != seen)
			err = look(f);
		if (err)
			return err;
		seen = version;
		if (!f->over)
			nanosleep(&wait, NULL);
	}
	return 0;
}

int follow_run(struct store *s, const char *run, const struct sink_ops *ops,
	       const struct sink_cfg *cfg, bool terminal)
{
	struct follower f = { .store = s, .ops = ops, .cfg = cfg, .terminal = terminal };
	int err, close_err = 0;

	if (store_find_run(s, run, f.trace_id))
		return EXIT_NOTHING;
	err = terminal ? 0 : read_sink_open(&f.sink, ops, cfg);
	if (err)
		return EXIT_NOTHING;
	err = follow(&f);
	if (!terminal)
		close_err = read_sink_close(&f.sink);
	map_fini(&f.told);
	return err || close_err ? EXIT_NOTHING : EXIT_FINE;
}
