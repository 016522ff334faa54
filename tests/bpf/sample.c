/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of stacks: who is sampled, and what the frames are called.  Built so that every function has a frame. */
#include "trace.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "base/str.h"

#define SAMPLE_NS 1001001 /* 999 times a second */
#define LOOPS 20000000ull /* some 50 ms, on any machine of today */
#define OLD_US 1300000    /* a program is young for a second */

static volatile uint64_t sink;

static void burn_a(uint64_t loops)
{
	while (loops--)
		sink += loops * loops;
}

static void burn_b(uint64_t loops)
{
	while (loops--)
		sink += loops * loops;
}

static void burn(uint64_t loops)
{
	for (int i = 0; i < 200; i++) { /* a part of it is like the whole */
		burn_a(3 * loops / 200);
		burn_b(loops / 200);
	}
	sink++;
}

static void read_much(void)
{
	static char room[1 << 16];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < 20000; i++)
		if (read(fd, room, sizeof(room)) < 0)
			_exit(1);
}

static void *burn_in_thread(void *arg)
{
	prctl(PR_SET_NAME, "busy");
	burn(3 * LOOPS);
	return arg;
}

static int victim_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, burn_in_thread, NULL);
	pthread_join(thread, NULL);
	return 0;
}

/* Counts its argument down to 0. */
#if defined(__x86_64__)
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5,       /* push rbp; mov rbp, rsp */
				      0x48, 0xff, 0xcf, 0x75, 0xfb, /* dec rdi; jnz */
				      0x5d, 0xc3 };                 /* pop rbp; ret */
#else
static const unsigned int code[] = { 0xf1000400, 0x54ffffe1, 0xd65f03c0 }; /* subs, b.ne, ret */
#endif

/* As a runtime does that makes code, and tells those who profile it. */
static int victim_generated(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	char path[64];
	FILE *f;

	memcpy(p, code, sizeof(code));
	__builtin___clear_cache(p, (char *)p + sizeof(code));
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "we");
	if (!f)
		return 1;
	fprintf(f, "%lx %zx made:up at run time\n", (unsigned long)p, sizeof(code));
	fclose(f);
	for (int i = 0; i < 20; i++)
		((void (*)(uint64_t))p)(5 * LOOPS);
	return unlink(path);
}

static int run_victim(const char *name)
{
	if (strcmp(name, "old") == 0)
		usleep(OLD_US);
	if (strcmp(name, "thread") == 0)
		return victim_thread();
	if (strcmp(name, "generated") == 0)
		return victim_generated();
	if (strcmp(name, "kernel") == 0)
		read_much();
	else
		burn(5 * LOOPS);
	return 0;
}

/* --- what was told */

/* What was told of files and of the kernel holds on, and is not told again. */
static void forget_all_but_names(struct trace *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		if (t->recs[i]->kind == EV_FRAMES)
			t->recs[kept++] = t->recs[i];
		else
			free(t->recs[i]);
	}
	t->cnt = kept;
	t->ended = false;
}

static bool same_place(const struct ev_place *a, const struct ev_place *b)
{
	return a->what == b->what && a->at == b->at &&
	       (a->what != EV_PLACE_FILE || !memcmp(a->build_id, b->build_id, EV_BUILD_ID));
}

/* The name that a FRAMES before the sample gave, or "". */
static struct sv name_of(const struct trace *t, const struct ev_sample *s,
			 const struct ev_place *place, bool kernel, __u32 *kind)
{
	bool all = kernel || place->what == EV_PLACE_FILE;
	struct sv found = { "", 0 };

	for (size_t i = 0; t->recs[i] != &s->hdr; i++) {
		const struct ev_frames *f = (const void *)t->recs[i];
		const struct ev_name *n = (const void *)(f + 1);
		const char *text = (const char *)(n + f->cnt);

		if (f->hdr.kind != EV_FRAMES || (all ? 0 : s->hdr.tgid) != f->hdr.tgid ||
		    (!all && f->exec_ts != s->exec_ts))
			continue;
		for (__u32 k = 0; k < f->cnt; k++) {
			if (same_place(&n[k].place, place)) {
				found = (struct sv){ text, n[k].len };
				*kind = n[k].code;
			}
			text += n[k].len + n[k].file_len;
		}
	}
	return found;
}

/* Frame i of the user stack, 0 the innermost. */
static struct sv user_name(const struct trace *t, const struct ev_sample *s, size_t i)
{
	struct ev_place place = { .what = EV_PLACE_ADDRESS };
	__u32 kind;

	if (i >= s->user)
		return (struct sv){ "", 0 };
	if (s->by_file)
		place = ((const struct ev_place *)(s + 1))[i];
	else
		place.at = ((const __u64 *)(s + 1))[i];
	place.at -= i > 0;
	return name_of(t, s, &place, false, &kind);
}

static bool stack_is(const struct trace *t, const struct ev_sample *s, const char *leaf,
		     const char *caller, const char *above)
{
	return sv_is(user_name(t, s, 0), leaf) && sv_is(user_name(t, s, 1), caller) &&
	       sv_is(user_name(t, s, 2), above);
}

struct counts {
	size_t all, by_file, a, b, named;
};

static struct counts count_samples(const struct trace *t, const char *above)
{
	struct counts c = { 0 };
	const struct ev_sample *s;

	for (size_t i = 0; (s = trace_rec(t, EV_SAMPLE, t->pid, i)); i++) {
		assert_int_equal(s->period_ns, SAMPLE_NS);
		c.all++;
		c.by_file += s->by_file;
		c.a += stack_is(t, s, "burn_a", "burn", above);
		c.b += stack_is(t, s, "burn_b", "burn", above);
		c.named += user_name(t, s, 0).n > 0;
	}
	print_message("%zu samples, %zu by file, %zu a, %zu b, %zu with a name\n", c.all, c.by_file,
		      c.a, c.b, c.named);
	return c;
}

/* a has three times the work of b: no more than which is more, and that nearly all is either. */
static void check_burnt(const struct counts *c)
{
	assert_true(c->all >= 10);
	assert_true(c->a > c->b);
	assert_true(c->b > 0);
	assert_true(c->a + c->b > c->all / 2);
}

static int setup(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .sample_ns = SAMPLE_NS });
}

static void a_young_program(void **state)
{
	struct trace *t = *state;
	struct counts c;

	forget_all_but_names(t);
	trace_victim(t, "young", NULL);
	c = count_samples(t, "run_victim");
	check_burnt(&c);
	assert_true(c.by_file > 0);
}

/* Its mappings are known to user space: addresses do. */
static void an_old_program(void **state)
{
	struct trace *t = *state;
	struct counts c;

	forget_all_but_names(t);
	trace_victim(t, "old", NULL);
	c = count_samples(t, "run_victim");
	check_burnt(&c);
	assert_true(c.by_file < c.all / 2);
}

/*
 * It is over before the first of its samples is looked at: what was told of it by files has names all the same,
 * and on a busy machine it does not get further within the time that it is young.
 */
static void a_program_that_is_gone(void **state)
{
	struct trace *t = *state;
	char path[PATH_MAX] = "";
	struct counts c;
	int go;

	forget_all_but_names(t);
	assert_true(readlink(TRACE_SELF, path, sizeof(path) - 1) > 0);
	t->pid = trace_start((char *[]){ path, "young", NULL }, &go);
	assert_int_equal(probe_watch(t->p, t->pid, EV_RUN_RECORD), 0);
	trace_let_go(go);
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
	trace_poll(t);
	c = count_samples(t, "run_victim");
	c.all = c.by_file;
	check_burnt(&c);
}

static void a_thread(void **state)
{
	const struct ev_sample *s;
	struct trace *t = *state;
	size_t of_thread = 0;

	forget_all_but_names(t);
	trace_victim(t, "thread", NULL);
	for (size_t i = 0; (s = trace_rec(t, EV_SAMPLE, t->pid, i)); i++)
		of_thread += strcmp(s->comm, "busy") == 0 && s->hdr.tid != (__u32)t->pid &&
			     stack_is(t, s, "burn_a", "burn", "burn_in_thread");
	assert_true(of_thread > 0);
}

static void inside_the_kernel(void **state)
{
	const struct ev_sample *s;
	struct trace *t = *state;
	size_t inside = 0, named = 0;

	forget_all_but_names(t);
	trace_victim(t, "kernel", NULL);
	for (size_t i = 0; (s = trace_rec(t, EV_SAMPLE, t->pid, i)); i++) {
		size_t entry = s->by_file ? sizeof(struct ev_place) : sizeof(__u64);
		const __u64 *ips = (const void *)((const char *)(s + 1) + s->user * entry);
		__u32 kind = 0;

		for (size_t k = 0; k < s->kernel; k++) {
			struct ev_place place = { .what = EV_PLACE_ADDRESS,
						  .at = ips[k] - (k > 0) };

			named += sv_is(name_of(t, s, &place, true, &kind), "vfs_read");
		}
		inside += s->kernel > 0;
	}
	assert_true(inside > 0);
	if (access("/proc/kallsyms", R_OK) == 0)
		assert_true(named > 0);
}

static void generated_code(void **state)
{
	const struct ev_sample *s;
	struct trace *t = *state;
	size_t named = 0, all = 0;

	forget_all_but_names(t);
	trace_victim(t, "generated", NULL);
	for (size_t i = 0; (s = trace_rec(t, EV_SAMPLE, t->pid, i)); i++, all++)
		named += sv_is(user_name(t, s, 0), "made:up at run time");
	print_message("%zu of %zu\n", named, all);
	assert_true(named > all / 2);
}

static void others_are_not_sampled(void **state)
{
	struct trace *t = *state;
	pid_t pid;

	forget_all_but_names(t);
	pid = fork();
	if (pid == 0) {
		burn(3 * LOOPS);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	trace_poll(t);
	assert_int_equal(trace_count(t, EV_SAMPLE), 0);
}

/* Task storage is not everywhere. */
static void on_an_older_kernel(void **state)
{
	const struct probe_cfg cfg = { .sample_ns = SAMPLE_NS, .force_no_task_storage = true };
	void *own = NULL;
	struct counts c;

	(void)state;
	assert_int_equal(trace_setup_cfg(&own, &cfg), 0);
	trace_victim(own, "young", NULL);
	c = count_samples(own, "run_victim");
	trace_teardown(&own);
	check_burnt(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_young_program),        cmocka_unit_test(an_old_program),
		cmocka_unit_test(a_program_that_is_gone), cmocka_unit_test(a_thread),
		cmocka_unit_test(inside_the_kernel),      cmocka_unit_test(generated_code),
		cmocka_unit_test(others_are_not_sampled), cmocka_unit_test(on_an_older_kernel),
	};

	if (argc > 1)
		_exit(run_victim(argv[1]));
	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, setup, trace_teardown);
}
