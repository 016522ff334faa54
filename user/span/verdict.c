// SPDX-License-Identifier: BSD-2-Clause
/*
 * Validations: tool calls held against the schema that their request declares, refusals and filters of
 * the providers, and what test runners say by their exit codes.  A span is made of one that failed;
 * what was only half seen fails nothing.
 */
#include <string.h>
#include "base/cleanup.h"
#include "base/json_schema.h"
#include "sem/otel.h"
#include "span/engine.h"

/* The bytes of an answer are not all there, or not where they belong. */
#define HTTP_DOUBTFUL (HTTP_HOLE | HTTP_JOINED | HTTP_UNDECODED | HTTP_BODY_CAP)

/* A failed validation of what a span is about, below it and at its end; the caller says what is wrong. */
static struct span *verdict_span(struct run *r, const struct span *of, const char *subject,
				 struct sv by)
{
	struct span *s = engine_span(r, SPAN_VALIDATION, 0, 0);

	if (!s)
		return NULL;
	s->start_ns = s->end_ns = of->end_ns;
	engine_id(s->span_id, r, SPAN_VALIDATION,
		  (uint64_t[4]){ hash64(sv(of->span_id)), hash64(sv(subject)) });
	memcpy(s->parent_span_id, of->span_id, sizeof(s->parent_span_id));
	span_set_name(s, arena_fmt(&s->arena, "validate %s", subject));
	span_set_str(s, ATTR_ID_VALIDATION_SUBJECT, sv(subject));
	span_set_str(s, ATTR_ID_VALIDATION_BY, by);
	span_set_str(s, ATTR_ID_VALIDATION_OUTCOME, SV("failed"));
	return s;
}

/* --- arguments */

bool verdict_of_schema(struct run *r, struct span *of, const struct json *schema,
		       const struct json *args, struct sv by)
{
	_cleanup_arena_ struct arena a;
	struct schema_fault fault;
	struct span *s;
	struct sv path;

	arena_init(&a, 0);
	if (!args) /* a call without arguments has an empty object, or none */
		args = json_object(&a);
	if (json_schema_check(schema, args, &a, &fault) != SCHEMA_INVALID)
		return false;
	span_set_str(of, ATTR_ID_VALIDATION_OUTCOME, SV("failed"));
	s = verdict_span(r, of, "arguments", by);
	if (!s)
		return true;
	s->end_ns = s->start_ns = of->start_ns;
	path = fault.path.n ? fault.path : SV("arguments");
	span_set_str(s, ATTR_ID_TOOL_NAME, span_attr_sv(of, ATTR_ID_TOOL_NAME));
	span_set_str(s, ATTR_ID_VALIDATION_RULE, sv(fault.rule));
	span_set_str(s, ATTR_ID_VALIDATION_PATH, fault.path);
	engine_fail(s, SV("invalid_arguments"),
		    arena_fmt(&s->arena, SV_FMT ": " SV_FMT, SV_ARG(path), SV_ARG(fault.text)));
	engine_emit(r, &s);
	return true;
}

/* It ran into its bound: what it calls may have been cut, and some providers send {} then. */
static bool out_of_tokens(const struct sem_call *c)
{
	const char *means = otel_finish_reason(json_sv(json_at(c->finish_reasons, 0)));

	return means && strcmp(means, "length") == 0;
}

/* The tool's definition; *all_functions: there is no tool that may have other names than its own. */
static const struct json *definition(const struct sem_call *c, struct sv name, bool *all_functions)
{
	const struct json *found = NULL;

	*all_functions = true;
	json_for_each (c->tool_definitions, d) {
		*all_functions &= json_str_is(json_get(d, "type"), "function");
		if (sv_eq(json_sv(json_get(d, "name")), name))
			found = d;
	}
	return found;
}

static bool fails(struct run *r, struct span *tool, const char *type, const char *message)
{
	struct span *s;

	span_set_str(tool, ATTR_ID_VALIDATION_OUTCOME, SV("failed"));
	s = verdict_span(r, tool, "arguments", SV("request"));
	if (!s)
		return true;
	span_set_str(s, ATTR_ID_TOOL_NAME, span_attr_sv(tool, ATTR_ID_TOOL_NAME));
	engine_fail(s, sv(type), sv(message));
	engine_emit(r, &s);
	return true;
}

bool verdict_of_tool_call(const struct exchange *x, const struct sem_tool_call *tc,
			  struct span *tool)
{
	const struct sem_call *c = x->call;
	const struct json *def;
	bool functions;

	if (!c->tool_definitions || c->request_cut || tc->args_cut || out_of_tokens(c) ||
	    (x->req_flags | x->resp_flags) & HTTP_DOUBTFUL)
		return false;
	def = definition(c, tc->name, &functions);
	if (!def)
		return functions && tc->name.n &&
		       fails(x->run, tool, "unknown_tool", "the request declares no such tool");
	if (!json_str_is(json_get(def, "type"), "function"))
		return false;
	if (!tc->args_json && sv_trim(tc->args).n)
		return fails(x->run, tool, "malformed_arguments", "the arguments are no JSON");
	return verdict_of_schema(x->run, tool, json_get(def, "parameters"), tc->args_json,
				 SV("request"));
}

/* --- answers */

/* What a moderation or guardrail said is on its own span; of a model call there is one below it. */
void verdict_of_call(struct exchange *x, struct span *call)
{
	struct sem_call *c = x->call;
	struct sem_verdict v;
	bool bad = sem_verdict(c, &v);
	struct span *s = call;

	if (c->judged) {
		span_set_str(s, ATTR_ID_VALIDATION_SUBJECT, SV("content"));
		span_set_str(s, ATTR_ID_VALIDATION_OUTCOME, bad ? SV("failed") : SV("passed"));
		span_set_json(s, ATTR_ID_VALIDATION_REASONS, c->flags);
		if (bad)
			engine_fail(s, sv(v.type), SV(""));
		return;
	}
	s = bad ? verdict_span(x->run, call, v.subject, c->provider.n ? c->provider : sv(c->api))
		: NULL;
	if (!s)
		return;
	if (v.reason.n) {
		struct json *reasons = json_array(&s->arena);

		json_push(reasons, json_string(&s->arena, v.reason));
		span_set_json(s, ATTR_ID_VALIDATION_REASONS, reasons);
	}
	engine_fail(s, sv(v.type), c->has_error ? c->error.message : SV(""));
	engine_emit(x->run, &s);
}

/* --- tests */

#define ANY_CODE -1   /* whatever is not zero tells that tests failed */
#define VERB_WORDS 12 /* arguments in which the verb is looked for */

/*
 * Exit codes by the runners' own documentation; any other code is a failure of the runner (bad usage,
 * nothing to run).  verb: NULL, or a word of the command line without which it runs no tests.
 */
static const struct {
	const char *program, *verb;
	int failed;
} runners[] = {
	{ "pytest", NULL, 1 },         { "py.test", NULL, 1 },
	{ "unittest", NULL, 1 },       { "tox", NULL, ANY_CODE },
	{ "nox", NULL, ANY_CODE },     { "go", "test", 1 },
	{ "cargo", "test", 101 },      { "cargo", "nextest", 100 },
	{ "npm", "test", ANY_CODE },   { "npm-cli", "test", ANY_CODE },
	{ "npm", "t", ANY_CODE },      { "yarn", "test", ANY_CODE },
	{ "pnpm", "test", ANY_CODE },  { "bun", "test", ANY_CODE },
	{ "deno", "test", 1 },         { "node", "--test", 1 },
	{ "jest", NULL, 1 },           { "vitest", NULL, 1 },
	{ "mocha", NULL, ANY_CODE },   { "make", "test", 2 },
	{ "make", "check", 2 },        { "ninja", "test", 1 },
	{ "meson", "test", ANY_CODE }, { "ctest", NULL, 8 },
	{ "bazel", "test", 3 },        { "dotnet", "test", 1 },
	{ "mvn", "test", 1 },          { "mvn", "verify", 1 },
	{ "gradle", "test", 1 },       { "gradlew", "test", 1 },
	{ "mix", "test", 2 },          { "swift", "test", 1 },
	{ "rspec", NULL, 1 },          { "rake", "test", 1 },
	{ "phpunit", NULL, ANY_CODE }, { "bats", NULL, 1 },
	{ "prove", NULL, ANY_CODE },
};

/* "test", and what scripts call their kinds of it: "test:unit". */
static bool has_verb(struct sv args, const char *verb)
{
	for (size_t i = 0; args.n && i < VERB_WORDS; i++) {
		struct sv word = sv_token(&args, '\0');

		if (sv_starts(word, verb) &&
		    (word.n == strlen(verb) || word.p[strlen(verb)] == ':'))
			return true;
	}
	return false;
}

static struct sv without_suffix(struct sv name)
{
	static const char *const suffixes[] = { ".js", ".mjs", ".cjs", ".py" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (sv_ends(name, suffixes[i]))
			return sv_sub(name, 0, name.n - strlen(suffixes[i]));
	return name;
}

void verdict_of_tests(struct span *process, struct sv program, struct sv args, int exit_code)
{
	struct sv name = without_suffix(program);

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
		const char *outcome = "error";

		if (!sv_is(name, runners[i].program) ||
		    (runners[i].verb && !has_verb(args, runners[i].verb)))
			continue;
		if (exit_code == 0)
			outcome = "passed";
		else if (exit_code > 0 &&
			 (runners[i].failed == ANY_CODE || runners[i].failed == exit_code))
			outcome = "failed";
		span_set_str(process, ATTR_ID_VALIDATION_SUBJECT, SV("tests"));
		span_set_str(process, ATTR_ID_VALIDATION_BY, name);
		span_set_str(process, ATTR_ID_VALIDATION_OUTCOME, sv(outcome));
		return;
	}
}
