// SPDX-License-Identifier: BSD-2-Clause
/* What a line of the tree tells of system calls: those of the span by class, what took most first. */
#include <string.h>
#include "base/cleanup.h"
#include "event/event.h"
#include "sink/human.h"
#include "sink/tree_priv.h"

struct class_sum {
	struct sv name;
	uint64_t calls, ns;
};

/* How many there are; they come from a store, which may hold anything. */
static size_t read_classes(struct class_sum of[EV_CALL_CLASSES], const struct json *classes)
{
	size_t cnt = 0;

	json_for_each (classes, e) {
		struct class_sum c = { .name = e->key,
				       .calls = json_count(json_get(e, "calls")),
				       .ns = json_count(json_get(e, "time_ns")) };
		size_t at = cnt;

		if (cnt == EV_CALL_CLASSES || e->type != JSON_OBJECT || !c.name.n ||
		    memchr(c.name.p, '\0', c.name.n))
			continue;
		for (; at && of[at - 1].ns < c.ns; at--)
			of[at] = of[at - 1];
		of[at] = c;
		cnt++;
	}
	return cnt;
}

struct sv tree_call_fact(struct tree *t, const struct span *s)
{
	const struct json *classes = span_attr(s, ATTR_ID_SYSCALLS_CLASSES);
	struct class_sum of[EV_CALL_CLASSES];
	size_t cnt = json_is(classes, JSON_OBJECT) ? read_classes(of, classes) : 0;
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (!cnt)
		return (struct sv){ NULL, 0 };
	buf_fmt(&b,
		"syscalls %s:", human_count(json_count(span_attr(s, ATTR_ID_SYSCALLS_CALLS))).s);
	for (size_t i = 0; i < cnt; i++) {
		buf_fmt(&b, "%s " SV_FMT, i ? "," : "", SV_ARG(sv_clip_utf8(of[i].name, 16)));
		buf_fmt(&b, " %s", human_count(of[i].calls).s);
		buf_fmt(&b, " in %s", human_duration(of[i].ns).s);
	}
	return arena_dup(&t->arena, buf_view(&b));
}
