// SPDX-License-Identifier: BSD-2-Clause
/* How a signal ended a process: which, where, and what it did last; and signals that it survived. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "span/engine.h"

/* A signal that programs crash by. */
struct fault {
	struct fault *next; /* the one before it */
	uint64_t ts, addr;
	uint32_t tid, sender;
	int signal, code;
	bool handled;
	char thread[EV_COMM_LEN + 1];
	const char *method; /* ringspan.stack.method; NULL: nothing is known of the stack */
	char *stack;        /* NULL: likewise */
};

static void fault_free(struct fault *f)
{
	free(f->stack);
	free(f);
}

void crash_free(struct pstate *ps)
{
	while (ps->faults) {
		struct fault *f = ps->faults;

		ps->faults = f->next;
		fault_free(f);
	}
}

/* The one that ends the process comes last, so the oldest make room. */
static void drop_oldest(struct pstate *ps)
{
	struct fault **at = &ps->faults;

	for (unsigned int n = 0; *at && n < LIMIT_FAULTS; n++)
		at = &(*at)->next;
	if (*at) {
		fault_free(*at);
		*at = NULL;
	}
}

void crash_signal(struct trace *t, const struct ev_signal *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct fault *f = ps ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return;
	*f = (struct fault){
		.next = ps->faults,
		.ts = e->hdr.ts,
		.addr = e->addr,
		.tid = e->hdr.tid,
		.sender = e->sender,
		.signal = e->signal,
		.code = e->code,
		.handled = e->handled,
	};
	memcpy(f->thread, e->comm, sizeof(e->comm));
	ps->faults = f;
	drop_oldest(ps);
}

void crash_stack(struct trace *t, const struct ev_stack *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct fault *f = ps ? ps->faults : NULL;
	struct sv text = event_payload(&e->hdr);

	while (f && (f->ts != e->hdr.ts || f->tid != e->hdr.tid))
		f = f->next;
	if (!f || f->stack || !text.n)
		return;
	f->stack = strndup(text.p, text.n);
	f->method = e->method == EV_STACK_FRAME_POINTER ? "frame_pointer" : "top_frame";
}

/* --- in words */

static struct sv signal_name(struct arena *a, int signal)
{
	const char *name = sigabbrev_np(signal);

	return name ? arena_fmt(a, "SIG%s", name) : arena_fmt(a, "signal %d", signal);
}

/* sigaction(2) */
static const struct reason {
	int signal, code; /* signal 0: any */
	const char *name;
} reasons[] = {
	{ SIGILL, ILL_ILLOPC, "ILL_ILLOPC" },
	{ SIGILL, ILL_ILLOPN, "ILL_ILLOPN" },
	{ SIGFPE, FPE_INTDIV, "FPE_INTDIV" },
	{ SIGFPE, FPE_INTOVF, "FPE_INTOVF" },
	{ SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
	{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" },
	{ SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR" },
	{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },
	{ SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
	{ SIGBUS, BUS_OBJERR, "BUS_OBJERR" },
	{ SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR" },
	{ SIGTRAP, TRAP_BRKPT, "TRAP_BRKPT" },
	{ SIGTRAP, TRAP_TRACE, "TRAP_TRACE" },
	{ SIGSYS, 1, "SYS_SECCOMP" },
	{ 0, SI_KERNEL, "SI_KERNEL" },
	{ 0, SI_USER, "SI_USER" },
	{ 0, SI_QUEUE, "SI_QUEUE" },
	{ 0, SI_TKILL, "SI_TKILL" },
};

static struct sv reason_name(struct arena *a, const struct fault *f)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == f->code &&
		    (!reasons[i].signal || reasons[i].signal == f->signal))
			return sv(reasons[i].name);
	return arena_fmt(a, "code %d", f->code);
}

/* "SEGV_MAPERR at 0x10", "SI_TKILL by process 4711" */
static struct sv fault_message(struct arena *a, const struct fault *f)
{
	struct sv name = reason_name(a, f);

	if (f->code <= 0)
		return arena_fmt(a, SV_FMT " by process %u", SV_ARG(name), f->sender);
	if (f->code == SI_KERNEL) /* the address is not known to it */
		return name;
	return arena_fmt(a, SV_FMT " at 0x%llx", SV_ARG(name), (unsigned long long)f->addr);
}

/*
 * Where, of the stack's first line: "#0 deep+0xf (/lib/libx.so+0x10f)" gives " in deep (libx.so)";
 * "#0 ?? (/lib/libx.so+0x10f)" gives " in libx.so+0x10f"; empty when it names neither.
 */
static struct sv place_of(struct arena *a, const char *stack)
{
	struct sv rest = sv(stack), line = sv_token(&rest, '\n'), func, file;
	long at = sv_find(line, SV(" ("));

	if (at < 3)
		return SV("");
	func = sv_sub(line, 3, (size_t)at - 3);
	file = sv_sub(line, (size_t)at + 2, line.n);
	if (file.n)
		file.n--; /* the bracket */
	if (!sv_starts(file, "/"))
		return SV("");
	while (sv_has(file, "/"))
		sv_token(&file, '/');
	if (sv_is(func, "??"))
		return arena_fmt(a, " in " SV_FMT, SV_ARG(file));
	func = sv_token(&func, '+');
	file = sv_token(&file, '+');
	return arena_fmt(a, " in " SV_FMT " (" SV_FMT ")", SV_ARG(func), SV_ARG(file));
}

/* --- on spans */

/*
 * What ended the process.  A handler that gives up lets the signal end it by raising it once more; then
 * the stack that tells something is that of the first.
 */
static const struct fault *fatal_fault(const struct pstate *ps, int signal)
{
	const struct fault *last = ps->faults;

	while (last && (last->handled || last->signal != signal))
		last = last->next;
	if (!last || last->code != SI_TKILL)
		return last;
	for (const struct fault *f = last->next; f; f = f->next)
		if (f->handled && f->signal == signal && f->tid == last->tid)
			return f;
	return last;
}

static void set(struct arena *a, struct json *attrs, enum attr_id id, struct sv text)
{
	if (text.n)
		json_set(a, attrs, attr_defs[id].key, json_string(a, text));
}

static void add_survived(struct span *s, const struct pstate *ps, const struct fault *f)
{
	struct arena *a = &s->arena;
	struct json *attrs = json_object(a);

	set(a, attrs, ATTR_ID_EXCEPTION_TYPE, signal_name(a, f->signal));
	set(a, attrs, ATTR_ID_EXCEPTION_MESSAGE, fault_message(a, f));
	set(a, attrs, ATTR_ID_EXCEPTION_STACK, sv(f->stack));
	set(a, attrs, ATTR_ID_STACK_METHOD, sv(f->method));
	json_set(a, attrs, attr_defs[ATTR_ID_THREAD_ID].key, json_int(a, f->tid));
	set(a, attrs, ATTR_ID_THREAD_NAME, sv(f->thread));
	span_event(s, engine_wall(ps->run, f->ts), "exception", attrs);
}

void crash_survived(struct span *s, const struct pstate *ps, int ended_by)
{
	const struct fault *fatal = ended_by ? fatal_fault(ps, ended_by) : NULL;
	const struct fault *all[LIMIT_FAULTS];
	unsigned int n = 0;

	for (const struct fault *f = ps->faults; f && n < LIMIT_FAULTS; f = f->next)
		if (f->handled && f != fatal)
			all[n++] = f;
	while (n)
		add_survived(s, ps, all[--n]);
}

static void describe_fault(struct span *s, const struct fault *f)
{
	struct arena *a = &s->arena;

	span_set_str(s, ATTR_ID_EXCEPTION_TYPE, signal_name(a, f->signal));
	span_set_str(s, ATTR_ID_EXCEPTION_MESSAGE, fault_message(a, f));
	span_set_str(s, ATTR_ID_EXCEPTION_STACK, sv(f->stack));
	span_set_str(s, ATTR_ID_STACK_METHOD, sv(f->method));
	span_set_int(s, ATTR_ID_THREAD_ID, f->tid);
	span_set_str(s, ATTR_ID_THREAD_NAME, sv(f->thread));
}

void crash_keep(struct run *r, const struct span *s)
{
	struct recent *last = &r->recent[r->recent_cnt++ % CRASH_KEPT];
	struct sv name = sv_clip_utf8(s->name, sizeof(last->name) - 1);

	last->pid = span_attr_int(s, ATTR_ID_PROCESS_PID, 0);
	last->end_ns = s->end_ns;
	last->failed = s->status == STATUS_ERROR;
	memcpy(last->span_id, s->span_id, sizeof(last->span_id));
	memset(last->name, 0, sizeof(last->name));
	if (name.n)
		memcpy(last->name, name.p, name.n);
}

static void add_event(struct span *s, const struct recent *last)
{
	struct arena *a = &s->arena;
	struct json *attrs = json_object(a);

	set(a, attrs, ATTR_ID_EVENT_MESSAGE, sv(last->name));
	set(a, attrs, ATTR_ID_EVENT_SPAN, sv(last->span_id));
	if (last->failed)
		json_set(a, attrs, attr_defs[ATTR_ID_EVENT_FAILED].key, json_bool(a, true));
	span_event(s, last->end_ns, "before_signal", attrs);
}

static void last_spans(struct span *s, const struct run *r, uint32_t tgid)
{
	unsigned int first = r->recent_cnt > CRASH_KEPT ? r->recent_cnt - CRASH_KEPT : 0;
	const struct recent *own[CRASH_TOLD];
	unsigned int n = 0;

	for (unsigned int i = r->recent_cnt; i > first && n < CRASH_TOLD; i--)
		if (r->recent[(i - 1) % CRASH_KEPT].pid == tgid)
			own[n++] = &r->recent[(i - 1) % CRASH_KEPT];
	while (n)
		add_event(s, own[--n]);
}

void crash_tell(struct span *s, const struct pstate *ps, uint32_t tgid, int signal)
{
	const struct fault *f = fatal_fault(ps, signal);
	struct arena *a = &s->arena;

	span_set_int(s, ATTR_ID_SIGNAL, signal);
	engine_fail(s, arena_fmt(a, "signal %d", signal),
		    arena_fmt(a, "ended by signal %d (%s)" SV_FMT, signal, strsignal(signal),
			      SV_ARG(f && f->stack ? place_of(a, f->stack) : SV(""))));
	if (f)
		describe_fault(s, f);
	last_spans(s, ps->run, tgid);
}
