// SPDX-License-Identifier: BSD-2-Clause
/* replay: a capture file to the spans that its live run gave, without privilege. */
#include <errno.h>
#include <unistd.h>
#include "base/log.h"
#include "cli/read.h"
#include "cli/session.h"
#include "cli/step.h"
#include "sink/term.h"

struct replay_opts {
	struct opt_common common;
	const char *format, *prices, *redact_rules;
	bool no_redact, step;
	struct opt_payload payload;
};

static const struct opt replay_options[] = {
	{ "format", 'f', OPT_STR, offsetof(struct replay_opts, format), "FORMAT",
	  "tree (without it), ndjson, otlp-json or lines" },
	PAYLOAD_OPT(struct replay_opts),
	{ "step", 's', OPT_FLAG, offsetof(struct replay_opts, step), NULL,
	  "record by record, forward and back: keys n, p or arrows, g N, / KIND, q; commands "
	  "likewise, a line each, where stdin is no terminal" },
	{ "prices", 0, OPT_STR, offsetof(struct replay_opts, prices), "FILE",
	  "a price table in place of the built-in one" },
	{ "redact-rules", 0, OPT_STR, offsetof(struct replay_opts, redact_rules), "FILE",
	  "mask also what FILE names, see `ringspan record --help`" },
	{ "no-redact", 0, OPT_FLAG, offsetof(struct replay_opts, no_redact), NULL,
	  "do not mask what a recording with --no-redact kept" },
	{ 0 },
};

static int run_steps(const struct replay_opts *o, const char *path, const struct sink_cfg *cfg)
{
	struct steps *steps = NULL;
	int code = EXIT_NOTHING;

	if (!steps_open(&steps, path, o->prices, o->no_redact))
		code = step_through(steps, cfg);
	steps_free(&steps);
	return code;
}

static int run_replay(void *opts, int argc, char **argv)
{
	struct replay_opts *o = opts;
	struct session_cfg cfg = {
		.store = o->common.store,
		.prices = o->prices,
		.no_redact = o->no_redact,
		.payload = o->payload.level,
		.redact_rules = o->redact_rules,
		.sink_cfg = { .out = stdout,
			      .payload = o->payload.given,
			      .colour = term_colour(STDOUT_FILENO),
			      .columns = term_columns(STDOUT_FILENO) },
	};

	if (argc != 1) {
		log_err(-EINVAL, "want one capture file: ringspan replay [OPTION ...] FILE");
		return EXIT_USAGE;
	}
	if (o->step && (o->format || o->common.store || o->payload.given || o->redact_rules)) {
		log_err(-EINVAL,
			"--step shows the tree as it grows; --format, --store, --payload and "
			"--redact-rules are for a replay of the whole");
		return EXIT_USAGE;
	}
	if (o->step)
		return run_steps(o, argv[0], &cfg.sink_cfg);
	if (read_format(o->format ? o->format : "tree", &cfg.sink))
		return EXIT_USAGE;
	return session_replay(&cfg, argv[0]) ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.args = "FILE",
	.help = "turn a capture file into spans again, without root",
	.more = "The spans go to a store only where --store names one.\n",
	.opts = replay_options,
	.opts_sz = sizeof(struct replay_opts),
	.run = run_replay,
};
