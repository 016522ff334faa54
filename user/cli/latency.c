// SPDX-License-Identifier: BSD-2-Clause
/* latency: how long system calls and spans took, of a run, a capture, or a process that runs. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/latency_threads.h"
#include "cli/live.h"
#include "cli/read.h"
#include "sink/term.h"

enum by { BY_SYSCALL, BY_CLASS, BY_PROCESS, BY_HOST, BY_SPAN, BY_FILE, BY_THREAD, BY_CNT };

static const char *const by_names[BY_CNT] = {
	[BY_SYSCALL] = "syscall", [BY_CLASS] = "class", [BY_PROCESS] = "process",
	[BY_HOST] = "host",       [BY_SPAN] = "span",   [BY_FILE] = "file",
	[BY_THREAD] = "thread",
};

struct latency_opts {
	struct opt_common common;
	struct opt_pids pids;
	const char *by, *capture;
	uint64_t duration_ns;
	unsigned int rows;
	bool heatmap, histogram, json;
};

static const struct opt latency_options[] = {
	{ "by", 0, OPT_STR, offsetof(struct latency_opts, by), "WHAT",
	  "a row for each syscall (without it), class, process, thread, host, span name or file" },
	{ "histogram", 0, OPT_FLAG, offsetof(struct latency_opts, histogram), NULL,
	  "how the durations of each row are spread" },
	{ "heatmap", 0, OPT_FLAG, offsetof(struct latency_opts, heatmap), NULL,
	  "how they are spread over time, all rows together" },
	{ "limit", 'n', OPT_UINT, offsetof(struct latency_opts, rows), "N",
	  "at most N rows, of those that took most time" },
	{ "json", 0, OPT_FLAG, offsetof(struct latency_opts, json), NULL, "one JSON object" },
	{ "pid", 'p', OPT_PID, offsetof(struct latency_opts, pids), "PID",
	  "of a process that runs, and all that it starts: until Ctrl-C or its end" },
	{ "for", 0, OPT_DURATION, offsetof(struct latency_opts, duration_ns), "TIME",
	  "with -p: so long (5s)" },
	{ "capture", 'c', OPT_STR, offsetof(struct latency_opts, capture), "FILE",
	  "of a capture file" },
	{ 0 },
};

struct gather {
	enum by by;
	struct latency l;
	struct thread_rows threads;
	int err;
};

static void gather_calls(struct gather *g, const struct trace_calls *c)
{
	struct sv key = g->by == BY_SYSCALL ? c->name
			: g->by == BY_CLASS ? c->class
					    : sv(c->span_id);

	if (g->by <= BY_PROCESS && !g->err)
		g->err = latency_add_calls(&g->l, key, c);
}

/* --- spans */

static void name_process(struct gather *g, const struct span *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (s->what != SPAN_PROCESS && s->what != SPAN_RUN)
		return;
	buf_fmt(&b, SV_FMT " (%lld)", SV_ARG(s->name),
		(long long)span_attr_int(s, ATTR_ID_PROCESS_PID, 0));
	g->err = b.err ? b.err : latency_name(&g->l, sv(s->span_id), buf_view(&b));
}

/* What a connection and an exchange are made of, in the order in which it is waited for. */
enum part { DNS = 1, CONNECT, TLS, QUEUE, ROUND_TRIP, REQUEST, WAIT, TRANSFER, EXCHANGE };

static const char *const part_names[] = {
	[DNS] = "dns",       [CONNECT] = "connect",       [TLS] = "tls",
	[QUEUE] = "backlog", [ROUND_TRIP] = "round trip", [REQUEST] = "request",
	[WAIT] = "wait",     [TRANSFER] = "transfer",     [EXCHANGE] = "exchange",
};

/* Whom the span talks to; where it is the server itself, that is said. */
static struct sv host_of(struct buf *b, const struct span *s)
{
	struct sv host = span_attr_sv(s, ATTR_ID_SERVER_ADDRESS);

	if (s->what == SPAN_DNS)
		host = span_attr_sv(s, ATTR_ID_DNS_NAME);
	if (!host.n && s->kind != SPAN_KIND_SERVER)
		host = span_attr_sv(s, ATTR_ID_PEER_NAME);
	if (!host.n)
		host = span_attr_sv(s, s->kind == SPAN_KIND_SERVER ? ATTR_ID_NET_LOCAL_ADDRESS
								   : ATTR_ID_NET_PEER_ADDRESS);
	if (!host.n)
		return host;
	buf_sv(b, host);
	if (s->kind == SPAN_KIND_SERVER)
		buf_str(b, " (as server)");
	return buf_view(b);
}

static void add_part(struct gather *g, const struct span *s, enum part part, uint64_t ns)
{
	_cleanup_buf_ struct buf name = BUF_INIT, key = BUF_INIT;
	struct sv host = host_of(&name, s);

	if (!host.n || g->err)
		return;
	buf_fmt(&key, SV_FMT " %s", SV_ARG(host), part_names[part]);
	g->err = key.err ? key.err : name.err;
	if (!g->err)
		g->err = latency_part(&g->l, buf_view(&key), host, part, part_names[part]);
	if (!g->err)
		g->err = latency_add(&g->l, buf_view(&key), s->end_ns, ns,
				     s->status == STATUS_ERROR &&
					     (part < ROUND_TRIP || part == EXCHANGE));
}

static void add_connection(struct gather *g, const struct span *s)
{
	int64_t rtt = span_attr_int(s, ATTR_ID_RTT, 0);

	if (s->kind == SPAN_KIND_CLIENT)
		add_part(g, s, CONNECT, span_awake_ns(s));
	else if (span_attr(s, ATTR_ID_QUEUE_NS))
		add_part(g, s, QUEUE, span_awake_ns(s));
	if (rtt > 0)
		add_part(g, s, ROUND_TRIP, (uint64_t)rtt);
}

/* Request, wait and transfer are the exchange, where it was answered. */
static void add_exchange(struct gather *g, const struct span *s)
{
	int64_t first = span_attr_int(s, ATTR_ID_FIRST_BYTE_NS, -1);
	int64_t request = span_attr_int(s, ATTR_ID_CLIENT_NS, 0);

	/* a model call that was tried again has its attempts below it: they are the exchanges */
	if (s->what == SPAN_MODEL_CALL && span_attr_int(s, ATTR_ID_ATTEMPTS, 1) > 1)
		return;
	if (!span_attr_sv(s, ATTR_ID_SERVER_ADDRESS).n)
		return;
	if (first >= 0) {
		request = request < first ? request : first;
		add_part(g, s, REQUEST, (uint64_t)request);
		add_part(g, s, WAIT, (uint64_t)(first - request));
		add_part(g, s, TRANSFER, (uint64_t)span_attr_int(s, ATTR_ID_TRANSFER_NS, 0));
	}
	add_part(g, s, EXCHANGE, span_awake_ns(s));
}

static void add_host(struct gather *g, const struct span *s)
{
	switch (s->what) {
	case SPAN_DNS:
		add_part(g, s, DNS, span_awake_ns(s));
		break;
	case SPAN_CONNECT:
		add_connection(g, s);
		break;
	case SPAN_TLS:
		if (span_attr(s, ATTR_ID_TLS_ESTABLISHED))
			add_part(g, s, TLS, span_awake_ns(s));
		break;
	case SPAN_MODEL_CALL:
	case SPAN_ATTEMPT:
	case SPAN_HTTP:
	case SPAN_EMBEDDING:
	case SPAN_RETRIEVAL:
		add_exchange(g, s);
		break;
	default:
		break;
	}
}

/* A process's use of a file: the time in its calls. */
static void add_file(struct gather *g, const struct span *s)
{
	static const enum attr_id times[] = { ATTR_ID_FILE_READ_NS, ATTR_ID_FILE_WRITE_NS,
					      ATTR_ID_FILE_SYNC_NS };
	struct sv path = span_attr_sv(s, ATTR_ID_FILE_PATH);
	int64_t bytes =
		span_attr_int(s, ATTR_ID_FILE_READ, 0) + span_attr_int(s, ATTR_ID_FILE_WRITTEN, 0);
	uint64_t ns = 0;

	if (s->what != SPAN_FILE || !span_attr(s, ATTR_ID_FILE_OPENS))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		ns += (uint64_t)span_attr_int(s, times[i], 0);
	g->err = latency_add(&g->l, path, s->end_ns, ns, s->status == STATUS_ERROR);
	if (!g->err)
		g->err = latency_bytes(&g->l, path, bytes > 0 ? (uint64_t)bytes : 0);
}

static void gather_span(struct gather *g, const struct span *s)
{
	if (g->err)
		return;
	if (g->by == BY_PROCESS)
		name_process(g, s);
	else if (g->by == BY_THREAD)
		g->err = thread_rows_add(&g->threads, s);
	else if (json_true(span_attr(s, ATTR_ID_UNFINISHED)))
		return; /* how long it takes is not known */
	else if (g->by == BY_HOST)
		add_host(g, s);
	else if (g->by == BY_FILE)
		add_file(g, s);
	else if (g->by == BY_SPAN)
		g->err = latency_add(&g->l, s->name, s->end_ns, span_awake_ns(s),
				     s->status == STATUS_ERROR);
}

static void on_calls(void *ctx, const struct trace_calls *c)
{
	gather_calls(ctx, c);
}

static void on_span(void *ctx, const struct span *s)
{
	gather_span(ctx, s);
}

/* --- where they come from */

static int stored_calls(void *ctx, const struct trace_calls *c)
{
	struct gather *g = ctx;

	gather_calls(g, c);
	return g->err;
}

static int stored_span(void *ctx, const struct span *s)
{
	struct gather *g = ctx;

	gather_span(g, s);
	return g->err;
}

static int from_store(struct gather *g, const struct latency_opts *o, const char *run)
{
	char trace_id[HEX128];
	struct store *s = NULL;
	int err = read_open(&s, &o->common);

	if (!err)
		err = store_find_run(s, run, trace_id);
	if (!err)
		err = store_calls(s, trace_id, stored_calls, g);
	if (!err && g->by >= BY_PROCESS)
		err = store_spans(s, trace_id, false, stored_span, g);
	store_free(&s);
	return err;
}

static int from_capture(struct gather *g, const char *path)
{
	struct session_cfg cfg = { .watch_span = on_span, .watch_calls = on_calls, .watch_ctx = g };

	return session_replay(&cfg, path);
}

static int from_live(struct gather *g, const struct latency_opts *o)
{
	struct live_opts live = { .no_store = true,
				  .open_files =
					  g->by == BY_FILE ? PROBE_FILES_READ : PROBE_FILES_CHANGED,
				  .quiet = true,
				  .watch_span = on_span,
				  .watch_calls = on_calls,
				  .watch_ctx = g };

	return live_watch_pids(&live, &o->pids, o->duration_ns);
}

static int read_by(const char *name, enum by *by)
{
	for (unsigned int i = 0; i < BY_CNT; i++) {
		if (strcmp(name, by_names[i]) != 0)
			continue;
		*by = i;
		return 0;
	}
	return log_err(-EINVAL, "--by %s: want syscall, class, process, thread, host, span or file",
		       name);
}

static int check(const struct latency_opts *o, enum by by, int argc)
{
	if ((argc > 0) + (o->pids.cnt > 0) + (o->capture != NULL) > 1)
		return log_err(-EINVAL, "want a run, -p PID or --capture FILE: one of the three");
	if (o->duration_ns && !o->pids.cnt)
		return log_err(-EINVAL, "--for is for a process that runs: -p PID");
	if (by == BY_THREAD && (o->histogram || o->heatmap))
		return log_err(-EINVAL,
			       "--by thread has sums, and no durations that would be spread");
	return 0;
}

/* 0, -ENOENT when there is nothing, or -errno. */
static int print(struct gather *g, const struct latency_how *how)
{
	int err = g->by == BY_THREAD ? latency_print_threads(&g->threads, how, stdout)
				     : latency_print(&g->l, how, stdout);

	if (err || (g->by == BY_THREAD ? g->threads.cnt : latency_sort(&g->l)))
		return err;
	log_warn("nothing was measured by %s", how->by);
	return -ENOENT;
}

static int run_latency(void *opts, int argc, char **argv)
{
	struct latency_opts *o = opts;
	struct latency_how how = { .rows = o->rows,
				   .histogram = o->histogram,
				   .heatmap = o->heatmap,
				   .json = o->json,
				   .columns = term_columns(STDOUT_FILENO),
				   .colour = term_colour(STDOUT_FILENO) };
	struct gather g = { .by = BY_SYSCALL };
	const char *run;
	int err;

	if (read_run_arg(argc, argv, &run) || (o->by && read_by(o->by, &g.by)) ||
	    check(o, g.by, argc))
		return EXIT_USAGE;
	how.by = by_names[g.by];
	latency_init(&g.l, o->heatmap);
	arena_init(&g.threads.arena, 0);
	if (o->pids.cnt)
		err = from_live(&g, o);
	else
		err = o->capture ? from_capture(&g, o->capture) : from_store(&g, o, run);
	err = err ? err : g.err;
	if (!err)
		err = print(&g, &how);
	latency_fini(&g.l);
	thread_rows_fini(&g.threads);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_latency = {
	.name = "latency",
	.args = "[RUN]",
	.help = "how long system calls, connections and spans took",
	.more = "System calls are counted in the kernel, all of them, and their durations kept in "
		"buckets: a\n"
		"percentile is never too small and at most a quarter too large (below 128 ns at "
		"most 32 ns).\n"
		"A call counts when it returns.  By span: spans of the same name.  By file: what\n"
		"a process spent in reads, writes and fsyncs of it is one duration; of files that "
		"have a span.\n\n"
		"By host, in parts: dns, connect, tls (the handshake) and round trip (TCP's "
		"smoothed, "
		"at the end\n"
		"of each connection) are of connections; request (the client sends it), wait (for "
		"the "
		"answer's first\n"
		"byte) and transfer are of exchanges, and add up to exchange.  A wait far above "
		"the "
		"round trip is the\n"
		"server's; a long request or transfer is the network's or the program's that reads "
		"it; backlog is what\n"
		"connections waited for a server's accept.\n\n"
		"By thread: time on a CPU, in a run queue and blocked, by what for, of threads "
		"that "
		"took at least a\n"
		"millisecond of CPU, 16 of each process at most; what they took since they began, "
		"blocked since they are\n"
		"traced.  FORCED are switches that took them off a CPU, MOVES those to another "
		"one.\n",
	.opts = latency_options,
	.opts_sz = sizeof(struct latency_opts),
	.run = run_latency,
};
