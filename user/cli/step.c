// SPDX-License-Identifier: BSD-2-Clause
/*
 * Walking through a capture by hand: see step.h.  Commands are a line each where stdin is no
 * terminal; on one, keys do the same.
 */
#include "cli/step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "sink/human.h"
#include "sink/term.h"

#define CONTENT_COLS 60 /* of a record's first bytes */
#define LINE_LEN 128

struct stepper {
	struct steps *steps;
	struct sink_cfg cfg;
	bool keys; /* stdin is a terminal */
};

/* ---- what is shown */

static void describe_args(struct buf *b, struct sv args)
{
	size_t left = CONTENT_COLS;

	buf_ch(b, ' ');
	while (args.n && left) {
		buf_ch(b, ' ');
		left -= text_put(b, sv_token(&args, '\0'), left);
	}
}

static void describe_tls(struct buf *b, const struct ev_tls *e)
{
	static const char *const types[] = { "change_cipher_spec", "alert", "handshake", "data",
					     "heartbeat" };
	unsigned int at = e->type - 20u;

	buf_fmt(b, "  %s %s of %u B", e->dir == EV_WRITE ? "wrote" : "read",
		at < ARRAY_SIZE(types) ? types[at] : "?", e->size);
}

static void describe_payload(struct buf *b, const struct ev_hdr *rec)
{
	const struct ev_data *d = (const void *)rec;

	switch (rec->kind) {
	case EV_DATA:
		buf_fmt(b, "  %s %u B at %llu of connection %llx  ",
			d->dir == EV_WRITE ? "wrote" : "read", d->len, (unsigned long long)d->pos,
			(unsigned long long)d->conn);
		text_put(b, event_payload(rec), CONTENT_COLS);
		break;
	case EV_EXEC:
	case EV_PROC:
		describe_args(b, event_exec_args((const void *)rec));
		break;
	case EV_FORK:
		buf_fmt(b, "  child %u", ((const struct ev_fork *)(const void *)rec)->child);
		break;
	case EV_EXIT:
		buf_fmt(b, "  status %d", ((const struct ev_exit *)(const void *)rec)->status);
		break;
	case EV_SIGNAL:
		buf_fmt(b, "  signal %d", ((const struct ev_signal *)(const void *)rec)->signal);
		break;
	case EV_TLS:
		describe_tls(b, (const void *)rec);
		break;
	case EV_RESET:
		buf_fmt(b, "  by %s",
			((const struct ev_reset *)(const void *)rec)->by == EV_RESET_PEER
				? "the other side"
				: "this side");
		break;
	case EV_SAMPLE: {
		const struct ev_sample *e = (const void *)rec;

		buf_fmt(b, "  %u frames, %u of the kernel", e->user + e->kernel, e->kernel);
		break;
	}
	case EV_FRAMES:
		buf_fmt(b, "  %u names", ((const struct ev_frames *)(const void *)rec)->cnt);
		break;
	case EV_STACK: {
		struct sv text = event_payload(rec);

		buf_str(b, "  ");
		text_put(b, sv_token(&text, '\n'), CONTENT_COLS);
		break;
	}
	}
}

static void describe_record(struct buf *b, const struct steps *s)
{
	const struct ev_hdr *rec = steps_record(s);

	buf_fmt(b, "#%llu", (unsigned long long)steps_at(s));
	if (!rec) {
		buf_str(b, steps_over(s) ? "  the end: what was open is finished\n"
					 : "  before the first record\n");
		return;
	}
	if (rec->ts >= steps_first_ts(s))
		buf_fmt(b, "  +%s", human_duration(rec->ts - steps_first_ts(s)).s);
	buf_fmt(b, "  %s", event_name(rec->kind));
	if (rec->tgid)
		buf_fmt(b, "  pid %u", rec->tgid);
	describe_payload(b, rec);
	buf_ch(b, '\n');
}

static void describe_change(void *ctx, enum step_change how, const struct span *s)
{
	static const char *const words[] = {
		[STEP_OPENED] = "opened", [STEP_CHANGED] = "changed", [STEP_CLOSED] = "closed"
	};
	struct buf *b = ctx;

	buf_fmt(b, "  %-7s  %s  %s  ", words[how], s->span_id, span_what_name(s->what));
	text_put(b, s->name, CONTENT_COLS);
	if (s->status == STATUS_ERROR) {
		buf_str(b, "  ERROR ");
		text_put(b, span_attr_sv(s, ATTR_ID_ERROR_TYPE), CONTENT_COLS);
	}
	buf_ch(b, '\n');
}

/* The tree so far, as text in memory that the caller frees. */
static int draw_tree(struct stepper *p, char **text, size_t *size)
{
	struct sink_cfg cfg = p->cfg;
	int err;

	cfg.out = open_memstream(text, size);
	if (!cfg.out)
		return -errno;
	err = steps_show(p->steps, sink_find(SV("tree")), &cfg);
	fclose(cfg.out);
	return err;
}

static int show(struct stepper *p)
{
	_cleanup_buf_ struct buf b = BUF_INIT, screen = BUF_INIT;
	_cleanup_free_ char *tree = NULL;
	size_t size = 0;
	int err;

	describe_record(&b, p->steps);
	err = steps_changes(p->steps, describe_change, &b);
	if (!err)
		err = draw_tree(p, &tree, &size);
	if (err)
		return err;
	buf_ch(&b, '\n');
	buf_add(&b, tree, size);
	if (p->keys)
		term_repaint(&screen, buf_view(&b), term_rows(STDOUT_FILENO));
	else
		buf_sv(&screen, buf_view(&b));
	if (screen.err)
		return screen.err;
	fwrite(screen.p, 1, screen.len, stdout);
	return fflush(stdout) ? -errno : 0;
}

/* ---- what is asked for */

static int back(struct stepper *p, uint64_t n)
{
	uint64_t at = steps_at(p->steps);

	return steps_go(p->steps, at > n ? at - n : 0);
}

/* The next record of a kind; where there is none, the end. */
static int seek(struct stepper *p, struct sv kind)
{
	int err = 0;

	while (!err && !steps_over(p->steps)) {
		const struct ev_hdr *rec;

		err = steps_go(p->steps, steps_at(p->steps) + 1);
		rec = steps_record(p->steps);
		if (rec && sv_ieq(kind, event_name(rec->kind)))
			break;
	}
	return err;
}

static int usage(struct stepper *p)
{
	fputs("n [N] next, p [N] previous, g N go to record N, / KIND next record of a kind, q "
	      "quit\n",
	      p->keys ? stderr : stdout);
	return 0;
}

/* A command.  1: leave; 0; -errno. */
static int obey(struct stepper *p, struct sv line)
{
	struct sv word = sv_token(&line, ' '), arg = sv_trim(line);
	int64_t n = 1;
	int err;

	if (arg.n && !sv_is(word, "/") && (sv_i64(arg, &n) || n < 0))
		return usage(p);
	if (sv_is(word, "q"))
		return 1;
	if (sv_is(word, "n") || !word.n)
		err = steps_go(p->steps, steps_at(p->steps) + (uint64_t)n);
	else if (sv_is(word, "p"))
		err = back(p, (uint64_t)n);
	else if (sv_is(word, "g") && arg.n)
		err = steps_go(p->steps, (uint64_t)n);
	else if (sv_is(word, "/") && arg.n)
		err = seek(p, arg);
	else
		return usage(p);
	return err ? err : show(p);
}

static int by_lines(struct stepper *p)
{
	char line[LINE_LEN];
	int ret = 0;

	while (!ret && fgets(line, sizeof(line), stdin))
		ret = obey(p, sv_sub(sv(line), 0, strcspn(line, "\n")));
	return ret < 0 ? ret : 0;
}

/* The rest of a command that takes an argument, typed as a line. */
static int ask(struct stepper *p, const struct termios *cooked, const struct termios *raw, char key)
{
	char line[LINE_LEN] = { key, ' ' };
	int ret = 0;

	tcsetattr(STDIN_FILENO, TCSADRAIN, cooked);
	printf("%c ", key);
	fflush(stdout);
	if (fgets(line + 2, sizeof(line) - 2, stdin))
		ret = obey(p, sv_sub(sv(line), 0, strcspn(line, "\n")));
	tcsetattr(STDIN_FILENO, TCSADRAIN, raw);
	return ret;
}

/* An arrow comes as ESC [ and a letter (ECMA-48 5.4, what terminals send). */
static int arrow(void)
{
	int key = getchar() == '[' ? getchar() : 0;

	return key == 'C' || key == 'B' ? 'n' : key == 'D' || key == 'A' ? 'p' : 0;
}

static int by_keys(struct stepper *p)
{
	struct termios cooked, raw;
	int ret = show(p), key;

	if (tcgetattr(STDIN_FILENO, &cooked))
		return -errno;
	raw = cooked;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	setvbuf(stdin, NULL, _IONBF, 0); /* what was typed ahead is read as it comes */
	while (!ret && (key = getchar()) != EOF) {
		if (key == '\033')
			key = arrow();
		if (key == 'g' || key == '/')
			ret = ask(p, &cooked, &raw, (char)key);
		else if (key == 'n' || key == 'p' || key == 'q' || key == ' ' || key == '\n')
			ret = obey(p, key == 'p' ? SV("p") : key == 'q' ? SV("q") : SV("n"));
		else
			ret = usage(p);
	}
	tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
	return ret < 0 ? ret : 0;
}

int step_through(struct steps *s, const struct sink_cfg *cfg)
{
	struct stepper p = { .steps = s, .cfg = *cfg, .keys = isatty(STDIN_FILENO) };
	int err = p.keys ? by_keys(&p) : by_lines(&p);

	if (err)
		log_err(err, "stepping ends: %s", strerror(-err));
	return err ? EXIT_NOTHING : EXIT_FINE;
}
