/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that the user names: arguments, results and texts of each call as the victim made it, who
 * called whom by the victim's own account, and calls that nothing returns from.
 */
#include "trace.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#if __has_include(<sys/sdt.h>)
#define HAVE_SDT 1
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#else
#define HAVE_SDT 0
#endif
#include "event/event.h"
#include "event/function.h"

#define THREADS 4
#define LOOPS 50
#define HOT 30000
#define DEEP 200
#define KEPT_DEEP 128
/* found in .symtab, and what their code says is what runs */
#define FUNC static __attribute__((noipa))

static volatile int sink;

/* --- what is probed; no two are alike, so that none becomes another's alias */

FUNC int do_add(int a, unsigned int b, long c, const char *d)
{
	sink += a;
	return (int)(a + (int)b + c + (d ? d[0] : 0));
}

FUNC long do_fact(long n)
{
	long below = n < 2 ? 1 : do_fact(n - 1);

	sink++; /* behind the call, so that it stays one */
	return n < 2 ? 1 : n * below;
}

FUNC const char *do_text(const char *s)
{
	sink += 3;
	return s;
}

static jmp_buf back;

FUNC int do_jump(int n)
{
	sink += n;
	if (n)
		longjmp(back, n);
	return 1;
}

FUNC int do_middle(int n)
{
	int got = do_jump(n);

	sink += got;
	return got;
}

FUNC int do_outer(int n)
{
	int got = setjmp(back);

	if (!got)
		got = do_middle(n);
	sink += got;
	return do_add(got, 0, 0, NULL) + 10;
}

/* A tail call where the compiler makes one. */
FUNC int do_tail(int n)
{
	sink += 5;
	return do_add(n, 1, 1, NULL);
}

FUNC int do_hot(int n)
{
	sink += n;
	return n + 1;
}

FUNC int do_loop(int n)
{
	for (int i = 0; i < n; i++)
		sink += do_hot(i);
	return n;
}

FUNC int do_deep(int n)
{
	int below = n ? do_deep(n - 1) : 0;

	sink += below;
	return below + 1;
}

FUNC void do_ends(int how)
{
	char *argv[] = { "/proc/self/exe", "calls", "", NULL };

	sink += how;
	if (how)
		execv(argv[0], argv);
	exit(7);
}

FUNC int do_around(int how)
{
	do_ends(how);
	return sink;
}

/* --- victims */

static void victim_calls(void)
{
	do_add(-2, 4000000000u, 1l << 40, "hello");
	do_fact(5);
	do_tail(20);
}

static void victim_texts(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *end = p + page, exact[256], longer[300];

	munmap(end, page);
	memset(p, 'x', page);
	memset(exact, 'e', sizeof(exact));
	exact[255] = '\0';
	memset(longer, 'l', sizeof(longer));
	longer[299] = '\0';
	memcpy(end - 5, "last", 5);
	do_text(end - 5);
	do_text(end - 1); /* no literal, which nobody has touched and so may not be in memory */
	memcpy(end - 5, "open!", 5);
	do_text(end - 5);
	do_text(exact);
	do_text(longer);
	do_text(NULL);
	do_text((const char *)0x1234);
	do_text("api_key=sk-ant-REDACTED");
}

static void victim_jump(void)
{
	do_outer(3);
}

static void *many(void *arg)
{
	for (int i = 0; i < LOOPS; i++)
		do_fact((long)(intptr_t)arg);
	return NULL;
}

static void victim_threads(void)
{
	pthread_t t[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, many, (void *)(i + 2)))
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void victim_hot(void)
{
	do_loop(HOT);
	for (int i = 0; i < 10; i++)
		do_hot(i);
}

static void victim_deep(void)
{
	do_deep(DEEP - 1);
}

static void victim_exits(void)
{
	do_around(0);
}

static void victim_execs(void)
{
	do_around(1);
}

static void victim_later(void)
{
	struct timespec nap = { 0, 10000000 };
	long (*crc)(long, const char *, unsigned int);
	void *lib = dlopen(getenv("FUNC_LIB"), RTLD_NOW);

	crc = lib ? (long (*)(long, const char *, unsigned int))dlsym(lib, "crc32") : NULL;
	for (int i = 0; crc && i < 500; i++) {
		crc(0, "abc", 3);
		nanosleep(&nap, NULL);
	}
}

#if HAVE_SDT
unsigned short ringtest_work__begin_semaphore __attribute__((section(".probes")));
unsigned short ringtest_work__end_semaphore __attribute__((section(".probes")));
unsigned short ringtest_point_semaphore __attribute__((section(".probes")));

static int work(int n, const char *name)
{
	int below = 0;

	DTRACE_PROBE2(ringtest, work__begin, name, n);
	if (n)
		below = work(n - 1, name + 1);
	DTRACE_PROBE1(ringtest, point, (signed char)-3);
	DTRACE_PROBE1(ringtest, work__end, n * 100);
	return below + 1;
}
#endif

static void victim_usdt(void)
{
#if HAVE_SDT
	sink = work(2, "abc") + ringtest_point_semaphore;
#endif
}

static const struct victim {
	const char *name;
	void (*run)(void);
} victims[] = {
	{ "calls", victim_calls }, { "texts", victim_texts },     { "jump", victim_jump },
	{ "hot", victim_hot },     { "threads", victim_threads }, { "deep", victim_deep },
	{ "exits", victim_exits }, { "execs", victim_execs },     { "later", victim_later },
	{ "usdt", victim_usdt },
};

/* --- what is asked for */

static char self[PATH_MAX];

#define ASK(func, how)                                                      \
	{                                                                   \
		.asked = func how, .bin = self, .name = func, .format = how \
	}

static const struct probe_func asked[] = {
	ASK("do_add", "(%d, %u, %ld, %s) = %d"),
	ASK("do_fact", "(%ld) = %ld"),
	ASK("do_text", "(%s) = %s"),
	ASK("do_jump", "(%d) = %d"),
	ASK("do_middle", "(%d)"),
	ASK("do_o*ter", "(%d) = %d"),
	ASK("do_tail", "(%d) = %d"),
	ASK("do_hot", "(%d)"),
	ASK("do_loop", ""),
	ASK("do_deep", "(%d) = %d"),
	ASK("do_ends", ""),
	ASK("do_around", ""),
	{ .asked = "place", .bin = self, .name = "do_middle", .place = true, .format = "(%d)" },
	ASK("do_f*ct", "(%ld)"), /* has its probes already */
	{ .asked = "later", .bin = "libfunc-test*", .name = "crc32", .format = "(%ld, %s, %u)" },
};

#define USDT(n, how)                                                                      \
	{                                                                                 \
		.asked = n, .bin = self, .provider = "ringtest", .name = n, .format = how \
	}

static const struct probe_func usdt[] = {
	USDT("work__begin", "(%s, %d) = %ld"),
	USDT("point", "(%d)"),
};

/* The probe of that name; its format as well. */
static __u32 probe_named(const struct trace *t, const char *name, struct func_format *format)
{
	const struct ev_probe *p;
	const char *why;
	size_t at;

	for (size_t i = 0; (p = trace_rec(t, EV_PROBE, 0, i)); i++) {
		assert_int_equal(event_check(p, p->hdr.size), 0);
		if (!sv_is(event_probe_text(p, 1), name))
			continue;
		assert_int_equal(func_format_read(format, event_probe_text(p, 2), &at, &why), 0);
		return p->id;
	}
	fail_msg("%s was not probed", name);
	return 0;
}

static const struct ev_function *nth(const struct trace *t, const char *name, size_t n)
{
	struct func_format format;
	__u32 id = probe_named(t, name, &format);

	for (size_t i = 0; i < t->cnt; i++) {
		const struct ev_function *e = (const void *)t->recs[i];

		if (e->hdr.kind == EV_FUNCTION && e->probe == id && !n--) {
			assert_int_equal(event_check(e, e->hdr.size), 0);
			return e;
		}
	}
	return NULL;
}

static size_t count(const struct trace *t, const char *name)
{
	struct func_format format;
	__u32 id = probe_named(t, name, &format);
	size_t n = 0;

	for (size_t i = 0; i < t->cnt; i++)
		n += t->recs[i]->kind == EV_FUNCTION &&
		     ((const struct ev_function *)(const void *)t->recs[i])->probe == id;
	return n;
}

static const struct ev_function *one(const struct trace *t, const char *name)
{
	const struct ev_function *e = nth(t, name, 0);

	assert_non_null(e);
	assert_null(nth(t, name, 1));
	return e;
}

static int64_t arg(const struct trace *t, const struct ev_function *e, const char *name,
		   unsigned int i)
{
	struct func_format f;

	probe_named(t, name, &f);
	return (int64_t)func_value(i == EV_FUNC_RET ? f.ret : f.args[i],
				   i == EV_FUNC_RET ? e->ret : e->args[i]);
}

/* --- tests; all of a group have the same probes, of which is told once */

static void run_victim(struct trace *t, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		if (t->recs[i]->kind == EV_PROBE)
			t->recs[kept++] = t->recs[i];
		else
			free(t->recs[i]);
	}
	t->cnt = kept;
	t->ended = false;
	trace_victim(t, name, "");
}

static void calls(void **state)
{
	const struct ev_function *e, *outer = NULL;
	struct trace *t = *state;
	struct sv text;

	run_victim(t, "calls");
	e = nth(t, "do_add", 0);
	assert_non_null(e);
	assert_int_equal(e->end, EV_FUNC_RETURNED);
	assert_int_equal(arg(t, e, "do_add", 0), -2);
	assert_int_equal(arg(t, e, "do_add", 1), 4000000000u);
	assert_int_equal(arg(t, e, "do_add", 2), 1l << 40);
	assert_true(func_text(e, 3, &text) && sv_is(text, "hello"));
	assert_int_equal(arg(t, e, "do_add", EV_FUNC_RET), (int)(4000000000u - 2 + 'h'));
	assert_int_equal(e->parent, 0);
	assert_true(e->enter_ts < e->hdr.ts);
	/* the innermost ends first */
	for (size_t i = 0; i < 5; i++) {
		static const long results[] = { 1, 2, 6, 24, 120 };

		e = nth(t, "do_fact", i);
		assert_non_null(e);
		assert_int_equal(arg(t, e, "do_fact", 0), i + 1);
		assert_int_equal(arg(t, e, "do_fact", EV_FUNC_RET), results[i]);
		assert_int_equal(e->depth, 4 - i);
		if (i)
			assert_int_equal(nth(t, "do_fact", i - 1)->parent, e->frame);
		if (i)
			assert_int_equal(nth(t, "do_fact", i - 1)->parent_ts, e->enter_ts);
	}
	assert_null(nth(t, "do_fact", 5));
	outer = one(t, "do_tail");
	e = nth(t, "do_add", 1);
	assert_int_equal(outer->end, EV_FUNC_RETURNED);
	assert_int_equal(arg(t, outer, "do_tail", EV_FUNC_RET), 22);
	assert_int_equal(arg(t, e, "do_add", EV_FUNC_RET), 22);
	assert_int_equal(e->parent, outer->frame);
	assert_true(e->enter_ts >= outer->enter_ts && e->hdr.ts <= outer->hdr.ts);
}

static void untraced(void **state)
{
	struct trace *t = *state;
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "%s calls x", self);
	assert_int_equal(system(command), 0);
	trace_poll(t);
	assert_int_equal(trace_count(t, EV_FUNCTION), 0);
}

static void expect_text(const struct trace *t, size_t i, const char *begin, size_t n, bool cut)
{
	const struct ev_function *e = nth(t, "do_text", i);
	struct sv text, ret;

	assert_non_null(e);
	assert_true(func_text(e, 0, &text));
	assert_int_equal(text.n, n);
	assert_memory_equal(text.p, begin, strlen(begin));
	assert_int_equal(e->cut & 1, cut);
	assert_true(func_text(e, EV_FUNC_RET, &ret));
	assert_int_equal(ret.n, n);
}

static void texts(void **state)
{
	struct trace *t = *state;
	struct sv text;

	run_victim(t, "texts");
	expect_text(t, 0, "last", 4, false);
	expect_text(t, 1, "", 0, false);
	expect_text(t, 2, "open!", 5, true);
	expect_text(t, 3, "eeee", 255, false);
	expect_text(t, 4, "llll", 255, true);
	assert_true(nth(t, "do_text", 4)->hdr.flags & EVF_TRUNC);
	for (size_t i = 5; i < 7; i++) {
		assert_non_null(nth(t, "do_text", i));
		assert_false(func_text(nth(t, "do_text", i), 0, &text));
		assert_false(func_text(nth(t, "do_text", i), EV_FUNC_RET, &text));
	}
	assert_int_equal(count(t, "do_text"), 8);
}

static void jumps(void **state)
{
	const struct ev_function *outer, *middle, *jump, *add;
	struct trace *t = *state;

	run_victim(t, "jump");
	outer = one(t, "do_outer");
	middle = nth(t, "do_middle", 0);
	jump = one(t, "do_jump");
	add = one(t, "do_add");
	assert_int_equal(outer->end, EV_FUNC_RETURNED);
	assert_int_equal(arg(t, outer, "do_outer", EV_FUNC_RET), 13);
	assert_int_equal(jump->end, EV_FUNC_LEFT);
	assert_int_equal(middle->end, EV_FUNC_LEFT);
	assert_int_equal(jump->parent, middle->frame);
	assert_int_equal(middle->parent, outer->frame);
	assert_int_equal(add->parent, outer->frame);
	/* they were over by then, which is when that was seen */
	assert_true(middle->hdr.ts <= add->hdr.ts && jump->hdr.ts <= add->hdr.ts);
}

static void threads(void **state)
{
	struct trace *t = *state;
	const struct ev_function *e;
	size_t whole = 0;

	run_victim(t, "threads");
	for (size_t i = 0; (e = nth(t, "do_fact", i)); i++) {
		const struct ev_function *up = e;

		if (e->parent) /* its caller is the next one of its thread */
			for (size_t k = i + 1; (up = nth(t, "do_fact", k)); k++)
				if (up->hdr.tid == e->hdr.tid)
					break;
		assert_non_null(up);
		if (e->parent) {
			assert_int_equal(up->frame, e->parent);
			assert_int_equal(up->args[0], e->args[0] + 1);
		} else {
			whole++;
		}
	}
	assert_int_equal(whole, THREADS * LOOPS);
	assert_int_equal(count(t, "do_fact"), LOOPS * (2 + 3 + 4 + 5));
}

static void hot(void **state)
{
	uint64_t told, untold = 0;
	struct trace *t = *state;
	const struct ev_function *loop;

	run_victim(t, "hot");
	loop = one(t, "do_loop");
	told = count(t, "do_hot");
	for (size_t i = 0; i < t->cnt; i++)
		if (t->recs[i]->kind == EV_FUNCTION)
			untold += ((const struct ev_function *)(void *)t->recs[i])->over_thread;
	assert_true(loop->over > 0 && told >= 1000);
	assert_int_equal(told + untold, HOT + 10);
	assert_true(loop->over <= untold);
}

static void deep(void **state)
{
	const struct ev_function *e;
	struct trace *t = *state;

	run_victim(t, "deep");
	assert_int_equal(count(t, "do_deep"), KEPT_DEEP);
	e = nth(t, "do_deep", 0);
	assert_int_equal(e->depth, KEPT_DEEP - 1);
	assert_int_equal(e->over, DEEP - KEPT_DEEP);
	assert_int_equal(e->over_thread, DEEP - KEPT_DEEP);
	e = nth(t, "do_deep", KEPT_DEEP - 1);
	assert_int_equal(e->depth, 0);
	assert_int_equal(arg(t, e, "do_deep", EV_FUNC_RET), DEEP);
}

static void ends_with_its_thread(void **state)
{
	const struct ev_function *inner, *outer;
	const struct ev_hdr *last = NULL;
	struct trace *t = *state;

	run_victim(t, "exits");
	assert_int_equal(WEXITSTATUS(t->status), 7);
	inner = one(t, "do_ends");
	outer = one(t, "do_around");
	assert_int_equal(inner->end, EV_FUNC_EXIT);
	assert_int_equal(outer->end, EV_FUNC_EXIT);
	assert_int_equal(inner->parent, outer->frame);
	for (size_t i = 0; i < t->cnt; i++)
		if (t->recs[i]->kind == EV_FUNCTION || t->recs[i]->kind == EV_EXIT)
			last = t->recs[i];
	assert_int_equal(last->kind, EV_EXIT);
}

static void ends_with_its_program(void **state)
{
	struct trace *t = *state;

	run_victim(t, "execs");
	assert_int_equal(one(t, "do_ends")->end, EV_FUNC_EXEC);
	assert_int_equal(one(t, "do_around")->end, EV_FUNC_EXEC);
	/* what follows is in no call of the program before */
	assert_int_equal(nth(t, "do_add", 0)->depth, 0);
	assert_int_equal(count(t, "do_fact"), 5);
}

static void place(void **state)
{
	const struct ev_function *e, *outer;
	struct trace *t = *state;

	run_victim(t, "jump");
	e = one(t, "do_middle+0x0");
	outer = one(t, "do_outer");
	assert_int_equal(e->end, EV_FUNC_POINT);
	assert_int_equal(e->enter_ts, e->hdr.ts);
	assert_int_equal(arg(t, e, "do_middle+0x0", 0), 3);
	assert_true(e->parent == outer->frame ||
		    e->parent == nth(t, "do_middle", 0)->frame); /* both are at its first byte */
}

static void mapped_later(void **state)
{
	struct trace *t = *state;
	const struct ev_function *e;
	char lib[64], command[PATH_MAX];
	struct sv text;

	if (access("/lib/x86_64-linux-gnu/libz.so.1", R_OK))
		skip();
	snprintf(lib, sizeof(lib), "/tmp/libfunc-test.%d.so", (int)getpid());
	snprintf(command, sizeof(command), "cp /lib/x86_64-linux-gnu/libz.so.1 %s", lib);
	assert_int_equal(system(command), 0);
	setenv("FUNC_LIB", lib, 1);
	run_victim(t, "later");
	unlink(lib);
	e = nth(t, "crc32", 0);
	assert_non_null(e);
	assert_true(func_text(e, 1, &text) && sv_is(text, "abc"));
	assert_int_equal(arg(t, e, "crc32", 2), 3);
}

static void usdt_probes(void **state)
{
	const struct ev_function *e, *p;
	struct trace *t = *state;
	struct sv text;

	if (!HAVE_SDT) {
		print_message("skipped: <sys/sdt.h> is missing (systemtap-sdt-dev)\n");
		skip();
	}
	run_victim(t, "usdt");
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "c", "bc", "abc" };

		e = nth(t, "ringtest:work__begin", i);
		p = nth(t, "ringtest:point", i);
		assert_non_null(e);
		assert_non_null(p);
		assert_int_equal(e->end, EV_FUNC_RETURNED);
		assert_true(func_text(e, 0, &text) && sv_is(text, names[i]));
		assert_int_equal(arg(t, e, "ringtest:work__begin", 1), i);
		assert_int_equal(arg(t, e, "ringtest:work__begin", EV_FUNC_RET), i * 100);
		assert_int_equal(e->depth, 2 - i);
		assert_int_equal(p->end, EV_FUNC_POINT);
		assert_int_equal(arg(t, p, "ringtest:point", 0), -3);
		assert_int_equal(p->parent, e->frame);
		if (i)
			assert_int_equal(nth(t, "ringtest:work__begin", i - 1)->parent, e->frame);
	}
	assert_int_equal(trace_count(t, EV_FUNCTION), 6);
}

static int setup_with(void **state, struct probe_cfg cfg)
{
	cfg.funcs = asked;
	cfg.func_cnt = ARRAY_SIZE(asked);
	return trace_setup_cfg(state, &cfg);
}

static int setup(void **state)
{
	return setup_with(state, (struct probe_cfg){ 0 });
}

static int setup_plain(void **state)
{
	return setup_with(state, (struct probe_cfg){ .force_plain_sites = true });
}

static int setup_old(void **state)
{
	return setup_with(state, (struct probe_cfg){ .force_no_task_storage = true,
						     .force_bounded_loops = true,
						     .force_perf_uprobes = true });
}

static int setup_usdt(void **state)
{
	return trace_setup_cfg(state,
			       &(struct probe_cfg){ .funcs = usdt, .func_cnt = HAVE_SDT ? 2 : 0 });
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(untraced),
		cmocka_unit_test(calls),
		cmocka_unit_test(texts),
		cmocka_unit_test(jumps),
		cmocka_unit_test(threads),
		cmocka_unit_test(hot),
		cmocka_unit_test(deep),
		cmocka_unit_test(ends_with_its_thread),
		cmocka_unit_test(ends_with_its_program),
		cmocka_unit_test(place),
		cmocka_unit_test(mapped_later),
	};
	static const struct CMUnitTest plain[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(jumps),
		cmocka_unit_test(threads),
	};
	static const struct CMUnitTest old[] = {
		cmocka_unit_test(calls),
		cmocka_unit_test(texts),
		cmocka_unit_test(jumps),
		cmocka_unit_test(ends_with_its_thread),
		cmocka_unit_test(ends_with_its_program),
	};
	static const struct CMUnitTest built_in[] = { cmocka_unit_test(usdt_probes) };
	int failed;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(victims); i++) {
		if (strcmp(argv[1], victims[i].name) == 0) {
			victims[i].run();
			return 0;
		}
	}
	failed = trace_skip();
	if (failed)
		return failed;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("functions", tests, setup, trace_teardown);
	failed += cmocka_run_group_tests_name("return probes", plain, setup_plain, trace_teardown);
	failed += cmocka_run_group_tests_name("older kernels", old, setup_old, trace_teardown);
	failed += cmocka_run_group_tests_name("usdt", built_in, setup_usdt, trace_teardown);
	return failed;
}
