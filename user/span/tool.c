// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tool calls: from the answer that asks for one to the request that carries its result, and the
 * processes in between that did it.
 */
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"

#define MATCH_MIN 3         /* shorter arguments match by chance */
#define INPUT_MIN 16        /* likewise of an agent's input */
#define CANONICAL_MAX 65536 /* of a command line or an argument that is compared */

struct tool {
	struct tool *next;
	struct span *span;
	struct sv id, name;
	uint64_t ts_start;
	const struct json *args; /* as the span has them: redacted, like the command lines */
	bool has_process;        /* some process was tied to it by its argument */
	bool has_ask;            /* so was an MCP call */
	struct agent *agent;     /* held; may be NULL */
	int64_t turn;
	struct waits waits;
	uint32_t tgid; /* who asked the model */
	uint64_t proc_start;
	uint64_t ts_begun; /* the first thing that was seen to do it; 0: nothing */
	struct approval approval;
	bool invalid;         /* its arguments break its schema */
	struct ledger *files; /* what was changed for it; may be NULL */
};

static void free_tool(struct tool *tool)
{
	if (tool->agent)
		agent_release(tool->agent);
	span_free(&tool->span);
	free(tool);
}

static void finish(struct run *r, struct tool **at, const struct sem_tool_result *res)
{
	struct tool *tool = *at;

	approval_of_tool(r, tool->span, &tool->approval, tool->ts_begun, res);
	*at = tool->next;
	r->tool_cnt--;
	waits_set(tool->span, &tool->waits);
	file_describe(tool->span, tool->files, true);
	file_finish(r, &tool->files, tool->span->span_id, tool->tgid);
	engine_emit(r, &tool->span);
	free_tool(tool);
}

static void expire_oldest(struct run *r)
{
	span_incomplete(r->tools->span, "unanswered");
	finish(r, &r->tools, NULL);
}

static struct tool *tool_new(struct run *r, const struct exchange *x,
			     const struct sem_tool_call *tc, uint64_t ts)
{
	struct tool *tool = calloc(1, sizeof(*tool));
	struct arena *a;

	if (!tool)
		return NULL;
	tool->span = engine_span(r, SPAN_TOOL_CALL, ts, ts);
	if (!tool->span) {
		free(tool);
		return NULL;
	}
	a = &tool->span->arena;
	tool->ts_start = ts;
	tool->agent = x->agent;
	tool->turn = x->turn;
	if (tool->agent)
		agent_hold(tool->agent);
	tool->tgid = x->tgid;
	tool->proc_start = x->proc_start;
	tool->id = arena_dup(a, tc->id);
	tool->name = arena_dup(a, tc->name);
	engine_id(tool->span->span_id, r, SPAN_TOOL_CALL,
		  (uint64_t[4]){ x->conn_id, x->seq, x->tools_asked, hash64(tc->id) });
	return tool;
}

/* The words that led to it. */
static void set_decision(struct span *s, const struct sem_call *c)
{
	struct sv thought = buf_view(&c->reasoning), said = buf_view(&c->text);

	span_set_str(s, ATTR_ID_TOOL_DECISION,
		     thought.n && said.n ? arena_fmt(&s->arena, SV_FMT "\n" SV_FMT, SV_ARG(thought),
						     SV_ARG(said))
		     : said.n            ? said
					 : thought);
}

void tool_asked(struct run *r, struct exchange *x, const struct sem_tool_call *tc)
{
	struct tool *tool, **at = &r->tools;
	struct span *s;

	if (r->tool_cnt >= LIMIT_TOOL_CALLS)
		expire_oldest(r);
	tool = tool_new(r, x, tc, tc->ts ? tc->ts : x->resp_last);
	if (!tool)
		return;
	s = tool->span;
	if (x->parent_span[0])
		memcpy(s->parent_span_id, x->parent_span, sizeof(s->parent_span_id));
	agent_calls_tool(x);
	span_set_name(s, arena_fmt(&s->arena, "execute_tool " SV_FMT, SV_ARG(tc->name)));
	span_set_str(s, ATTR_ID_OP, SV("execute_tool"));
	span_set_str(s, ATTR_ID_TOOL_NAME, tc->name);
	span_set_str(s, ATTR_ID_TOOL_CALL_ID, tc->id);
	span_set_str(s, ATTR_ID_TOOL_TYPE, SV("function"));
	if (tc->args_json)
		span_set_json(s, ATTR_ID_TOOL_ARGUMENTS, tc->args_json);
	else
		span_set_str(s, ATTR_ID_TOOL_ARGUMENTS, tc->args);
	tool->args = span_attr(s, ATTR_ID_TOOL_ARGUMENTS);
	set_decision(s, x->call);
	if (tc->args_cut)
		span_incomplete(s, "cut");
	tool->invalid = verdict_of_tool_call(x, tc, s);
	while (*at)
		at = &(*at)->next;
	*at = tool;
	x->tools_asked++;
	r->tool_cnt++;
	r->tool_calls++;
	r->t->totals.tool_calls++;
}

void tool_answered(struct run *r, const struct sem_tool_result *res, uint64_t ts)
{
	struct tool **at = &r->tools;
	struct span *s;

	while (*at && !(sv_eq((*at)->id, res->id) && res->id.n))
		at = &(*at)->next;
	if (!*at)
		return; /* answered before: a request that is sent again repeats it */
	s = (*at)->span;
	if (ts > (*at)->ts_start)
		s->end_ns = ts + r->t->wall_offset;
	span_set_str(s, ATTR_ID_TOOL_RESULT, res->text);
	if (res->has_error && res->is_error)
		engine_fail(s, SV("tool_error"), sv_clip_utf8(res->text, 200));
	finish(r, at, res);
}

void tool_unanswered(struct run *r, uint64_t now)
{
	while (r->tools) {
		r->tools->span->end_ns = now + r->t->wall_offset;
		expire_oldest(r);
	}
}

/* Something does the call from then on: what is read now answers no question about it. */
static void begin(struct tool *tool, uint64_t ts)
{
	if (!tool->ts_begun || ts < tool->ts_begun)
		tool->ts_begun = ts;
}

static struct tool *find_span(struct run *r, const char *span_id)
{
	struct tool *tool = r->tools;

	while (tool && strcmp(tool->span->span_id, span_id) != 0)
		tool = tool->next;
	return tool;
}

void tool_waited(struct run *r, const char *span_id, enum wait_cause cause, uint64_t from,
		 uint64_t to)
{
	struct tool *tool = find_span(r, span_id);

	wait_add(&r->waits.by[cause], from, to);
	if (!tool)
		return;
	wait_add(&tool->waits.by[cause], from, to);
	if (tool->agent)
		agent_waited(tool->agent, tool->turn, cause, from, to);
}

/* Questions are asked one after the other: about the oldest call that waits, or was not asked about. */
void tool_input(struct run *r, const struct ev_input *in)
{
	struct tool *first = NULL, *fresh = NULL;

	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		if (tool->ts_begun || in->hdr.ts < tool->ts_start)
			continue;
		if (!first)
			first = tool;
		if (!fresh && !tool->approval.blocked)
			fresh = tool;
	}
	if (fresh && fresh != first && in->enter_ts > first->approval.ts_to)
		first = fresh;
	if (first)
		approval_input(&first->approval, in, first->ts_start,
			       first->tgid == in->hdr.tgid && first->proc_start == in->hdr.start);
}

void tool_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct tool *tool = r->tools; tool; tool = tool->next) {
		struct span *s = open_copy(r, tool->span);

		open_give(w, r, &s);
	}
}

/*
 * Shells, JSON and argv quote differently: what is compared has no quotes, no backslashes and one
 * space where there was white space (or the end of an argument).
 */
static struct sv canonical(struct sv in, char *out, size_t max)
{
	size_t n = 0;
	bool space = true;

	for (size_t i = 0; i < in.n && n < max; i++) {
		char ch = in.p[i];

		if (ch == '\'' || ch == '"' || ch == '\\')
			continue;
		if (ch == '\0' || ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r') {
			if (!space)
				out[n++] = ' ';
			space = true;
			continue;
		}
		out[n++] = ch;
		space = false;
	}
	while (n && out[n - 1] == ' ')
		n--;
	return (struct sv){ out, n };
}

/* Length of the longest text among the arguments that the command line holds. */
static size_t match_args(const struct json *v, struct sv command, char *scratch, unsigned int depth)
{
	size_t best = 0;

	if (json_is(v, JSON_STRING)) {
		struct sv want = canonical(json_sv(v), scratch, CANONICAL_MAX);

		return want.n >= MATCH_MIN && sv_find(command, want) >= 0 ? want.n : 0;
	}
	if (depth >= LIMIT_JSON_DEPTH)
		return 0;
	json_for_each (v, e) {
		size_t n = match_args(e, command, scratch, depth + 1);

		if (n > best)
			best = n;
	}
	return best;
}

/* The longest match of a call's arguments in any of the programs that the process ran. */
static size_t match_programs(const struct tool *tool, const struct program *programs, char *scratch)
{
	size_t best = 0;

	for (const struct program *prog = programs; prog; prog = prog->next) {
		struct sv args = { prog->args, prog->args_len };
		struct sv line = canonical(args, scratch, CANONICAL_MAX);
		size_t n = match_args(tool->args, line, scratch + CANONICAL_MAX, 0);

		if (n > best)
			best = n;
	}
	return best;
}

static bool asked_by(const struct tool *tool, const struct proc *p)
{
	return p->tgid == tool->tgid && p->start == tool->proc_start;
}

/* Did an ancestor of the process ask the model for the call? */
static bool asked_above(const struct tool *tool, const struct proc *p)
{
	/* a tree is as deep as it is long, but who asks is near */
	for (int depth = 0; p && depth < 64; depth++, p = p->parent)
		if (asked_by(tool, p))
			return true;
	return false;
}

/* Is one of two calls that match alike the likelier?  One that nobody took yet, of an ancestor's. */
static bool is_likelier(const struct tool *tool, const struct tool *than, const struct proc *p)
{
	if (tool->has_process != than->has_process)
		return than->has_process;
	return asked_above(tool, p) && !asked_above(than, p);
}

bool tool_of_process(struct run *r, const struct proc *p, const struct proc *by,
		     struct tool_ref *out)
{
	const struct program *programs = ((const struct pstate *)p->user)->programs;
	char *scratch = r->tools ? malloc(2 * CANONICAL_MAX) : NULL;
	struct tool *best = NULL, *lone = NULL;
	size_t best_n = 0, free_cnt = 0;

	if (!scratch)
		return false;
	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		size_t n;

		if (by && !asked_by(tool, by))
			continue;
		n = match_programs(tool, programs, scratch);
		if (n > best_n || (n && n == best_n && is_likelier(tool, best, p))) {
			best = tool;
			best_n = n;
		}
		if (!tool->has_process && p->ts_first >= tool->ts_start && asked_above(tool, p)) {
			lone = tool;
			free_cnt++;
		}
	}
	free(scratch);
	if (best) {
		best->has_process = true;
		begin(best, p->ts_first);
		*out = (struct tool_ref){ .span_id = best->span->span_id, .link = "argument" };
		return true;
	}
	if (free_cnt != 1)
		return false;
	begin(lone, p->ts_first);
	*out = (struct tool_ref){ .span_id = lone->span->span_id, .link = "time" };
	return true;
}

/* Length of the longest text among the arguments that is in the input, or the other way round. */
static size_t match_input(const struct json *v, struct sv input, unsigned int depth)
{
	size_t best = 0;

	if (json_is(v, JSON_STRING)) {
		struct sv text = json_sv(v);

		if (text.n < INPUT_MIN || input.n < INPUT_MIN)
			return 0;
		return sv_find(input, text) >= 0 || sv_find(text, input) >= 0 ? text.n : 0;
	}
	if (depth >= LIMIT_JSON_DEPTH)
		return 0;
	json_for_each (v, e) {
		size_t n = match_input(e, input, depth + 1);

		if (n > best)
			best = n;
	}
	return best;
}

static bool names_agent(struct sv name)
{
	return sv_has(name, "agent") || sv_has(name, "Agent") || sv_has(name, "task") ||
	       sv_has(name, "Task") || sv_has(name, "delegate");
}

/*
 * What the call says that its agent is called: the tool's own name may, where it is no other program
 * that asks.
 */
static struct sv agent_of(const struct tool *tool, const struct exchange *x)
{
	static const char *const keys[] = { "subagent_type", "agent_type", "agent_name", "agent" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct sv name = json_sv(json_get(tool->args, keys[i]));

		if (name.n)
			return name;
	}
	if (names_agent(tool->name) || (tool->tgid == x->tgid && tool->proc_start == x->proc_start))
		return tool->name;
	return SV("");
}

/* The same of all that was said before the model's first answer. */
static size_t match_messages(const struct json *args, const struct json *messages)
{
	size_t best = 0;

	json_for_each (messages, m) {
		if (json_str_is(json_get(m, "role"), "assistant"))
			break;
		if (!json_str_is(json_get(m, "role"), "user"))
			continue;
		json_for_each (json_get(m, "parts"), part) {
			size_t n = match_input(args, json_sv(json_get(part, "content")), 0);

			if (n > best)
				best = n;
		}
	}
	return best;
}

bool tool_of_input(const struct exchange *x, bool by_time, struct tool_ref *out)
{
	struct tool *best = NULL, *lone = NULL;
	size_t best_n = 0, named = 0;

	for (struct tool *tool = x->run->tools; tool; tool = tool->next) {
		size_t n = match_messages(tool->args, x->call->input_messages);

		if (n > best_n) {
			best = tool;
			best_n = n;
		}
		if (names_agent(tool->name)) {
			lone = tool;
			named++;
		}
	}
	if (!best && (!by_time || named != 1))
		return false;
	*out = (struct tool_ref){
		.span_id = best ? best->span->span_id : lone->span->span_id,
		.link = best ? "argument" : "time",
		.agent = agent_of(best ? best : lone, x),
	};
	return true;
}

/* --- files */

#define FILE_NAME_MIN 4 /* a shorter name is in a text by chance */

struct ledger **tool_ledger(struct run *r, const char *span_id)
{
	struct tool *tool = find_span(r, span_id);

	return tool ? &tool->files : NULL;
}

/* The argument is the path, or its end; or a text that names the file, as a patch does. */
static bool names_path(const struct json *v, struct sv path, struct sv name, unsigned int depth)
{
	if (json_is(v, JSON_STRING)) {
		struct sv text = json_sv(v);

		if (sv_starts(text, "./"))
			text = sv_sub(text, 2, text.n);
		if (text.n && text.n <= path.n &&
		    sv_eq(sv_sub(path, path.n - text.n, text.n), text) &&
		    (text.n == path.n || path.p[path.n - text.n - 1] == '/'))
			return true;
		return name.n >= FILE_NAME_MIN && sv_find(text, name) >= 0;
	}
	if (depth >= LIMIT_JSON_DEPTH)
		return false;
	json_for_each (v, e) {
		if (names_path(e, path, name, depth + 1))
			return true;
	}
	return false;
}

struct ledger **tool_of_file(struct run *r, struct sv path, uint64_t ts)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct sv name = slash ? sv_sub(path, (size_t)(slash + 1 - path.p), path.n) : path;

	for (struct tool *tool = r->tools; path.n && tool; tool = tool->next) {
		if (ts < tool->ts_start || !names_path(tool->args, path, name, 0))
			continue;
		begin(tool, ts);
		return &tool->files;
	}
	return NULL;
}

/* --- MCP calls */

#define ID_MIN 4          /* shorter ids are counters, which match by chance */
#define NAME_MAX_TEXT 256 /* of a tool, compared */

/* A call without arguments may have an empty object, or none. */
static bool same_args(const struct json *a, const struct json *b)
{
	return ((!a || (json_is(a, JSON_OBJECT) && !a->cnt)) &&
		(!b || (json_is(b, JSON_OBJECT) && !b->cnt))) ||
	       json_same(a, b);
}

static bool is_word(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* Letters and digits; all else is one sign, as model APIs allow few others in a name. */
static struct sv plain_name(struct sv name, char out[NAME_MAX_TEXT])
{
	size_t n = name.n < NAME_MAX_TEXT ? name.n : NAME_MAX_TEXT;

	for (size_t i = 0; i < n; i++)
		out[i] = is_word(name.p[i]) ? name.p[i] : '_';
	return (struct sv){ out, n };
}

/* The same name, or with the server's before or behind it: mcp__server__tool, server.tool. */
static bool same_name(struct sv offered, struct sv tool)
{
	char a[NAME_MAX_TEXT], b[NAME_MAX_TEXT];
	struct sv long_name = plain_name(offered, a), name = plain_name(tool, b);
	size_t more = long_name.n - name.n;

	if (!name.n || long_name.n < name.n)
		return false;
	if (!more)
		return sv_eq(long_name, name);
	return (sv_eq(sv_sub(long_name, more, name.n), name) && long_name.p[more - 1] == '_') ||
	       (sv_eq(sv_sub(long_name, 0, name.n), name) && long_name.p[name.n] == '_');
}

static bool names_id(const struct json *ids, struct sv id)
{
	json_for_each (ids, e) {
		if (id.n >= ID_MIN && sv_eq(json_sv(e), id))
			return true;
	}
	return false;
}

/* The first open call that takes the ask by id, else by arguments; one that nobody took yet before others. */
static struct tool *find_asked(struct run *r, const struct tool_ask *ask, bool by_id)
{
	struct tool *best = NULL;

	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		bool fits = by_id ? names_id(ask->ids, tool->id)
				  : same_name(tool->name, ask->name) &&
					    same_args(tool->args, ask->args);

		if (fits && (!best || (best->has_ask && !tool->has_ask)))
			best = tool;
	}
	return best;
}

/* The only open call that nobody took; of several the only one of that name. */
static struct tool *find_lone(struct run *r, const struct tool_ask *ask)
{
	struct tool *lone = NULL, *named = NULL;
	size_t lone_cnt = 0, named_cnt = 0;

	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		if (tool->has_ask || tool->has_process || ask->ts < tool->ts_start)
			continue;
		lone = tool;
		lone_cnt++;
		if (same_name(tool->name, ask->name)) {
			named = tool;
			named_cnt++;
		}
	}
	if (named_cnt)
		return named_cnt == 1 ? named : NULL;
	return lone_cnt == 1 ? lone : NULL;
}

bool tool_of_ask(struct run *r, const struct tool_ask *ask, struct tool_ref *out)
{
	const char *link = "exact";
	struct tool *tool = find_asked(r, ask, true);

	if (!tool) {
		link = "argument";
		tool = find_asked(r, ask, false);
	}
	if (!tool && ask->by_time) {
		link = "time";
		tool = find_lone(r, ask);
	}
	if (!tool)
		return false;
	tool->has_ask = true;
	begin(tool, ask->ts);
	*out = (struct tool_ref){
		.span_id = tool->span->span_id,
		.link = link,
		.invalid = tool->invalid,
	};
	return true;
}
