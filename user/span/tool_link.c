// SPDX-License-Identifier: BSD-2-Clause
/*
 * What did a tool call: processes, requests and files are held against the arguments of the calls that
 * have no answer yet.
 */
#include "span/tool.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

#define MATCH_MIN 3         /* shorter arguments match by chance */
#define INPUT_MIN 16        /* likewise of an agent's input */
#define CANONICAL_MAX 65536 /* of a command line or an argument that is compared */

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
		tool_begin(best, p->ts_first);
		*out = (struct tool_ref){ .span_id = best->span->span_id, .link = "argument" };
		return true;
	}
	if (free_cnt != 1)
		return false;
	tool_begin(lone, p->ts_first);
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
		tool_begin(tool, ts);
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
	tool_begin(tool, ask->ts);
	*out = (struct tool_ref){
		.span_id = tool->span->span_id,
		.link = link,
		.invalid = tool->invalid,
	};
	return true;
}
