// SPDX-License-Identifier: BSD-2-Clause
/* Processes as spans; which run a process belongs to and which tool started it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/limits.h"
#include "proc/program.h"
#include "span/engine.h"
#include "span/threads.h"
#include "span/usage.h"

static void join_parent(void *ctx, struct proc *p)
{
	struct pstate *ps = p->user, *parent = p->parent ? p->parent->user : NULL;

	(void)ctx;
	if (ps && !ps->run && parent && parent->run)
		engine_join(parent->run, p, ps);
}

static void on_born(void *ctx, struct proc *p)
{
	struct pstate *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return; /* the process stays without a span */
	ps->lost = engine_lost(ctx);
	p->user = ps;
	join_parent(ctx, p);
}

/* What is started for a tool call hangs under that; what it starts in turn hangs under it. */
static void find_tool(struct proc *p)
{
	struct pstate *ps = p->user;
	struct tool_ref ref;

	if (ps->is_root || ps->tool_sure || !tool_of_process(ps->run, p, &ref))
		return;
	if (ps->link && !ref.by_args)
		return;       /* what was open when it began tells more than what still is */
	if (!process_tool(p)) /* what it took before it was known whom for */
		tool_charge(ps->run, ref.span_id, &ps->used.sum);
	snprintf(ps->tool_span, sizeof(ps->tool_span), "%s", ref.span_id);
	ps->link = ref.link;
	ps->tool_sure = ref.by_args;
}

static struct program *program_new(const struct proc *p)
{
	struct program *prog = calloc(1, sizeof(*prog));

	if (!prog)
		return NULL;
	prog->ts = p->ts_exec ? p->ts_exec : p->ts_first;
	prog->path = p->path ? strdup(p->path) : NULL;
	prog->args = p->args_len ? malloc(p->args_len) : NULL;
	if (prog->args) {
		memcpy(prog->args, p->args, p->args_len);
		prog->args_len = p->args_len;
	}
	prog->args_missing = p->args_missing;
	return prog;
}

static void program_free(struct program *prog)
{
	free(prog->path);
	free(prog->args);
	free(prog);
}

/* An agent that starts itself anew only prepares what the call asks for: that is told, not the agent. */
static void find_command(struct pstate *ps)
{
	const struct program *last = ps->programs;

	while (last && last->next)
		last = last->next;
	if (last != ps->programs && ps->link && strcmp(ps->link, "argument") == 0 &&
	    ps->programs->path && strcmp(ps->programs->path, "/proc/self/exe") == 0 &&
	    tool_names_program(ps->run, ps->tool_span, last))
		ps->command = last;
}

static void keep_program(struct pstate *ps, const struct proc *p)
{
	struct program **at = &ps->programs;
	unsigned int n = 0;

	if (!ps->programs)
		ps->program_lost = engine_lost(ps->run->t) > ps->lost;
	while (*at && n++ < LIMIT_PROGRAMS)
		at = &(*at)->next;
	if (!*at)
		*at = program_new(p);
}

static void on_exec(void *ctx, struct proc *p)
{
	struct pstate *ps = p->user;

	(void)ctx;
	if (!ps || !ps->run)
		return;
	keep_program(ps, p);
	if (ps->is_root) {
		struct sv args = { p->args, p->args_len };
		struct sv name = program_name(proc_exe_name(p), args, &args);

		free(ps->run->agent);
		ps->run->agent = strndup(name.p, name.n);
	} else if (!p->existed) {
		find_tool(p);
		find_command(ps);
	}
}

static struct json *args_json(struct arena *a, struct sv rest)
{
	struct json *arr = json_array(a);

	while (rest.n)
		json_push(arr, json_string(a, sv_token(&rest, '\0')));
	return arr;
}

static void describe_exit(struct span *s, const struct ev_exit *e)
{
	uint64_t system = usage_cpu_system(e->cpu_ns, e->utime_ns, e->stime_ns);

	span_set_int(s, ATTR_ID_CPU_NS, e->cpu_ns);
	span_set_int(s, ATTR_ID_CPU_USER_NS, e->cpu_ns - system);
	span_set_int(s, ATTR_ID_CPU_SYSTEM_NS, system);
	span_set_int(s, ATTR_ID_RUN_DELAY_NS, e->run_delay_ns);
	if (e->rss_peak_bytes)
		span_set_int(s, ATTR_ID_MEM_PEAK, e->rss_peak_bytes);
	span_set_int(s, ATTR_ID_IO_RCHAR, e->rchar);
	span_set_int(s, ATTR_ID_IO_WCHAR, e->wchar);
	span_set_int(s, ATTR_ID_IO_READ, e->read_bytes);
	span_set_int(s, ATTR_ID_IO_WRITE, e->write_bytes);
	span_set_int(s, ATTR_ID_CTX_VOLUNTARY, e->nvcsw);
	span_set_int(s, ATTR_ID_CTX_INVOLUNTARY, e->nivcsw);
	span_set_int(s, ATTR_ID_FLT_MINOR, e->min_flt);
	span_set_int(s, ATTR_ID_FLT_MAJOR, e->maj_flt);
	if (WIFSIGNALED(e->status))
		return; /* see crash_tell() */
	span_set_int(s, ATTR_ID_PROCESS_EXIT_CODE, WEXITSTATUS(e->status));
	if (WEXITSTATUS(e->status))
		engine_fail(s, arena_fmt(&s->arena, "%d", WEXITSTATUS(e->status)),
			    arena_fmt(&s->arena, "exit code %d", WEXITSTATUS(e->status)));
}

static void describe_program(struct span *s, const struct program *prog)
{
	struct sv path = sv(prog->path), args = { prog->args, prog->args_len };

	if (path.n)
		span_set_str(s, ATTR_ID_PROCESS_EXE_NAME, program_base(path));
	span_set_str(s, ATTR_ID_PROCESS_EXE_PATH, path);
	span_set_json(s, ATTR_ID_PROCESS_ARGS, args_json(&s->arena, args));
	if (prog->args_missing) {
		span_set_int(s, ATTR_ID_ARGS_CUT, prog->args_missing);
		span_incomplete(s, "cap");
	}
}

/* A test runner: its exit code tells whether the tests passed. */
static void describe_tests(struct span *s, const struct proc *p, const struct program *prog)
{
	int status = p->exit.status;
	struct sv name, args;

	while (prog && prog->next) /* the code is that of the last one */
		prog = prog->next;
	if (!prog || !p->ts_exit)
		return;
	args = (struct sv){ prog->args, prog->args_len };
	name = program_name(program_base(sv(prog->path)), args, &args);
	verdict_of_tests(s, name, args, WIFSIGNALED(status) ? -1 : WEXITSTATUS(status));
}

/* Programs that a process ran beside the one that its attributes tell of. */
static void exec_events(struct span *s, const struct run *r, const struct program *all,
			const struct program *told)
{
	struct arena *a = &s->arena;

	for (const struct program *prog = all; prog; prog = prog->next) {
		struct json *attrs = json_object(a);
		struct sv args = { prog->args, prog->args_len };

		if (prog == told)
			continue;
		json_set(a, attrs, attr_defs[ATTR_ID_PROCESS_EXE_PATH].key,
			 json_string(a, sv(prog->path)));
		json_set(a, attrs, attr_defs[ATTR_ID_PROCESS_ARGS].key, args_json(a, args));
		span_event(s, engine_wall(r, prog->ts), "exec", attrs);
	}
}

/* What a process is, and when it has ended, how and at what cost. */
static void process_describe(struct span *s, const struct proc *p, const struct program *prog)
{
	const struct pstate *ps = p->user;
	int ended_by;

	span_set_int(s, ATTR_ID_PROCESS_PID, p->tgid);
	if (p->parent_tgid)
		span_set_int(s, ATTR_ID_PROCESS_PARENT_PID, p->parent_tgid);
	describe_program(s, prog);
	span_set_int(s, ATTR_ID_PROCESS_USER_ID, p->uid);
	if (p->execs || !p->existed)
		span_set_int(s, ATTR_ID_EXECS, p->execs);
	span_set_str(s, ATTR_ID_CONTAINER_ID, sv(p->container));
	span_set_str(s, ATTR_ID_POD_UID, sv(p->pod));
	ended_by = p->ts_exit && WIFSIGNALED(p->exit.status) ? WTERMSIG(p->exit.status) : 0;
	crash_survived(s, ps, ended_by);
	usage_set(s, &ps->used.sum);
	threads_describe(s, p);
	if (!p->ts_exit)
		return;
	describe_exit(s, &p->exit);
	if (ended_by)
		crash_tell(s, ps, p->tgid, ended_by);
}

/* The program that the process was started for; one that was only forked is still its parent's. */
static const struct program *first_program(const struct pstate *ps, const struct proc *p,
					   struct program *inherited)
{
	if (ps->programs)
		return ps->programs;
	*inherited = (struct program){ .path = p->path, .args = p->args, .args_len = p->args_len };
	return inherited;
}

/* The program that it is told by may not be the one that it was started for. */
static bool may_lack_program(const struct pstate *ps)
{
	return ps->programs ? ps->program_lost : engine_lost(ps->run->t) > ps->lost;
}

static struct span *process_span(struct trace *t, struct proc *p, struct pstate *ps)
{
	struct pstate *parent = p->parent ? p->parent->user : NULL;
	struct program inherited;
	const struct program *prog = ps->command ? ps->command : first_program(ps, p, &inherited);
	struct span *s =
		engine_span(ps->run, SPAN_PROCESS, p->ts_first, p->ts_exit ? p->ts_exit : t->now);

	if (!s)
		return NULL;
	memcpy(s->span_id, ps->span_id, sizeof(s->span_id));
	if (ps->tool_span[0]) {
		memcpy(s->parent_span_id, ps->tool_span, sizeof(s->parent_span_id));
		span_set_str(s, ATTR_ID_LINK, sv(ps->link));
	} else if (parent && parent->run == ps->run) {
		memcpy(s->parent_span_id, engine_parent(parent), sizeof(s->parent_span_id));
	}
	span_set_name(s, prog->path ? program_base(sv(prog->path)) : SV("?"));
	process_describe(s, p, prog);
	if (p->existed) /* what it did before is not known */
		span_incomplete(s, "joined");
	if (may_lack_program(ps))
		span_incomplete(s, "lost");
	describe_tests(s, p, ps->programs);
	exec_events(s, ps->run, ps->programs, prog);
	file_describe(s, ps->files, false);
	calls_set_sums(s, &ps->calls);
	function_describe(s, ps);
	return s;
}

static struct span *run_span(struct trace *t, struct proc *p, const struct pstate *ps)
{
	struct run *r = ps->run;
	struct program inherited;
	const struct program *prog = first_program(ps, p, &inherited);
	struct span *s = engine_span(r, SPAN_RUN, r->ts_start, p->ts_exit ? p->ts_exit : t->now);

	if (!s)
		return NULL;
	memcpy(s->span_id, r->span_id, sizeof(s->span_id));
	s->parent_span_id[0] = '\0';
	span_set_name(s, arena_fmt(&s->arena, "run %s", r->agent ? r->agent : "?"));
	if (r->agent)
		span_set_str(s, ATTR_ID_AGENT_NAME, sv(r->agent));
	span_set_str(s, ATTR_ID_ORIGIN, r->origin == EV_RUN_ATTACH ? SV("attach") : SV("record"));
	while (prog->next) /* `env python3 agent.py` and its like are about the last one */
		prog = prog->next;
	if (p->existed)
		span_incomplete(s, "joined");
	process_describe(s, p, prog);
	exec_events(s, r, ps->programs, prog);
	return s;
}

/* It ends because the recording does. */
static void mark_unfinished(const struct proc *p, struct span *s)
{
	if (s && !p->ts_exit)
		span_incomplete(s, "unfinished");
}

static void end_process(struct trace *t, struct proc *p)
{
	struct pstate *ps = p->user;

	if (!ps || !ps->run)
		return;
	dns_process_over(ps->run, p, t->now);
	now_process_over(ps->run, p, ps);
	log_end(ps, p->tgid);
	function_finish(t, ps, p->tgid, !p->ts_exit);
	if (ps->is_root) {
		/* the process is the run: its end is kept until the rest of the tree has ended too */
		ps->run->root = run_span(t, p, ps);
		mark_unfinished(p, ps->run->root);
		file_finish(ps->run, &ps->files, ps->run->span_id, p->tgid);
	} else {
		struct span *s;

		if (!p->existed)
			find_tool(p); /* a call that was not known yet when the process started */
		s = process_span(t, p, ps);
		mark_unfinished(p, s);
		file_finish(ps->run, &ps->files, ps->span_id, p->tgid);
		if (s)
			engine_emit(ps->run, &s);
	}
	if (ps->run->live)
		ps->run->live--;
	if (!ps->run->live && ps->run->root)
		t->over = ps->run;
}

static void on_exit_of(void *ctx, struct proc *p)
{
	end_process(ctx, p);
}

const char *process_tool(const struct proc *p)
{
	/* a tree is as deep as it is long, but what is asked for is near */
	for (int depth = 0; p && depth < 64; depth++, p = p->parent) {
		const struct pstate *ps = p->user;

		if (ps && ps->tool_span[0])
			return ps->tool_span;
	}
	return NULL;
}

static void on_gone(void *ctx, struct proc *p)
{
	struct pstate *ps = p->user;

	while (ps && ps->programs) {
		struct program *next = ps->programs->next;

		program_free(ps->programs);
		ps->programs = next;
	}
	if (ps) {
		log_free(ps);
		crash_free(ps);
		function_free(ps);
		file_free(ctx, &ps->files);
		free(ps->threads);
	}
	free(ps);
	p->user = NULL;
}

const struct proc_ops process_ops = {
	.born = on_born,
	.adopted = join_parent,
	.exec = on_exec,
	.exit = on_exit_of,
	.gone = on_gone,
};

static void unfinished_one(void *ctx, struct proc *p)
{
	if (!p->ts_exit)
		end_process(ctx, p);
}

void process_unfinished(struct trace *t)
{
	proc_each(t->procs, unfinished_one, t);
}

struct open_procs {
	struct trace *t;
	const struct open_walk *w;
	bool roots; /* runs, else what is in them */
};

static void open_one(void *ctx, struct proc *p)
{
	const struct open_procs *o = ctx;
	struct pstate *ps = p->user;
	struct span *s = NULL;

	if (!ps || !ps->run || ps->is_root != o->roots)
		return;
	if (ps->is_root)
		s = run_span(o->t, p, ps); /* also when the process is over: others go on */
	else if (!p->ts_exit)
		s = process_span(o->t, p, ps);
	if (s && ps->is_root) {
		clock_set_steps(ps->run, s);
		calls_set_sums(s, &ps->run->calls_made);
		function_set_sums(s, ps->run->func_calls, ps->run->func_untold);
	}
	open_give(o->w, ps->run, &s);
	if (!p->ts_exit)
		function_each_open(o->t, ps, p->tgid, o->w);
}

void process_each_open(struct trace *t, const struct open_walk *w)
{
	struct open_procs o = { t, w, true };

	proc_each(t->procs, open_one, &o);
	o.roots = false;
	proc_each(t->procs, open_one, &o);
}
