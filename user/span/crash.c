// SPDX-License-Identifier: BSD-2-Clause
/* What a process did last before a signal ended it: its latest spans, as events of its own. */
#include <string.h>
#include "span/engine.h"

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

	json_set(a, attrs, attr_defs[ATTR_ID_EVENT_MESSAGE].key, json_string(a, sv(last->name)));
	json_set(a, attrs, attr_defs[ATTR_ID_EVENT_SPAN].key, json_string(a, sv(last->span_id)));
	if (last->failed)
		json_set(a, attrs, attr_defs[ATTR_ID_EVENT_FAILED].key, json_bool(a, true));
	span_event(s, last->end_ns, "before_signal", attrs);
}

void crash_tell(struct span *s, const struct run *r, uint32_t tgid)
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
