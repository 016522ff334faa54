/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that programs crash by: which are told, what of them, and the stack.  Built so that every function has a frame. */
#include "trace.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include "base/str.h"

#define SEEN_US 300000 /* in which the recorder looks at the program's file */
#define WILD ((int *)0x1230)

static int deep(int n)
{
	*(int *volatile)WILD = n;
	return n + 1;
}

static int middle(int n)
{
	return deep(n) + 1;
}

static int outer(int n)
{
	return middle(n) + 1;
}

static void *crash_in_thread(void *arg)
{
	prctl(PR_SET_NAME, "unlucky");
	outer(1);
	return arg;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigaction(sig, &sa, NULL);
}

static int victim_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, crash_in_thread, NULL);
	pthread_join(thread, NULL);
	return 0;
}

static int victim_handled(void)
{
	handle(SIGFPE, on_signal);
	for (int i = 0; i < 20; i++)
		raise(SIGFPE);
	handle(SIGFPE, SIG_DFL);
	raise(SIGFPE);
	return 0;
}

static void (*volatile nothing)(void);

/* To where no code is: there is no frame of the function that was called. */
static int victim_nothing(void)
{
	nothing();
	return 0;
}

/* As a library does that uses the frame pointer for its own ends. */
static int victim_lost(void)
{
#if defined(__x86_64__)
	void *const frame[2] = { NULL, (void *)deep };

	__asm__ volatile("mov %0, %%rbp\n\tmovl $0, 0" : : "r"(frame) : "memory");
#endif
	abort();
}

static int victim_others(void)
{
	handle(SIGABRT, SIG_IGN);
	raise(SIGABRT);
	handle(SIGUSR1, on_signal);
	raise(SIGUSR1);
	raise(SIGTERM);
	return 0;
}

static int run_victim(const char *name)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	usleep(SEEN_US);
	if (strcmp(name, "crash") == 0)
		return outer(1);
	if (strcmp(name, "thread") == 0)
		return victim_thread();
	if (strcmp(name, "nothing") == 0)
		return victim_nothing();
	if (strcmp(name, "lost") == 0)
		return victim_lost();
	if (strcmp(name, "handled") == 0)
		return victim_handled();
	return victim_others();
}

static bool has_line(struct sv text, const char *start)
{
	while (text.n)
		if (sv_starts(sv_token(&text, '\n'), start))
			return true;
	return false;
}

/* The only STACK, and its text. */
static const struct ev_stack *the_stack(const struct trace *t, struct sv *text)
{
	const struct ev_stack *stack = trace_rec(t, EV_STACK, t->pid, 0);

	assert_int_equal(trace_count(t, EV_STACK), 1);
	assert_non_null(stack);
	*text = (struct sv){ (const char *)(stack + 1), stack->len };
	print_message(SV_FMT, SV_ARG(*text));
	return stack;
}

static void a_fault_with_its_stack(void **state)
{
	const struct ev_frame *frames;
	const struct ev_signal *s;
	const struct ev_stack *stack;
	struct trace *t = *state;
	struct sv text;

	trace_clear(t);
	trace_victim(t, "crash", NULL);
	assert_int_equal(trace_count(t, EV_SIGNAL), 1);
	s = trace_rec(t, EV_SIGNAL, t->pid, 0);
	assert_non_null(s);
	assert_int_equal(s->signal, SIGSEGV);
	assert_int_equal(s->code, SEGV_MAPERR);
	assert_int_equal(s->addr, (uintptr_t)WILD);
	assert_int_equal(s->handled, 0);
	assert_int_equal(s->sender, 0);
	assert_int_equal(s->hdr.tid, t->pid);
	assert_int_equal(s->hdr.size, sizeof(*s) + s->frames * sizeof(*frames));
	assert_in_range(s->frames, 4, EV_FRAMES_MAX);
	frames = (const void *)(s + 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(frames[i].in_file, 1);
		assert_memory_equal(frames[i].build_id, frames[0].build_id, EV_BUILD_ID);
	}
	stack = the_stack(t, &text);
	assert_int_equal(stack->method, EV_STACK_FRAME_POINTER);
	assert_int_equal(stack->hdr.ts, s->hdr.ts);
	assert_true(has_line(text, "#0 deep+0x"));
	assert_true(has_line(text, "#1 middle+0x"));
	assert_true(has_line(text, "#2 outer+0x"));
	assert_true(sv_has(text, "/bpf-test/signal+0x"));
	/* before the end, or a span could not have it */
	for (size_t i = 0; t->recs[i] != &stack->hdr; i++)
		assert_int_not_equal(t->recs[i]->kind, EV_EXIT);
}

static void of_another_thread(void **state)
{
	const struct ev_signal *s;
	const struct ev_stack *stack;
	struct trace *t = *state;
	struct sv text;

	trace_clear(t);
	trace_victim(t, "thread", NULL);
	s = trace_rec(t, EV_SIGNAL, t->pid, 0);
	assert_non_null(s);
	assert_int_not_equal(s->hdr.tid, t->pid);
	assert_string_equal(s->comm, "unlucky");
	stack = the_stack(t, &text);
	assert_int_equal(stack->hdr.tid, s->hdr.tid);
	assert_true(has_line(text, "#3 crash_in_thread+0x"));
}

static void no_code_at_all(void **state)
{
	struct trace *t = *state;
	struct sv text;

	trace_clear(t);
	trace_victim(t, "nothing", NULL);
	the_stack(t, &text);
	assert_true(has_line(text, "#0 ?? (at 0x0, in no known file)"));
	assert_true(has_line(text, "#1 run_victim+0x"));
}

/* What the frame pointer leads to was not called from anywhere: it is no caller. */
static void a_frame_pointer_that_is_none(void **state)
{
	const struct ev_stack *stack;
	struct trace *t = *state;
	struct sv text;

	trace_clear(t);
	trace_victim(t, "lost", NULL);
	stack = the_stack(t, &text);
	assert_int_equal(stack->method, EV_STACK_TOP);
	assert_true(!has_line(text, "#1"));
}

/* Handled ones are bounded, the last one is told all the same. */
static void with_a_handler(void **state)
{
	const struct ev_signal *first, *last;
	struct trace *t = *state;

	trace_clear(t);
	trace_victim(t, "handled", NULL);
	assert_int_equal(trace_count(t, EV_SIGNAL), 9);
	first = trace_rec(t, EV_SIGNAL, t->pid, 0);
	last = trace_rec(t, EV_SIGNAL, t->pid, 8);
	assert_true(first && last);
	assert_int_equal(first->handled, 1);
	assert_int_equal(first->signal, SIGFPE);
	assert_true(first->code <= 0);
	assert_int_equal(first->sender, t->pid);
	assert_int_equal(last->handled, 0);
	assert_int_equal(last->addr, 0);
}

static void what_is_no_crash(void **state)
{
	struct trace *t = *state;

	trace_clear(t);
	trace_victim(t, "others", NULL);
	assert_int_equal(WTERMSIG(t->status), SIGTERM);
	assert_int_equal(trace_count(t, EV_SIGNAL), 0);
}

static void others_are_not_seen(void **state)
{
	struct trace *t = *state;
	pid_t pid;

	trace_clear(t);
	pid = fork();
	if (pid == 0) {
		raise(SIGTRAP); /* cmocka has no handler for it */
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	trace_poll(t);
	assert_int_equal(trace_count(t, EV_SIGNAL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_with_its_stack),
		cmocka_unit_test(of_another_thread),
		cmocka_unit_test(no_code_at_all),
		cmocka_unit_test(a_frame_pointer_that_is_none),
		cmocka_unit_test(with_a_handler),
		cmocka_unit_test(what_is_no_crash),
		cmocka_unit_test(others_are_not_seen),
	};

	if (argc > 1)
		_exit(run_victim(argv[1]));
	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
