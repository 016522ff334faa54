// SPDX-License-Identifier: BSD-2-Clause
/* Records in, and everything that is made of them: see session.h. */
#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "capture/capture.h"
#include "cli/confine.h"
#include "cli/read.h"
#include "seal/seal.h"

struct session {
	struct session_cfg cfg;
	struct event_scrub *scrub; /* NULL: secrets are kept */
	struct rules *rules;       /* NULL: none */
	struct discover *discover; /* NULL: all is taken in */
	struct capture_writer *capture;
	struct seal *seal; /* of the capture; NULL: none, or secrets are kept */
	struct price_table *prices;
	struct trace *trace;
	struct store *store;
	void *sink;                 /* NULL: none, or it failed */
	struct store_lost unstored; /* when the store was closed */
	uint64_t broken, samples;
	int err; /* the first failure */
	_Alignas(8) char copy[EV_SIZE_MAX];
	_Alignas(8) char sealed[EV_SIZE_MAX];
};

static void note_err(struct session *s, int err)
{
	if (err && !s->err)
		s->err = err;
}

/* No more is stored. */
static int close_store(struct session *s)
{
	int err = s->store ? store_close(s->store) : 0;

	if (s->store)
		store_lost(s->store, &s->unstored);
	store_free(&s->store);
	return err;
}

/* What may pass: the store keeps what it got and tries again; anything else is its end. */
static void store_result(struct session *s, int err)
{
	if (!err || err == -EBUSY || err == -ENOSPC || err == -EROFS || err == -EACCES ||
	    err == -EIO)
		return;
	note_err(s, err);
	close_store(s);
	log_warn("from here on nothing is stored; what was stored before is whole%s",
		 s->capture ? "" : " (--capture FILE keeps everything in a file)");
}

/*
 * What may be kept of a span: all of it, or a copy in *copy, the caller's, without what rules name and
 * without payload.  NULL: there is no memory for that, and rather none than all of it.
 */
static const struct span *to_keep(struct session *s, const struct span *sp, struct span **copy)
{
	struct span *masked = NULL;
	int err = s->rules ? rules_apply(s->rules, &masked, sp) : 0;

	if (!err && s->cfg.payload != PAYLOAD_FULL) {
		err = payload_keep(copy, masked ? masked : sp, s->cfg.payload);
		span_free(&masked);
	} else {
		*copy = masked;
	}
	note_err(s, err);
	return err ? NULL : *copy ? *copy : sp;
}

static void to_store(struct session *s, const struct span *sp)
{
	if (s->store)
		store_result(s, store_add(s->store, sp));
}

static void to_sink(struct session *s, const struct span *sp)
{
	int err = s->sink ? s->cfg.sink->span(s->sink, sp) : 0;

	if (!err)
		return;
	note_err(s, err);
	s->cfg.sink->close(s->sink);
	s->sink = NULL;
}

static void on_log(void *ctx, const struct trace_log *l)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct session *s = ctx;
	struct trace_log masked = *l;

	if (!s->store)
		return;
	if (s->rules) {
		note_err(s, buf_sv(&text, l->text));
		rules_text(s->rules, text.p, text.len);
		masked.text = buf_view(&text);
	}
	store_result(s, store_add_log(s->store, &masked));
}

static void on_calls(void *ctx, const struct trace_calls *c)
{
	struct session *s = ctx;

	if (s->store)
		store_result(s, store_add_calls(s->store, c));
	if (s->cfg.watch_calls)
		s->cfg.watch_calls(s->cfg.watch_ctx, c);
}

static void on_sample(void *ctx, const struct trace_sample *x)
{
	struct session *s = ctx;

	s->samples++;
	if (s->store)
		store_result(s, store_add_sample(s->store, x));
	if (s->cfg.watch_sample)
		s->cfg.watch_sample(s->cfg.watch_ctx, x);
}

static void on_span(void *ctx, const struct span *sp)
{
	struct session *s = ctx;
	struct span *copy = NULL;
	const struct span *keep = to_keep(s, sp, &copy);

	if (keep) {
		to_store(s, keep);
		to_sink(s, keep);
		if (s->cfg.watch_span)
			s->cfg.watch_span(s->cfg.watch_ctx, keep);
	}
	span_free(&copy);
}

/* What is parsed here, and redacted then, is kept in the file as it travelled but for secrets. */
static void to_capture(struct session *s, const struct ev_hdr *rec)
{
	struct ev_hdr *sealed = (void *)s->sealed;

	if (s->seal) {
		memcpy(sealed, rec, rec->size);
		seal_record(s->seal, sealed);
		rec = sealed;
	}
	if (!capture_write(s->capture, rec))
		return;
	note_err(s, -EIO);
	capture_close(&s->capture);
}

static int take_in(void *ctx, const struct ev_hdr *rec)
{
	struct session *s = ctx;

	if (s->capture)
		to_capture(s, rec);
	return trace_feed(s->trace, rec);
}

static void on_found(void *ctx, uint32_t tgid, uint64_t start)
{
	struct session *s = ctx;

	s->cfg.found(s->cfg.found_ctx, tgid, start);
}

static const struct discover_ops discover_ops = { .pass = take_in, .found = on_found };

static int open_all(struct session *s)
{
	struct trace_cfg trace = {
		.no_redact = s->cfg.no_redact, .log = on_log, .calls = on_calls, .sample = on_sample
	};
	int err = read_prices(&s->prices, s->cfg.prices);

	if (!err)
		err = read_rules(&s->rules, s->cfg.redact_rules);
	if (!err && !s->cfg.no_redact)
		err = event_scrub_new(&s->scrub);
	if (!err && s->cfg.found)
		err = discover_new(&s->discover, &discover_ops, s);
	if (!err && s->cfg.store)
		err = store_open_write(&s->store, s->cfg.store);
	if (!err && s->store)
		store_limit(s->store, &s->cfg.store_limits);
	if (!err && s->cfg.capture)
		err = capture_create(&s->capture, s->cfg.capture);
	if (!err && s->capture && !s->cfg.no_redact)
		err = seal_new(&s->seal);
	if (!err && s->cfg.sink)
		err = s->cfg.sink->open(&s->sink, &s->cfg.sink_cfg);
	trace.prices = s->prices;
	return err ? err : trace_new(&s->trace, &trace, on_span, s);
}

int session_new(struct session **out, const struct session_cfg *cfg)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	err = open_all(s);
	if (err) {
		session_free(&s);
		return err;
	}
	*out = s;
	return 0;
}

static void close_all(struct session *s)
{
	if (s->sink)
		note_err(s, s->cfg.sink->close(s->sink));
	s->sink = NULL;
	note_err(s, close_store(s));
	if (s->unstored.spans || s->unstored.rows)
		note_err(s, -EIO);
	if (s->capture)
		note_err(s, capture_close(&s->capture));
	if (s->seal && seal_lost(s->seal))
		log_warn("%llu bytes in %s are zeros: they may hold secrets, packed in a way that "
			 "cannot be rewritten (--no-redact keeps them, and all secrets)",
			 (unsigned long long)seal_lost(s->seal), s->cfg.capture);
	seal_free(&s->seal);
}

void session_free(struct session **sp)
{
	struct session *s = *sp;

	if (!s)
		return;
	close_all(s);
	discover_free(&s->discover);
	trace_free(&s->trace);
	price_table_free(&s->prices);
	event_scrub_free(&s->scrub);
	rules_free(&s->rules);
	free(s);
	*sp = NULL;
}

int session_feed(struct session *s, const struct ev_hdr *rec)
{
	struct ev_hdr *copy = (void *)s->copy;
	int err;

	if (rec->size > sizeof(s->copy) || event_check(rec, rec->size)) {
		s->broken++;
		return 0;
	}
	/* the ring is mapped read-only, and masking secrets writes */
	memcpy(copy, rec, rec->size);
	if (s->scrub)
		event_scrub(s->scrub, copy);
	err = s->discover ? discover_feed(s->discover, copy) : take_in(s, copy);
	if (s->store)
		store_result(s, store_tick(s->store));
	return err;
}

bool session_ends_run(const struct session *s, const struct ev_hdr *rec)
{
	return trace_ends_run(s->trace, rec);
}

struct trace *session_trace(struct session *s)
{
	return s->trace;
}

struct look {
	struct session *s;
	now_fn now;
	trace_span_fn span;
	void *ctx;
};

static void look_at_now(void *ctx, const struct now *n)
{
	struct look *l = ctx;

	note_err(l->s, now_keep(l->now, l->ctx, n, l->s->rules, l->s->cfg.payload));
}

void session_each_now(struct session *s, now_fn fn, void *ctx)
{
	trace_each_now(s->trace, look_at_now, &(struct look){ .s = s, .now = fn, .ctx = ctx });
}

bool session_now(struct session *s, const char *trace_id, now_fn fn, void *ctx)
{
	return trace_now(s->trace, trace_id, look_at_now,
			 &(struct look){ .s = s, .now = fn, .ctx = ctx });
}

static void look_at_open(void *ctx, const struct span *sp)
{
	struct look *l = ctx;
	struct span *copy = NULL;
	const struct span *keep = to_keep(l->s, sp, &copy);

	if (keep)
		l->span(l->ctx, keep);
	span_free(&copy);
}

void session_each_open(struct session *s, trace_span_fn fn, void *ctx)
{
	trace_each_open(s->trace, look_at_open, &(struct look){ .s = s, .span = fn, .ctx = ctx });
}

static void open_to_store(void *ctx, const struct span *sp)
{
	struct span *copy = NULL;
	const struct span *keep = to_keep(ctx, sp, &copy);

	if (keep)
		to_store(ctx, keep);
	span_free(&copy);
}

void session_show_open(struct session *s)
{
	if (!s->store)
		return;
	store_unfinished(s->store);
	trace_each_open(s->trace, open_to_store, s);
	if (s->store)
		store_result(s, store_commit_due(s->store));
}

int session_end(struct session *s)
{
	trace_end(s->trace);
	if (s->store)
		store_unfinished(s->store);
	close_all(s);
	return s->err;
}

static int feed_all(struct session *s, struct capture_reader *r)
{
	struct ev_hdr *rec;
	int ret, err;

	while ((ret = capture_next(r, &rec)) == 1) {
		err = session_feed(s, rec);
		if (err)
			return log_err(err, "out of memory");
	}
	return ret;
}

int session_replay(const struct session_cfg *cfg, const char *path)
{
	struct capture_reader *r = NULL;
	struct session *s = NULL;
	int err = capture_open(&r, path), end_err;

	if (!err)
		err = session_new(&s, cfg);
	if (!err) {
		confine(&cfg->store, 1);
		err = feed_all(s, r);
		end_err = session_end(s);
		err = err ? err : end_err;
	}
	session_free(&s);
	capture_free(&r);
	return err;
}

void session_totals(const struct session *s, struct session_totals *out)
{
	*out = (struct session_totals){
		.broken = s->broken,
		.samples = s->samples,
		.unstored = s->unstored,
		.run = trace_first_run(s->trace),
	};
	trace_totals(s->trace, &out->trace);
	if (s->discover)
		discover_totals(s->discover, &out->discover);
}
