/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs share that read the store and print. */
#ifndef RINGSPAN_READ_H
#define RINGSPAN_READ_H

#include <stdio.h>
#include "cli/cli.h"
#include "sink/sink.h"
#include "sink/store.h"
#include "span/price.h"
#include "span/rules.h"

/* The store of --store or the default one.  0 or -errno, logged. */
int read_store_path(const struct opt_common *common, struct buf *path);
int read_open(struct store **out, const struct opt_common *common);

/* At most one argument, a run; -EINVAL otherwise, logged. */
int read_run_arg(int argc, char **argv, const char **run);

/* A sink's name as --format takes it; -EINVAL, logged. */
int read_format(const char *name, const struct sink_ops **out);

/* --payload of what reads a store or a capture, in the verb's options of this type. */
#define PAYLOAD_OPT(type)                                                                       \
	{                                                                                       \
		"payload", 'p', OPT_PAYLOAD, offsetof(type, payload), "[LEVEL]",                \
			"with prompts, answers, arguments and results (`full`, or no LEVEL); "  \
			"`meta`: their structure; `none`: nothing of what was said, asked for " \
			"or touched"                                                            \
	}

/* Calls give with what the level leaves of a span.  What give returns, or -ENOMEM. */
int read_kept(const struct span *s, enum payload_level level,
	      int (*give)(void *ctx, const struct span *kept), void *ctx);

/* A sink that is given what cfg->level leaves of each span; the way of every verb that reads the store. */
struct read_sink {
	const struct sink_ops *ops;
	enum payload_level level;
	void *st;
};
int read_sink_open(struct read_sink *r, const struct sink_ops *ops, const struct sink_cfg *cfg);
int read_sink_span(struct read_sink *r, const struct span *s);
int read_sink_close(struct read_sink *r);

/* Hands a run's spans (run: as store_find_run() takes it) to a sink.  The exit code. */
int read_to_sink(struct store *s, const char *run, const struct sink_ops *ops,
		 const struct sink_cfg *cfg);

/* The price table of a file; the built-in one for NULL.  0 or -errno, logged. */
int read_prices(struct price_table **out, const char *path);

/* The rules of a file that say what to mask; NULL for NULL.  0 or -errno, logged. */
int read_rules(struct rules **out, const char *path);

#endif
