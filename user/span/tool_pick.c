// SPDX-License-Identifier: BSD-2-Clause
/* Which of several tool calls is meant: see tool_pick.h. */
#include "span/tool_pick.h"

#include <string.h>

#define NAME_MAX_TEXT 256 /* of a tool, compared */

/* --- who is near */

/* The nearest decides, with p itself: who asked, or what was started for a call. */
struct kin tool_kin_of(struct run *r, const struct proc *p)
{
	struct kin k = { .others = KIN_APART };

	for (; p && k.depth < KIN_DEPTH; p = p->parent) {
		const struct pstate *ps = p->user;

		k.up[k.depth++] = p;
		if (!ps || !ps->tool_span[0])
			continue;
		k.others = ps->tool_sure || tool_find(r, ps->tool_span) ? KIN_TAKEN : KIN_LOOSE;
		break;
	}
	return k;
}

int tool_kin_at(int depth)
{
	return KIN_ASKED + KIN_DEPTH - depth;
}

int tool_kin_to(const struct kin *k, const struct tool *tool)
{
	for (int i = 0; i < k->depth; i++)
		if (k->up[i]->tgid == tool->tgid && k->up[i]->start == tool->proc_start)
			return tool_kin_at(i);
	return k->others;
}

/* --- the best of them */

/* Letters and digits; all else is one sign, as model APIs allow few others in a name. */
static struct sv plain_name(struct sv name, char out[NAME_MAX_TEXT])
{
	size_t n = name.n < NAME_MAX_TEXT ? name.n : NAME_MAX_TEXT;

	for (size_t i = 0; i < n; i++)
		out[i] = tool_is_word(name.p[i]) ? name.p[i] : '_';
	return (struct sv){ out, n };
}

bool tool_same_name(struct sv offered, struct sv tool)
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

static void consider(struct pick *pick, struct tool *tool, size_t n, int kin)
{
	bool taken = pick->is_taken(tool);

	if (!n || kin == KIN_TAKEN || n < pick->n || (n == pick->n && kin < pick->kin))
		return;
	if (n > pick->n || kin > pick->kin) {
		pick->tool = tool;
		pick->n = n;
		pick->kin = kin;
		pick->taken = taken;
		pick->alike = false;
		return;
	}
	pick->alike = true;
	if (pick->taken == taken ? tool->number < pick->tool->number : pick->taken) {
		pick->tool = tool;
		pick->taken = taken;
	}
}

const char *tool_pick_link(const struct pick *pick)
{
	return pick->alike ? "time" : "argument";
}

static bool is_meant(const struct pick *pick, const struct tool *tool)
{
	return tool->ts_start <= pick->ts &&
	       (!pick->name.n || tool_same_name(tool->name, pick->name));
}

/* Of calls that fit alike: the oldest, the oldest that is not taken, and whether there are others. */
struct alike {
	size_t cnt;
	bool free;
};

/* false: whatever comes behind it changes nothing. */
static bool consider_next(struct pick *pick, struct alike *a, struct tool *tool, size_t n, int kin)
{
	if (!is_meant(pick, tool))
		return true;
	consider(pick, tool, n, kin);
	a->free |= !pick->is_taken(tool);
	return ++a->cnt < 2 || !a->free;
}

void tool_consider(struct run *r, struct pick *pick, const struct tool_class *class, size_t n)
{
	const struct kin *k = pick->kin_of;
	struct alike a = { 0 };

	if (!n || n < pick->n)
		return;
	for (int i = 0; i < k->depth && !a.cnt; i++) {
		struct index_link *l =
			tool_first_of_both(r, class, k->up[i]->tgid, k->up[i]->start);

		while (l && consider_next(pick, &a, l->of, n, tool_kin_at(i)))
			l = l->next;
	}
	if (a.cnt || k->others == KIN_TAKEN)
		return;
	for (struct tool *tool = class->first; tool; tool = tool->class_next)
		if (!consider_next(pick, &a, tool, n, tool_kin_to(k, tool)))
			return;
}

/* --- what has something in common */

struct hits tool_hits_new(struct run *r, size_t (*match)(struct tool_class *, const void *))
{
	return (struct hits){ .all = r->tools, .match = match, .search = ++r->tools->searches };
}

void tool_hit(struct hits *h, struct tool_class *class)
{
	size_t n;

	if (class->search != h->search) {
		class->search = h->search;
		class->line = class->n = 0;
		class->next_hit = h->first;
		h->first = class;
	}
	if (class->line == h->line)
		return;
	class->line = h->line;
	n = h->match(class, h->of);
	if (n > class->n)
		class->n = n;
}

void tool_hit_text(void *ctx, struct sv text, const struct index_link *l)
{
	(void)text;
	for (; l; l = l->next)
		tool_hit(ctx, ((const struct tool_text *)l->of)->class);
}

void tool_look_in(struct hits *h, const struct phrases *ps, struct sv line, const void *of)
{
	h->of = of;
	h->line++;
	phrases_in(ps, line, tool_hit_text, h);
}

void tool_consider_hits(struct run *r, struct pick *pick, const struct hits *h)
{
	for (const struct tool_class *class = h->first; class; class = class->next_hit)
		tool_consider(r, pick, class, class->n);
}
