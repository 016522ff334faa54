// SPDX-License-Identifier: BSD-2-Clause
/* A session that is fed by the kernel: see live.h. */
#include "cli/live.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "capture/capture.h"
#include "capture/clock.h"
#include "cli/calls_opt.h"
#include "cli/confine.h"
#include "cli/read.h"
#include "sink/human.h"
#include "sink/term.h"

#define NS_PER_S 1000000000ull
#define USAGE_NS (10 * NS_PER_S) /* between two questions what processes and threads took */
#define OPEN_NS (NS_PER_S / 2)   /* between two looks at what is not over */
#define OUTPUT_RATE (256u << 10) /* bytes a second; a build log stays below it */
#define ANSWER_MS 200     /* a step waits so long for the probe, which may be at work in a file */
#define WATCH_STEP_MS 100 /* also the longest that a record waits in the ring */
#define STATUS_NS (NS_PER_S / 4)

struct live {
	const struct live_opts *opts;
	struct session *session;
	struct monitor *monitor;
	struct buf store; /* its path */
	sigset_t old_signals;
	bool signals_blocked;
	int signal_fd;
	uint64_t began, last_record, last_open, last_usage;
	bool busy; /* something was recorded since last_record was set */
	uint64_t last_status;
	struct probe_loss told; /* what the session was last told about loss */
	struct clock_watch clock;
	bool step_told, suspend_told;
};

uint64_t live_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int block_signals(struct live *l)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signal_fd < 0)
		return log_err(-errno, "signalfd: %s", strerror(errno));
	/* a reader of stderr that goes away must not end the recording */
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &l->old_signals);
	l->signals_blocked = true;
	return 0;
}

void live_unblock(const struct live *l)
{
	sigprocmask(SIG_SETMASK, &l->old_signals, NULL);
}

struct monitor *live_monitor(struct live *l)
{
	return l->monitor;
}

int live_confine(struct live *l)
{
	const char *const files[] = { l->opts->no_store ? NULL : buf_cstr(&l->store),
				      l->opts->capture };
	int err = monitor_seal(l->monitor);

	if (!err)
		confine(files, ARRAY_SIZE(files));
	return err;
}

struct session *live_session(struct live *l)
{
	return l->session;
}

static void on_found(void *ctx, uint32_t tgid, uint64_t start)
{
	struct live *l = ctx;

	monitor_loud(l->monitor, tgid, start);
}

static int open_session(struct live *l, const struct live_opts *o)
{
	struct session_cfg cfg = { .capture = o->capture,
				   .prices = o->prices,
				   .no_redact = o->no_redact,
				   .payload = o->payload.level,
				   .redact_rules = o->redact_rules,
				   .found = o->discover ? on_found : NULL,
				   .found_ctx = l,
				   .watch_span = o->watch_span,
				   .watch_calls = o->watch_calls,
				   .watch_sample = o->watch_sample,
				   .watch_ctx = o->watch_ctx };
	int err;

	if (!o->no_store) {
		err = read_store_path(&o->common, &l->store);
		if (err)
			return err;
		cfg.store = buf_cstr(&l->store);
		cfg.store_limits = o->limits;
	}
	if (!o->quiet) {
		cfg.sink = sink_find(SV("lines"));
		cfg.sink_cfg.out = stderr;
		cfg.sink_cfg.colour = term_colour(STDERR_FILENO);
		cfg.sink_cfg.columns = term_columns(STDERR_FILENO);
	}
	return session_new(&l->session, &cfg);
}

/* Said once each: a clock that is set once may be set often. */
static void tell_clock(struct live *l)
{
	const struct clock_watch *w = &l->clock;

	if (w->stepped_ns && !l->step_told)
		log_warn("the wall clock was set %s by %s; runs that go on keep the time that they "
			 "began with, and say so",
			 w->stepped_ns < 0 ? "back" : "forward",
			 human_duration((uint64_t)llabs(w->stepped_ns)).s);
	if (w->suspended_ns && !l->suspend_told)
		log_warn("the machine was suspended for %s: spans that were open say so",
			 human_duration(w->suspended_ns).s);
	l->step_told |= w->stepped_ns != 0;
	l->suspend_told |= w->suspended_ns != 0;
}

static int look_at_clock(struct live *l)
{
	struct ev_clock rec;

	if (!clock_watch_look(&l->clock, &rec))
		return 0;
	tell_clock(l);
	return session_feed(l->session, &rec.hdr);
}

static int feed_meta(struct live *l)
{
	_cleanup_free_ struct ev_meta *meta = capture_meta(RINGSPAN_VERSION);
	int err = meta ? session_feed(l->session, &meta->hdr) : -ENOMEM;

	return err ? err : look_at_clock(l);
}

static int read_files(enum probe_files *out, const char *which)
{
	static const char *const names[] = {
		[PROBE_FILES_READ] = "read",
		[PROBE_FILES_CHANGED] = "changed",
		[PROBE_FILES_ALL] = "all",
	};

	for (unsigned int i = 0; which && i < ARRAY_SIZE(names); i++) {
		if (strcmp(which, names[i]) != 0)
			continue;
		*out = i;
		return 0;
	}
	return which ? log_err(-EINVAL, "--files %s: want changed, read or all", which) : 0;
}

/* What holds bytes as they were sent has no levels. */
static int check_payload(const struct live_opts *o)
{
	const char *word = o->payload.level == PAYLOAD_META ? "meta" : "none";

	if (o->redact_rules && o->capture)
		return log_err(
			-EINVAL,
			"--redact-rules: a capture file holds bytes as they were sent, before "
			"they are parsed; record without --capture");
	if (o->payload.level == PAYLOAD_FULL)
		return 0;
	if (o->capture)
		return log_err(-EINVAL,
			       "--payload %s: a capture file holds all that was sent; record "
			       "without --capture, or with --payload full",
			       word);
	if (o->logs)
		return log_err(-EINVAL,
			       "--payload %s: --logs keeps all that the processes print; record "
			       "without it, or with --payload full",
			       word);
	return 0;
}

int live_read_opts(struct live_opts *o)
{
	int err = calls_opt(&o->calls, o->slow, o->failed, o->syscalls);

	if (!err && o->profile_hz > PROFILE_HZ_MAX)
		err = log_err(-EINVAL, "--profile %u: at most %d samples a second", o->profile_hz,
			      PROFILE_HZ_MAX);
	if (!err)
		err = read_files(&o->open_files, o->files);
	if (!err)
		err = check_payload(o);
	if (!err)
		err = func_opt(&o->funcs);
	return err ? err : store_opt(&o->limits, o->store_size, o->store_age);
}

int live_new(struct live **out, const struct live_opts *o)
{
	struct probe_cfg cfg = { .calls = o->calls,
				 .files = o->open_files,
				 .funcs = o->funcs.of,
				 .func_cnt = o->funcs.cnt,
				 .ring_bytes = o->ring_bytes,
				 .sample_ns = o->profile_hz ? NS_PER_S / o->profile_hz : 0,
				 .output_rate = o->logs ? OUTPUT_RATE : 0 };
	struct live *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->opts = o;
	l->signal_fd = -1;
	l->clock.gettime = clock_gettime;
	l->last_record = live_now();
	err = open_session(l, o);
	if (!err)
		err = block_signals(l);
	if (!err)
		err = feed_meta(l);
	if (!err)
		err = monitor_new(&l->monitor, &cfg);
	if (err) {
		live_free(&l);
		return err;
	}
	l->began = l->last_usage = live_now(); /* what came before is our own doing */
	*out = l;
	return 0;
}

void live_free(struct live **lp)
{
	struct live *l = *lp;

	if (!l)
		return;
	monitor_free(&l->monitor);
	session_free(&l->session);
	buf_fini(&l->store);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	if (l->signals_blocked)
		sigprocmask(SIG_SETMASK, &l->old_signals, NULL);
	free(l);
	*lp = NULL;
}

static bool lost_more(const struct probe_loss *now, const struct probe_loss *before)
{
	uint64_t records[2] = { 0 };

	for (__u32 i = 0; i < now->e.kinds; i++)
		records[0] += now->kinds[i].lost_ring;
	for (__u32 i = 0; i < before->e.kinds; i++)
		records[1] += before->kinds[i].lost_ring;
	return records[0] != records[1] || now->e.calls_lost != before->e.calls_lost ||
	       memcmp(now->e.bytes_lost, before->e.bytes_lost, sizeof(now->e.bytes_lost)) != 0;
}

/* Both records: earlier versions know only the first. */
static int feed_loss(struct live *l, const struct probe_loss *loss)
{
	struct ev_stats stats;
	int err;

	probe_stats_of(loss, &stats);
	err = session_feed(l->session, &stats.hdr);
	return err ? err : session_feed(l->session, &loss->e.hdr);
}

static int tell_loss(struct live *l, bool always)
{
	struct probe_loss loss;
	int err = monitor_loss(l->monitor, &loss);

	if (err || (!always && !lost_more(&loss, &l->told)))
		return err;
	l->told = loss;
	return feed_loss(l, &loss);
}

/* For `doctor --stats`. */
static void tell_status(struct live *l)
{
	struct session_totals t;

	if (live_now() - l->last_status < STATUS_NS)
		return;
	l->last_status = live_now();
	session_totals(l->session, &t);
	monitor_fed(l->monitor, &(struct status_fed){ .ts = l->last_status,
						      .records = t.trace.records,
						      .bytes = t.trace.data_bytes,
						      .broken = t.broken,
						      .spans = t.trace.spans,
						      .runs = t.trace.runs,
						      .hole_bytes = t.trace.hole_bytes,
						      .budget_bytes = t.trace.budget_bytes,
						      .kept_bytes = t.trace.kept_bytes });
}

static int on_record(void *ctx, const struct ev_hdr *rec)
{
	struct live *l = ctx;
	int err = 0;

	/* the end of a process may end its run, which says what was lost: that comes first */
	if (rec->kind == EV_EXIT)
		err = tell_loss(l, session_ends_run(l->session, rec));
	/* counts come in any second, and time is told where nothing else comes */
	if (rec->kind != EV_SYSCALLS)
		l->busy = true;
	return err ? err : session_feed(l->session, rec);
}

static int feed_tick(struct live *l, enum ev_kind kind)
{
	struct ev_tick tick = { .hdr = { .size = sizeof(tick), .kind = kind } };

	tick.hdr.ts = live_now();
	return session_feed(l->session, &tick.hdr);
}

/* Records that were taken in, or -errno. */
static int take_records(struct live *l, int timeout_ms)
{
	int n = monitor_poll(l->monitor, timeout_ms, on_record, l);

	if (n < 0)
		return log_err(n, "recording stops: %s", strerror(-n));
	if (l->busy)
		l->last_record = live_now();
	l->busy = false;
	return n;
}

/* While nothing happens the trace's own time goes on all the same. */
static int pass_time(struct live *l)
{
	uint64_t now = live_now();

	if (now - l->last_record < NS_PER_S)
		return 0;
	l->last_record = now;
	return feed_tick(l, EV_TICK);
}

/* A run can be shown while it runs. */
static void show_open(struct live *l)
{
	if (live_now() - l->last_open < OPEN_NS)
		return;
	session_show_open(l->session);
	l->last_open = live_now(); /* the pause is behind it, however long it took */
}

/* What waits, or only computes, tells nothing itself. */
static int ask_usage(struct live *l)
{
	if (live_now() - l->last_usage < USAGE_NS)
		return 0;
	l->last_usage = live_now();
	return monitor_tell_usage(l->monitor);
}

int live_step(struct live *l, int timeout_ms, struct signalfd_siginfo *sig)
{
	struct pollfd fds[] = { { .fd = l->signal_fd, .events = POLLIN },
				{ .fd = monitor_fd(l->monitor), .events = POLLIN } };
	int n;

	if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0 && errno != EINTR)
		return log_err(-errno, "poll: %s", strerror(errno));
	/* before the records that came since, so that runs that begin then have the clock of then */
	n = look_at_clock(l);
	if (!n)
		n = take_records(l, ANSWER_MS);
	if (n >= 0)
		n = pass_time(l);
	if (n >= 0)
		n = ask_usage(l);
	if (n < 0)
		return n;
	show_open(l);
	tell_status(l);
	return read(l->signal_fd, sig, sizeof(*sig)) == (ssize_t)sizeof(*sig);
}

bool live_over(const struct live *l, size_t runs)
{
	struct session_totals t;

	session_totals(l->session, &t);
	return t.trace.runs >= runs;
}

/* --- what is told at the end */

/* Exact: what is lost is added up by whoever wants to know whether it is all. */
static void lost(struct buf *b, uint64_t n, const char *what)
{
	if (n)
		buf_fmt(b, "%s%llu %s", b->len ? ", " : "", (unsigned long long)n, what);
}

static void report_loss(const struct session_totals *t, struct buf *b)
{
	const struct loss_sums *l = &t->trace.loss;
	const uint64_t *bytes = l->bytes_lost;
	uint64_t holes = t->trace.hole_bytes, undecided = bytes[EV_LOST_UNDECIDED];
	uint64_t early = holes < undecided ? holes : undecided; /* the rest is of no agent */

	lost(b, l->lost_ring, "records that found no room");
	lost(b, bytes[EV_LOST_RING_FULL], "bytes of traffic in them");
	lost(b, l->calls_lost, "calls that a full table could not follow");
	lost(b, bytes[EV_LOST_MAP_FULL], "bytes of traffic that they moved");
	lost(b, bytes[EV_LOST_READ_FAULT], "bytes that could not be read");
	lost(b, bytes[EV_LOST_CAP], "bytes of calls longer than is kept");
	lost(b, bytes[EV_LOST_NO_BUFFER], "bytes that the kernel moved by itself");
	lost(b, t->trace.budget_bytes, "bytes of bodies larger than is kept");
	lost(b, t->broken, "broken records");
	lost(b, t->unstored.spans, "spans that could not be stored");
	lost(b, t->unstored.rows, "other rows that could not be stored");
	if (!b->len) { /* else they are the same bytes */
		lost(b, early, "bytes that agents moved before they were known to be any");
		lost(b, holes - early, "bytes missing in streams");
	}
	/* the records' own counts may know of more than the statistics, which come later */
	if (t->trace.lost_records > l->lost_ring + l->calls_lost)
		lost(b, t->trace.lost_records - l->lost_ring - l->calls_lost, "more records");
}

static void report_totals(struct buf *b, const struct trace_totals *n, uint64_t duration)
{
	buf_fmt(b, "%llu model call%s, %llu tool call%s, %llu error%s",
		(unsigned long long)n->model_calls, n->model_calls == 1 ? "" : "s",
		(unsigned long long)n->tool_calls, n->tool_calls == 1 ? "" : "s",
		(unsigned long long)n->errors, n->errors == 1 ? "" : "s");
	if (n->model_calls)
		buf_fmt(b, ", %s tokens in, %s out", human_count(n->input_tokens).s,
			human_count(n->output_tokens).s);
	if (!isnan(n->cost_usd))
		buf_fmt(b, ", %s", human_usd(n->cost_usd).s);
	buf_fmt(b, ", %s\n", human_duration(duration).s);
}

static void report_discover(struct buf *b, const char *indent, const struct discover_totals *d)
{
	if (!d->processes)
		return;
	buf_fmt(b, "%s%llu agent%s among %s processes; nothing is kept of the others\n", indent,
		(unsigned long long)d->agents, d->agents == 1 ? "" : "s",
		human_count(d->processes).s);
	if (d->given_up)
		buf_fmt(b, "%s%s processes did more than could be held to find out what they are\n",
			indent, human_count(d->given_up).s);
}

/* What was recorded, what was lost, and how to look at it. */
static void report(const struct live *l, uint64_t duration, bool stored)
{
	_cleanup_buf_ struct buf b = BUF_INIT, loss = BUF_INIT;
	const char *indent = "             ";
	struct session_totals t;

	session_totals(l->session, &t);
	report_loss(&t, &loss);
	buf_fmt(&b, "\nrun %.8s ", t.run[0] ? t.run : "-       ");
	report_totals(&b, &t.trace, duration);
	buf_fmt(&b, "%s%s records, %s of traffic, %s\n", indent, human_count(t.trace.records).s,
		human_bytes(t.trace.data_bytes).s, loss.len ? "not all of it" : "nothing lost");
	if (loss.len)
		buf_fmt(&b,
			"%sthe kernel side made %llu records with %llu bytes, %llu with %llu "
			"came\n",
			indent, (unsigned long long)t.trace.loss.produced,
			(unsigned long long)t.trace.loss.bytes,
			(unsigned long long)t.trace.loss.delivered,
			(unsigned long long)t.trace.loss.bytes_delivered);
	if (t.trace.not_seen)
		buf_fmt(&b, "%s%llu connection%s whose content was not seen\n", indent,
			(unsigned long long)t.trace.not_seen, t.trace.not_seen == 1 ? "" : "s");
	report_discover(&b, indent, &t.discover);
	if (t.run[0] && stored && !l->opts->no_store)
		buf_fmt(&b, "%sringspan show %.8s\n", indent, t.run);
	if (t.run[0] && stored && !l->opts->no_store && t.samples)
		buf_fmt(&b, "%sringspan profile %.8s --table\n", indent, t.run);
	if (l->opts->capture)
		buf_fmt(&b, "%sringspan replay %s\n", indent, l->opts->capture);
	fputs(buf_cstr(&b), stderr);
	if (loss.len)
		log_warn("lost: %s%s", buf_cstr(&loss),
			 t.trace.loss.lost_ring ? "; a larger --ring-size keeps more" : "");
}

int live_end(struct live *l)
{
	uint64_t duration = live_now() - l->began;
	int n, err;

	n = monitor_detach(l->monitor);
	if (n >= 0)
		n = take_records(l, -1);
	if (n >= 0)
		n = monitor_tell_usage(l->monitor);
	if (n >= 0)
		n = monitor_tell_counts(l->monitor);
	if (n >= 0)
		n = take_records(l, -1);
	err = n < 0 ? n : tell_loss(l, true);
	if (!err)
		err = feed_tick(l, EV_END);
	monitor_tell_unmet(l->monitor);
	n = session_end(l->session);
	if (!l->opts->watch_calls && !l->opts->watch_sample)
		report(l, duration, !n);
	return err ? err : n;
}

/* --- who only watches */

static int watch_until(struct live *l, uint64_t duration_ns, size_t runs)
{
	uint64_t began = live_now();
	struct signalfd_siginfo sig = { 0 };

	while (!live_over(l, runs) && !(duration_ns && live_now() - began >= duration_ns)) {
		int ret = live_step(l, WATCH_STEP_MS, &sig);

		if (ret < 0)
			return ret;
		if (ret && sig.ssi_signo != SIGCHLD)
			break;
	}
	return 0;
}

int live_watch_pids(const struct live_opts *o, const struct opt_pids *pids, uint64_t duration_ns)
{
	struct live *l = NULL;
	size_t runs = 0;
	int err = live_new(&l, o), end_err;

	for (size_t i = 0; !err && i < pids->cnt; i++)
		runs += monitor_watch(l->monitor, pids->pid[i], EV_RUN_ATTACH) == 0;
	if (!err && !runs)
		err = -ESRCH;
	if (!err)
		err = live_confine(l);
	if (!err) {
		err = watch_until(l, duration_ns, runs);
		end_err = live_end(l);
		err = err ? err : end_err;
	}
	live_free(&l);
	return err;
}
