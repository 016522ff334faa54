// SPDX-License-Identifier: BSD-2-Clause
/*
 * What did a tool call: processes, requests and files are held against the arguments of the calls that
 * have no answer yet.  However many these are, only those are looked at that have something in common
 * with it (see tool.h), and of those with the same arguments the ones that may be meant.
 */
#include "span/tool_pick.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

/* --- what a call was found to have already */

static bool has_process(const struct tool *tool)
{
	return tool->has_process;
}

static bool has_ask(const struct tool *tool)
{
	return tool->has_ask;
}

static bool never(const struct tool *tool)
{
	(void)tool;
	return false;
}

/* --- processes */

static size_t match_line(struct tool_class *class, const void *line)
{
	return tool_match_line(class, *(const struct sv *)line);
}

bool tool_names_program(struct run *r, const char *span_id, const struct program *prog)
{
	const struct tool *tool = tool_find(r, span_id);
	_cleanup_free_ char *scratch = tool ? malloc(TOOL_CANONICAL_MAX) : NULL;
	struct sv args = { prog->args, prog->args_len };

	return scratch &&
	       tool_match_line(tool->class, tool_canonical(args, scratch, TOOL_CANONICAL_MAX));
}

/* The best match of a call's arguments in any of the programs that the process ran. */
static void find_by_command(struct run *r, const struct program *programs, struct pick *pick)
{
	_cleanup_free_ char *scratch = programs ? malloc(TOOL_CANONICAL_MAX) : NULL;
	struct hits h = tool_hits_new(r, match_line);

	for (const struct program *prog = programs; prog && scratch; prog = prog->next) {
		struct sv args = { prog->args, prog->args_len };
		struct sv line = tool_canonical(args, scratch, TOOL_CANONICAL_MAX);

		tool_look_in(&h, &r->tools->commands, line, &line);
	}
	tool_consider_hits(r, pick, &h);
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

/* The only one that the nearest process asked for; one that a sub-agent does only where there is no other. */
static struct tool *find_by_time(struct run *r, const struct kin *k, uint64_t ts)
{
	struct lone lone = { 0 }, delegated = { 0 };

	for (int i = 0; i < k->depth && !lone.cnt; i++) {
		tools_of(r, TOOL_FREE_OF_ASKER, k->up[i]->tgid, k->up[i]->start, l)
		{
			struct tool *tool = l->of;

			if (ts < tool->ts_start)
				continue;
			may_be(tool->has_agent ? &delegated : &lone, tool, tool_kin_at(i));
			if (lone.cnt > 1)
				return NULL;
		}
	}
	if (!lone.cnt) /* else it is rather for what the sub-agent asked for */
		lone = delegated;
	return lone.cnt == 1 ? lone.tool : NULL;
}

bool tool_of_process(struct run *r, const struct proc *p, struct tool_ref *out)
{
	const struct program *programs = ((const struct pstate *)p->user)->programs;
	uint64_t began = p->ts_exec ? p->ts_exec : p->ts_first;
	struct pick pick = { .ts = began, .is_taken = has_process };
	struct tool *tool;
	struct kin k;

	if (!r->tools || !r->tools->first)
		return false;
	k = tool_kin_of(r, p->parent);
	pick.kin_of = &k;
	find_by_command(r, programs, &pick);
	*out = (struct tool_ref){ .link = "time" };
	tool = pick.tool;
	if (tool) {
		tool_had_process(r, tool);
		out->by_args = true;
		out->link = tool_pick_link(&pick);
	} else {
		tool = find_by_time(r, &k, began < p->ts_first ? began : p->ts_first);
	}
	if (!tool)
		return false;
	tool_begin(r, tool, p->ts_first);
	out->span_id = tool->span->span_id;
	return true;
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

struct asked {
	struct sv request, url;
};

static size_t match_request(struct tool_class *class, const void *of)
{
	const struct asked *a = of;

	return tool_match_request(class, a->request, a->url);
}

/* A text may also hold the URL. */
static void look_for_url(struct hits *h, struct sv url)
{
	index_for_each (&h->all->by, ((struct map_key){ TOOL_CLASS_HAS_URL, 0, 0 }), l) {
		struct tool_class *class = l->of;

		if (class->longest > url.n)
			tool_hit(h, class);
	}
}

static void find_by_request(struct exchange *x, struct sv url, struct pick *pick)
{
	_cleanup_free_ char *scratch = malloc(TOOL_CANONICAL_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct run *r = x->run;
	struct hits h = tool_hits_new(r, match_request);
	struct asked a = { .url = url };

	if (!scratch)
		return;
	decode(&text, url);
	buf_ch(&text, ' ');
	buf_sv(&text, buf_view(&x->req_body.text));
	a.request = tool_canonical(buf_view(&text), scratch, TOOL_CANONICAL_MAX);
	tool_look_in(&h, &r->tools->commands, a.request, &a);
	phrases_in(&r->tools->urls, url, tool_hit_text, &h);
	look_for_url(&h, url);
	tool_consider_hits(r, pick, &h);
}

/* own: who asks; one request of its own is enough for a call, a server may do more that was asked for it. */
static struct tool *lone_of_request(struct run *r, const struct kin *k, const struct proc *own,
				    uint64_t ts)
{
	for (int i = 0; i < k->depth; i++) {
		struct lone lone = { 0 };

		tools_of(r, TOOL_FREE_OF_ASKER, k->up[i]->tgid, k->up[i]->start, l)
		{
			struct tool *tool = l->of;

			if (ts < tool->ts_start || (k->up[i] == own && tool->has_ask))
				continue;
			may_be(&lone, tool, tool_kin_at(i));
			if (lone.cnt > 1)
				return NULL;
		}
		if (lone.cnt)
			return lone.tool;
	}
	return NULL;
}

bool tool_of_request(struct exchange *x, struct sv url, struct tool_ref *out)
{
	struct run *r = x->run;
	const struct proc *p = proc_find(r->t->procs, x->tgid, x->proc_start);
	struct pick pick = { .ts = x->req_first, .is_taken = has_ask };
	struct tool *tool;
	struct kin k;

	if (!r->tools || !r->tools->first)
		return false;
	k = tool_kin_of(r, p);
	pick.kin_of = &k;
	find_by_request(x, url, &pick);
	*out = (struct tool_ref){ .link = "time" };
	tool = pick.tool;
	if (tool) {
		tool_had_ask(r, tool);
		tool_begin(r, tool, x->req_first);
		out->link = tool_pick_link(&pick);
	} else {
		tool = lone_of_request(r, &k, p, x->req_first);
	}
	if (!tool)
		return false;
	out->span_id = tool->span->span_id;
	out->asked = tool->ts_start;
	return true;
}

/* --- databases */

/* A statement as it is compared. */
struct statement {
	struct sv line;
	const struct tool_query *q;
};

static size_t match_query(struct tool_class *class, const void *of)
{
	const struct statement *s = of;

	return tool_match_line(class, s->line) +
	       tool_match_values(class, s->q->values, s->q->value_cnt);
}

static void find_by_query(struct run *r, const struct tool_query *q, struct pick *pick)
{
	_cleanup_free_ char *scratch = malloc(TOOL_CANONICAL_MAX);
	struct hits h = tool_hits_new(r, match_query);
	struct statement s = { .q = q };

	if (!scratch)
		return;
	s.line = tool_canonical(q->text, scratch, TOOL_CANONICAL_MAX);
	tool_look_in(&h, &r->tools->commands, s.line, &s);
	for (size_t i = 0; i < q->value_cnt; i++) {
		char number[TOOL_NUMBER_MAX];

		for (struct index_link *l = tool_first_with(r, tool_value(q->values[i], number)); l;
		     l = l->next)
			tool_hit(&h, ((const struct tool_value *)l->of)->class);
	}
	tool_consider_hits(r, pick, &h);
}

bool tool_of_query(struct run *r, const struct proc *p, const struct tool_query *q,
		   struct tool_ref *out)
{
	struct pick pick = { .ts = q->ts, .is_taken = has_ask };
	struct tool *tool;
	struct kin k;

	if (!r->tools || !r->tools->first)
		return false;
	k = tool_kin_of(r, p);
	if (k.others == KIN_TAKEN) /* what a tool's own process asks hangs under that */
		return false;
	pick.kin_of = &k;
	find_by_query(r, q, &pick);
	*out = (struct tool_ref){ .link = "time" };
	tool = pick.tool;
	if (tool) {
		tool_had_ask(r, tool);
		out->link = tool_pick_link(&pick);
	} else {
		tool = lone_of_request(r, &k, NULL, q->ts);
	}
	if (!tool)
		return false;
	tool_begin(r, tool, q->ts);
	out->span_id = tool->span->span_id;
	return true;
}

/* --- agents */

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
	if (tool->links[TOOL_NAMES_AGENT].list ||
	    (tool->tgid == x->tgid && tool->proc_start == x->proc_start))
		return tool->name;
	return SV("");
}

/* How much of a call's arguments is in what was said before the model's first answer, or the other way. */
static size_t match_input(struct tool_class *class, const void *input)
{
	return tool_match_input(class, *(const struct sv *)input);
}

static void look_for_input(struct hits *h, struct sv input)
{
	if (input.n < TOOL_INPUT_MIN)
		return;
	tool_look_in(h, &h->all->inputs, input, &input);
	for (struct tool_class *class = h->all->first_class; class; class = class->next)
		if (class->longest > input.n)
			tool_hit(h, class);
}

static bool is_better_agent(const struct tool *tool, const struct tool *than)
{
	if (!than || tool->has_agent != than->has_agent)
		return !than || than->has_agent;
	return tool->number < than->number;
}

/* Of those that have as much in common the oldest that no agent does yet, else the oldest. */
static struct tool *find_by_input(struct run *r, const struct json *messages)
{
	struct hits h = tool_hits_new(r, match_input);
	struct tool *best = NULL;
	size_t n = 0;

	json_for_each (messages, m) {
		if (json_str_is(json_get(m, "role"), "assistant"))
			break;
		if (!json_str_is(json_get(m, "role"), "user"))
			continue;
		json_for_each (json_get(m, "parts"), part)
			look_for_input(&h, json_sv(json_get(part, "content")));
	}
	for (struct tool_class *class = h.first; class; class = class->next_hit) {
		if (!class->n || class->n < n)
			continue;
		if (class->n > n)
			best = NULL;
		n = class->n;
		for (struct tool *tool = class->first; tool; tool = tool->class_next) {
			if (is_better_agent(tool, best))
				best = tool;
			if (!tool->has_agent)
				break;
		}
	}
	return best;
}

bool tool_of_input(const struct exchange *x, bool by_time, struct tool_ref *out)
{
	struct run *r = x->run;
	struct tool *tool = r->tools ? find_by_input(r, x->call->input_messages) : NULL;

	*out = (struct tool_ref){ .link = tool ? "argument" : "time" };
	if (!tool && by_time) {
		struct index_link *l = tool_first(r, TOOL_NAMES_AGENT, 0, 0);

		tool = l && !l->next ? l->of : NULL;
	}
	if (!tool)
		return false;
	tool->has_agent = true;
	out->span_id = tool->span->span_id;
	out->agent = agent_of(tool, x);
	return true;
}

/* --- files */

static struct pick pick_of_path(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
				struct kin *k)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct sv name = slash ? sv_sub(path, (size_t)(slash + 1 - path.p), path.n) : path;
	struct pick pick = { .ts = ts, .is_taken = never, .kin_of = k };

	if (!r->tools || !path.n)
		return pick;
	*k = tool_kin_of(r, p);
	for (const struct tool_class *class = r->tools->first_class; class; class = class->next)
		tool_consider(r, &pick, class, tool_match_path(class, path, name));
	return pick;
}

struct ledger **tool_of_file(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link)
{
	struct kin k;
	struct pick pick = pick_of_path(r, p, path, ts, &k);

	if (!pick.tool)
		return NULL;
	tool_begin(r, pick.tool, ts);
	*link = tool_pick_link(&pick);
	return &pick.tool->files;
}

struct ledger **tool_of_read(struct run *r, const struct proc *p, struct sv path, uint64_t ts,
			     const char **link)
{
	struct kin k;
	struct pick pick = pick_of_path(r, p, path, ts, &k);

	if (!pick.tool)
		return NULL;
	*link = tool_pick_link(&pick);
	return &pick.tool->files;
}

/* --- MCP calls */

#define ID_MIN 4 /* shorter ids are counters, which match by chance */

/* The oldest of those that the model gave one of these ids. */
static struct tool *find_by_id(struct run *r, const struct tool_ask *ask)
{
	struct tool *found = NULL;

	json_for_each (ask->ids, e) {
		struct sv id = json_sv(e);

		if (id.n < ID_MIN)
			continue;
		tools_of(r, TOOL_BY_ID, hash64(id), 0, l)
		{
			struct tool *tool = l->of;

			if (!sv_eq(tool->id, id))
				continue;
			if (!found || tool->number < found->number)
				found = tool;
			break;
		}
	}
	return found;
}

/* The only open call that nobody took; of several the only one of that name. */
static struct tool *find_lone(struct run *r, const struct kin *k, const struct tool_ask *ask)
{
	struct lone lone = { 0 }, named = { 0 };

	tools_of(r, TOOL_NOBODYS, 0, 0, l)
	{
		struct tool *tool = l->of;
		int kin = tool_kin_to(k, tool);

		if (ask->ts < tool->ts_start || kin < KIN_APART)
			continue;
		may_be(&lone, tool, kin);
		if (tool_same_name(tool->name, ask->name))
			may_be(&named, tool, kin);
	}
	if (named.cnt)
		lone = named;
	return lone.cnt == 1 ? lone.tool : NULL;
}

bool tool_of_ask(struct run *r, const struct tool_ask *ask, struct tool_ref *out)
{
	struct pick pick = { .ts = UINT64_MAX, .is_taken = has_ask, .name = ask->name };
	const char *link = "exact";
	struct tool *found = find_by_id(r, ask);
	struct kin k;

	if (!r->tools || !r->tools->first)
		return false;
	k = tool_kin_of(r, ask->proc);
	pick.kin_of = &k;
	if (!found && ask->name.n) {
		const struct tool_class *class = tool_class_of(r, ask->args);

		if (class)
			tool_consider(r, &pick, class, 1);
	}
	if (pick.tool) {
		found = pick.tool;
		link = tool_pick_link(&pick);
	} else if (!found && ask->by_time) {
		found = find_lone(r, &k, ask);
		link = "time";
	}
	if (!found)
		return false;
	tool_had_ask(r, found);
	tool_begin(r, found, ask->ts);
	*out = (struct tool_ref){
		.span_id = found->span->span_id,
		.asked = found->ts_start,
		.link = link,
		.invalid = found->invalid,
	};
	return true;
}

/* --- questions */

/*
 * Questions are asked one after the other: about the oldest call that waits, or was not asked about.
 * What stands at descriptor 0 of a process that the asking one started, it put there itself.
 */
void tool_input(struct run *r, const struct proc *p, const struct ev_input *in)
{
	struct tool *first = NULL, *fresh = NULL;
	struct kin k = tool_kin_of(r, p);

	tools_of(r, TOOL_NOT_BEGUN, 0, 0, l)
	{
		struct tool *tool = l->of;
		int kin = tool_kin_to(&k, tool);

		/* what a tool's own process reads is its business */
		if (in->hdr.ts < tool->ts_start || kin < KIN_APART)
			continue;
		if (in->src == EV_SRC_PIPE && kin >= KIN_ASKED && kin < KIN_ASKED + KIN_DEPTH)
			continue;
		if (!first)
			first = tool;
		fresh = tool->approval.blocked ? NULL : tool;
		if (fresh)
			break;
	}
	if (fresh && fresh != first && in->enter_ts > first->approval.ts_to)
		first = fresh;
	if (first)
		approval_input(&first->approval, in, first->ts_start,
			       first->tgid == in->hdr.tgid && first->proc_start == in->hdr.start);
}
