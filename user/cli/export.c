// SPDX-License-Identifier: BSD-2-Clause
/* export: a run in a format that other programs read. */
#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "cli/read.h"

struct export_opts {
	struct opt_common common;
	const char *format, *out;
	bool logs;
	struct opt_payload payload;
};

static const struct opt export_options[] = {
	{ "format", 'f', OPT_STR, offsetof(struct export_opts, format), "FORMAT",
	  "ndjson (without it), otlp-json, tree or lines" },
	{ "output", 'o', OPT_STR, offsetof(struct export_opts, out), "FILE",
	  "write to FILE, which is replaced" },
	PAYLOAD_OPT(struct export_opts),
	{ "logs", 'l', OPT_FLAG, offsetof(struct export_opts, logs), NULL,
	  "in place of spans what the processes wrote, as OTLP logs (otlp-json)" },
	{ 0 },
};

static int on_log(void *ctx, const struct trace_log *l, const struct json *resource)
{
	return otlp_logs_add(ctx, l, resource);
}

static int write_logs(struct store *s, const char *trace_id, FILE *out)
{
	struct otlp_logs logs = { .out = out };
	int64_t after = 0;
	int err = store_logs(s, trace_id, &after, on_log, &logs), end_err = otlp_logs_end(&logs);

	return err || end_err ? EXIT_NOTHING : EXIT_FINE;
}

static int write_run(struct store *s, const char *trace_id, const struct export_opts *o,
		     const struct sink_ops *ops, const struct sink_cfg *cfg)
{
	return o->logs ? write_logs(s, trace_id, cfg->out) : read_to_sink(s, trace_id, ops, cfg);
}

static int to_file(struct store *s, const char *trace_id, const struct export_opts *o,
		   const struct sink_ops *ops)
{
	struct sink_cfg cfg = { .out = stdout,
				.payload = o->payload.given,
				.level = o->payload.level };
	int code;

	if (!o->out)
		return write_run(s, trace_id, o, ops, &cfg);
	cfg.out = fopen(o->out, "we");
	if (!cfg.out) {
		log_err(-errno, "%s: %s", o->out, strerror(errno));
		return EXIT_NOTHING;
	}
	code = write_run(s, trace_id, o, ops, &cfg);
	errno = 0;
	if (ferror(cfg.out) | fclose(cfg.out)) {
		log_err(-EIO, "%s: cannot be written: %s", o->out, strerror(errno ? errno : EIO));
		return EXIT_NOTHING;
	}
	return code;
}

static int run_export(void *opts, int argc, char **argv)
{
	struct export_opts *o = opts;
	const struct sink_ops *ops;
	struct store *s = NULL;
	char trace_id[HEX128];
	int code = EXIT_NOTHING;
	const char *run;

	if (read_run_arg(argc, argv, &run) || read_format(o->format ? o->format : "ndjson", &ops))
		return EXIT_USAGE;
	if (o->logs && o->format && ops != sink_find(SV("otlp-json"))) {
		log_err(-EINVAL,
			"--logs is written as otlp-json alone; `ringspan logs --json` prints "
			"lines");
		return EXIT_USAGE;
	}
	if (o->logs && o->payload.level != PAYLOAD_FULL) {
		log_err(-EINVAL,
			"--logs writes what the processes printed, which --payload meta and none "
			"leave out");
		return EXIT_USAGE;
	}
	/* the run is found before the file is touched */
	if (!read_open(&s, &o->common) && !store_find_run(s, run, trace_id))
		code = to_file(s, trace_id, o, ops);
	store_free(&s);
	return code;
}

const struct cmd cmd_export = {
	.name = "export",
	.args = "[RUN]",
	.help = "write a run for other programs to read",
	.more = "RUN is a run's id or its first digits; without it the newest run is written.\n",
	.opts = export_options,
	.opts_sz = sizeof(struct export_opts),
	.run = run_export,
};
