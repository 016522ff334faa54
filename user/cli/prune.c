// SPDX-License-Identifier: BSD-2-Clause
/* prune: makes room in a store, also in one that is being written to. */
#include <stdio.h>
#include "base/cleanup.h"
#include "cli/read.h"
#include "cli/store_opt.h"
#include "sink/human.h"

struct prune_opts {
	struct opt_common common;
	const char *store_size, *store_age;
};

static const struct opt prune_options[] = {
	STORE_OPTS(struct prune_opts),
	{ 0 },
};

static int remove_named(struct store *s, int argc, char **argv)
{
	char trace_id[HEX128];
	int err = 0;

	for (int i = 0; !err && i < argc; i++) {
		err = store_find_run(s, argv[i], trace_id);
		if (!err)
			err = store_remove_run(s, trace_id);
		if (!err)
			printf("removed run %.8s\n", trace_id);
	}
	return err;
}

static int keep_limits(struct store *s, const struct store_limits *limits)
{
	struct store_pruned before, after = { 0 };
	int err = store_pruned(s, NULL, &before);

	if (!err)
		err = store_prune(s, limits);
	if (!err)
		err = store_pruned(s, NULL, &after);
	if (!err)
		printf("removed %s runs, %s spans\n",
		       human_count((uint64_t)(after.runs - before.runs)).s,
		       human_count((uint64_t)(after.spans - before.spans)).s);
	return err;
}

static int run_prune(void *opts, int argc, char **argv)
{
	struct prune_opts *o = opts;
	struct store_limits limits;
	_cleanup_buf_ struct buf path = BUF_INIT;
	struct store *s = NULL;
	uint64_t before;
	int err;

	if (store_opt(&limits, o->store_size, o->store_age))
		return EXIT_USAGE;
	/* writing makes a store where there is none; this is no reason to */
	if (read_open(&s, &o->common))
		return EXIT_NOTHING;
	store_free(&s);
	err = read_store_path(&o->common, &path);
	if (!err)
		err = store_open_write(&s, buf_cstr(&path));
	if (err)
		return EXIT_NOTHING;
	before = store_bytes(s);
	err = argc ? remove_named(s, argc, argv) : keep_limits(s, &limits);
	if (!err)
		err = store_shrink(s);
	if (!err)
		printf("%s, before %s\n", human_bytes(store_bytes(s)).s, human_bytes(before).s);
	store_free(&s);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_prune = {
	.name = "prune",
	.args = "[RUN ...]",
	.help = "remove what is oldest from the store, or the runs that are named",
	.more = "Without RUN: what is over the limits, as recording does by itself.  Also while "
		"others write.\n"
		"With RUN: these, whatever the limits; what was in them is overwritten in the "
		"file.\n",
	.opts = prune_options,
	.opts_sz = sizeof(struct prune_opts),
	.run = run_prune,
};
