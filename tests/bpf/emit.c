/* SPDX-License-Identifier: BSD-2-Clause */
/* Payload to records: sizes, positions, caps, faults, and what a full ring loses. */
#include "trace.h"

#include <sched.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "probe/feature.h"
#include "state.bpf.h"
#include "test_emit.skel.h"

#define CAP 200000
#define RING (256 * 1024)
#define BIG 1000000

static unsigned char payload[BIG];

struct emitter {
	struct test_emit *skel;
	struct ring_buffer *ring;
	bool has_loop; /* the kernel has bpf_loop */
	bool loop;     /* use it */
	struct trace got;
};

static int keep(void *ctx, void *data, size_t size)
{
	const struct ev_hdr *rec = data;

	assert_true(rec->size <= size);
	return trace_keep(ctx, rec);
}

static int setup(void **state)
{
	struct emitter *e = calloc(1, sizeof(*e));
	struct features f;
	cpu_set_t one;

	/* `lost` is told per CPU */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (!e || sched_setaffinity(0, sizeof(one), &one))
		return -1;
	features_try(&f, true);
	e->has_loop = f.of[FEAT_LOOP].on;
	e->skel = test_emit__open();
	if (!e->skel)
		return -1;
	bpf_program__set_autoload(e->skel->progs.emit_loop, e->has_loop);
	e->skel->rodata->cfg_task_storage = f.of[FEAT_STORAGE].on;
	bpf_map__set_autocreate(e->skel->maps.task_states, f.of[FEAT_STORAGE].on);
	if (bpf_map__set_max_entries(e->skel->maps.events, RING) || test_emit__load(e->skel))
		return -1;
	e->ring = ring_buffer__new(bpf_map__fd(e->skel->maps.events), keep, &e->got, NULL);
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (unsigned char)(i * 31 + i / 251);
	*state = e;
	return e->ring ? 0 : -1;
}

static int teardown(void **state)
{
	struct emitter *e = *state;

	if (!e)
		return 0;
	trace_clear(&e->got);
	ring_buffer__free(e->ring);
	test_emit__destroy(e->skel);
	free(e);
	return 0;
}

static void emit_only(struct emitter *e, const void *buf, __u64 len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bpf_program *prog = e->loop ? e->skel->progs.emit_loop : e->skel->progs.emit_bounded;

	e->skel->bss->in_buf = (uintptr_t)buf;
	e->skel->bss->in_len = len;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	assert_int_equal(opts.retval, 0);
}

static void emit(struct emitter *e, const void *buf, __u64 len)
{
	trace_clear(&e->got);
	emit_only(e, buf, len);
	assert_true(ring_buffer__consume(e->ring) >= 0);
}

static const struct ev_data *rec(const struct emitter *e, size_t i)
{
	const struct ev_data *d = (const void *)e->got.recs[i];

	assert_true(i < e->got.cnt);
	assert_int_equal(d->hdr.kind, EV_DATA);
	assert_int_equal(d->hdr.size, sizeof(*d) + d->len);
	assert_int_equal(d->hdr.start, 7);
	assert_int_equal(d->hdr.tgid, getpid());
	assert_int_equal(d->conn, 0xc0ffee);
	assert_int_equal(d->dir, EV_WRITE);
	assert_int_equal(d->src, EV_SRC_OPENSSL);
	return d;
}

static struct cpu_stats stats(const struct emitter *e)
{
	int cpus = libbpf_num_possible_cpus();
	struct cpu_stats *all = calloc(cpus, sizeof(*all)), sum = { 0 };
	__u32 zero = 0;

	assert_non_null(all);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(e->skel->maps.stats), &zero, all), 0);
	for (int i = 0; i < cpus; i++) {
		sum.produced[EV_DATA] += all[i].produced[EV_DATA];
		sum.lost_ring[EV_DATA] += all[i].lost_ring[EV_DATA];
		sum.lost_ring_bytes += all[i].lost_ring_bytes;
		sum.lost_fault_bytes += all[i].lost_fault_bytes;
		sum.lost_cap_bytes += all[i].lost_cap_bytes;
		sum.data_bytes += all[i].data_bytes;
	}
	free(all);
	return sum;
}

/* The records cover payload[from..to) without a hole and hold its very bytes. */
static size_t check_run(const struct emitter *e, size_t i, __u64 from, __u64 to)
{
	__u64 pos = 1000 + from;

	while (pos < 1000 + to) {
		const struct ev_data *d = rec(e, i++);

		assert_int_equal(d->pos, pos);
		assert_in_range(d->len, 1, EV_CHUNK_MAX);
		assert_memory_equal(d + 1, payload + (pos - 1000), d->len);
		pos += d->len;
		if (pos < 1000 + to)
			assert_int_equal(d->missing, 0);
	}
	assert_int_equal(pos, 1000 + to);
	return i;
}

static void sizes(struct emitter *e)
{
	static const __u64 lens[] = { 1,    255,  256,   257,   512,   513,    1024,   1025,
				      2048, 2049, 4096,  4097,  8192,  8193,   16384,  16385,
				      5000, 9000, 20000, 32768, 77777, 131072, 199999, CAP };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		emit(e, payload, lens[i]);
		assert_int_equal(check_run(e, 0, 0, lens[i]), e->got.cnt);
		assert_in_range(e->got.cnt, 1, lens[i] / EV_CHUNK_MAX + 5);
		assert_int_equal(rec(e, e->got.cnt - 1)->missing, 0);
		assert_int_equal(rec(e, 0)->hdr.flags, 0);
	}
}

static void sizes_with_loop(void **state)
{
	struct emitter *e = *state;

	if (!e->has_loop)
		skip();
	e->loop = true;
	sizes(e);
}

static void sizes_bounded(void **state)
{
	struct emitter *e = *state;

	e->loop = false;
	sizes(e);
}

static void cap_keeps_head_and_tail(void **state)
{
	struct emitter *e = *state;
	struct cpu_stats before = stats(e);
	size_t n;

	for (int loop = 0; loop <= e->has_loop; loop++) {
		e->loop = loop;
		emit(e, payload, BIG);
		n = check_run(e, 0, 0, CAP / 2);
		assert_int_equal(rec(e, n - 1)->missing, BIG - CAP);
		assert_int_equal(rec(e, n - 1)->hdr.flags, EVF_TRUNC);
		assert_int_equal(check_run(e, n, BIG - CAP / 2, BIG), e->got.cnt);
		assert_int_equal(rec(e, e->got.cnt - 1)->missing, 0);
	}
	assert_int_equal(stats(e).lost_cap_bytes - before.lost_cap_bytes,
			 (1 + e->has_loop) * (BIG - CAP));
}

static void bad_pointer_is_counted(void **state)
{
	struct emitter *e = *state;
	struct cpu_stats before = stats(e);

	e->loop = false;
	emit(e, (const void *)8, 5000);
	for (size_t i = 0; i < e->got.cnt; i++) {
		const struct ev_data *d = rec(e, i);

		assert_int_equal(d->len, 0);
		assert_int_equal(d->hdr.flags, EVF_FAULT);
		assert_true(d->missing > 0);
	}
	assert_int_equal(stats(e).lost_fault_bytes - before.lost_fault_bytes, 5000);
}

static void full_ring_is_counted(void **state)
{
	struct emitter *e = *state;
	struct cpu_stats before, after;
	size_t kept;

	emit(e, payload, 1); /* so that nothing is left to tell */
	trace_clear(&e->got);
	before = stats(e);
	for (int i = 0; i < 100; i++)
		emit_only(e, payload, EV_CHUNK_MAX);
	after = stats(e);
	assert_true(ring_buffer__consume(e->ring) > 0);
	kept = e->got.cnt;
	assert_int_equal(after.produced[EV_DATA] - before.produced[EV_DATA], 100);
	assert_int_equal(after.lost_ring[EV_DATA] - before.lost_ring[EV_DATA], 100 - kept);
	assert_int_equal(after.lost_ring_bytes - before.lost_ring_bytes,
			 (100 - kept) * EV_CHUNK_MAX);
	assert_int_equal(after.data_bytes - before.data_bytes, kept * EV_CHUNK_MAX);
	assert_true(kept > 0 && kept < 100);
	for (size_t i = 0; i < kept; i++)
		assert_int_equal(rec(e, i)->hdr.lost, 0);

	emit(e, payload, 1);
	assert_int_equal(rec(e, 0)->hdr.lost, 100 - kept);
	emit(e, payload, 1);
	assert_int_equal(rec(e, 0)->hdr.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_with_loop),         cmocka_unit_test(sizes_bounded),
		cmocka_unit_test(cap_keeps_head_and_tail), cmocka_unit_test(bad_pointer_is_counted),
		cmocka_unit_test(full_ring_is_counted),
	};

	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, setup, teardown);
}
