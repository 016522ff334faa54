// SPDX-License-Identifier: BSD-2-Clause
/* ps: the processes that could be traced, what of them would be seen, and what not and why. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "probe/ps.h"
#include "proc/cgroup.h"
#include "proc/program.h"

#define CONTAINER_SHOWN 12 /* digits of a container's id that people use */

struct ps_opts {
	struct opt_common common;
	struct opt_pids pids;
	bool all, json;
};

static const struct opt ps_options[] = {
	{ "pid", 'p', OPT_PID, offsetof(struct ps_opts, pids), "PID",
	  "only that process; may be given several times" },
	{ "all", 'a', OPT_FLAG, offsetof(struct ps_opts, all), NULL,
	  "also those that have no TLS" },
	{ "json", 0, OPT_FLAG, offsetof(struct ps_opts, json), NULL, "one JSON object a line" },
	{ 0 },
};

enum { PID, STATE, RUNTIME, TLS, CONTAINER, PROGRAM, HOW };

static const struct table_column columns[] = {
	[PID] = { .title = "PID", .right = true },
	[STATE] = { .title = "STATE" },
	[RUNTIME] = { .title = "RUNTIME" },
	[TLS] = { .title = "TLS" },
	[CONTAINER] = { .title = "CONTAINER", .spare = true },
	[PROGRAM] = { .title = "PROGRAM", .least = 12 },
	[HOW] = { .title = "HOW", .least = 16 },
};

struct listing {
	const struct ps_opts *opts;
	struct table table;
	size_t cnt;
};

/* Of the libraries the one that says most: what can be probed, in the program itself before others. */
static const struct ps_tls *best_tls(const struct ps_process *p)
{
	const struct ps_tls *best = p->tls_cnt ? &p->tls[0] : NULL;

	for (size_t i = 1; i < p->tls_cnt; i++)
		if (p->tls[i].lib->hooks.cnt && !best->lib->hooks.cnt)
			best = &p->tls[i];
	return best;
}

/* Why some of what it says is not seen; NULL: there is no such reason. */
static const char *blind_reason(const struct ps_process *p)
{
	const struct ps_tls *tls = best_tls(p);

	for (size_t i = 0; i < p->tls_cnt; i++)
		if (p->tls[i].lib->hooks.doubt[0])
			return p->tls[i].lib->hooks.doubt;
	if (p->udp443)
		return "has a UDP connection to port 443: QUIC is not seen";
	if (!tls && p->tcp443)
		return "has a connection to port 443, and no TLS library that is known";
	return NULL;
}

static const char *state_of(const struct ps_process *p)
{
	const struct ps_tls *tls = best_tls(p);

	if (p->traced)
		return "traced";
	if (tls && tls->lib->hooks.cnt)
		return "ready";
	return blind_reason(p) ? "blind" : "no tls";
}

static struct sv tls_text(struct arena *a, const struct ps_tls *tls)
{
	const char *version = tls->lib->version;

	return arena_fmt(a, "%s%s%s", tls->lib->lib->name, version[0] ? " " : "", version);
}

/* How it would be seen, or why not; one that only has TLS mapped says no more than that. */
static struct sv how_text(struct arena *a, const struct ps_process *p)
{
	const struct ps_tls *tls = best_tls(p);
	const char *blind = blind_reason(p);

	if (!tls || !tls->lib->hooks.cnt)
		return sv(blind);
	return arena_fmt(a, "by %s, %s%s%s", tls->lib->lib->by_name ? "name" : "code", tls->summary,
			 blind ? "; " : "", blind ? blind : "");
}

static struct sv program_of(const struct ps_process *p)
{
	struct sv rest;

	return program_name(program_base(sv(p->exe)), p->args, &rest);
}

static int add_row(struct listing *l, const struct ps_process *p)
{
	const struct ps_tls *tls = best_tls(p);
	struct table *t = &l->table;
	struct table_row *row = table_add(t, blind_reason(p) ? STYLE_YELLOW : STYLE_PLAIN);
	struct cgroup_names names;

	if (!row)
		return -ENOMEM;
	cgroup_parse(cgroup_path(p->cgroup), &names);
	row->cells[PID] = arena_fmt(&t->arena, "%d", (int)p->pid);
	row->cells[STATE] = sv(state_of(p));
	row->cells[RUNTIME] = sv(p->runtime);
	if (tls)
		row->cells[TLS] = tls_text(&t->arena, tls);
	table_set(t, row, CONTAINER, sv_sub(names.container, 0, CONTAINER_SHOWN));
	table_set(t, row, PROGRAM, program_of(p));
	table_set(t, row, HOW, how_text(&t->arena, p));
	return 0;
}

static struct json *tls_json(struct arena *a, const struct ps_process *p)
{
	struct json *all = json_array(a);

	for (size_t i = 0; i < p->tls_cnt; i++) {
		const struct located_lib *lib = p->tls[i].lib;
		struct json *o = json_object(a);

		json_set(a, o, "library", json_string(a, sv(lib->lib->name)));
		json_set(a, o, "version", json_string(a, sv(lib->version)));
		json_set(a, o, "path", json_string(a, sv(p->tls[i].path)));
		json_set(a, o, "found_by",
			 json_string(a, lib->lib->by_name ? SV("name") : SV("code")));
		json_set(a, o, "functions", json_int(a, lib->hooks.cnt));
		json_set(a, o, "probes", json_string(a, sv(p->tls[i].summary)));
		json_set(a, o, "refused", json_string(a, sv(lib->hooks.doubt)));
		json_push(all, o);
	}
	return all;
}

static int print_json(const struct ps_process *p)
{
	struct cgroup_names names;
	struct arena a;
	struct json *o;
	struct sv text;

	arena_init(&a, 0);
	o = json_object(&a);
	cgroup_parse(cgroup_path(p->cgroup), &names);
	json_set(&a, o, "pid", json_int(&a, p->pid));
	json_set(&a, o, "comm", json_string(&a, sv(p->comm)));
	json_set(&a, o, "exe", json_string(&a, sv(p->exe)));
	json_set(&a, o, "program", json_string(&a, program_of(p)));
	json_set(&a, o, "runtime", json_string(&a, sv(p->runtime)));
	json_set(&a, o, "state", json_string(&a, sv(state_of(p))));
	json_set(&a, o, "blind", json_string(&a, sv(blind_reason(p))));
	json_set(&a, o, "container_id", json_string(&a, names.container));
	json_set(&a, o, "pod_uid", json_string(&a, sv(names.pod)));
	json_set(&a, o, "tls", tls_json(&a, p));
	text = json_text(&a, o);
	printf(SV_FMT "\n", SV_ARG(text));
	arena_fini(&a);
	return 0;
}

static int on_process(void *ctx, const struct ps_process *p)
{
	struct listing *l = ctx;

	if (!l->opts->all && !l->opts->pids.cnt && !p->tls_cnt && !blind_reason(p) && !p->traced)
		return 0;
	l->cnt++;
	return l->opts->json ? print_json(p) : add_row(l, p);
}

static int list(struct listing *l)
{
	const struct opt_pids *pids = &l->opts->pids;
	int err = pids->cnt ? 0 : ps_each(0, on_process, l);

	for (size_t i = 0; !err && i < pids->cnt; i++) {
		err = ps_each(pids->pid[i], on_process, l);
		if (err == -ESRCH)
			log_err(err, "no process %d; `ps -e` lists those that run",
				(int)pids->pid[i]);
	}
	return err;
}

static int run_ps(void *opts, int argc, char **argv)
{
	struct listing l = { .opts = opts };
	int err;

	if (argc) {
		log_err(-EINVAL, "%s: takes no arguments; `ringspan ps -p %s` shows one process",
			argv[0], argv[0]);
		return EXIT_USAGE;
	}
	table_init(&l.table, columns, ARRAY_SIZE(columns));
	err = list(&l);
	if (!err && !l.opts->json && l.cnt)
		err = table_write(&l.table, stdout, term_columns(STDOUT_FILENO),
				  term_colour(STDOUT_FILENO));
	if (!err && !l.cnt)
		err = log_err(-ENOENT, "no process has TLS; --all lists the others");
	table_fini(&l.table);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.help = "list what could be traced here, and what would not be seen",
	.more = "STATE is ready, traced (a ringspan runs that records it), blind (with the "
		"reason), or\n"
		"no tls.  HOW tells what its functions were found by and where probes would be; no "
		"probe\n"
		"is set.  Without root only your own processes are listed.\n",
	.opts = ps_options,
	.opts_sz = sizeof(struct ps_opts),
	.run = run_ps,
};
