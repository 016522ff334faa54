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

/* --- which of several */

/* The nearest decides, with p itself: who asked, or what was started for a call. */
int tool_kin(struct run *r, const struct tool *tool, const struct proc *p)
{
	for (int depth = 0; p && depth < KIN_DEPTH; depth++, p = p->parent) {
		const struct pstate *ps = p->user;

		if (p->tgid == tool->tgid && p->start == tool->proc_start)
			return KIN_ASKED + KIN_DEPTH - depth;
		if (ps && ps->tool_span[0])
			return ps->tool_sure || tool_find(r, ps->tool_span) ? KIN_TAKEN : KIN_LOOSE;
	}
	return KIN_APART;
}

/* The best of the calls that were considered. */
struct pick {
	struct tool *tool;
	size_t n; /* how much of its arguments was found */
	int kin;
	bool taken;
	bool alike; /* others fit as well */
};

/* taken: something else was found to do it already. */
static void consider(struct pick *pick, struct tool *tool, size_t n, int kin, bool taken)
{
	if (!n || kin == KIN_TAKEN || n < pick->n || (n == pick->n && kin < pick->kin))
		return;
	if (n > pick->n || kin > pick->kin) {
		*pick = (struct pick){ tool, n, kin, taken, false };
		return;
	}
	pick->alike = true;
	if (pick->taken && !taken) {
		pick->tool = tool;
		pick->taken = false;
	}
}

/* What fits several calls alike tells only that it is one of them. */
static const char *link_of(const struct pick *pick)
{
	return pick->alike ? "time" : "argument";
}

/* --- processes */

static bool is_word(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* Is it in the text, with no letter or digit next to it? */
static bool has_word(struct sv text, struct sv word)
{
	long at;

	while (word.n && (at = sv_find(text, word)) >= 0) {
		size_t from = (size_t)at, to = from + word.n;

		if ((!from || !is_word(text.p[from - 1])) && (to == text.n || !is_word(text.p[to])))
			return true;
		text = sv_sub(text, from + 1, text.n);
	}
	return false;
}

struct match {
	struct sv in;  /* canonical */
	struct sv url; /* of a request; empty: in is a command line */
	char *scratch; /* CANONICAL_MAX bytes */
	size_t told,
		short_ones; /* bytes of arguments that are in it; of those that may be by chance */
};

/* Is the command line of a shell that runs nothing but this?  Two letters are enough then: ls, ps, id. */
static bool is_command(struct sv line, struct sv text)
{
	return text.n + 1 == MATCH_MIN && line.n > text.n + 3 &&
	       sv_eq(sv_sub(line, line.n - text.n, text.n), text) &&
	       sv_is(sv_sub(line, line.n - text.n - 4, 4), " -c ");
}

static void match_text(struct match *m, struct sv text)
{
	struct sv want;

	if (m->url.n && sv_has(text, "://")) {
		if (has_word(m->url, text) || has_word(text, m->url))
			m->told += text.n < m->url.n ? text.n : m->url.n;
		return;
	}
	want = canonical(text, m->scratch, CANONICAL_MAX);
	if (want.n < MATCH_MIN && !is_command(m->in, want))
		m->short_ones += has_word(m->in, want) ? want.n : 0;
	else if (m->url.n ? has_word(m->in, want) : sv_find(m->in, want) >= 0)
		m->told += want.n;
}

static void match_args(struct match *m, const struct json *v, unsigned int depth)
{
	if (json_is(v, JSON_STRING)) {
		match_text(m, json_sv(v));
	} else if (depth < LIMIT_JSON_DEPTH) {
		json_for_each (v, e)
			match_args(m, e, depth + 1);
	}
}

static size_t matched(const struct match *m)
{
	return m->told ? m->told + m->short_ones : 0;
}

static size_t match_program(const struct tool *tool, const struct program *prog, char *scratch)
{
	struct sv args = { prog->args, prog->args_len };
	struct match m = { .in = canonical(args, scratch, CANONICAL_MAX),
			   .scratch = scratch + CANONICAL_MAX };

	match_args(&m, tool->args, 0);
	return matched(&m);
}

/* The best match of a call's arguments in any of the programs that the process ran. */
static size_t match_programs(const struct tool *tool, const struct program *programs, char *scratch)
{
	size_t best = 0;

	for (const struct program *prog = programs; prog; prog = prog->next) {
		size_t n = match_program(tool, prog, scratch);

		if (n > best)
			best = n;
	}
	return best;
}

bool tool_names_program(struct run *r, const char *span_id, const struct program *prog)
{
	const struct tool *tool = tool_find(r, span_id);
	_cleanup_free_ char *scratch = tool ? malloc(2 * CANONICAL_MAX) : NULL;

	return scratch && match_program(tool, prog, scratch);
}

/* The only call that could be meant, when nothing but the time tells. */
struct lone {
	struct tool *tool;
	int kin;
	size_t cnt;
};

static void may_be(struct lone *lone, struct tool *tool, int kin)
{
	if (kin > lone->kin)
		*lone = (struct lone){ .kin = kin };
	if (kin < lone->kin)
		return;
	lone->tool = tool;
	lone->cnt++;
}

/* scratch: 2 * CANONICAL_MAX bytes */
static bool find_of_process(struct run *r, const struct proc *p, char *scratch,
			    struct tool_ref *out)
{
	const struct program *programs = ((const struct pstate *)p->user)->programs;
	uint64_t began = p->ts_exec ? p->ts_exec : p->ts_first;
	struct pick pick = { 0 };
	struct lone lone = { 0 }, delegated = { 0 };

	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		int kin = tool_kin(r, tool, p->parent);

		if (kin == KIN_TAKEN || began < tool->ts_start)
			continue;
		consider(&pick, tool, match_programs(tool, programs, scratch), kin,
			 tool->has_process);
		if (kin >= KIN_ASKED && !tool->has_process && p->ts_first >= tool->ts_start)
			may_be(tool->has_agent ? &delegated : &lone, tool, kin);
	}
	if (!lone.cnt) /* else it is rather for what the sub-agent asked for */
		lone = delegated;
	*out = (struct tool_ref){ .link = "time" };
	if (pick.tool) {
		lone = (struct lone){ pick.tool, pick.kin, 1 };
		pick.tool->has_process = true;
		out->by_args = true;
		out->link = link_of(&pick);
	}
	if (lone.cnt != 1)
		return false;
	tool_begin(lone.tool, p->ts_first);
	out->span_id = lone.tool->span->span_id;
	return true;
}

bool tool_of_process(struct run *r, const struct proc *p, struct tool_ref *out)
{
	char *scratch = r->tools ? malloc(2 * CANONICAL_MAX) : NULL;
	bool found = scratch && find_of_process(r, p, scratch, out);

	free(scratch);
	return found;
}

/* --- HTTP requests */

/* A URL's %20 and + as what they stand for. */
static void decode(struct buf *out, struct sv url)
{
	for (size_t i = 0; i < url.n; i++) {
		char hex[3] = { 0 }, *end = hex;
		char ch = url.p[i] == '+' ? ' ' : url.p[i];

		if (ch == '%' && i + 2 < url.n) {
			memcpy(hex, url.p + i + 1, 2);
			ch = (char)strtoul(hex, &end, 16);
		}
		if (end == hex + 2)
			i += 2;
		else
			ch = url.p[i] == '+' ? ' ' : url.p[i];
		buf_ch(out, ch);
	}
}

/* scratch: likewise */
static bool find_of_request(struct exchange *x, struct sv url, char *scratch, struct tool_ref *out)
{
	struct run *r = x->run;
	const struct proc *p = proc_find(r->t->procs, x->tgid, x->proc_start);
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct pick pick = { 0 };
	struct lone lone = { 0 };
	struct match m = { .url = url, .scratch = scratch };

	decode(&text, url);
	buf_ch(&text, ' ');
	buf_sv(&text, buf_view(&x->req_body));
	m.in = canonical(buf_view(&text), scratch + CANONICAL_MAX, CANONICAL_MAX);
	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		int kin = tool_kin(r, tool, p);
		bool own = p && p->tgid == tool->tgid && p->start == tool->proc_start;

		if (kin < KIN_APART || x->req_first < tool->ts_start)
			continue;
		m.told = m.short_ones = 0;
		match_args(&m, tool->args, 0);
		consider(&pick, tool, matched(&m), kin, tool->has_ask);
		/* a server may do it that was asked for it */
		if (kin >= KIN_ASKED && !tool->has_process && !(own && tool->has_ask))
			may_be(&lone, tool, kin);
	}
	*out = (struct tool_ref){ .link = "time" };
	if (pick.tool) {
		lone = (struct lone){ pick.tool, pick.kin, 1 };
		pick.tool->has_ask = true;
		tool_begin(pick.tool, x->req_first);
		out->link = link_of(&pick);
	}
	if (lone.cnt != 1)
		return false;
	out->span_id = lone.tool->span->span_id;
	out->asked = lone.tool->ts_start;
	return true;
}

bool tool_of_request(struct exchange *x, struct sv url, struct tool_ref *out)
{
	char *scratch = x->run->tools ? malloc(2 * CANONICAL_MAX) : NULL;
	bool found = scratch && find_of_request(x, url, scratch, out);

	free(scratch);
	return found;
}

/* --- agents */

/*
 * How much a text among the arguments has in common with the input, one of which is in the other: the
 * longer the likelier, and of two that have as much the one that is the same.
 */
static size_t match_input(const struct json *v, struct sv input, unsigned int depth)
{
	size_t best = 0;

	if (json_is(v, JSON_STRING)) {
		struct sv text = json_sv(v);

		if (text.n < INPUT_MIN || input.n < INPUT_MIN)
			return 0;
		if (sv_eq(input, text))
			return 2 * text.n + 1;
		if (sv_find(input, text) >= 0)
			return 2 * text.n;
		return sv_find(text, input) >= 0 ? 2 * input.n : 0;
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

		if (n > best_n || (n && n == best_n && best->has_agent && !tool->has_agent)) {
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
	*out = (struct tool_ref){ .link = best ? "argument" : "time" };
	if (!best)
		best = lone;
	best->has_agent = true;
	out->span_id = best->span->span_id;
	out->agent = agent_of(best, x);
	return true;
}

/* --- files */

#define FILE_NAME_MIN 4 /* a shorter name is in a text by chance */

/* Is it the path, or its end? */
static bool is_end_of(struct sv text, struct sv path)
{
	return text.n && text.n <= path.n && sv_eq(sv_sub(path, path.n - text.n, text.n), text) &&
	       (text.n == path.n || text.p[0] == '/' || path.p[path.n - text.n - 1] == '/');
}

/* What leads to where a path begins that is not known: ./x, ../x, ~/x. */
static struct sv without_lead(struct sv text)
{
	static const char *const leads[] = { "./", "../", "~/" };

	for (size_t i = 0; i < ARRAY_SIZE(leads);) {
		if (sv_starts(text, leads[i])) {
			text = sv_sub(text, strlen(leads[i]), text.n);
			i = 0;
		} else {
			i++;
		}
	}
	return text;
}

static bool ends_word(char ch)
{
	return strchr(" \t\r\n\"'`,;:=()[]{}<>|&", ch); /* and NUL */
}

/* Of the text, that names the file somewhere, as a patch or a command does: how much; 0: it does not. */
static size_t mentions(struct sv text, struct sv path, struct sv name)
{
	size_t whole = text.n;
	long at;

	while (name.n >= FILE_NAME_MIN && (at = sv_find(text, name)) >= 0) {
		size_t from = (size_t)at, to = from + name.n;
		struct sv word;

		while (from && !ends_word(text.p[from - 1]))
			from--;
		word = without_lead(sv_sub(text, from, to - from));
		if ((to == text.n || ends_word(text.p[to])) &&
		    (is_end_of(word, path) ||
		     /* git's sides of a change */
		     (to - from < whole && (sv_starts(word, "a/") || sv_starts(word, "b/")) &&
		      is_end_of(sv_sub(word, 2, word.n), path))))
			return word.n;
		text = sv_sub(text, to, text.n);
	}
	return 0;
}

/* How well the arguments name the file: by more of its path is better, and an argument than a part. */
static size_t names_path(const struct json *v, struct sv path, struct sv name, unsigned int depth)
{
	size_t best = 0;

	if (json_is(v, JSON_STRING)) {
		struct sv text = without_lead(json_sv(v));

		return is_end_of(text, path) ? 2 * text.n + 1 : 2 * mentions(text, path, name);
	}
	if (depth >= LIMIT_JSON_DEPTH)
		return 0;
	json_for_each (v, e) {
		size_t n = names_path(e, path, name, depth + 1);

		if (n > best)
			best = n;
	}
	return best;
}

static struct pick pick_of_path(struct run *r, const struct proc *p, struct sv path, uint64_t ts)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct sv name = slash ? sv_sub(path, (size_t)(slash + 1 - path.p), path.n) : path;
	struct pick pick = { 0 };

	for (struct tool *tool = r->tools; path.n && tool; tool = tool->next)
		if (ts >= tool->ts_start)
			consider(&pick, tool, names_path(tool->args, path, name, 0),
				 tool_kin(r, tool, p), false);
	return pick;
}

struct ledger **tool_of_file(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link)
{
	struct pick pick = pick_of_path(r, p, path, ts);

	if (!pick.tool)
		return NULL;
	tool_begin(pick.tool, ts);
	*link = link_of(&pick);
	return &pick.tool->files;
}

struct ledger **tool_of_read(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link)
{
	struct pick pick = pick_of_path(r, p, path, ts);

	if (!pick.tool)
		return NULL;
	*link = link_of(&pick);
	return &pick.tool->files;
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

/* By the id that the model gave the call. */
static struct tool *find_by_id(struct run *r, const struct tool_ask *ask)
{
	struct tool *tool = r->tools;

	while (tool && !names_id(ask->ids, tool->id))
		tool = tool->next;
	return tool;
}

/* The only open call that nobody took; of several the only one of that name. */
static struct tool *find_lone(struct run *r, const struct tool_ask *ask)
{
	struct lone lone = { 0 }, named = { 0 };

	for (struct tool *tool = r->tools; tool; tool = tool->next) {
		int kin = tool_kin(r, tool, ask->proc);

		if (tool->has_ask || tool->has_process || ask->ts < tool->ts_start ||
		    kin < KIN_APART)
			continue;
		may_be(&lone, tool, kin);
		if (same_name(tool->name, ask->name))
			may_be(&named, tool, kin);
	}
	if (named.cnt)
		lone = named;
	return lone.cnt == 1 ? lone.tool : NULL;
}

bool tool_of_ask(struct run *r, const struct tool_ask *ask, struct tool_ref *out)
{
	const char *link = "exact";
	struct tool *found = find_by_id(r, ask);
	struct pick pick = { 0 };

	for (struct tool *tool = found ? NULL : r->tools; tool; tool = tool->next)
		if (same_name(tool->name, ask->name) && same_args(tool->args, ask->args))
			consider(&pick, tool, 1, tool_kin(r, tool, ask->proc), tool->has_ask);
	if (pick.tool) {
		found = pick.tool;
		link = link_of(&pick);
	} else if (!found && ask->by_time) {
		found = find_lone(r, ask);
		link = "time";
	}
	if (!found)
		return false;
	found->has_ask = true;
	tool_begin(found, ask->ts);
	*out = (struct tool_ref){
		.span_id = found->span->span_id,
		.asked = found->ts_start,
		.link = link,
		.invalid = found->invalid,
	};
	return true;
}
