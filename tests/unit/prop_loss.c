// SPDX-License-Identifier: BSD-2-Clause
/*
 * Property: a record that a ring had no room for leaves a gap and no lie.  Each record of the kernel's
 * is dropped in turn, and the next one says that one is lost.  Then the run says that it is not whole;
 * ids stay unique; every span hangs where it hung, above that, under its process, or under one that
 * only exists now; and what a span tells (messages, arguments, results, command lines) it told before, unless it says
 * itself that it is incomplete.  Of the made-up agents every text names whose it is: none gets into a
 * span of another.
 */
#include "prop.h"

static const enum attr_id content[] = {
	ATTR_ID_TOOL_CALL_ID,
	ATTR_ID_TOOL_NAME,
	ATTR_ID_TOOL_ARGUMENTS,
	ATTR_ID_TOOL_RESULT,
	ATTR_ID_RESPONSE_ID,
	ATTR_ID_INPUT_MESSAGES,
	ATTR_ID_OUTPUT_MESSAGES,
	ATTR_ID_REQUEST_BODY,
	ATTR_ID_JSONRPC_ID,
	ATTR_ID_MCP_METHOD,
	ATTR_ID_PROCESS_PID,
	ATTR_ID_PROCESS_ARGS,
	ATTR_ID_PROCESS_EXIT_CODE,
	/* numbers: not checked where a stream lacks its end, which nothing but the run's count tells */
	ATTR_ID_HTTP_REQUEST_BODY,
	ATTR_ID_HTTP_RESPONSE_BODY,
	ATTR_ID_RETRY_WAIT,
};

static const struct span *find(const struct tree *t, const char *id)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (strcmp(t->at[i]->span_id, id) == 0)
			return t->at[i];
	return NULL;
}

static bool is_above(const struct tree *t, const char *id, const struct span *s)
{
	for (size_t depth = 0; s && depth < t->cnt; depth++) {
		if (strcmp(s->parent_span_id, id) == 0)
			return true;
		s = find(t, s->parent_span_id);
	}
	return false;
}

static bool is_marked(const struct span *s)
{
	return span_attr(s, ATTR_ID_INCOMPLETE);
}

/* What is dropped, for messages. */
struct drop {
	const char *source;
	size_t at;
	const struct ev_hdr *rec;
	bool is_tail; /* the last bytes of a stream */
};

#define DROP_FMT "%s, without record %zu (%s): " SV_FMT " %s: "
#define DROP_ARG(d, s) \
	(d)->source, (d)->at, event_name((d)->rec->kind), SV_ARG((s)->name), (s)->span_id

static void check_content(const struct drop *d, const struct span *was, const struct span *is)
{
	if (is_marked(is) ||
	    span_attr_int(was, ATTR_ID_ATTEMPTS, 0) != span_attr_int(is, ATTR_ID_ATTEMPTS, 0))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(content); i++) {
		const struct json *a = span_attr(was, content[i]), *b = span_attr(is, content[i]);

		if (d->is_tail && json_is(b, JSON_NUMBER))
			continue;
		if (b && !(a && json_same(a, b)))
			fail_msg(DROP_FMT "another %s", DROP_ARG(d, is), attr_defs[content[i]].key);
	}
}

/* Where it hangs that no cause is known of: under its process, or a process under what forked it. */
static bool is_at_home(const struct span *parent, const struct span *s)
{
	int64_t pid;

	if (!parent || (parent->what != SPAN_PROCESS && parent->what != SPAN_RUN))
		return false;
	pid = span_attr_int(parent, ATTR_ID_PROCESS_PID, -1);
	return pid == span_attr_int(s, ATTR_ID_PROCESS_PID, 0) ||
	       pid == span_attr_int(s, ATTR_ID_PROCESS_PARENT_PID, 0);
}

static void check_place(const struct drop *d, const struct tree *before, const struct tree *now,
			const struct span *is)
{
	const struct span *was = find(before, is->span_id), *parent = find(now, is->parent_span_id);

	if (!is->parent_span_id[0])
		return;
	if (!parent) {
		fail_msg(DROP_FMT "there is no parent %s", DROP_ARG(d, is), is->parent_span_id);
		return;
	}
	if (was && find(before, is->parent_span_id) && !is_above(before, is->parent_span_id, was) &&
	    !is_at_home(parent, is))
		fail_msg(DROP_FMT "was not under " SV_FMT " %s", DROP_ARG(d, is),
			 SV_ARG(parent->name), is->parent_span_id);
}

/* Text of made-up agents: "worker K", "part-K-", "toolu_K_", "msg_K_". */
static void check_marks(const struct drop *d, const struct span *s, const char *text)
{
	static const char *const marks[] = { "of worker ", "part-", "toolu_", "msg_" };
	long whose = -1;

	if (*d->source || s->what == SPAN_RUN)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		for (const char *at = text; (at = strstr(at, marks[i])); at++) {
			long worker = strtol(at + strlen(marks[i]), NULL, 10);

			if (whose >= 0 && worker != whose)
				fail_msg(DROP_FMT "of workers %ld and %ld", DROP_ARG(d, s), whose,
					 worker);
			whose = worker;
		}
	}
}

static void check_loss(const struct drop *d, const struct tree *before, const struct tree *now)
{
	size_t runs = 0;

	for (size_t i = 0; i < now->cnt; i++) {
		const struct span *is = now->at[i], *was = find(before, is->span_id);

		if (i && strcmp(now->at[i - 1]->span_id, is->span_id) == 0)
			fail_msg(DROP_FMT "the same id twice", DROP_ARG(d, is));
		if (is->what == SPAN_RUN) {
			runs++;
			if (!is_marked(is) || span_attr_int(is, ATTR_ID_LOST_RECORDS, 0) != 1)
				fail_msg(DROP_FMT "does not tell of it", DROP_ARG(d, is));
		}
		if (was)
			check_content(d, was, is);
		check_place(d, before, now, is);
		check_marks(d, is, now->text[i]);
	}
	assert_int_equal(runs, 1);
}

static struct ev_hdr *next_of_kernel(const struct list *l, size_t i)
{
	while (++i < l->cnt)
		if (l->at[i]->kind < EV_FACT)
			return l->at[i];
	return NULL;
}

static bool is_tail(const struct list *l, size_t i)
{
	const struct ev_data *d = (const void *)l->at[i];

	if (d->hdr.kind != EV_DATA)
		return false;
	while (++i < l->cnt) {
		const struct ev_data *e = (const void *)l->at[i];

		if (e->hdr.kind == EV_DATA && e->conn == d->conn && e->dir == d->dir)
			return false;
	}
	return true;
}

static void a_loss_is_told(void **state)
{
	struct drop d = { .source = *state };
	struct tree before, now;
	struct list l;

	list_load(&l, d.source);
	tree_grow(&before, &l, l.cnt);
	for (d.at = 0; d.at < l.cnt; d.at++) {
		struct ev_hdr *next = next_of_kernel(&l, d.at);

		d.rec = l.at[d.at];
		if (d.rec->kind >= EV_FACT || !next)
			continue; /* facts take no room in the ring; the last loss is in STATS alone */
		d.is_tail = is_tail(&l, d.at);
		next->lost = 1;
		tree_grow(&now, &l, d.at);
		next->lost = 0;
		check_loss(&d, &before, &now);
		tree_free(&now);
	}
	tree_free(&before);
	list_free(&l);
}

int main(void)
{
	static const char *const sources[] = { PROP_SOURCES };
	struct CMUnitTest tests[ARRAY_SIZE(sources)];

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		tests[i] = (struct CMUnitTest){
			.name = *sources[i] ? sources[i] : "generated",
			.test_func = a_loss_is_told,
			.initial_state = (void *)sources[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
