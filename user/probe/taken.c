// SPDX-License-Identifier: BSD-2-Clause
/* What processes took so far: see taken.h. */
#include "probe/taken.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "base/cleanup.h"
#include "event/event.h"
#include "probe/fact.h"
#include "probe/kern.h"

/* As usage_blocked() in bpf/usage.bpf.h: sums that were read half way are those that were told before. */
static __u64 blocked(const struct proc_usage *u, size_t i, __u64 now)
{
	__u64 sum = (__u64)u->blocked[i] + (__u64)u->waiting[i] * now;
	__u64 passed = now > u->told_ts ? now - u->told_ts : 0;
	__u64 threads = u->threads > 0 ? (__u64)u->threads : 0;

	return sum < u->told[i] || sum > u->told[i] + passed * (threads + 1) ? u->told[i] : sum;
}

/* Bytes in memory: the second number of /proc/PID/statm, in pages; 0 when it is gone. */
static __u64 resident(__u32 tgid)
{
	unsigned long pages = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/statm", tgid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (__u64)sysconf(_SC_PAGESIZE);
}

static int tell(const struct kern *k, struct buf *facts, __u32 tgid, const struct proc_usage *u)
{
	struct ev_usage e = {
		.cpu_ns = u->used.cpu_ns,
		.utime_ns = u->used.utime_ns,
		.stime_ns = u->used.stime_ns,
		.run_delay_ns = u->used.run_delay_ns,
		.nvcsw = u->used.nvcsw,
		.nivcsw = u->used.nivcsw,
		.migrations = u->used.migrations,
		.min_flt = u->used.min_flt,
		.maj_flt = u->used.maj_flt,
		.rchar = u->used.rchar,
		.wchar = u->used.wchar,
		.read_bytes = u->used.read_bytes,
		.write_bytes = u->used.write_bytes,
		.sock_bytes = { u->sock_bytes[0], u->sock_bytes[1] },
		.leader_lock_ns = u->leader_lock_ns,
	};

	e.rss_bytes = e.rss_peak_bytes = resident(tgid);
	if (!kern_is_traced(k, tgid, u->start)) /* perhaps that of another one by its id */
		e.rss_bytes = e.rss_peak_bytes = 0;
	fact_hdr(&e.hdr, EV_USAGE, sizeof(e));
	e.hdr.tgid = e.hdr.tid = tgid;
	e.hdr.start = u->start;
	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		e.blocked_ns[i] = blocked(u, i, e.hdr.ts);
	return fact_add(facts, &e.hdr);
}

static int tell_threads(const struct kern *k, struct buf *facts)
{
	_cleanup_free_ struct ev_threads *rows = NULL;
	size_t cnt = 0;
	int err = kern_threads(k, &rows, &cnt);

	for (size_t i = 0; i < cnt && !err; i++) {
		fact_hdr(&rows[i].hdr, EV_THREADS, sizeof(rows[i]));
		err = fact_add(facts, &rows[i].hdr);
	}
	return err;
}

/* One that ended while it was read may be of no form: its own record follows. */
static int tell_open_calls(const struct kern *k, struct buf *facts)
{
	_cleanup_buf_ struct buf rows = BUF_INIT;
	struct {
		struct ev_function e;
		char texts[EV_FUNC_ARGS * EV_FUNC_TEXT];
	} one;
	int err = kern_open_calls(k, &rows);

	for (size_t at = 0; !err && rows.len - at >= sizeof(one.e);) {
		size_t size, left = rows.len - at;

		memcpy(&one.e, rows.p + at, sizeof(one.e));
		size = one.e.hdr.size;
		if (size < sizeof(one.e) || size > left)
			break;
		if (size <= sizeof(one)) {
			memcpy(one.texts, rows.p + at + sizeof(one.e), size - sizeof(one.e));
			fact_hdr(&one.e.hdr, EV_FUNC_OPEN, size);
			if (!event_check(&one.e.hdr, size))
				err = fact_add(facts, &one.e.hdr);
		}
		at += size;
	}
	return err;
}

int taken_tell(const struct kern *k, struct buf *facts)
{
	__u32 tgid, next, max;
	int fd = kern_usages(k, &max), err = 0;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	for (__u32 i = 0; more && !err && i < max; i++) {
		struct proc_usage u;

		tgid = next;
		more = bpf_map_get_next_key(fd, &tgid, &next) == 0;
		if (!bpf_map_lookup_elem(fd, &tgid, &u) && !u.quiet)
			err = tell(k, facts, tgid, &u);
	}
	if (!err)
		err = tell_threads(k, facts);
	return err ? err : tell_open_calls(k, facts);
}
