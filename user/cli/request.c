// SPDX-License-Identifier: BSD-2-Clause
/* request: what a model call sent, to look at or to send again. */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/read.h"

#define MASK "****" /* a redacted value has at least as many; base/redact.h */

struct request_opts {
	struct opt_common common;
	bool curl;
};

static const struct opt request_options[] = {
	{ "curl", 0, OPT_FLAG, offsetof(struct request_opts, curl), NULL,
	  "as a shell command that sends it again, address and header fields included" },
	{ 0 },
};

/* In single quotes, as POSIX 2.2.2 has them. */
static void quote(struct buf *b, struct sv text)
{
	buf_ch(b, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_str(b, "'\\''");
		else
			buf_ch(b, text.p[i]);
	}
	buf_ch(b, '\'');
}

/* A line that the body does not hold ends it. */
static void here_document(struct buf *b, struct sv body)
{
	char end[32] = "BODY";

	for (unsigned int n = 1; sv_has(body, end); n++)
		snprintf(end, sizeof(end), "BODY%u", n);
	/* not as an argument: Linux bounds one at 128 KiB; JSON takes the line end that this adds */
	buf_fmt(b, " \\\n  --data-binary @- <<'%s'\n" SV_FMT "\n%s\n", end, SV_ARG(body), end);
}

static void as_curl(struct buf *b, const struct span *sp, struct sv head, struct sv body)
{
	struct sv line = sv_token(&head, '\n'), method = sv_token(&line, ' ');

	buf_str(b, "curl -sS -X ");
	quote(b, method);
	buf_ch(b, ' ');
	quote(b, span_attr_sv(sp, ATTR_ID_URL_FULL));
	while (head.n) {
		buf_str(b, " \\\n  -H ");
		quote(b, sv_token(&head, '\n'));
	}
	if (body.n)
		here_document(b, body);
	else
		buf_ch(b, '\n');
}

static bool is_incomplete(const struct span *sp)
{
	static const char *const reasons[] = { "request_cut", "hole", "cap", "undecoded",
					       "joined" };

	json_for_each (span_attr(sp, ATTR_ID_INCOMPLETE), reason) {
		for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
			if (json_str_is(reason, reasons[i]))
				return true;
	}
	return false;
}

/* Whoever sends it again is to know what is not as it was. */
static void warn(const struct request_opts *o, const struct span *sp, struct sv head,
		 struct sv body)
{
	if (sv_has(body, MASK))
		log_warn("the body holds masked values (%s...): keys and tokens were redacted when "
			 "it was recorded",
			 MASK);
	if (o->curl && sv_has(head, MASK))
		log_warn("put your own in place of the masked header values (%s...)", MASK);
	if (is_incomplete(sp))
		log_warn("of this exchange not every byte was seen; the body may not be whole");
}

static int print(const struct request_opts *o, const struct span *sp, struct sv head,
		 struct sv body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sv out = body;

	if (o->curl) {
		as_curl(&b, sp, head, body);
		out = buf_view(&b);
	}
	if (b.err)
		return b.err;
	fwrite(out.p, 1, out.n, stdout);
	if (fflush(stdout) || ferror(stdout))
		return log_err(-EIO, "the request cannot be written: %s", strerror(errno));
	warn(o, sp, head, body);
	return 0;
}

static int run_request(void *opts, int argc, char **argv)
{
	_cleanup_buf_ struct buf head = BUF_INIT, body = BUF_INIT;
	struct request_opts *o = opts;
	struct store *s = NULL;
	struct span *sp = NULL;
	int err;

	if (argc != 1) {
		log_err(-EINVAL, "want one span: ringspan request [OPTION ...] SPAN");
		return EXIT_USAGE;
	}
	err = read_open(&s, &o->common);
	if (!err)
		err = store_request(s, argv[0], &head, &body, &sp);
	if (!err)
		err = print(o, sp, buf_view(&head), buf_view(&body));
	span_free(&sp);
	store_free(&s);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_request = {
	.name = "request",
	.args = "SPAN",
	.help = "print what a model call sent, byte for byte, to send it again",
	.more = "SPAN is the id of a model call or its first digits, as `ringspan spans` lists "
		"it.\n"
		"Without --curl the body alone is printed, decoded where it travelled "
		"compressed.\n",
	.opts = request_options,
	.opts_sz = sizeof(struct request_opts),
	.run = run_request,
};
