// SPDX-License-Identifier: BSD-2-Clause
/* top: what the agents of this machine are at, right now. */
#include "cli/top.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "capture/capture.h"
#include "cli/target.h"

#define NS_PER_S 1000000000ull
#define INTERVAL_NS NS_PER_S
#define STUCK_NS (60 * NS_PER_S)
#define STEP_MS 100

struct top_opts {
	struct live_opts live;
	struct target_opts target;
	const char *sort, *filter, *replay;
	uint64_t interval_ns, stuck_ns, at_ns;
	bool once, json, reverse;
};

static const struct opt top_options[] = {
	TARGET_OPTS(offsetof(struct top_opts, target)),
	{ "once", '1', OPT_FLAG, offsetof(struct top_opts, once), NULL,
	  "one table on stdout, after one interval" },
	{ "json", 0, OPT_FLAG, offsetof(struct top_opts, json), NULL,
	  "a JSON object a line, each interval; with --once one" },
	{ "interval", 'i', OPT_DURATION, offsetof(struct top_opts, interval_ns), "TIME",
	  "between two looks, and what rates are told of (1s)" },
	{ "stuck", 0, OPT_DURATION, offsetof(struct top_opts, stuck_ns), "TIME",
	  "an agent with an open call of which nothing is heard so long is stuck (60s)" },
	{ "sort", 's', OPT_STR, offsetof(struct top_opts, sort), "KEY",
	  "state (without it), age, pid, agent, rate, tokens, cost, cpu, memory, network or "
	  "errors" },
	{ "reverse", 'r', OPT_FLAG, offsetof(struct top_opts, reverse), NULL, "least first" },
	{ "filter", 'f', OPT_STR, offsetof(struct top_opts, filter), "WORDS",
	  "only agents that have each word in name, state, step, container or pid" },
	{ "replay", 0, OPT_STR, offsetof(struct top_opts, replay), "FILE",
	  "of a capture, as it would have been: implies --once" },
	{ "at", 0, OPT_DURATION, offsetof(struct top_opts, at_ns), "TIME",
	  "with --replay: so long after its first record (its end)" },
	{ "prices", 0, OPT_STR, offsetof(struct top_opts, live.prices), "FILE",
	  "a price table in place of the built-in one" },
	{ "ring-size", 0, OPT_SIZE, offsetof(struct top_opts, live.ring_bytes), "SIZE",
	  "of the buffer between kernel and ringspan (8M)" },
	{ "no-redact", 0, OPT_FLAG, offsetof(struct top_opts, live.no_redact), NULL,
	  "show keys and tokens as they are; they are masked otherwise" },
	{ "payload", 0, OPT_PAYLOAD, offsetof(struct top_opts, live.payload), "[LEVEL]",
	  "what is shown of what is said: `full` (without it), `meta` (names and lengths of "
	  "arguments), `none`" },
	{ "redact-rules", 0, OPT_STR, offsetof(struct top_opts, live.redact_rules), "FILE",
	  "mask also what FILE names, as for `record`" },
	{ 0 },
};

/* --- looks */

struct taking {
	struct top *top;
	int err;
};

static void on_now(void *ctx, const struct now *n)
{
	struct taking *t = ctx;

	if (!t->err)
		t->err = top_take(t->top, n);
}

static int take_all(struct top *top, struct session *s, uint64_t monotonic_ns)
{
	struct taking taking = { .top = top };

	top_begin(top, trace_unix(session_trace(s), monotonic_ns));
	session_each_now(s, on_now, &taking);
	top_end(top);
	return taking.err;
}

int top_look(struct top_watch *w)
{
	struct monitor *m = live_monitor(w->live);
	struct session *s = live_session(w->live);
	struct signalfd_siginfo sig = { 0 };
	int ret = monitor_tell_usage(m), err;

	if (!ret)
		ret = live_step(w->live, 0, &sig);
	if (ret < 0)
		return ret;
	err = own_look(&w->own, m, live_now());
	if (!err)
		err = take_all(&w->top, s, live_now());
	if (err)
		return err;
	kept_sweep(&w->kept, &w->top);
	w->view.host = trace_host(session_trace(s));
	session_totals(s, &w->view.totals);
	return ret && sig.ssi_signo != SIGCHLD;
}

/* A run that is over is told of for the last time: its sums are the final ones. */
static void on_span(void *ctx, const struct span *s)
{
	struct top_watch *w = ctx;
	struct taking taking = { .top = &w->top };

	kept_add(&w->kept, s);
	if (s->what == SPAN_RUN && !s->parent_span_id[0] && w->live)
		session_now(live_session(w->live), s->trace_id, on_now, &taking);
}

/* --- one table */

static int print(const struct top_view *v, uint64_t interval_ns, bool json)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const struct top_row **rows = NULL;
	size_t cnt = 0;
	int err;

	if (json) {
		err = top_write_json(&b, v, interval_ns);
	} else {
		top_draw_head(&b, v);
		buf_ch(&b, '\n');
		top_draw_titles(&b, v);
		err = top_order(v->top, v->key, v->reverse, v->filter, &rows, &cnt);
		for (size_t i = 0; i < cnt; i++)
			top_draw_row(&b, v, rows[i]);
		free(rows);
	}
	err = err ? err : b.err;
	if (err)
		return log_err(err, "out of memory");
	return fwrite(b.p, 1, b.len, stdout) == b.len && !fflush(stdout) ? 0 : -EIO;
}

/* Until the time is over.  1: a signal asks to end; 0; -errno. */
static int pass(struct live *l, uint64_t ns)
{
	uint64_t began = live_now();
	struct signalfd_siginfo sig;

	while (live_now() - began < ns) {
		uint64_t left = ns - (live_now() - began);
		int ms = left < STEP_MS * 1000000ull ? (int)(left / 1000000) + 1 : STEP_MS;
		int ret = live_step(l, ms, &sig);

		if (ret < 0)
			return ret;
		if (ret && sig.ssi_signo != SIGCHLD)
			return 1;
	}
	return 0;
}

/* A line each interval, until a signal. */
static int run_json(struct top_watch *w)
{
	int ret = 0;

	while (!ret) {
		ret = top_look(w);
		if (!ret)
			ret = print(&w->view, w->interval_ns, true);
		if (!ret)
			ret = pass(w->live, w->interval_ns);
	}
	return ret < 0 ? ret : 0;
}

/* What is told between the two looks is what rates are of; an agent is found by what it does meanwhile. */
static int run_once(struct top_watch *w, bool json)
{
	int ret = top_look(w);

	if (!ret)
		ret = pass(w->live, w->interval_ns);
	if (!ret)
		ret = top_look(w);
	if (ret)
		return ret < 0 ? ret : -EINTR;
	return print(&w->view, w->interval_ns, json);
}

static int watch(struct top_watch *w, const struct top_opts *o, const struct targets *t)
{
	int n = targets_trace(t, w->live), err = 0, end_err;

	if (n < 0)
		return n;
	w->own.counted = monitor_count_cost(live_monitor(w->live)) == 0;
	err = o->once ? run_once(w, o->json) : o->json ? run_json(w) : top_screen(w);
	end_err = live_end(w->live);
	return err ? err : end_err;
}

static void no_calls(void *ctx, const struct trace_calls *c)
{
	(void)ctx;
	(void)c;
}

static int run_live(struct top_opts *o, struct top_watch *w)
{
	struct targets t;
	int err;

	o->live.no_store = o->live.quiet = true;
	o->live.discover = o->target.all;
	o->live.watch_span = on_span;
	o->live.watch_calls = no_calls; /* the screen is what is told */
	o->live.watch_ctx = w;
	err = targets_open(&t, &o->target);
	if (!err)
		err = live_new(&w->live, &o->live);
	if (!err)
		err = watch(w, o, &t);
	live_free(&w->live);
	targets_close(&t);
	return err;
}

/* --- a capture */

struct replaying {
	struct session *session;
	struct capture_reader *capture;
	struct ev_hdr *next; /* was read, and is not fed yet; NULL: none */
};

/* Up to the first record that is later than that. */
static int feed_until(struct replaying *r, uint64_t end)
{
	int ret = r->next ? 1 : capture_next(r->capture, &r->next);

	for (; ret == 1 && r->next->ts <= end; ret = capture_next(r->capture, &r->next)) {
		int err = session_feed(r->session, r->next);

		if (err)
			return log_err(err, "out of memory");
	}
	if (ret != 1)
		r->next = NULL;
	return ret < 0 ? ret : 0;
}

static int look_at(struct top_watch *w, struct replaying *r, uint64_t ts)
{
	int err = feed_until(r, ts);

	return err ? err : take_all(&w->top, r->session, ts);
}

/* Time of the first record that is of a process, and of the last. */
static int find_times(const char *path, uint64_t *first, uint64_t *last)
{
	struct capture_reader *r = NULL;
	struct ev_hdr *rec;
	int ret = capture_open(&r, path);

	*first = *last = 0;
	while (!ret && (ret = capture_next(r, &rec)) == 1) {
		if (!*first && rec->tgid)
			*first = rec->ts;
		if (rec->ts > *last)
			*last = rec->ts;
		ret = 0;
	}
	capture_free(&r);
	return ret;
}

static int show_at(struct top_watch *w, struct replaying *r, uint64_t ts, bool json)
{
	uint64_t before = ts > w->interval_ns ? ts - w->interval_ns : 0;
	int err = look_at(w, r, before);

	if (!err)
		err = look_at(w, r, ts);
	if (err)
		return err;
	session_totals(r->session, &w->view.totals);
	w->view.own = NULL;
	w->view.host = trace_host(session_trace(r->session));
	return print(&w->view, w->interval_ns, json);
}

static int run_replay(const struct top_opts *o, struct top_watch *w)
{
	struct session_cfg cfg = { .prices = o->live.prices,
				   .no_redact = o->live.no_redact,
				   .redact_rules = o->live.redact_rules,
				   .payload = o->live.payload.level };
	struct replaying r = { .session = NULL };
	uint64_t first, last;
	int err = find_times(o->replay, &first, &last);

	if (!err)
		err = capture_open(&r.capture, o->replay);
	if (!err)
		err = session_new(&r.session, &cfg);
	if (!err)
		err = show_at(w, &r, o->at_ns ? first + o->at_ns : last, o->json);
	session_free(&r.session);
	capture_free(&r.capture);
	return err;
}

/* --- the verb */

static int read_key(const char *name, enum top_key *key)
{
	for (enum top_key k = 0; k < TOP_KEY_CNT; k++) {
		if (strcmp(name, top_key_name(k)) != 0)
			continue;
		*key = k;
		return 0;
	}
	return log_err(-EINVAL,
		       "--sort %s: want state, age, pid, agent, rate, tokens, cost, cpu, memory, "
		       "network or errors",
		       name);
}

static int check(const struct top_opts *o, int argc, char **argv)
{
	bool screen = !o->once && !o->json && !o->replay;

	if (argc)
		return log_err(-EINVAL, "%s: top takes no arguments; -p PID names a process",
			       argv[0]);
	if (o->at_ns && !o->replay)
		return log_err(-EINVAL, "--at is a time in a capture: --replay FILE");
	if (o->replay && (o->target.pids.cnt || target_is_matching(&o->target)))
		return log_err(-EINVAL,
			       "--replay shows who is in the capture: use it without -p and "
			       "the like");
	if (screen && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return log_err(-EINVAL,
			       "the screen needs a terminal; --once prints one table, --json "
			       "is for machines");
	return target_check(&o->target);
}

static int run_top(void *opts, int argc, char **argv)
{
	struct top_opts *o = opts;
	struct top_watch w = {
		.interval_ns = o->interval_ns ? o->interval_ns : INTERVAL_NS,
		.view = { .top = &w.top,
			  .own = &w.own,
			  .columns = term_columns(STDOUT_FILENO),
			  .colour = term_colour(STDOUT_FILENO),
			  .reverse = o->reverse,
			  .filter = o->filter ? o->filter : "" },
	};
	int err;

	if (check(o, argc, argv) || (o->sort && read_key(o->sort, &w.view.key)))
		return EXIT_USAGE;
	if (!o->target.pids.cnt && !target_is_matching(&o->target))
		o->target.all = true;
	top_init(&w.top, o->stuck_ns ? o->stuck_ns : STUCK_NS);
	err = o->replay ? run_replay(o, &w) : run_live(o, &w);
	own_fini(&w.own);
	kept_fini(&w.kept);
	top_fini(&w.top);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_top = {
	.name = "top",
	.args = "[-p PID ... | --all | --comm PATTERN ...]",
	.help = "show what the agents of this machine are at, live",
	.more = "Without a choice it is --all: who calls a model API, or is a client of MCP or "
		"A2A, from "
		"when it\n"
		"does so on.  Nothing is stored.  Keys: up, down, enter (the tree of a run), /, S "
		"A T C ... "
		"(order),\n"
		"b (what ringspan takes), ? and q.  While it runs the kernel counts what BPF "
		"programs take, "
		"which\n"
		"costs each of their runs some 60 ns.\n",
	.opts = top_options,
	.opts_sz = sizeof(struct top_opts),
	.run = run_top,
};
