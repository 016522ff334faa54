// SPDX-License-Identifier: BSD-2-Clause
/*
 * What runs are at, with no more than a level and rules allow.  Both are made for spans, so the texts go
 * through one: nothing is told here that would not be kept of the span that comes of it.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "span/now.h"
#include "span/now_int.h"

/* Which attribute a text is, or one of the same class. */
static const struct {
	enum attr_id id;
	size_t text; /* offset in struct now */
} texts[] = {
	{ ATTR_ID_AGENT_NAME, offsetof(struct now, agent) },
	{ ATTR_ID_CONTAINER_ID, offsetof(struct now, container) },
	{ ATTR_ID_REQUEST_MODEL, offsetof(struct now, model.model) },
	{ ATTR_ID_RESPONSE_MODEL, offsetof(struct now, failed.model) },
	{ ATTR_ID_ERROR_TYPE, offsetof(struct now, failed.error) },
	{ ATTR_ID_TOOL_NAME, offsetof(struct now, tool.name) },
	{ ATTR_ID_TOOL_TYPE, offsetof(struct now, same_name) },
};

/* What somebody says is kept as a result is, the name of a tool as one. */
static enum attr_id asked_for(const struct now *n)
{
	bool name = n->human.by &&
		    (strcmp(n->human.by, "terminal") == 0 || strcmp(n->human.by, "request") == 0);

	return name ? ATTR_ID_OP : ATTR_ID_TOOL_RESULT;
}

static int make_span(struct span **out, const struct now *n)
{
	struct span *s = NULL;

	if (span_new(&s, SPAN_TOOL_CALL))
		return -ENOMEM;
	s->no_redact = true; /* that was done, or is not wanted */
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		span_set_str(s, texts[i].id, *(const struct sv *)((const char *)n + texts[i].text));
	span_set_str(s, asked_for(n), n->human.what);
	span_set_json(s, ATTR_ID_TOOL_ARGUMENTS, n->tool.input);
	*out = s;
	return 0;
}

int now_keep(now_fn fn, void *ctx, const struct now *n, const struct rules *rules,
	     enum payload_level level)
{
	struct span *s = NULL, *masked = NULL, *kept = NULL;
	_cleanup_buf_ struct buf args = BUF_INIT;
	struct now out = *n;
	int err;

	if (!rules && level == PAYLOAD_FULL) {
		fn(ctx, n);
		return 0;
	}
	err = make_span(&s, n);
	if (!err && rules)
		err = rules_apply(rules, &masked, s);
	if (!err && level != PAYLOAD_FULL)
		err = payload_keep(&kept, masked ? masked : s, level);
	if (!err) {
		const struct span *k = kept ? kept : masked;

		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			*(struct sv *)((char *)&out + texts[i].text) = span_attr_sv(k, texts[i].id);
		out.human.what = span_attr_sv(k, asked_for(n));
		out.tool.input = span_attr(k, ATTR_ID_TOOL_ARGUMENTS);
		now_write_args(&args, out.tool.input);
		out.tool.args = buf_view(&args);
		out.same_what = out.same_name; /* arguments that are cut cannot be looked at */
		fn(ctx, &out);
	}
	span_free(&kept);
	span_free(&masked);
	span_free(&s);
	return err;
}
