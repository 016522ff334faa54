// SPDX-License-Identifier: BSD-2-Clause
/* Statements and commands that wait for their answer: see db.h. */
#include "span/db.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

/* --- parameters */

#define SHOWN_MAX 1024 /* bytes of a parameter's value */

void db_params_fini(struct db_params *p)
{
	buf_fini(&p->text);
}

void db_params_clear(struct db_params *p)
{
	p->cnt = 0;
	p->more = false;
	buf_clear(&p->text);
}

static struct db_param *param_new(struct db_params *p, unsigned int place)
{
	struct db_param *param = p->cnt < LIMIT_DB_PARAMS ? &p->of[p->cnt++] : NULL;

	if (param)
		*param = (struct db_param){ .place = place, .at = p->text.len };
	else
		p->more = true;
	return param;
}

void db_param(struct db_params *p, unsigned int place, struct sv value)
{
	struct db_param *param = param_new(p, place);

	if (!param)
		return;
	param->is_null = !value.p;
	param->n = value.n;
	param->known = value.p && !buf_sv(&p->text, value);
}

void db_param_hidden(struct db_params *p, unsigned int place, size_t n)
{
	struct db_param *param = param_new(p, place);

	if (param)
		param->n = n;
}

static struct sv value_of(const struct db_params *p, const struct db_param *param)
{
	return sv_sub(buf_view(&p->text), param->at, param->known ? param->n : 0);
}

static struct json *shown(struct arena *a, const struct db_params *p, const struct db_param *param)
{
	struct sv value = value_of(p, param), part = sv_clip_utf8(value, SHOWN_MAX);

	if (param->is_null)
		return json_null(a);
	if (!param->known)
		return json_string(a, arena_fmt(a, "<%zu bytes>", param->n));
	if (part.n < value.n)
		return json_string(a,
				   arena_fmt(a, SV_FMT "... <%zu bytes>", SV_ARG(part), value.n));
	return json_string(a, value);
}

static void keep_params(struct db_ask *a, const struct db_params *p)
{
	arena_init(&a->arena, 0);
	if (!p || !p->cnt)
		return;
	a->params = json_object(&a->arena);
	for (size_t i = 0; i < p->cnt; i++)
		json_add(&a->arena, a->params, arena_fmt(&a->arena, "%u", p->of[i].place),
			 shown(&a->arena, p, &p->of[i]));
}

/* --- statements */

static void ask_free(struct db_ask *a)
{
	free(a->text);
	free(a->query);
	arena_fini(&a->arena);
	free(a->table);
	free(a->message);
	free(a);
}

/* What is bound to its places, or its words. */
static void find_tool(const struct db_conn *c, struct db_ask *a, const struct db_question *q)
{
	struct sv values[LIMIT_DB_PARAMS + 1];
	struct tool_query query = { .ts = a->ts,
				    .text = q->query,
				    .values = q->params ? values : q->words,
				    .value_cnt = q->params ? 0 : q->word_cnt };
	const struct conn *conn = c->stream->conn;
	const struct proc *p = proc_find(c->stream->t->procs, conn->tgid, conn->start);
	struct tool_ref ref;

	for (size_t i = 0; q->params && i < q->params->cnt; i++)
		if (q->params->of[i].n || !(q->params->of[i].known || q->params->of[i].is_null))
			values[query.value_cnt++] = value_of(q->params, &q->params->of[i]);
	if (q->params && q->params->more) /* like what is hidden it is none that is found */
		values[query.value_cnt++] = SV("");
	if (!p || !tool_of_query(c->stream->run, p, &query, &ref))
		return;
	memcpy(a->tool, ref.span_id, sizeof(a->tool));
	a->link = ref.link;
}

struct db_ask *db_asked(struct db_conn *c, const struct db_question *q)
{
	struct db_ask *a = c->cnt < LIMIT_DB_ASKED ? calloc(1, sizeof(*a)) : NULL;

	if (!a) {
		c->over_limit++;
		return NULL;
	}
	a->ts = q->ts;
	a->number = c->asked++;
	a->rows = a->affected = -1;
	a->text = q->text.n ? strndup(q->text.p, q->text.n) : NULL;
	a->quiet = q->quiet;
	if (q->quiet) /* a tool call that it is not told of is not used up by it */
		a->query = q->query.n ? strndup(q->query.p, q->query.n) : NULL;
	else
		find_tool(c, a, q);
	keep_params(a, sql_tells_secret(q->query) ? NULL : q->params);
	*(c->last ? &c->last->next : &c->first) = a;
	c->last = a;
	c->cnt++;
	return a;
}

struct db_ask *db_asked_sql(struct db_conn *c, struct db_question *q, enum sql_dialect dialect)
{
	_cleanup_buf_ struct buf plain = BUF_INIT;
	struct db_ask *a;
	struct sv table;

	sql_plain(&plain, q->query, dialect);
	q->text = buf_view(&plain);
	a = db_asked(c, q);
	if (!a)
		return NULL;
	table = sql_table(buf_view(&plain));
	a->table = table.n ? strndup(table.p, table.n) : NULL;
	sql_operation(buf_view(&plain), a->operation);
	return a;
}

void db_affected(struct db_ask *a, uint64_t rows)
{
	static const char *const operations[] = { "INSERT",  "UPDATE", "DELETE",
						  "REPLACE", "MERGE",  "LOAD" };
	uint64_t sum = rows + (uint64_t)(a->affected < 0 ? 0 : a->affected);

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (sv_is(sv(a->operation), operations[i]) && sum >= rows && sum <= INT64_MAX)
			a->affected = (int64_t)sum;
}

void db_failed(struct db_ask *a, struct sv code, struct sv message)
{
	code = sv_sub(code, 0, sizeof(a->code) - 1);
	memcpy(a->code, code.p, code.n);
	a->code[code.n] = '\0';
	free(a->message);
	a->message = message.n ? strndup(message.p, message.n) : NULL;
}

static void describe(struct span *s, const struct db_conn *c, const struct db_ask *a)
{
	const struct conn *conn = c->stream->conn;
	struct sv what = a->operation[0] ? sv(a->operation) : sv(c->system), of = sv(a->table);

	s->kind = SPAN_KIND_CLIENT;
	span_set_name(s, of.n ? arena_fmt(&s->arena, SV_FMT " " SV_FMT, SV_ARG(what), SV_ARG(of))
			      : what);
	span_set_str(s, ATTR_ID_DB_SYSTEM, sv(c->system));
	span_set_str(s, ATTR_ID_DB_NAMESPACE, sv(c->database));
	span_set_str(s, ATTR_ID_DB_OPERATION, sv(a->operation));
	span_set_str(s, ATTR_ID_DB_COLLECTION, of);
	span_set_str(s, ATTR_ID_DB_QUERY, sv(a->text));
	span_set_json(s, ATTR_ID_DB_PARAMETERS, a->params);
	if (a->rows >= 0)
		span_set_int(s, ATTR_ID_DB_ROWS, a->rows);
	if (a->affected >= 0)
		span_set_int(s, ATTR_ID_DB_AFFECTED, a->affected);
	if (a->warnings)
		span_set_int(s, ATTR_ID_DB_WARNINGS, (int64_t)a->warnings);
	if (a->cut)
		span_incomplete(s, "cap");
	flow_addr(c->stream->run, s, &conn->addr);
	if (conn->addr.rport)
		span_set_int(s, ATTR_ID_SERVER_PORT, conn->addr.rport);
	span_set_int(s, ATTR_ID_PROCESS_PID, conn->tgid);
	span_set_int(s, ATTR_ID_CONNECTION, conn->id);
	if (!a->code[0])
		return;
	span_set_str(s, ATTR_ID_DB_STATUS, sv(a->code));
	engine_fail(s, sv(a->code), sv(a->message));
}

/* reason: why nothing is known of an answer, or NULL. */
static void tell(struct db_conn *c, uint64_t ts, const char *reason)
{
	struct run *r = c->stream->run;
	const struct conn *conn = c->stream->conn;
	struct pstate *ps = engine_pstate(r->t, conn->tgid, conn->start);
	struct db_ask *a = c->first;
	bool silent = a->quiet && !a->code[0] && !reason;
	struct span *s = silent ? NULL : engine_span(r, SPAN_DB, a->ts, ts);

	if (a->quiet && !silent)
		find_tool(c, a, &(struct db_question){ .query = sv(a->query) });
	c->first = a->next;
	c->last = c->first ? c->last : NULL;
	c->cnt--;
	if (s) {
		engine_id(s->span_id, r, SPAN_DB,
			  (uint64_t[4]){ conn->tgid, conn->start, conn->id, a->number });
		if (ps)
			memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
		if (a->tool[0])
			memcpy(s->parent_span_id, a->tool, sizeof(s->parent_span_id));
		span_set_str(s, ATTR_ID_LINK, sv(a->link));
		describe(s, c, a);
		if (reason)
			span_incomplete(s, reason);
		if (c->over_limit) { /* those behind it were not told */
			span_incomplete(s, "cap");
			c->over_limit = 0;
		}
		engine_emit(r, &s);
	}
	ask_free(a);
}

void db_over(struct db_conn *c, uint64_t ts)
{
	if (c->first)
		tell(c, ts, NULL);
}

void db_give_up(struct db_conn *c, uint64_t ts, const char *reason)
{
	while (c->first)
		tell(c, ts, reason);
}

void db_fini(struct db_conn *c, uint64_t ts)
{
	db_give_up(c, ts, c->stream->t->ending ? "unfinished" : "unanswered");
	free(c->database);
}
