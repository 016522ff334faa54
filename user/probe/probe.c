/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts the room's parts together: the ring and its poll, facts, what a record asks to be done. */
#include "probe/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <bpf/libbpf.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/calls.h"
#include "probe/cost.h"
#include "probe/detach.h"
#include "probe/fact.h"
#include "probe/feature.h"
#include "probe/file.h"
#include "probe/func.h"
#include "probe/frames.h"
#include "probe/groups.h"
#include "probe/kern.h"
#include "probe/loss.h"
#include "probe/stack.h"
#include "probe/taken.h"
#include "probe/watch.h"

#define EVERY_NS 1000000000ull /* between two sweeps, and two STATS facts */
#define DRAIN_MAX 65536        /* records handed over in one poll */

struct probe {
	struct features feat;
	struct kern *kern;
	struct ring_buffer *ring;
	int epoll;
	int cost_fd; /* while it is open the kernel counts what programs take; -1: not */
	struct files files;
	struct funcs *funcs;
	struct frames frames;
	struct buf facts;
	struct groups groups;
	struct loss loss;
	struct calls calls;
	__u64 counted_ts;            /* when the counts of system calls were told */
	struct selection *selection; /* NULL: there is none */
	struct ev_stats told;        /* last STATS fact */
	__u64 swept_ts;
	bool ended;    /* a process ended since the last sweep */
	bool detached; /* nothing is looked at any more to set probes */

	/* of the poll that runs */
	probe_record_fn fn;
	void *ctx;
	int stop; /* fn's answer when it was not 0 */
	int cnt;
};

static int check_features(struct probe *p, const struct probe_cfg *cfg)
{
	features_try(&p->feat, cfg->force_perf_uprobes);
	if (cfg->force_perf_uprobes)
		features_force_off(&p->feat, FEAT_MULTI);
	if (cfg->force_syscall_tie)
		features_force_off(&p->feat, FEAT_SOCKLEN);
	if (cfg->force_bounded_loops)
		features_force_off(&p->feat, FEAT_LOOP);
	if (cfg->force_no_task_storage)
		features_force_off(&p->feat, FEAT_STORAGE);
	if (cfg->force_no_task_regs || cfg->force_no_task_storage)
		features_force_off(&p->feat, FEAT_REGS);
	if (cfg->force_no_cookies)
		features_force_off(&p->feat, FEAT_COOKIE);
	for (enum feat i = 0; i < FEAT_CNT; i++)
		if (!p->feat.of[i].on && feature_required(i))
			return log_err(-EOPNOTSUPP, "cannot trace on this machine: %s: %s (%s)",
				       feature_name(i), p->feat.of[i].reason, p->feat.of[i].remedy);
	if (!p->feat.of[FEAT_MULTI].on && !p->feat.of[FEAT_UPROBE].on)
		log_warn("no TLS plaintext will be seen: uprobes: %s (%s)",
			 p->feat.of[FEAT_UPROBE].reason, p->feat.of[FEAT_UPROBE].remedy);
	return 0;
}

static int hand_over(struct probe *p, const struct ev_hdr *rec)
{
	p->cnt++;
	p->stop = p->fn(p->ctx, rec);
	groups_look(&p->groups, rec, &p->facts);
	return p->stop;
}

static void on_end(struct probe *p, const struct ev_hdr *rec)
{
	p->ended = true;
	frames_end(&p->frames, rec->tgid, rec->start);
}

/* Hands the queue over, as far as fn lets us. */
static void give_facts(struct probe *p)
{
	const struct ev_hdr *rec;
	size_t off = 0;

	while (!p->stop && (rec = fact_next(&p->facts, &off)))
		hand_over(p, rec);
	buf_drop(&p->facts, off);
}

/* What a record means to this room. */
static void act(struct probe *p, const struct ev_hdr *rec)
{
	if (rec->kind == EV_EXEC && !p->detached)
		files_hook_program(&p->files, (const void *)rec);
	else if (rec->kind == EV_MAP && !p->detached)
		files_hook_mapping(&p->files, rec->tgid, ((const struct ev_map *)rec)->addr);
	else if (rec->kind == EV_EXIT)
		on_end(p, rec);
	if (p->funcs) /* before calls of what was found */
		give_facts(p);
}

/* What is selected begins as a run; whoever it is, that comes before its records. */
static int on_seen(struct probe *p, const struct ev_seen *e)
{
	struct ev_run run = { .hdr = e->hdr, .origin = EV_RUN_ATTACH };

	if (e->taken) {
		run.hdr.kind = EV_RUN;
		run.hdr.size = sizeof(run);
		hand_over(p, &run.hdr);
	} else if (p->selection && !p->detached) {
		watch_seen(p->kern, &p->files, &p->facts, p->selection, e);
		give_facts(p);
	}
	return p->stop ? -ECANCELED : 0;
}

/* In words before anything else is told: the process's end may be next. */
static int on_signal(struct probe *p, const struct ev_signal *e)
{
	int err;

	if (hand_over(p, &e->hdr))
		return -ECANCELED;
	err = stack_tell(&p->files, e);
	if (err)
		return err;
	give_facts(p);
	return p->stop ? -ECANCELED : 0;
}

/* What is not known of its frames yet comes before it. */
static int on_sample(struct probe *p, const struct ev_sample *e)
{
	int err = frames_tell(&p->frames, e);

	if (err)
		return err;
	give_facts(p);
	if (!p->stop)
		hand_over(p, &e->hdr);
	return p->stop ? -ECANCELED : 0;
}

/* What was counted of a process comes before its end, which may be that of its run. */
static int on_exit_of(struct probe *p, const struct ev_hdr *e)
{
	int err = calls_end(&p->calls, p->kern, &p->facts, e->tgid, e->start, e->ts);

	if (err)
		return err;
	give_facts(p);
	return p->stop ? -ECANCELED : 0;
}

/* Negative ends the drain; the record counts as handed over all the same. */
static int on_record(void *ctx, void *data, size_t size)
{
	struct probe *p = ctx;
	const struct ev_hdr *rec = data;

	if (size < sizeof(*rec) || rec->size < sizeof(*rec) || rec->size > size)
		return log_err(-EBADMSG, "the kernel side sent a record of %zu bytes", size);
	loss_took(&p->loss, rec);
	if (rec->kind == EV_SEEN)
		return size < sizeof(struct ev_seen) ? -EBADMSG : on_seen(p, data);
	if (rec->kind == EV_SIGNAL)
		return size < sizeof(struct ev_signal) ? -EBADMSG : on_signal(p, data);
	if (rec->kind == EV_SAMPLE)
		return size < sizeof(struct ev_sample) ? -EBADMSG : on_sample(p, data);
	if (rec->kind == EV_EXIT) {
		int err = on_exit_of(p, rec);

		if (err)
			return err;
	}
	if (hand_over(p, rec))
		return -ECANCELED;
	act(p, rec);
	return p->stop || p->cnt >= DRAIN_MAX ? -ECANCELED : 0;
}

/* Edge-triggered: woken when a program asks for it, not because there is one record. */
static int open_ring(struct probe *p)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd = kern_ring_fd(p->kern), err;

	p->ring = ring_buffer__new(fd, on_record, p, NULL);
	if (!p->ring)
		return log_err(-errno, "cannot map the ring: %s", strerror(errno));
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev))
		return log_err(-errno, "cannot wait for the ring: %s", strerror(errno));
	err = loss_init(&p->loss, fd, kern_ring_bytes(p->kern));
	return err ? log_err(err, "cannot map the ring: %s", strerror(-err)) : 0;
}

static int set_up(struct probe *p, const struct probe_cfg *cfg)
{
	int err = check_features(p, cfg);

	if (err)
		return err;
	err = kern_new(&p->kern, cfg, &p->feat);
	if (err)
		return err;
	err = funcs_new(&p->funcs, cfg, p->kern, &p->feat, &p->facts);
	if (err)
		return err;
	files_init(&p->files, p->kern, &p->facts,
		   (struct files_how){ .multi = p->feat.of[FEAT_MULTI].on,
				       .cookies = p->feat.of[FEAT_COOKIE].on,
				       .plain = cfg->force_plain_sites,
				       .funcs = p->funcs });
	frames_init(&p->frames, p->kern, &p->files);
	groups_init(&p->groups, kern_alive(p->kern));
	err = open_ring(p);
	if (err)
		return err;
	if (p->feat.of[FEAT_MULTI].on || p->feat.of[FEAT_UPROBE].on)
		files_hook_known(&p->files);
	return files_hook_named(&p->files);
}

int probe_new(struct probe **out, const struct probe_cfg *cfg)
{
	struct probe *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->epoll = p->cost_fd = -1;
	err = set_up(p, cfg);
	if (err) {
		probe_free(&p);
		return err;
	}
	*out = p;
	return 0;
}

void probe_detach(struct probe *p)
{
	struct detach d = { .cnt = 0 };

	p->detached = true;
	files_detach(&p->files, &d);
	funcs_detach(p->funcs, &d);
	if (p->kern)
		kern_detach(p->kern, &d);
	detach_finish(&d);
}

void probe_free(struct probe **p)
{
	if (!*p)
		return;
	probe_detach(*p);
	frames_fini(&(*p)->frames);
	files_fini(&(*p)->files, NULL);
	funcs_free(&(*p)->funcs);
	loss_fini(&(*p)->loss);
	ring_buffer__free((*p)->ring);
	if ((*p)->epoll >= 0)
		close((*p)->epoll);
	if ((*p)->cost_fd >= 0)
		close((*p)->cost_fd);
	kern_free(&(*p)->kern);
	buf_fini(&(*p)->facts);
	groups_fini(&(*p)->groups);
	calls_fini(&(*p)->calls);
	selection_free(&(*p)->selection);
	free(*p);
	*p = NULL;
}

int probe_watch(struct probe *p, pid_t pid, enum ev_run_origin origin)
{
	return watch_start(p->kern, &p->files, &p->facts, pid, origin);
}

int probe_select(struct probe *p, const struct probe_select *sel)
{
	struct selection *s = NULL;
	int err = selection_new(&s, sel);

	if (err)
		return err;
	selection_free(&p->selection);
	p->selection = s;
	return watch_select(p->kern, &p->files, &p->facts, s);
}

/* The listing tells each of its threads. */
int probe_loud(struct probe *p, __u32 tgid, __u64 start)
{
	struct proc_row *rows = NULL;
	size_t cnt;
	int err = kern_loud(p->kern, tgid, start);

	if (!err)
		err = kern_rows(p->kern, &rows, &cnt);
	free(rows);
	return err;
}

int probe_hook_file(struct probe *p, const char *path)
{
	return files_hook_path(&p->files, path);
}

int probe_fd(const struct probe *p)
{
	return p->epoll;
}

int probe_loss(struct probe *p, struct probe_loss *out)
{
	struct cpu_stats sum;
	int err = kern_stats(p->kern, &sum);

	if (err)
		return log_err(err, "cannot read the counters: %s", strerror(-err));
	loss_look(&p->loss);
	loss_tell(&p->loss, &sum, out);
	return 0;
}

void probe_stats_of(const struct probe_loss *loss, struct ev_stats *out)
{
	*out = (struct ev_stats){
		.lost_ring_bytes = loss->e.bytes_lost[EV_LOST_RING_FULL],
		.lost_map = loss->e.calls_lost,
		.lost_fault_bytes = loss->e.bytes_lost[EV_LOST_READ_FAULT] +
				    loss->e.bytes_lost[EV_LOST_NO_BUFFER],
		.lost_cap_bytes = loss->e.bytes_lost[EV_LOST_CAP],
		.data_bytes = loss->e.bytes_sent,
	};
	for (__u32 i = 0; i < loss->e.kinds; i++) {
		out->produced += loss->kinds[i].produced - loss->kinds[i].lost_rate;
		out->lost_ring += loss->kinds[i].lost_ring;
	}
	fact_hdr(&out->hdr, EV_STATS, sizeof(*out));
}

int probe_stats(struct probe *p, struct ev_stats *out)
{
	struct probe_loss loss;
	int err = probe_loss(p, &loss);

	if (!err)
		probe_stats_of(&loss, out);
	return err;
}

/* Now and then: counters that changed, and the TLS objects of processes that ended. */
static int house_keeping(struct probe *p)
{
	__u64 now = fact_now();
	struct ev_stats stats;
	int err = now - p->counted_ts < EVERY_NS ? 0 : probe_tell_counts(p);

	if (err)
		return err;
	if (p->ended && now - p->swept_ts >= EVERY_NS) {
		kern_sweep_conns(p->kern);
		p->swept_ts = now;
		p->ended = false;
	}
	if (now - p->told.hdr.ts < EVERY_NS)
		return 0;
	err = probe_stats(p, &stats);
	if (err)
		return err;
	if (stats.produced == p->told.produced && stats.lost_map == p->told.lost_map)
		return 0;
	p->told = stats;
	return fact_add(&p->facts, &stats.hdr);
}

int probe_tell_counts(struct probe *p)
{
	p->counted_ts = fact_now();
	return calls_tell(&p->calls, p->kern, &p->facts, p->counted_ts);
}

int probe_tell_usage(struct probe *p)
{
	int err = taken_tell(p->kern, &p->facts);

	return err ? log_err(err, "cannot tell what processes take: %s", strerror(-err)) : 0;
}

int probe_count_cost(struct probe *p)
{
	if (p->cost_fd < 0)
		p->cost_fd = cost_enable();
	return p->cost_fd < 0 ? p->cost_fd : 0;
}

int probe_cost(const struct probe *p, probe_cost_fn fn, void *ctx)
{
	return cost_each(p->kern, fn, ctx);
}

int probe_poll(struct probe *p, int timeout_ms, probe_record_fn fn, void *ctx)
{
	struct epoll_event ev;
	int err;

	p->fn = fn;
	p->ctx = ctx;
	p->stop = 0;
	p->cnt = 0;
	give_facts(p);
	if (!p->stop) {
		epoll_wait(p->epoll, &ev, 1, p->cnt ? 0 : timeout_ms);
		loss_look(&p->loss);
		err = ring_buffer__consume(p->ring);
		if (err < 0 && err != -ECANCELED)
			return err;
	}
	err = house_keeping(p);
	if (err)
		return err;
	give_facts(p);
	return p->stop < 0 ? p->stop : p->cnt;
}

void probe_tell_unmet(const struct probe *p)
{
	funcs_tell_unmet(p->funcs);
}
