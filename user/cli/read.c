// SPDX-License-Identifier: BSD-2-Clause
/* What the verbs share that read the store and print: see read.h. */
#include "cli/read.h"

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "sink/human.h"

#define PRICES_MAX (16u << 20) /* bytes of a price table */
#define RULES_FILE_MAX (64u << 10)

int read_store_path(const struct opt_common *common, struct buf *path)
{
	if (common->store)
		return buf_str(path, common->store);
	return store_default_path(path);
}

int read_open(struct store **out, const struct opt_common *common)
{
	_cleanup_buf_ struct buf path = BUF_INIT;
	int err = read_store_path(common, &path);

	return err ? err : store_open_read(out, buf_cstr(&path));
}

int read_run_arg(int argc, char **argv, const char **run)
{
	*run = argc > 0 ? argv[0] : NULL;
	if (argc > 1)
		return log_err(-EINVAL, "%s: one run at a time; `ringspan runs` lists them",
			       argv[1]);
	return 0;
}

int read_format(const char *name, const struct sink_ops **out)
{
	_cleanup_buf_ struct buf names = BUF_INIT;

	*out = sink_find(sv(name));
	if (*out)
		return 0;
	for (size_t i = 0; i < sink_cnt; i++)
		buf_fmt(&names, "%s%s", i ? ", " : "", sinks[i]->name);
	return log_err(-EINVAL, "--format %s: no such format; there are %s", name,
		       buf_cstr(&names));
}

int read_sink_open(struct read_sink *r, const struct sink_ops *ops, const struct sink_cfg *cfg)
{
	*r = (struct read_sink){ .ops = ops, .level = cfg->level };
	return ops->open(&r->st, cfg);
}

int read_kept(const struct span *s, enum payload_level level,
	      int (*give)(void *ctx, const struct span *kept), void *ctx)
{
	struct span *kept = NULL;
	int err;

	if (level == PAYLOAD_FULL)
		return give(ctx, s);
	err = payload_keep(&kept, s, level);
	if (!err)
		err = give(ctx, kept);
	span_free(&kept);
	return err;
}

int read_sink_span(struct read_sink *r, const struct span *s)
{
	return read_kept(s, r->level, r->ops->span, r->st);
}

int read_sink_close(struct read_sink *r)
{
	return r->ops->close(r->st);
}

static int feed_span(void *ctx, const struct span *s)
{
	return read_sink_span(ctx, s);
}

/* Says what a run lacks because the store has limits. */
static int tell_pruned(struct store *s, const char *trace_id)
{
	struct store_pruned p;
	int err = store_pruned(s, trace_id, &p);

	if (!err && p.spans)
		log_warn("run %.8s: %s spans that ended until %s were removed to keep the store "
			 "within "
			 "its limits",
			 trace_id, human_count((uint64_t)p.spans).s, human_time(p.until_ns).s);
	return err;
}

int read_to_sink(struct store *s, const char *run, const struct sink_ops *ops,
		 const struct sink_cfg *cfg)
{
	struct read_sink f;
	char trace_id[HEX128];
	int err, close_err;

	if (store_find_run(s, run, trace_id) || read_sink_open(&f, ops, cfg))
		return EXIT_NOTHING;
	err = store_spans(s, trace_id, cfg->payload, feed_span, &f);
	close_err = read_sink_close(&f);
	if (!err)
		err = tell_pruned(s, trace_id);
	return err || close_err ? EXIT_NOTHING : EXIT_FINE;
}

static int read_file(const char *path, size_t max, const char *what, struct buf *b)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;

	if (!f)
		return log_err(-errno, "%s: %s", path, strerror(errno));
	b->max = max;
	while ((n = fread(piece, 1, sizeof(piece), f)))
		if (buf_add(b, piece, n))
			return log_err(b->err, "%s: too big for %s", path, what);
	if (ferror(f))
		return log_err(-EIO, "%s: cannot be read", path);
	return 0;
}

int read_prices(struct price_table **out, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int err;

	if (!path)
		return price_table_default(out);
	err = read_file(path, PRICES_MAX, "a price table", &b);
	return err ? err : price_table_parse(out, buf_view(&b));
}

int read_rules(struct rules **out, const char *path)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int err = path ? read_file(path, RULES_FILE_MAX, "a list of rules", &b) : 0;

	return err || !path ? err : rules_parse(out, buf_view(&b), path);
}
