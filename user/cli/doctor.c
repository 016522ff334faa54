// SPDX-License-Identifier: BSD-2-Clause
/* doctor: can this machine do it?  Every feature, on or off, with the reason and the remedy. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "base/log.h"
#include "cli/read.h"
#include "cli/stats.h"
#include "probe/probe.h"
#include "sink/term.h"

#define NAME_COLS 24 /* a longer name (a library's path) stands out of its column */

struct doctor_opts {
	struct opt_common common;
	bool json, stats;
};

static const struct opt doctor_options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct doctor_opts, json), NULL, "one JSON object" },
	{ "stats", 0, OPT_FLAG, offsetof(struct doctor_opts, stats), NULL,
	  "what the recorders that run here made, delivered and lost; or a RUN did" },
	{ 0 },
};

struct findings {
	struct arena arena;
	struct json *features; /* array */
	struct buf store;      /* path */
	const char *store_state;
	bool store_ok, record_ok;
};

static void on_feature(void *ctx, const struct probe_feature *f)
{
	struct findings *d = ctx;
	struct arena *a = &d->arena;
	struct json *o = json_object(a);

	json_set(a, o, "name", json_string(a, sv(f->name)));
	json_set(a, o, "use", json_string(a, sv(f->use)));
	json_set(a, o, "on", json_bool(a, f->on));
	json_set(a, o, "reason", json_string(a, sv(f->reason)));
	json_set(a, o, "remedy", json_string(a, sv(f->remedy)));
	json_push(d->features, o);
}

/* Nothing is made: a folder that is not there yet counts by the nearest one above it. */
static void look_at_store(struct findings *d)
{
	char path[PATH_MAX];
	const char *at;

	d->store_state = "cannot be written here; name another file with --store";
	if (snprintf(path, sizeof(path), "%s", buf_cstr(&d->store)) >= PATH_MAX)
		return;
	if (access(path, F_OK) == 0) {
		d->store_ok = access(path, R_OK | W_OK) == 0;
		if (d->store_ok)
			d->store_state = "is there and can be written";
		return;
	}
	do
		at = dirname(path);
	while (access(at, F_OK) && errno == ENOENT && at[1]); /* "/" and "." are there */
	d->store_ok = access(at, W_OK | X_OK) == 0;
	if (d->store_ok)
		d->store_state = "will be made by the first run";
}

/* The one sure way to know: load and attach, as record does, and let go again. */
static bool try_recording(void)
{
	struct probe_cfg cfg = { 0 };
	struct probe *p = NULL;
	bool ok = probe_new(&p, &cfg) == 0;

	probe_free(&p);
	return ok;
}

static void print_json(struct findings *d)
{
	struct arena *a = &d->arena;
	struct json *o = json_object(a), *store = json_object(a);
	struct sv text;

	json_set(a, store, "path", json_string(a, buf_view(&d->store)));
	json_set(a, store, "writable", json_bool(a, d->store_ok));
	json_set(a, o, "record", json_bool(a, d->record_ok));
	json_set(a, o, "store", store);
	json_set(a, o, "features", d->features);
	text = json_text(a, o);
	printf(SV_FMT "\n", SV_ARG(text));
}

static void print_line(struct buf *b, bool on, struct sv name, size_t width, struct sv text)
{
	bool colour = term_colour(STDOUT_FILENO);
	size_t used;

	if (!on)
		term_style(b, colour, STYLE_RED);
	buf_str(b, on ? "on   " : "off  ");
	used = text_put(b, name, SIZE_MAX / 2);
	text_pad(b, used < width ? width - used + 2 : 2);
	if (!on)
		term_style(b, colour, STYLE_PLAIN);
	text_put(b, text, SIZE_MAX / 2);
	buf_ch(b, '\n');
}

static void print_feature(struct buf *b, const struct json *f, size_t width)
{
	bool colour = term_colour(STDOUT_FILENO), on = json_true(json_get(f, "on"));
	struct sv use = json_sv(json_get(f, "use")), reason = json_sv(json_get(f, "reason"));
	struct sv remedy = json_sv(json_get(f, "remedy"));
	_cleanup_buf_ struct buf text = BUF_INIT;

	/* what a feature is for matters where it is missing */
	if (!on)
		buf_fmt(&text, SV_FMT ": ", SV_ARG(use));
	buf_sv(&text, reason);
	print_line(b, on, json_sv(json_get(f, "name")), width, buf_view(&text));
	if (on || !remedy.n)
		return;
	term_style(b, colour, STYLE_DIM);
	text_pad(b, 5 + width + 2);
	buf_str(b, "-> ");
	text_put(b, remedy, SIZE_MAX / 2);
	term_style(b, colour, STYLE_PLAIN);
	buf_ch(b, '\n');
}

static void print_table(const struct findings *d)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_buf_ struct buf store = BUF_INIT;
	size_t width = 5;

	json_for_each (d->features, f) {
		size_t n = text_width(json_sv(json_get(f, "name")), NAME_COLS);

		width = n > width && n <= NAME_COLS ? n : width;
	}
	json_for_each (d->features, f)
		print_feature(&b, f, width);
	buf_sv(&store, buf_view(&d->store));
	buf_fmt(&store, " %s", d->store_state);
	print_line(&b, d->store_ok, SV("store"), width, buf_view(&store));
	buf_fmt(&b, "\n%s\n",
		d->record_ok
			? "ringspan can record here."
			: "ringspan cannot record here; it can replay captures and show runs.");
	fwrite(b.p, 1, b.len, stdout);
}

static int run_doctor(void *opts, int argc, char **argv)
{
	struct doctor_opts *o = opts;
	struct findings d = { .store_state = "" };
	int err;

	if (o->stats && argc <= 1)
		return argc ? stats_of_run(&o->common, argv[0], o->json) : stats_running(o->json);
	if (argc) {
		log_err(-EINVAL, "%s: doctor takes no arguments but a run with --stats", argv[0]);
		return EXIT_USAGE;
	}
	arena_init(&d.arena, 0);
	d.features = json_array(&d.arena);
	err = probe_features(on_feature, &d);
	if (!err && !read_store_path(&o->common, &d.store))
		look_at_store(&d);
	d.record_ok = !err && try_recording();
	if (o->json)
		print_json(&d);
	else
		print_table(&d);
	buf_fini(&d.store);
	arena_fini(&d.arena);
	return d.record_ok && d.store_ok ? EXIT_FINE : EXIT_NOTHING;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "[RUN]",
	.help = "tell what this machine can do, and what would make it do more",
	.more = "The exit code is 0 when `ringspan record` would work, else 1.\n"
		"With --stats: for each recorder that runs here, a line of JSON each; or for a "
		"RUN in the store.\n",
	.opts = doctor_options,
	.opts_sz = sizeof(struct doctor_opts),
	.run = run_doctor,
};
