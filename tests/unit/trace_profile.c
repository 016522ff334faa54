// SPDX-License-Identifier: BSD-2-Clause
/* Samples in the trace: what their addresses are called, and whom they are counted for. */
#include "rpc_test.h"

#define USE(id, args) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"shell\",\"input\":" args "}"
#define EXEC_TS 77

/* What was handed on, folded. */
static char stack[1024];
static struct trace_sample last;
static size_t cnt;

static void on_sample(void *ctx, const struct trace_sample *s)
{
	size_t n = 0;

	(void)ctx;
	stack[0] = '\0';
	for (size_t i = 0; i < s->frame_cnt; i++)
		n += snprintf(stack + n, sizeof(stack) - n, "%s" SV_FMT "@" SV_FMT ":%d",
			      i ? ";" : "", SV_ARG(s->frames[i]->name), SV_ARG(s->frames[i]->file),
			      s->frames[i]->code);
	last = *s;
	cnt++;
}

static int setup_profile(void **state)
{
	static const struct trace_cfg cfg = { .sample = on_sample };
	struct world *w;

	if (setup(state))
		return -1;
	w = *state;
	trace_free(&w->trace);
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	run_program(w, 2 * MS, AGENT, 1, "/bin/agent");
	cnt = 0;
	return 0;
}

static void sample(struct world *w, uint64_t ts, uint32_t tgid, const uint64_t *ips, uint32_t user,
		   uint32_t kernel)
{
	struct ev_sample *s =
		record(EV_SAMPLE, sizeof(*s), ts, tgid, ips, (user + kernel) * sizeof(*ips));

	s->exec_ts = EXEC_TS;
	s->period_ns = 10 * MS;
	s->user = user;
	s->kernel = kernel;
	strcpy(s->comm, "worker");
	feed(w, s);
}

/* One name; file: NULL for none. */
static void name(struct world *w, uint32_t tgid, uint64_t exec_ts, bool fresh,
		 const struct ev_place *place, unsigned int code, const char *text,
		 const char *file)
{
	char payload[256];
	struct ev_name n = { .place = *place, .code = code, .len = strlen(text) };
	struct ev_frames *f;

	n.file_len = file ? strlen(file) : 0;
	memcpy(payload, &n, sizeof(n));
	memcpy(payload + sizeof(n), text, n.len);
	if (file)
		memcpy(payload + sizeof(n) + n.len, file, n.file_len);
	f = record(EV_FRAMES, sizeof(*f), 1, tgid, payload, sizeof(n) + n.len + n.file_len);
	f->exec_ts = exec_ts;
	f->cnt = 1;
	f->fresh = fresh;
	if (!tgid)
		f->hdr.start = 0;
	feed(w, f);
}

static void address(struct world *w, uint32_t tgid, uint64_t at, unsigned int code,
		    const char *text, const char *file)
{
	const struct ev_place place = { .what = EV_PLACE_ADDRESS, .at = at };

	name(w, tgid, tgid ? EXEC_TS : 0, false, &place, code, text, file);
}

static void addresses_have_the_names_that_were_told(void **state)
{
	static const uint64_t ips[] = {
		0x1000, 0x2001, 0x3001, 0x9000, 0xffff800000000010, 0xffff800000000021
	};
	struct world *w = *state;

	address(w, AGENT, 0x1000, EV_CODE_FILE, "leaf", "/lib/l.so");
	address(w, AGENT, 0x2000, EV_CODE_GENERATED, "JS:f", NULL);
	address(w, AGENT, 0x3000, EV_CODE_FILE, "", "/lib/l.so");
	address(w, 0, 0xffff800000000010, EV_CODE_KERNEL, "vfs_read", NULL);
	address(w, 0, 0xffff800000000020, EV_CODE_KERNEL, "do_x", "mod");
	sample(w, 5 * MS, AGENT, ips, 4, 2);
	assert_string_equal(stack, "0x8fff@:4;@/lib/l.so:1;JS:f@:2;leaf@/lib/l.so:1;do_x@mod:3;"
				   "vfs_read@:3");
	assert_int_equal(last.pid, AGENT);
	assert_int_equal(last.period_ns, 10 * MS);
	ASSERT_SV(last.comm, "worker");
	/* another process's addresses are others */
	run_program(w, 6 * MS, 20, AGENT, "/bin/sh");
	sample(w, 7 * MS, 20, (uint64_t[]){ 0x1000, 0xffff800000000010 }, 1, 1);
	assert_string_equal(stack, "0x1000@:4;vfs_read@:3");
}

static void names_end_with_their_program(void **state)
{
	static const struct ev_place place = { .what = EV_PLACE_ADDRESS, .at = 0x1000 };
	static const uint64_t ips[] = { 0x1000 };
	struct world *w = *state;

	name(w, AGENT, EXEC_TS - 1, false, &place, EV_CODE_FILE, "before", NULL);
	sample(w, 5 * MS, AGENT, ips, 1, 0);
	assert_string_equal(stack, "0x1000@:4");
	name(w, AGENT, EXEC_TS, false, &place, EV_CODE_FILE, "now", NULL);
	sample(w, 6 * MS, AGENT, ips, 1, 0);
	assert_string_equal(stack, "now@:1");
	name(w, AGENT, EXEC_TS, true, &(struct ev_place){ .what = EV_PLACE_ADDRESS, .at = 0x5000 },
	     EV_CODE_FILE, "other", NULL);
	sample(w, 7 * MS, AGENT, ips, 1, 0);
	assert_string_equal(stack, "0x1000@:4");
}

static void by_file(struct world *w, const struct ev_place *places, uint32_t user,
		    unsigned int flags)
{
	struct ev_sample *s =
		record(EV_SAMPLE, sizeof(*s), 9 * MS, AGENT, places, user * sizeof(*places));

	s->user = user;
	s->by_file = 1;
	s->hdr.flags = flags;
	feed(w, s);
}

static void places_in_files(void **state)
{
	struct ev_place places[3] = { { EV_PLACE_FILE, { 1, 2, 3 }, 0x100 },
				      { EV_PLACE_FILE, { 1, 2, 4 }, 0x101 },
				      { EV_PLACE_FILE, { 1, 2, 3 }, 0x201 } };
	struct ev_place caller = places[2];
	struct world *w = *state;

	name(w, 0, 0, false, &places[0], EV_CODE_FILE, "leaf", "/lib/l.so");
	caller.at--;
	name(w, 0, 0, false, &caller, EV_CODE_FILE, "caller", "/lib/l.so");
	by_file(w, places, 3, 0);
	assert_string_equal(stack, "caller@/lib/l.so:1;file+0x100@:4;leaf@/lib/l.so:1");
	/* what a frame pointer that is none leads to is not believed, nor what is outside of it */
	places[1].at = -0x5555ull;
	by_file(w, places, 3, EVF_TRUNC);
	assert_string_equal(stack, "leaf@/lib/l.so:1");
	by_file(w, places, 1, EVF_TRUNC);
	assert_string_equal(stack, "@:5;leaf@/lib/l.so:1");
	by_file(w, places, 0, EVF_FAULT);
	assert_string_equal(stack, "@:5");
}

static void where_no_code_is(void **state)
{
	static const uint64_t ips[] = { 0x1000, 0x2001, 0x3001 };
	struct world *w = *state;

	address(w, AGENT, 0x1000, EV_CODE_FILE, "leaf", NULL);
	address(w, AGENT, 0x2000, EV_CODE_NONE, "", NULL);
	address(w, AGENT, 0x3000, EV_CODE_FILE, "astray", NULL);
	sample(w, 5 * MS, AGENT, ips, 3, 0);
	assert_string_equal(stack, "leaf@:1");
	sample(w, 6 * MS, AGENT, (uint64_t[]){ 0x1000, 0, 0x3001 }, 3, 0);
	assert_string_equal(stack, "leaf@:1");
	sample(w, 7 * MS, AGENT, ips + 1, 1, 0); /* where it is itself is where it is */
	assert_string_equal(stack, "0x2001@:4");
}

/* --- whose they are */

static void taken(struct world *w, uint64_t ts, uint32_t tgid)
{
	sample(w, ts, tgid, (uint64_t[]){ 0x1000 }, 1, 0);
}

static void of_its_tool_and_process(void **state)
{
	char of[8][HEX64];
	struct world *w = *state;

	taken(w, 3 * MS, AGENT); /* nothing is open */
	memcpy(of[0], last.span_id, HEX64);
	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "{\"command\":\"make a\"}") "," USE(
			   "toolu_2", "{\"command\":\"make b\"}") "]");
	run_program(w, 10 * MS, 20, AGENT, "/bin/make");
	feed(w, record_exec(11 * MS, 20, AGENT, "/usr/bin/make", "make\0a", 7));
	run_program(w, 12 * MS, 21, AGENT, "/bin/make");
	feed(w, record_exec(13 * MS, 21, AGENT, "/usr/bin/make", "make\0b", 7));
	taken(w, 14 * MS, 20);
	memcpy(of[1], last.span_id, HEX64);
	taken(w, 14 * MS, 21);
	memcpy(of[2], last.span_id, HEX64);
	for (int i = 3; i < 7; i++) { /* the agent waits for both: each in turn */
		taken(w, 15 * MS, AGENT);
		memcpy(of[i], last.span_id, HEX64);
	}
	end(w);
	assert_int_equal(cnt, 7);
	assert_string_equal(of[0], told_nth(&w->told, SPAN_RUN, 0)->span_id);
	assert_string_equal(of[1], told_process(&w->told, 20)->span_id);
	assert_string_equal(of[2], told_process(&w->told, 21)->span_id);
	assert_string_equal(told_process(&w->told, 20)->parent_span_id,
			    told_tool(&w->told, "toolu_1")->span_id);
	assert_string_equal(told_process(&w->told, 21)->parent_span_id,
			    told_tool(&w->told, "toolu_2")->span_id);
	assert_string_not_equal(of[3], of[4]);
	assert_string_equal(of[3], of[5]);
	assert_string_equal(of[4], of[6]);
	assert_true(!strcmp(of[3], told_tool(&w->told, "toolu_1")->span_id) ||
		    !strcmp(of[4], told_tool(&w->told, "toolu_1")->span_id));
}

static void of_nobody(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, 60, 1, "/bin/other");
	feed(w, record_run(4 * MS, 60));
	taken(w, 5 * MS, 60);
	assert_int_equal(cnt, 1);
	taken(w, 6 * MS, 4711); /* its birth was not seen: it may be of either run */
	assert_int_equal(cnt, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses_have_the_names_that_were_told,
						setup_profile, teardown),
		cmocka_unit_test_setup_teardown(names_end_with_their_program, setup_profile,
						teardown),
		cmocka_unit_test_setup_teardown(places_in_files, setup_profile, teardown),
		cmocka_unit_test_setup_teardown(where_no_code_is, setup_profile, teardown),
		cmocka_unit_test_setup_teardown(of_its_tool_and_process, setup_profile, teardown),
		cmocka_unit_test_setup_teardown(of_nobody, setup_profile, teardown),
	};

	return cmocka_run_group_tests_name("trace_profile", tests, NULL, NULL);
}
