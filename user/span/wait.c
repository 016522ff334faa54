// SPDX-License-Identifier: BSD-2-Clause
/*
 * What was waited for, by cause.  Waits that overlap count once: a set keeps its latest intervals apart
 * and, when there are too many, only the length of the oldest.
 */
#include <string.h>
#include "span/engine.h"

static void drop_oldest(struct wait_set *w)
{
	w->closed += w->of[0].to - w->of[0].from;
	w->floor = w->of[0].to;
	w->cnt--;
	memmove(&w->of[0], &w->of[1], w->cnt * sizeof(w->of[0]));
}

void wait_add(struct wait_set *w, uint64_t from, uint64_t to)
{
	unsigned int at = 0, end;

	if (from < w->floor)
		from = w->floor;
	if (from >= to)
		return;
	while (at < w->cnt && w->of[at].to < from)
		at++;
	for (end = at; end < w->cnt && w->of[end].from <= to; end++) {
		if (w->of[end].from < from)
			from = w->of[end].from;
		if (w->of[end].to > to)
			to = w->of[end].to;
	}
	if (end == at) { /* it touches none */
		if (w->cnt == WAIT_OPEN) {
			drop_oldest(w);
			wait_add(w, from, to);
			return;
		}
		memmove(&w->of[at + 1], &w->of[at], (w->cnt - at) * sizeof(w->of[0]));
		w->cnt++;
	} else {
		memmove(&w->of[at + 1], &w->of[end], (w->cnt - end) * sizeof(w->of[0]));
		w->cnt -= end - at - 1;
	}
	w->of[at] = (struct wait){ from, to };
}

static uint64_t total(const struct wait_set *w)
{
	uint64_t sum = w->closed;

	for (unsigned int i = 0; i < w->cnt; i++)
		sum += w->of[i].to - w->of[i].from;
	return sum;
}

void waits_set(struct span *s, const struct waits *w)
{
	static const enum attr_id ids[WAIT_CNT] = {
		[WAIT_PROVIDER] = ATTR_ID_WAIT_PROVIDER,   [WAIT_STREAM] = ATTR_ID_WAIT_STREAM,
		[WAIT_NETWORK] = ATTR_ID_WAIT_NETWORK,     [WAIT_HUMAN] = ATTR_ID_WAIT_HUMAN,
		[WAIT_THROTTLED] = ATTR_ID_WAIT_THROTTLED, [WAIT_RETRY] = ATTR_ID_WAIT_RETRY,
	};

	for (size_t i = 0; i < WAIT_CNT; i++)
		if (w->by[i].cnt)
			span_set_int(s, ids[i], (int64_t)total(&w->by[i]));
}

void wait_of_process(struct run *r, const struct proc *p, uint64_t from, uint64_t to)
{
	const char *tool = p ? process_tool(p) : NULL;

	if (tool) {
		tool_waited(r, tool, WAIT_NETWORK, from, to);
		return;
	}
	wait_add(&r->waits.by[WAIT_NETWORK], from, to);
	agent_process_waited(r, p, WAIT_NETWORK, from, to);
}
