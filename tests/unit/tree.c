// SPDX-License-Identifier: BSD-2-Clause
/* The tree of `show`: what it looks like, that it fits, and that nothing traced breaks it. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "sink/human.h"
#include "sink/sink.h"
#include "sink/term.h"

#define TRACE "3f2a91c0d2e14c6f8a7b6c5d4e3f2a10"
#define BEGAN 1795255200000000000ull /* 2026-11-21T10:00:00Z */
#define MANY 100000
#define MANY_SECONDS 20 /* far more than needed even with sanitizers, far less than n^2 takes */

/* id, parent, name, kind, start and end in ms, status, message, attributes */
#define SPAN(id, parent, name, what, from, to, status, message, attrs)                          \
	"{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000" id                           \
	"\",\"parent_span_id\":\"" parent "\",\"name\":\"" name                                 \
	"\",\"kind\":\"INTERNAL\",\"start_time_unix_nano\":" from ",\"end_time_unix_nano\":" to \
	",\"status\":{\"code\":\"" status "\",\"message\":\"" message                           \
	"\"},\"attributes\":{\"ringspan.kind\":\"" what "\"" attrs                              \
	"},\"events\":[],\"links\":[],\"resource\":{}}"
#define AT(ms) "1795255" ms "000000"
#define IN(id) "00000000000000" id

#define HISTORY                                                                               \
	"{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Which files mention " \
	"the retry budget, and is the test for it green?\"}]}"
#define ASKS                                                                                \
	"{\"role\":\"assistant\",\"parts\":[{\"type\":\"reasoning\",\"content\":\"Both at " \
	"once.\"},{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"bash\",\"arguments\":"   \
	"{\"command\":\"grep -rn budget src\"}}]}"
#define MODEL(in, out, usd, first, reason)                                       \
	",\"gen_ai.request.model\":\"sonnet\",\"gen_ai.usage.input_tokens\":" in \
	",\"gen_ai.usage.output_tokens\":" out ",\"ringspan.cost.usd\":" usd     \
	",\"ringspan.time.first_token_ns\":" first                               \
	"000000,\"gen_ai.response.finish_reasons\":[\"" reason "\"]"
#define PROCESS(args, code)                                                \
	",\"process.command_args\":[" args "],\"process.exit.code\":" code \
	",\"ringspan.cpu.total_ns\":61000000,\"ringspan.memory.peak_bytes\":4200000"

/* A retried call, two tools at once of which one fails, a call that is answered from the cache. */
static const char *const agent_run[] = {
	SPAN("02", IN("01"), "connect", "connect", AT("200120"), AT("200134"), "UNSET", "",
	     ",\"network.peer.address\":\"10.0.0.1\",\"network.peer.port\":443"),
	SPAN("11", IN("03"), "POST /v1/messages", "attempt", AT("200140"), AT("200420"), "ERROR",
	     "slow down", ",\"error.type\":\"rate_limit_error\",\"http.response.status_code\":429"),
	SPAN("12", IN("03"), "POST /v1/messages", "attempt", AT("201450"), AT("204100"), "UNSET",
	     "", ",\"http.response.status_code\":200,\"ringspan.retry.wait_ns\":1030000000"),
	SPAN("03", IN("01"), "chat sonnet", "model_call", AT("200140"), AT("204100"), "UNSET", "",
	     MODEL("4210", "187", "0.01543", "890",
		   "tool_use") ",\"ringspan.attempts\":2,\"ringspan.time.first_byte_ns\":870000000"
			       ",\"ringspan.time.transfer_ns\":1780000000,\"gen_ai.input."
			       "messages\":[" HISTORY "],\"gen_ai.output.messages\":[" ASKS "]"),
	SPAN("21", IN("04"), "grep", "process", AT("204160"), AT("204295"), "UNSET", "",
	     PROCESS("\"grep\",\"-rn\",\"budget\",\"src\"", "0")),
	SPAN("32", IN("31"), "retry_test", "process", AT("206950"), AT("208120"), "ERROR",
	     "exit code 1", ",\"error.type\":\"1\"" PROCESS("\"retry_test\"", "1")),
	SPAN("31", IN("05"), "make", "process", AT("204200"), AT("208170"), "ERROR", "exit code 2",
	     ",\"error.type\":\"2\"" PROCESS("\"make\",\"test\"", "2")),
	SPAN("04", IN("01"), "execute_tool bash", "tool_call", AT("203800"), AT("208180"), "UNSET",
	     "",
	     ",\"gen_ai.tool.call.arguments\":{\"command\":\"grep -rn budget src\"}"
	     ",\"gen_ai.tool.call.result\":\"src/retry.c:12\""),
	SPAN("05", IN("01"), "execute_tool bash", "tool_call", AT("203950"), AT("208180"), "ERROR",
	     "make: *** [test] Error 1", ",\"error.type\":\"tool_error\""),
	SPAN("06", IN("01"), "chat sonnet", "model_call", AT("208181"), AT("210900"), "UNSET", "",
	     MODEL("4630", "412", "0.00943", "640",
		   "end_turn") ",\"gen_ai.usage.cache_read.input_tokens\":4210"
			       ",\"gen_ai.input.messages\":[" HISTORY "," ASKS
			       "],\"gen_ai.output.messages\":[{\"role\":\"assistant\",\"parts\":"
			       "[{\"type\":\"text\",\"content\":\"Two, and it is red.\"}]}]"),
	SPAN("07", IN("01"), "GET", "http", AT("210910"), AT("210992"), "UNSET", "",
	     ",\"http.response.status_code\":200,\"url.full\":\"https://example.com/ping\""),
	SPAN("08", IN("01"), "chat mini", "model_call", AT("211000"), AT("212250"), "UNSET", "",
	     MODEL("310", "22", "0.00006", "420", "stop") ",\"ringspan.incomplete\":[\"hole\"]"),
	SPAN("01", "", "invoke_agent agent.py", "run", AT("200000"), AT("212400"), "ERROR",
	     "exit code 1",
	     ",\"error.type\":\"1\",\"ringspan.wait.provider_ns\":2400000000"
	     ",\"ringspan.wait.cpu_ns\":40000000,\"ringspan.wait.lock_ns\":1000"
	     ",\"ringspan.wait.throttled_ns\":1030000000" PROCESS("\"python3\",\"agent.py\"", "1")),
};

/* Names that are asked for, and connections of which only the outside is known. */
static const char *const network_run[] = {
	SPAN("02", IN("01"), "dns api.example.com", "dns", AT("200100"), AT("200112"), "UNSET", "",
	     ",\"ringspan.dns.question.type\":\"A\",\"dns.answers\":[\"10.0.0.1\",\"10.0.0.2\"]"
	     ",\"ringspan.dns.records\":[\"CNAME edge.net\"],\"ringspan.attempts\":2"
	     ",\"network.peer.address\":\"::1\",\"network.peer.port\":53"
	     ",\"network.transport\":\"udp\""),
	SPAN("03", IN("01"), "dns api.example.com", "dns", AT("200100"), AT("200111"), "UNSET", "",
	     ",\"ringspan.dns.question.type\":\"AAAA\""),
	SPAN("04", IN("01"), "dns gone.example", "dns", AT("200113"), AT("200114"), "ERROR", "",
	     ",\"ringspan.dns.question.type\":\"A\",\"error.type\":\"NXDOMAIN\""),
	SPAN("05", IN("01"), "tls api.example.com", "tls", AT("200120"), AT("200420"), "UNSET", "",
	     ",\"network.peer.address\":\"10.0.0.1\",\"network.peer.port\":443"
	     ",\"ringspan.tls.hello.alpn\":[\"h2\",\"http/1.1\"],\"ringspan.content\":\"not_seen\""
	     ",\"ringspan.content.reason\":\"tls_library_unknown\""
	     ",\"ringspan.connection.sent_bytes\":700,\"ringspan.connection.rtt_ns\":25000000"),
	SPAN("06", IN("01"), "connect", "connect", AT("200430"), AT("200431"), "UNSET", "",
	     ",\"ringspan.dns.name\":\"db.example\",\"network.peer.address\":\"10.0.0.3\""
	     ",\"network.peer.port\":5432,\"ringspan.content.reason\":\"protocol_unknown\""
	     ",\"ringspan.connection.retransmits\":3"),
	SPAN("07", IN("01"), "tools/call find", "mcp", AT("200440"), AT("200460"), "UNSET", "",
	     ",\"ringspan.mcp.server.name\":\"files\",\"gen_ai.tool.call.arguments\":"
	     "{\"pattern\":\"a pattern of more than thirty-two bytes\"}"
	     ",\"ringspan.rpc.handling_ns\":1500000,\"ringspan.rpc.request_bytes\":120"),
	SPAN("08", IN("01"), "elicitation/create", "mcp", AT("200461"), AT("200462"), "UNSET", "",
	     ",\"ringspan.mcp.server.name\":\"files\",\"gen_ai.tool.call.arguments\":{}"
	     ",\"ringspan.approval.message\":\"Sure?\",\"ringspan.approval.action\":\"decline\""),
	SPAN("09", IN("01"), "dns many.example", "dns", AT("200463"), AT("200464"), "UNSET", "",
	     ",\"ringspan.dns.question.type\":\"A\",\"dns.answers\":[\"1.0.0.1\",\"1.0.0.2\","
	     "\"1.0.0.3\",\"1.0.0.4\",\"1.0.0.5\",\"1.0.0.6\"],\"network.transport\":\"tcp\""),
	SPAN("01", "", "invoke_agent agent.py", "run", AT("200000"), AT("200500"), "UNSET", "",
	     PROCESS("\"python3\",\"agent.py\"", "0")),
};

struct output {
	struct sink_cfg cfg;
	void *st;
	char *text;
	size_t len;
};

static void begin(struct output *o, const char *locale)
{
	assert_non_null(setlocale(LC_CTYPE, locale));
	o->cfg.out = open_memstream(&o->text, &o->len);
	assert_non_null(o->cfg.out);
	assert_int_equal(sink_find(SV("tree"))->open(&o->st, &o->cfg), 0);
}

static void add(struct output *o, const struct span *s)
{
	assert_int_equal(sink_find(SV("tree"))->span(o->st, s), 0);
}

static void end(struct output *o)
{
	assert_int_equal(sink_find(SV("tree"))->close(o->st), 0);
	fclose(o->cfg.out);
}

static char *draw_in(const char *locale, struct sink_cfg cfg, const char *const *lines, size_t cnt)
{
	struct output o = { .cfg = cfg };

	begin(&o, locale);
	for (size_t i = 0; i < cnt; i++) {
		struct span *s;

		if (span_read_json(&s, sv(lines[i])))
			fail_msg("no span: %s", lines[i]);
		add(&o, s);
		span_free(&s);
	}
	end(&o);
	return o.text;
}

static char *draw(struct sink_cfg cfg, const char *const *lines, size_t cnt)
{
	return draw_in("C.UTF-8", cfg, lines, cnt);
}

static size_t occurrences(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		n++;
	return n;
}

/* Every line takes at most that many columns; how many lines there are. */
static size_t check_width(const char *text, size_t columns)
{
	struct sv rest = sv(text);
	size_t lines = 0;

	while (rest.n) {
		struct sv line = sv_token(&rest, '\n');

		if (text_width(line, columns) > columns)
			fail_msg("wider than %zu: " SV_FMT, columns, SV_ARG(line));
		if (columns >= 40 && sv_ends(line, " "))
			fail_msg("ends with a space: '" SV_FMT "'", SV_ARG(line));
		lines++;
	}
	return lines;
}

/* --- what it looks like */

static const char *const at_80 =
	"invoke_agent agent.py\n"
	"run 3f2a91c0d2e14c6f8a7b6c5d4e3f2a10 · 2026-11-21 10:00:00 · 12.4s · exit 1\n"
	"3 model calls in 4 attempts · 2 tool calls · 3 processes\n"
	"9.2k tokens in, 621 out · $0.025 · 3 errors\n"
	"time: provider 2.40s · CPU 61.0ms · run queue 40.0ms · throttled 1.03s\n"
	"✗ execute_tool bash  tool_error: make: *** [test] Er…  ← retry_test  exit code 1\n"
	"\n"
	"░ until the first token                                     ╷0              ╷10s\n"
	"✗ invoke_agent agent.py  exit code 1 · agent.py      12.4s  ████████████████████\n"
	"├─connect  10.0.0.1:443                             14.0ms  ▏\n"
	"├─chat sonnet  4.2k in 187 out · $0.015              3.96s  ░░░░██▌\n"
	"│ ├─! POST /v1/messages  rate_limit_error: slow d…   280ms  ▌\n"
	"│ └─POST /v1/messages  HTTP 200                      2.65s    ████▌\n"
	"├─execute_tool bash  grep -rn budget src             4.38s        ███████▏\n"
	"│ └─grep  -rn budget src · exit 0 · cpu 61.0ms       135ms        ▕\n"
	"├─✗ execute_tool bash  tool_error: make: *** [tes…   4.23s        ███████▏\n"
	"│ └─✗ make  exit code 2 · test · cpu 61.0ms          3.97s        ▕██████▏\n"
	"│   └─✗ retry_test  exit code 1 · cpu 61.0ms         1.17s             ██\n"
	"├─chat sonnet  4.6k in 412 out · $0.0094             2.72s               ░███▌\n"
	"├─GET  200 https://example.com/ping                 82.0ms                   ▕\n"
	"└─chat mini  310 in 22 out · $0.0001                 1.25s                   ░█▊\n";

static void fits_80(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 80 }, agent_run, ARRAY_SIZE(agent_run));

	(void)state;
	if (strcmp(text, at_80) != 0)
		fail_msg("got\n%s\nwant\n%s", text, at_80);
}

static void fits_every_width(void **state)
{
	(void)state;
	for (unsigned int columns = 12; columns <= 260; columns++) {
		struct sink_cfg cfg = { .columns = columns, .payload = columns >= 60 };
		_cleanup_free_ char *text = draw(cfg, agent_run, ARRAY_SIZE(agent_run));
		_cleanup_free_ char *ascii = draw_in("C", cfg, agent_run, ARRAY_SIZE(agent_run));

		check_width(ascii, columns);
		for (const char *ch = ascii; *ch; ch++)
			assert_true((*ch >= ' ' && *ch < 0x7f) || *ch == '\n');
		assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
		assert_true(check_width(text, columns) > ARRAY_SIZE(agent_run));
	}
}

/* A wide terminal shows all that a narrow one has no room for, and the bars end where it does. */
static void uses_200(void **state)
{
	static const char *const facts[] = { "$0.015",
					     "2 attempts",
					     "first token 890ms",
					     "91% cached",
					     "end_turn",
					     "incomplete: hole",
					     "cpu 61.0ms",
					     "peak 4.2 MB",
					     "10.0.0.1:443",
					     "HTTP 429",
					     "after waiting 1.03s",
					     "200 https://example.com/ping" };
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 200 }, agent_run, ARRAY_SIZE(agent_run));
	struct sv rest = sv(text), line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!strstr(text, facts[i]))
			fail_msg("no \"%s\" in\n%s", facts[i], text);
	do
		line = sv_token(&rest, '\n');
	while (rest.n && !(sv_has(line, "invoke_agent") && sv_ends(line, "█")));
	assert_int_equal(text_width(line, 300), 200);
}

static void colours_only_when_asked(void **state)
{
	struct sink_cfg cfg = { .columns = 120 };
	_cleanup_free_ char *plain = draw(cfg, agent_run, ARRAY_SIZE(agent_run)), *coloured = NULL;

	(void)state;
	cfg.colour = true;
	coloured = draw(cfg, agent_run, ARRAY_SIZE(agent_run));
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[1;31m✗ execute_tool bash\033[0m"));
	assert_non_null(strstr(coloured, "\033[33m! POST /v1/messages\033[0m"));
}

/* --- what is shown */

static void hides_what_is_deep_or_short(void **state)
{
	_cleanup_free_ char *flat = draw((struct sink_cfg){ .columns = 100, .max_depth = 1 },
					 agent_run, ARRAY_SIZE(agent_run));
	_cleanup_free_ char *slow =
		draw((struct sink_cfg){ .columns = 100, .min_duration_ns = 1170000000 }, agent_run,
		     ARRAY_SIZE(agent_run));

	(void)state;
	assert_int_equal(occurrences(flat, "… 2 more"), 2); /* attempts; make and its test */
	assert_int_equal(occurrences(flat, "… 1 more"), 1);
	assert_null(strstr(flat, "─ grep"));
	assert_null(strstr(slow, "─ grep"));
	assert_null(strstr(slow, "connect"));
	assert_non_null(strstr(slow, "retry_test  exit code 1"));
	assert_int_equal(occurrences(slow, "└─ … 2 more\n"),
			 1);                                /* connect and GET: the last line */
	assert_int_equal(occurrences(slow, "… 1 more"), 2); /* an attempt; grep */
}

static void shows_each_message_once(void **state)
{
	_cleanup_free_ char *text = draw((struct sink_cfg){ .columns = 100, .payload = true },
					 agent_run, ARRAY_SIZE(agent_run));
	_cleanup_free_ char *without =
		draw((struct sink_cfg){ .columns = 100 }, agent_run, ARRAY_SIZE(agent_run));

	(void)state;
	assert_int_equal(occurrences(text, "user       Which files mention the retry"), 1);
	assert_int_equal(occurrences(text, "(reasoning) Both at once."), 1);
	assert_int_equal(occurrences(text, "calls bash {\"command\":\"grep -rn budget src\"}"), 1);
	assert_int_equal(occurrences(text, "(2 messages shown before)"), 1);
	assert_int_equal(occurrences(text, "assistant  Two, and it is red."), 1);
	assert_int_equal(occurrences(text, "result     src/retry.c:12"), 1);
	assert_int_equal(occurrences(text, "execute_tool bash  grep -rn budget src"), 1);
	assert_null(strstr(without, "Which files"));
	assert_null(strstr(without, "retry.c:12"));
}

static struct span *some_span(enum span_what what, unsigned int id, unsigned int parent,
			      uint64_t from, uint64_t to)
{
	struct span *s;

	assert_int_equal(span_new(&s, what), 0);
	strcpy(s->trace_id, TRACE);
	snprintf(s->span_id, sizeof(s->span_id), "%016x", id);
	if (parent)
		snprintf(s->parent_span_id, sizeof(s->parent_span_id), "%016x", parent);
	s->start_ns = BEGAN + from;
	s->end_ns = BEGAN + to;
	span_set_name(s, arena_fmt(&s->arena, "span-%u.", id));
	return s;
}

static void clips_long_messages(void **state)
{
	struct output o = { .cfg = { .columns = 80, .payload = true } };
	struct span *s = some_span(SPAN_TOOL_CALL, 2, 0, 0, 10);
	char text[20000];

	(void)state;
	memset(text, 'x', sizeof(text));
	span_set_str(s, ATTR_ID_TOOL_RESULT, (struct sv){ text, sizeof(text) });
	begin(&o, "C.UTF-8");
	add(&o, s);
	span_free(&s);
	end(&o);
	assert_true(check_width(o.text, 80) < 30);
	assert_non_null(strstr(o.text, "… 19.2 kB more; export has all of it"));
	free(o.text);
}

static void tells_of_names_and_connections(void **state)
{
	static const char *const lines[] = {
		"2 connections whose content was not seen: tls api.example.com "
		"(tls_library_unknown)"
		" · db.example (protocol_unknown)\n",
		"dns api.example.com  A 10.0.0.1, 10.0.0.2 · asked 2 times · CNAME edge.net · "
		"[::1]:53 · udp ",
		"dns api.example.com  AAAA none ",
		"✗ dns gone.example  NXDOMAIN · A ",
		"tls api.example.com  10.0.0.1:443 · offers h2, http/1.1 · not seen: "
		"tls_library_unknown · 700 B sent · rtt 25.0ms ",
		"connect  db.example · 10.0.0.3:5432 · not seen: protocol_unknown · 3 "
		"retransmitted ",
		"tools/call find  files · a pattern of more than thirty-tw.. · handled in "
		"1.50ms · "
		"120 B sent ",
		"elicitation/create  files · Sure? · human: decline ",
		"dns many.example  A 1.0.0.1, 1.0.0.2, 1.0.0.3, 1.0.0.4 +2 · tcp ",
	};
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 200 }, network_run, ARRAY_SIZE(network_run));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("no \"%s\" in\n%s", lines[i], text);
}

/* Programs that an agent runs on the side fail all the time; what it was asked to do comes first. */
static const char *const noisy_run[] = {
	SPAN("02", IN("01"), "git", "process", AT("200100"), AT("200110"), "ERROR", "exit code 128",
	     ",\"error.type\":\"128\"" PROCESS(
		     "\"git\",\"remote\",\"get-url\",\"the-name-of-a-remote-that-is-long\"",
		     "128")),
	SPAN("03", IN("01"), "HEAD", "http", AT("200120"), AT("200130"), "ERROR", "",
	     ",\"error.type\":\"404\",\"url.full\":\"https://example.com/\""),
	SPAN("04", IN("01"), "server", "process", AT("200140"), AT("200150"), "ERROR",
	     "ended by signal 15 (Terminated)", ",\"error.type\":\"signal 15\""),
	SPAN("05", IN("01"), "execute_tool bash", "tool_call", AT("200200"), AT("200300"), "ERROR",
	     "no such file",
	     ",\"error.type\":\"tool_error\",\"gen_ai.tool.call.arguments\":{\"command\":\"cat "
	     "x\"}"),
	SPAN("06", IN("05"), "bash", "process", AT("200210"), AT("200290"), "ERROR", "exit code 3",
	     ",\"error.type\":\"3\""),
	SPAN("07", IN("06"), "grep", "process", AT("200220"), AT("200230"), "ERROR", "exit code 1",
	     ",\"error.type\":\"1\""),
	SPAN("01", "", "run agent", "run", AT("200000"), AT("200400"), "UNSET", "", ""),
};

#define FILE_OF(id, parent, name, at)                                             \
	SPAN(id, IN(parent), "create " name, "file", AT(at), AT(at), "UNSET", "", \
	     ",\"file.path\":\"/w/" name "\"")

/* What failed in a call comes before what failed beside all of them; the same twice is one line. */
static const char *const failing_run[] = {
	SPAN("02", IN("01"), "git", "process", AT("200100"), AT("200110"), "ERROR", "exit code 128",
	     ",\"error.type\":\"128\""),
	SPAN("03", IN("01"), "git", "process", AT("200120"), AT("200130"), "ERROR", "exit code 128",
	     ",\"error.type\":\"128\""),
	SPAN("04", IN("01"), "execute_tool bash", "tool_call", AT("200200"), AT("200300"), "UNSET",
	     "", ""),
	SPAN("05", IN("04"), "bash", "process", AT("200210"), AT("200290"), "ERROR", "exit code 3",
	     ",\"error.type\":\"3\""),
	SPAN("01", "", "run agent", "run", AT("200000"), AT("200400"), "UNSET", "", ""),
};

static void tells_what_failed_for_a_call(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 80 }, failing_run, ARRAY_SIZE(failing_run));

	(void)state;
	assert_non_null(strstr(text, "3 errors, 2 beside the calls\n"
				     "✗ bash  exit code 3\n"
				     "✗ git  exit code 128 (2 times)\n"));
}

/* What an agent does beside its work: files by the dozen, itself under another name, forks. */
static const char *const busy_run[] = {
	FILE_OF("02", "01", "one", "200100"),
	FILE_OF("03", "01", "two", "200101"),
	FILE_OF("04", "01", "three", "200102"),
	FILE_OF("05", "01", "four", "200103"),
	FILE_OF("06", "01", "five", "200104"),
	SPAN("07", IN("01"), "create six", "file", AT("200105"), AT("200105"), "ERROR", "",
	     ",\"error.type\":\"EACCES\",\"file.path\":\"/w/six\""),
	SPAN("08", IN("01"), "agent.exe", "process", AT("200110"), AT("200120"), "UNSET", "",
	     ",\"process.executable.name\":\"agent.exe\",\"ringspan.process.execs\":1" PROCESS(
		     "\"/usr/bin/rg\",\"--files\"", "0")),
	SPAN("09", IN("01"), "agent.exe", "process", AT("200130"), AT("200131"), "ERROR",
	     "exit code 127",
	     ",\"error.type\":\"127\",\"ringspan.process.execs\":0" PROCESS(
		     "\"agent.exe\",\"--work\"", "127")),
	FILE_OF("11", "09", "seven", "200131"),
	SPAN("01", "", "run agent", "run", AT("200000"), AT("200400"), "UNSET", "", ""),
};

static void shows_few_changes_of_files(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 160 }, busy_run, ARRAY_SIZE(busy_run));
	_cleanup_free_ char *all = draw((struct sink_cfg){ .columns = 160, .files = true },
					busy_run, ARRAY_SIZE(busy_run));

	(void)state;
	assert_int_equal(occurrences(text, "─ create "),
			 4); /* of the run three; of the other process */
	assert_non_null(strstr(text, "─ ✗ create six  EACCES"));
	assert_non_null(strstr(text, "└─ … 2 more changes of files\n"));
	assert_int_equal(occurrences(all, "─ create "), 6);
	assert_null(strstr(all, "more"));
}

#define CLASSES                                                                               \
	",\"ringspan.syscalls.calls\":1312,\"ringspan.syscalls.time_ns\":2112000000,"         \
	"\"ringspan.syscalls.classes\":{\"file\":{\"calls\":1300,\"time_ns\":12000000},"      \
	"\"poll\":{\"calls\":11,\"time_ns\":2100000000},\"memory\":{\"calls\":1,\"time_ns\":" \
	"0},\"x\\u0000y\":{\"calls\":1},\"odd\":7}"

/* Of one that is open, one that nobody answered, one of which nobody knows, one with an empty answer. */
static const char *const tools_run[] = {
	SPAN("02", IN("01"), "execute_tool open", "tool_call", AT("200100"), AT("200110"), "UNSET",
	     "", ",\"ringspan.unfinished\":true" CLASSES),
	SPAN("03", IN("01"), "execute_tool left", "tool_call", AT("200101"), AT("200110"), "UNSET",
	     "", ",\"ringspan.incomplete\":[\"unanswered\"]"),
	SPAN("04", IN("01"), "execute_tool dropped", "tool_call", AT("200102"), AT("200110"),
	     "UNSET", "", ",\"ringspan.incomplete\":[\"cap\"]"),
	SPAN("05", IN("01"), "execute_tool empty", "tool_call", AT("200103"), AT("200110"), "UNSET",
	     "", ""),
	SPAN("01", "", "run agent", "run", AT("200000"), AT("200400"), "UNSET", "", CLASSES),
};

static void tells_answers_of_tools(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 160 }, tools_run, ARRAY_SIZE(tools_run));

	(void)state;
	assert_non_null(strstr(text, "execute_tool open  unfinished · no answer yet "));
	assert_non_null(strstr(text, "execute_tool left  no answer "));
	assert_non_null(strstr(text, "execute_tool dropped  incomplete: cap "));
	assert_non_null(strstr(text, "execute_tool empty  answered "));
	assert_int_equal(occurrences(text, "  answered "), 1);
}

static void tells_system_calls(void **state)
{
	static const char calls[] =
		"syscalls 1.3k: poll 11 in 2.10s, file 1.3k in 12.0ms, memory 1 in 0ns";
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 220 }, tools_run, ARRAY_SIZE(tools_run));
	_cleanup_free_ char *all = draw((struct sink_cfg){ .columns = 220, .syscalls = true },
					tools_run, ARRAY_SIZE(tools_run));

	(void)state;
	assert_null(strstr(text, "syscalls"));
	assert_int_equal(occurrences(all, calls), 2); /* of a run in the line, too */
}

static void shows_what_a_process_is(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 160 }, busy_run, ARRAY_SIZE(busy_run));

	(void)state;
	assert_non_null(strstr(text, "agent.exe  /usr/bin/rg --files · exit 0"));
	assert_non_null(strstr(text, "✗ agent.exe  exit code 127 · forked, ran no program"));
}

static const char *const crashed_run[] = {
	SPAN("02", IN("01"), "python3", "process", AT("200100"), AT("200110"), "ERROR",
	     "ended by signal 11 (Segmentation fault) in deep (libx.so)",
	     ",\"error.type\":\"signal 11\",\"exception.stacktrace\":\"#0 deep+0xf "
	     "(/libx.so+0x1)\\n"
	     "#1 middle+0x15 (/libx.so+0x2)\\n#2 outer+0x15 (/libx.so+0x3)\\n#3 ?? "
	     "(/libc.so.6+0x4)\\n"
	     "#4 main+0x1 (/x+0x5)\\n\"" PROCESS("\"python3\",\"x.py\"", "0")),
	SPAN("01", "", "run agent", "run", AT("200000"), AT("200400"), "UNSET", "", ""),
};

/* Behind a frame without a name it is not known who called whom. */
static void tells_who_called_what_crashed(void **state)
{
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 240 }, crashed_run, ARRAY_SIZE(crashed_run));

	(void)state;
	assert_non_null(strstr(text, "✗ python3  ended by signal 11 (Segmentation fault) in deep "
				     "(libx.so) · called by middle < outer\n"));
	assert_non_null(strstr(text, "called by middle < outer · x.py"));
}

static void tells_first_what_the_agent_did(void **state)
{
	static const char head[] =
		"6 errors, 3 beside the calls\n"
		"✗ execute_tool bash  tool_error: no such file  ← bash  exit code 3\n"
		"✗ git  exit code 128 · remote get-url the-name-of-a-remote-that-is-long\n"
		"✗ HEAD  404 · https://example.com/\n"
		"… 1 more like these below\n";
	_cleanup_free_ char *text =
		draw((struct sink_cfg){ .columns = 80 }, noisy_run, ARRAY_SIZE(noisy_run));

	(void)state;
	if (!strstr(text, head))
		fail_msg("no \"%s\" in\n%s", head, text);
	/* what is long is clipped, not left out */
	assert_non_null(strstr(text, "git  exit code 128 · remote get-url the-n"));
	assert_non_null(strstr(text, "server  ended by signal 15 (Terminated) "));
	check_width(text, 80);
}

/* --- what is broken or hostile */

static void filters_what_reaches_the_terminal(void **state)
{
	static const char name[] = "a\033[2Jb\nc\x7f\xc2\x9b"
				   "d\xe2\x80\xae"
				   "e\xff\xf0\x9f f\0g\t日本語";
	struct output o = { .cfg = { .columns = 120, .payload = true } };
	struct span *s = some_span(SPAN_TOOL_CALL, 2, 0, 0, 10);

	(void)state;
	span_set_name(s, (struct sv){ name, sizeof(name) - 1 });
	span_set_status(s, STATUS_ERROR, (struct sv){ name, sizeof(name) - 1 });
	span_set_str(s, ATTR_ID_ERROR_TYPE, (struct sv){ name, sizeof(name) - 1 });
	span_set_str(s, ATTR_ID_TOOL_ARGUMENTS, (struct sv){ name, sizeof(name) - 1 });
	begin(&o, "C.UTF-8");
	add(&o, s);
	span_free(&s);
	end(&o);
	assert_int_equal(strlen(o.text), o.len);
	for (size_t i = 0; i < o.len; i++)
		assert_true((unsigned char)o.text[i] >= ' ' || o.text[i] == '\n');
	assert_null(strchr(o.text, 0x7f));
	assert_null(strstr(o.text, "\xc2\x9b"));
	assert_null(strstr(o.text, "\xe2\x80\xae"));
	assert_null(strchr(o.text, '\xff'));
	assert_non_null(strstr(o.text, "a?[2Jb c??d?e?"));
	assert_non_null(strstr(o.text, "日本語"));
	check_width(o.text, 120);
	free(o.text);
}

static void clips_by_columns(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_int_equal(text_put(&b, SV("日本語"), 6), 6);
	assert_string_equal(buf_cstr(&b), "日本語");
	buf_clear(&b);
	assert_int_equal(text_put(&b, SV("日本語"), 5), 5);
	assert_string_equal(buf_cstr(&b), "日本…");
	buf_clear(&b);
	assert_int_equal(text_put(&b, SV("日本語"), 4), 3);
	assert_string_equal(buf_cstr(&b), "日…");
	buf_clear(&b);
	assert_int_equal(text_put(&b,
				  SV("e\xcc\x81"
				     "a"),
				  2),
			 2);
	assert_string_equal(buf_cstr(&b), "e\xcc\x81"
					  "a");
	buf_clear(&b);
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_int_equal(text_put(&b, SV("abcdef"), 5), 5);
	assert_string_equal(buf_cstr(&b), "abc..");
	buf_fini(&b);
}

/* Draws spans whose ids and parents are given in pairs; every one must be there once. */
static char *draw_pairs(const unsigned int (*pairs)[2], size_t cnt, bool with_root)
{
	struct output o = { .cfg = { .columns = 100 } };
	struct span *s;

	begin(&o, "C.UTF-8");
	for (size_t i = 0; i < cnt; i++) {
		s = some_span(SPAN_PROCESS, pairs[i][0], pairs[i][1], i, 100);
		add(&o, s);
		span_free(&s);
	}
	if (with_root) {
		s = some_span(SPAN_RUN, 1, 0, 0, 100);
		add(&o, s);
		span_free(&s);
	}
	end(&o);
	for (size_t i = 0; i < cnt; i++) {
		char name[32];

		snprintf(name, sizeof(name), "span-%u.", pairs[i][0]);
		if (occurrences(o.text, name) != 1)
			fail_msg("%s is there %zu times:\n%s", name, occurrences(o.text, name),
				 o.text);
	}
	return o.text;
}

static void survives_wrong_parents(void **state)
{
	static const unsigned int pairs[][2] = {
		{ 2, 99 },                     /* a parent that is not there */
		{ 3, 3 },                      /* its own parent */
		{ 4, 5 },  { 5, 4 },           /* two that hold each other */
		{ 6, 7 },  { 7, 8 }, { 8, 6 }, /* three in a circle */
		{ 9, 8 },                      /* and one that hangs on it */
		{ 10, 1 },
	};
	_cleanup_free_ char *text = draw_pairs(pairs, ARRAY_SIZE(pairs), true);
	_cleanup_free_ char *rootless = draw_pairs(pairs, ARRAY_SIZE(pairs), false);

	(void)state;
	assert_int_equal(occurrences(text, "? span-2.  parent not seen"), 1);
	assert_int_equal(occurrences(text, "? span-10."), 0);
	assert_non_null(strstr(rootless, "run without an end"));
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* parent_of: the parent's id of span i, 1 is the run. */
static void draw_many(unsigned int (*parent_of)(unsigned int i))
{
	struct output o = { .cfg = { .columns = 100 } };
	double began = seconds();
	struct span *s;

	begin(&o, "C.UTF-8");
	for (unsigned int i = 2; i < MANY; i++) {
		s = some_span(SPAN_PROCESS, i, parent_of(i), i, MANY + i);
		add(&o, s);
		span_free(&s);
	}
	s = some_span(SPAN_RUN, 1, 0, 0, 3 * MANY);
	add(&o, s);
	span_free(&s);
	end(&o);
	assert_true(check_width(o.text, 100) >= MANY);
	free(o.text);
	assert_true(seconds() - began < MANY_SECONDS);
}

static unsigned int parent_root(unsigned int i)
{
	(void)i;
	return 1;
}

static unsigned int parent_before(unsigned int i)
{
	return i - 1;
}

static unsigned int parent_half(unsigned int i)
{
	return i / 2;
}

static unsigned int parent_behind(unsigned int i)
{
	return i + 1; /* the last hangs on nothing */
}

static void is_quick_with_many(void **state)
{
	(void)state;
	draw_many(parent_root);
	draw_many(parent_before);
	draw_many(parent_half);
	draw_many(parent_behind);
}

/* --- numbers */

static void numbers_are_short(void **state)
{
	(void)state;
	assert_string_equal(human_duration(0).s, "0ns");
	assert_string_equal(human_duration(999).s, "999ns");
	assert_string_equal(human_duration(1234).s, "1.23us");
	assert_string_equal(human_duration(999600).s, "1.00ms");
	assert_string_equal(human_duration(14000000).s, "14.0ms");
	assert_string_equal(human_duration(999600000).s, "1.00s");
	assert_string_equal(human_duration(59940000000).s, "59.9s");
	assert_string_equal(human_duration(59960000000).s, "1m00s");
	assert_string_equal(human_duration(7500000000000).s, "2h05m");
	assert_string_equal(human_duration(UINT64_MAX).s, "213503d23h");
	assert_string_equal(human_count(999).s, "999");
	assert_string_equal(human_count(1249).s, "1.2k");
	assert_string_equal(human_count(999499).s, "999k");
	assert_string_equal(human_count(999500).s, "1.0M");
	assert_string_equal(human_bytes(34500000).s, "34.5 MB");
	assert_string_equal(human_usd(0).s, "$0");
	assert_string_equal(human_usd(0.00001).s, "<$0.0001");
	assert_string_equal(human_usd(0.01543).s, "$0.015");
	assert_string_equal(human_usd(1.234).s, "$1.23");
	assert_string_equal(human_usd(NAN).s, "");
	assert_string_equal(human_time(BEGAN).s, "2026-11-21 10:00:00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits_80),
		cmocka_unit_test(fits_every_width),
		cmocka_unit_test(uses_200),
		cmocka_unit_test(colours_only_when_asked),
		cmocka_unit_test(hides_what_is_deep_or_short),
		cmocka_unit_test(shows_each_message_once),
		cmocka_unit_test(tells_of_names_and_connections),
		cmocka_unit_test(tells_who_called_what_crashed),
		cmocka_unit_test(tells_first_what_the_agent_did),
		cmocka_unit_test(tells_what_failed_for_a_call),
		cmocka_unit_test(shows_few_changes_of_files),
		cmocka_unit_test(tells_answers_of_tools),
		cmocka_unit_test(tells_system_calls),
		cmocka_unit_test(shows_what_a_process_is),
		cmocka_unit_test(clips_long_messages),
		cmocka_unit_test(filters_what_reaches_the_terminal),
		cmocka_unit_test(clips_by_columns),
		cmocka_unit_test(survives_wrong_parents),
		cmocka_unit_test(is_quick_with_many),
		cmocka_unit_test(numbers_are_short),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
