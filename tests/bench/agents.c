// SPDX-License-Identifier: BSD-2-Clause
/* Records of agents: see agents.h. */
#include "agents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/buf.h"

#define ROOT 1000        /* pid of the recorded program */
#define STEP_NS 40000    /* from one record to the next */
#define THINK_NS 3000000 /* from a request to its answer */
#define MS 1000000ull
#define CPUS 4

/* A connection. */
struct link {
	uint64_t conn, sock; /* 0: not made yet */
	uint64_t pos[2];
	uint32_t stream; /* of HTTP/2: the latest */
};

struct worker {
	uint32_t tgid;
	unsigned int number;       /* from 0 */
	unsigned int conversation; /* from 1 */
	unsigned int turn;         /* from 1 */
	unsigned int asked;        /* requests of it so far */
	unsigned int asked_before; /* the turn */
	bool answered;             /* the latest of them is */
	bool running;              /* so is a command */
	bool done;
	uint32_t child;
	uint32_t stream;      /* that it asked by */
	struct link own, mcp; /* to the model and to the tools */
	struct link *model;   /* own, or one that it shares; NULL between conversations */
	struct buf history;   /* messages of the request, without brackets */
};

struct world {
	const struct agents_cfg *cfg;
	agents_fn fn;
	void *ctx;
	uint64_t now;
	uint64_t records, conns;
	uint32_t pid;    /* the next process's */
	uint32_t server; /* the process that all workers are in, where they are in one */
	struct worker *workers;
	struct link *links; /* that they share then */
	struct buf rec, text, body;
};

/* --- records */

/* Begins one of a process in the buffer; its fixed part is zero. */
static void *begin(struct world *w, enum ev_kind kind, size_t fixed, uint32_t tgid)
{
	struct ev_hdr *h;

	buf_clear(&w->rec);
	if (buf_reserve(&w->rec, EV_SIZE_MAX))
		return NULL;
	memset(w->rec.p, 0, fixed);
	w->rec.len = fixed;
	w->now += STEP_NS;
	h = (void *)w->rec.p;
	h->kind = kind;
	h->ts = w->now;
	h->tgid = h->tid = tgid;
	h->start = tgid ? tgid * MS : 0;
	h->cpu = tgid % CPUS;
	return h;
}

static int give(struct world *w, struct sv payload)
{
	struct ev_hdr *h = (void *)w->rec.p;

	buf_sv(&w->rec, payload);
	h->size = w->rec.len;
	w->records++;
	return w->rec.err ? w->rec.err : w->fn(w->ctx, h);
}

static int send_fork(struct world *w, uint32_t parent, uint32_t child)
{
	struct ev_fork *f = begin(w, EV_FORK, sizeof(*f), parent);

	if (!f)
		return -ENOMEM;
	f->child = child;
	f->child_start = child * MS;
	return give(w, SV(""));
}

/* args: argv with a NUL behind each */
static int send_exec(struct world *w, uint32_t tgid, uint32_t parent, const char *path,
		     struct sv args)
{
	struct ev_exec *e = begin(w, EV_EXEC, sizeof(*e), tgid);

	if (!e)
		return -ENOMEM;
	e->parent = parent;
	e->parent_start = parent * MS;
	e->path_len = strlen(path) + 1;
	e->args_len = e->args_total = args.n;
	buf_add(&w->rec, path, e->path_len);
	return give(w, args);
}

static int send_exit(struct world *w, uint32_t tgid)
{
	struct ev_exit *e = begin(w, EV_EXIT, sizeof(*e), tgid);

	if (!e)
		return -ENOMEM;
	e->cpu_ns = MS;
	e->utime_ns = e->stime_ns = MS / 2;
	e->rss_peak_bytes = 1 << 20;
	return give(w, SV(""));
}

static int send_data(struct world *w, uint32_t tgid, struct link *l, enum ev_dir dir,
		     struct sv bytes)
{
	while (bytes.n) {
		struct sv piece = sv_sub(bytes, 0, EV_CHUNK_MAX);
		struct ev_data *d = begin(w, EV_DATA, sizeof(*d), tgid);
		int err;

		if (!d)
			return -ENOMEM;
		d->conn = l->conn;
		d->pos = l->pos[dir];
		d->enter_ts = d->hdr.ts - STEP_NS / 4;
		d->len = piece.n;
		d->dir = dir;
		d->src = EV_SRC_OPENSSL;
		l->pos[dir] += piece.n;
		bytes = sv_sub(bytes, piece.n, bytes.n);
		err = give(w, piece);
		if (err)
			return err;
	}
	return 0;
}

/* --- connections */

static int open_link(struct world *w, uint32_t tgid, struct link *l)
{
	struct ev_addr addr = { .family = AF_INET,
				.lport = 20000 + w->conns % 40000,
				.rport = 443 };
	struct ev_connect *c = begin(w, EV_CONNECT, sizeof(*c), tgid);
	struct ev_sock *s;
	int err;

	if (!c)
		return -ENOMEM;
	memcpy(addr.laddr, "\x0a\0\0\1", 4);
	memcpy(addr.raddr, "\x0a\0\0\2", 4);
	*l = (struct link){ .conn = 2 * ++w->conns };
	l->sock = l->conn + 1;
	c->sock = l->sock;
	c->enter_ts = c->hdr.ts - STEP_NS / 2;
	c->addr = addr;
	err = give(w, SV(""));
	s = err ? NULL : begin(w, EV_SOCK, sizeof(*s), tgid);
	if (!s)
		return err ? err : -ENOMEM;
	s->conn = l->conn;
	s->sock = l->sock;
	s->addr = addr;
	s->how = EV_LINK_NESTED;
	return give(w, SV(""));
}

static int close_link(struct world *w, uint32_t tgid, struct link *l)
{
	struct ev_close *c = begin(w, EV_CLOSE, sizeof(*c), tgid);
	struct ev_flow_end *f;
	int err;

	if (!c)
		return -ENOMEM;
	c->conn = l->conn;
	err = give(w, SV(""));
	f = err ? NULL : begin(w, EV_FLOW_END, sizeof(*f), tgid);
	if (!f)
		return err ? err : -ENOMEM;
	f->file = l->sock;
	f->bytes[EV_READ] = l->pos[EV_READ];
	f->bytes[EV_WRITE] = l->pos[EV_WRITE];
	l->conn = 0;
	return give(w, SV(""));
}

/* --- HTTP/2 */

enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_END_STREAM = 1, H2_END_HEADERS = 4 };

/* RFC 9113 4.1 */
static void put_frame(struct buf *b, unsigned int type, unsigned int flags, uint32_t stream,
		      struct sv payload)
{
	const unsigned int head[] = { (unsigned int)payload.n >> 16,
				      (unsigned int)payload.n >> 8,
				      (unsigned int)payload.n,
				      type,
				      flags,
				      stream >> 24,
				      stream >> 16,
				      stream >> 8,
				      stream };

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		buf_ch(b, (char)(head[i] & 0xff));
	buf_sv(b, payload);
}

/* A literal without indexing, RFC 7541 6.2.2; both are shorter than 127 bytes. */
static void put_field(struct buf *b, struct sv name, struct sv value)
{
	buf_ch(b, '\0');
	buf_ch(b, (char)name.n);
	buf_sv(b, name);
	buf_ch(b, (char)value.n);
	buf_sv(b, value);
}

/* A message: its head, which is in w->text, and its body in w->body. */
static int send_h2(struct world *w, const struct worker *k, enum ev_dir dir)
{
	struct buf frames = BUF_INIT;
	struct sv body = buf_view(&w->body);
	int err;

	put_frame(&frames, H2_HEADERS, H2_END_HEADERS, k->stream, buf_view(&w->text));
	while (body.n) {
		struct sv piece = sv_sub(body, 0, EV_CHUNK_MAX);

		body = sv_sub(body, piece.n, body.n);
		put_frame(&frames, H2_DATA, body.n ? 0 : H2_END_STREAM, k->stream, piece);
	}
	err = frames.err ? frames.err : send_data(w, k->tgid, k->model, dir, buf_view(&frames));
	buf_fini(&frames);
	return err;
}

static int open_h2(struct world *w, uint32_t tgid, struct link *l)
{
	struct buf first = BUF_INIT;
	int err = open_link(w, tgid, l);

	put_frame(&first, H2_SETTINGS, 0, 0, SV(""));
	if (!err)
		err = send_data(w, tgid, l, EV_WRITE, SV("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	if (!err)
		err = send_data(w, tgid, l, EV_WRITE, buf_view(&first));
	if (!err)
		err = send_data(w, tgid, l, EV_READ, buf_view(&first));
	buf_fini(&first);
	return err;
}

/* --- what a worker does */

/* Totals that grow with time: 7 ns of CPU for each microsecond, a switch for each millisecond. */
static int send_usage(struct world *w, const struct worker *k)
{
	struct ev_usage *e = w->cfg->usage ? begin(w, EV_USAGE, sizeof(*e), k->tgid) : NULL;

	if (!e)
		return w->cfg->usage ? -ENOMEM : 0;
	e->cpu_ns = w->now / 1000 * 7;
	e->utime_ns = e->stime_ns = e->cpu_ns / 2;
	e->nvcsw = w->now / MS;
	e->sock_bytes[EV_WRITE] = w->records * 100;
	e->rss_peak_bytes = 1 << 20;
	return give(w, SV(""));
}

static int begin_conversation(struct world *w, struct worker *k)
{
	k->conversation++;
	k->turn = 1;
	k->asked = k->asked_before = 0;
	buf_clear(&k->history);
	buf_fmt(&k->history,
		"{\"role\":\"user\",\"content\":\"Job %u of worker %u: look at every part of "
		"it.\"}",
		k->conversation, k->number);
	if (!w->links) {
		k->model = &k->own;
		return open_link(w, k->tgid, k->model);
	}
	k->model = &w->links[k->number / w->cfg->streams];
	return k->model->conn ? 0 : open_h2(w, k->tgid, k->model);
}

static int ask(struct world *w, struct worker *k)
{
	int err = send_usage(w, k);

	if (err)
		return err;
	k->asked++;
	k->answered = false;
	buf_clear(&w->body);
	buf_fmt(&w->body,
		"{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":1024,\"system\":\"You work.\","
		"\"tools\":[{\"name\":\"shell\",\"input_schema\":{\"type\":\"object\"}}],"
		"\"messages\":[" SV_FMT "]}",
		SV_ARG(buf_view(&k->history)));
	if (w->body.err)
		return -ENOMEM;
	buf_clear(&w->text);
	if (w->links) {
		k->stream = k->model->stream += k->model->stream ? 2 : 1;
		put_field(&w->text, SV(":method"), SV("POST"));
		put_field(&w->text, SV(":scheme"), SV("https"));
		put_field(&w->text, SV(":authority"), SV("api.anthropic.com"));
		put_field(&w->text, SV(":path"), SV("/v1/messages"));
		return w->text.err ? w->text.err : send_h2(w, k, EV_WRITE);
	}
	buf_fmt(&w->text,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n" SV_FMT,
		w->body.len, SV_ARG(buf_view(&w->body)));
	return w->text.err ? w->text.err
			   : send_data(w, k->tgid, k->model, EV_WRITE, buf_view(&w->text));
}

/* Is its latest request the last one of the turn? */
static bool ends_turn(const struct world *w, const struct worker *k)
{
	return k->asked - k->asked_before > w->cfg->tools;
}

static int next_turn(struct world *w, struct worker *k)
{
	k->turn++;
	k->asked_before = k->asked;
	buf_fmt(&k->history,
		",{\"role\":\"user\",\"content\":\"Look at it again, for the %u. time.\"}",
		k->turn);
	return ask(w, k);
}

static void put_command(struct buf *b, const struct worker *k)
{
	buf_fmt(b, "make part-%u-%u-%u", k->number, k->conversation, k->asked);
}

static void put_call_id(struct buf *b, const struct worker *k)
{
	buf_fmt(b, "toolu_%u_%u_%u", k->number, k->conversation, k->asked);
}

/* The answer's content: a command, or at the end words. */
static void put_content(struct buf *b, const struct worker *k, bool last)
{
	if (last) {
		buf_fmt(b, "[{\"type\":\"text\",\"text\":\"Job %u of worker %u is done.\"}]",
			k->conversation, k->number);
		return;
	}
	buf_str(b, "[{\"type\":\"tool_use\",\"id\":\"");
	put_call_id(b, k);
	buf_str(b, "\",\"name\":\"shell\",\"input\":{\"command\":\"");
	put_command(b, k);
	buf_str(b, "\"}}]");
}

/* The answer that is in w->body. */
static int send_answer(struct world *w, struct worker *k)
{
	size_t half;
	int err;

	buf_clear(&w->text);
	if (w->links) {
		put_field(&w->text, SV(":status"), SV("200"));
		put_field(&w->text, SV("content-type"), SV("application/json"));
		return w->text.err ? w->text.err : send_h2(w, k, EV_READ);
	}
	buf_fmt(&w->text,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n" SV_FMT,
		w->body.len, SV_ARG(buf_view(&w->body)));
	if (w->text.err)
		return -ENOMEM;
	half = k->asked % 2 ? w->text.len / 2 : 0; /* every other answer is one record */
	err = send_data(w, k->tgid, k->model, EV_READ, sv_sub(buf_view(&w->text), 0, half));
	return err ? err
		   : send_data(w, k->tgid, k->model, EV_READ,
			       sv_sub(buf_view(&w->text), half, w->text.len));
}

static int answer(struct world *w, struct worker *k)
{
	bool last = ends_turn(w, k);
	int err = send_usage(w, k);

	if (err)
		return err;
	buf_clear(&w->body);
	buf_fmt(&w->body,
		"{\"id\":\"msg_%u_%u_%u\",\"type\":\"message\",\"role\":\"assistant\","
		"\"model\":\"claude-sonnet-4-5\",\"content\":",
		k->number, k->conversation, k->asked);
	put_content(&w->body, k, last);
	buf_fmt(&w->body,
		",\"stop_reason\":\"%s\",\"usage\":{\"input_tokens\":%zu,\"output_tokens\":20}}",
		last ? "end_turn" : "tool_use", k->history.len / 4);
	if (w->body.err)
		return -ENOMEM;
	k->answered = true;
	buf_str(&k->history, ",{\"role\":\"assistant\",\"content\":");
	put_content(&k->history, k, last);
	buf_ch(&k->history, '}');
	return send_answer(w, k);
}

static int run_command(struct world *w, struct worker *k)
{
	int err;

	k->child = w->pid++;
	k->running = true;
	err = send_fork(w, k->tgid, k->child);
	if (err)
		return err;
	buf_clear(&w->text);
	buf_add(&w->text, "sh\0-c", 6);
	put_command(&w->text, k);
	buf_ch(&w->text, '\0');
	return send_exec(w, k->child, k->tgid, "/bin/sh", buf_view(&w->text));
}

/* A POST to the MCP server and its answer; what is asked or answered is in w->body. */
static int send_mcp(struct world *w, struct worker *k, enum ev_dir dir, const char *start)
{
	buf_clear(&w->text);
	buf_fmt(&w->text,
		"%s\r\nHost: tools.example.com\r\nContent-Type: application/json\r\n"
		"Mcp-Session-Id: session-%u\r\nContent-Length: %zu\r\n\r\n" SV_FMT,
		start, k->tgid, w->body.len, SV_ARG(buf_view(&w->body)));
	return w->text.err ? w->text.err : send_data(w, k->tgid, &k->mcp, dir, buf_view(&w->text));
}

static int call_tool(struct world *w, struct worker *k)
{
	int err = k->mcp.conn ? 0 : open_link(w, k->tgid, &k->mcp);

	k->running = true;
	buf_clear(&w->body);
	buf_fmt(&w->body,
		"{\"jsonrpc\":\"2.0\",\"id\":\"%u-%u-%u\",\"method\":\"tools/call\","
		"\"params\":{\"name\":\"shell\",\"arguments\":{\"command\":\"",
		k->number, k->conversation, k->asked);
	put_command(&w->body, k);
	buf_str(&w->body, "\"}}}");
	return err ? err : send_mcp(w, k, EV_WRITE, "POST /mcp HTTP/1.1");
}

static int end_call(struct world *w, struct worker *k)
{
	buf_clear(&w->body);
	buf_fmt(&w->body,
		"{\"jsonrpc\":\"2.0\",\"id\":\"%u-%u-%u\",\"result\":{\"content\":"
		"[{\"type\":\"text\",\"text\":\"made\"}]}}",
		k->number, k->conversation, k->asked);
	return send_mcp(w, k, EV_READ, "HTTP/1.1 200 OK");
}

static int end_tool(struct world *w, struct worker *k)
{
	k->running = false;
	buf_str(&k->history,
		",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"");
	put_call_id(&k->history, k);
	buf_str(&k->history, "\",\"content\":\"made\"}]}");
	return w->cfg->mcp ? end_call(w, k) : send_exit(w, k->child);
}

/* Its process, or the one of all. */
static int start(struct world *w, struct worker *k)
{
	static const char args[] = "python3\0worker.py";
	int err;

	k->tgid = w->server ? w->server : w->pid++;
	if (w->server)
		return 0;
	if (w->links)
		w->server = k->tgid;
	err = send_fork(w, ROOT, k->tgid);
	return err ? err
		   : send_exec(w, k->tgid, ROOT, "/usr/bin/python3",
			       (struct sv){ args, sizeof(args) });
}

static int end_conversation(struct world *w, struct worker *k)
{
	int err = k->model == &k->own ? close_link(w, k->tgid, k->model) : 0;

	k->model = NULL;
	if (err || k->conversation < w->cfg->conversations)
		return err;
	k->done = true;
	if (k->mcp.conn)
		err = close_link(w, k->tgid, &k->mcp);
	return err || w->server ? err : send_exit(w, k->tgid);
}

/* One thing of what comes next. */
static int step(struct world *w, struct worker *k)
{
	int err;

	if (!k->tgid)
		return start(w, k);
	if (!k->model)
		return begin_conversation(w, k);
	if (k->running) {
		err = end_tool(w, k);
		return err ? err : ask(w, k);
	}
	if (!k->asked)
		return ask(w, k);
	if (!k->answered)
		return answer(w, k);
	if (!ends_turn(w, k))
		return w->cfg->mcp ? call_tool(w, k) : run_command(w, k);
	return k->turn < w->cfg->turns ? next_turn(w, k) : end_conversation(w, k);
}

static int work(struct world *w)
{
	unsigned int left = w->cfg->workers;
	int err = 0;

	while (left && !err) {
		for (unsigned int i = 0; i < w->cfg->workers && !err; i++) {
			struct worker *k = &w->workers[i];

			if (k->done)
				continue;
			err = step(w, k);
			left -= k->done;
		}
		w->now += THINK_NS / w->cfg->workers;
	}
	return err;
}

/* --- the recording */

static int prologue(struct world *w)
{
	static const char text[] = "boot_id=b007\0host=box\0kernel=6.1\0arch=x86_64\0version=0.1.0";
	static const char args[] = "python3\0fleet.py";
	struct ev_meta *m = begin(w, EV_META, sizeof(*m), 0);
	struct ev_run *r;
	int err;

	if (!m)
		return -ENOMEM;
	m->wall_offset_ns = 1700000000 * (int64_t)(1000 * MS);
	m->len = sizeof(text);
	err = give(w, (struct sv){ text, sizeof(text) });
	r = err ? NULL : begin(w, EV_RUN, sizeof(*r), ROOT);
	if (!r)
		return err ? err : -ENOMEM;
	r->origin = EV_RUN_RECORD;
	err = give(w, SV(""));
	return err ? err
		   : send_exec(w, ROOT, 1, "/usr/bin/python3", (struct sv){ args, sizeof(args) });
}

static int epilogue(struct world *w)
{
	struct ev_stats *s;
	int err = 0;

	for (unsigned int i = 0; w->links && i * w->cfg->streams < w->cfg->workers && !err; i++)
		err = close_link(w, w->server, &w->links[i]);
	if (w->server && !err)
		err = send_exit(w, w->server);
	if (!err)
		err = send_exit(w, ROOT);
	s = err ? NULL : begin(w, EV_STATS, sizeof(*s), 0);
	if (!s)
		return err ? err : -ENOMEM;
	s->produced = w->records;
	err = give(w, SV(""));
	if (err || !begin(w, EV_END, sizeof(struct ev_tick), 0))
		return err ? err : -ENOMEM;
	return give(w, SV(""));
}

int agents_generate(const struct agents_cfg *cfg, agents_fn fn, void *ctx)
{
	struct world w = { .cfg = cfg, .fn = fn, .ctx = ctx, .now = MS, .pid = ROOT + 1 };
	int err;

	w.workers = calloc(cfg->workers, sizeof(*w.workers));
	if (cfg->streams)
		w.links = calloc(cfg->workers / cfg->streams + 1, sizeof(*w.links));
	if (!w.workers || (cfg->streams && !w.links)) {
		free(w.workers);
		free(w.links);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < cfg->workers; i++)
		w.workers[i].number = i;
	err = prologue(&w);
	if (!err)
		err = work(&w);
	if (!err)
		err = epilogue(&w);
	for (unsigned int i = 0; i < cfg->workers; i++)
		buf_fini(&w.workers[i].history);
	free(w.workers);
	free(w.links);
	buf_fini(&w.rec);
	buf_fini(&w.text);
	buf_fini(&w.body);
	return err;
}
