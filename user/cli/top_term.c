// SPDX-License-Identifier: BSD-2-Clause
/* The terminal of `ringspan top`: see top_term.h. */
#include "cli/top_term.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "sink/term.h"

#define LOG_SHOWN 512 /* bytes of the latest line that was logged */

/* Lines that are logged would tear the screen: they wait in memory, the latest is shown. */
static int hold_log(struct top_term *t)
{
	t->log_fd = memfd_create("log", MFD_CLOEXEC);
	t->err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (t->log_fd < 0 || t->err_fd < 0)
		return log_err(-errno, "cannot set stderr aside: %s", strerror(errno));
	dup2(t->log_fd, STDERR_FILENO);
	return 0;
}

static void release_log(struct top_term *t)
{
	char text[4096];
	ssize_t n;

	if (t->err_fd >= 0) {
		dup2(t->err_fd, STDERR_FILENO);
		close(t->err_fd);
		lseek(t->log_fd, 0, SEEK_SET);
		while ((n = read(t->log_fd, text, sizeof(text))) > 0)
			if (write(STDERR_FILENO, text, (size_t)n) < n)
				break;
	}
	if (t->log_fd >= 0)
		close(t->log_fd);
}

/* --- the end that nobody is asked about */

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };

/* What a signal handler may use: made before one can come. */
static struct {
	struct termios before;
	char leave[128]; /* what the terminal is told */
	size_t len;
	struct top_term *term;
	struct sigaction others[ARRAY_SIZE(fatal)];
	char stack[16384]; /* its own may be what is used up */
} crash;

/* Without the pauses that terminals wanted once: "$<20/>", terminfo(5). */
static void add_leave(const char *text)
{
	while (*text && crash.len < sizeof(crash.leave)) {
		const char *end = strncmp(text, "$<", 2) == 0 ? strchr(text, '>') : NULL;

		if (end)
			text = end + 1;
		else
			crash.leave[crash.len++] = *text++;
	}
}

/* Of a stack that is broken only what signal-safety(7) lists is called.  The signal comes again then. */
static void on_fatal(int sig)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &crash.before);
	if (write(STDOUT_FILENO, crash.leave, crash.len) >= 0)
		release_log(crash.term);
	raise(sig);
}

static void catch_fatal(struct top_term *t)
{
	static const char *const leave[] = { "rmkx", "sgr0", "cnorm", "rmcup" };
	const stack_t stack = { .ss_sp = crash.stack, .ss_size = sizeof(crash.stack) };
	struct sigaction act = { .sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_ONSTACK };

	crash.len = 0;
	crash.term = t;
	for (size_t i = 0; i < ARRAY_SIZE(leave); i++) {
		const char *text = tigetstr(leave[i]);

		if (text && text != (const char *)-1)
			add_leave(text);
	}
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &act, &crash.others[i]);
}

static void release_fatal(void)
{
	for (size_t i = 0; crash.term && i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &crash.others[i], NULL);
	crash.term = NULL;
}

static int begin(struct top_term *t, bool colour)
{
	const char *term = getenv("TERM");

	tcgetattr(STDIN_FILENO, &crash.before);
	t->screen = newterm(NULL, stdout, stdin);
	if (!t->screen)
		return log_err(
			-EINVAL,
			"TERM=%s is a terminal that ncurses does not know; --once needs none",
			term ? term : "");
	set_term(t->screen);
	set_escdelay(25);
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (!colour || !has_colors())
		return 0;
	start_color();
	use_default_colors();
	init_pair(STYLE_RED, COLOR_RED, -1);
	init_pair(STYLE_YELLOW, COLOR_YELLOW, -1);
	init_pair(STYLE_CYAN, COLOR_CYAN, -1);
	return 0;
}

int top_term_open(struct top_term *t, bool colour)
{
	int err;

	*t = (struct top_term){ .log_fd = -1, .err_fd = -1 };
	err = begin(t, colour);
	if (!err)
		catch_fatal(t);
	return err ? err : hold_log(t);
}

void top_term_close(struct top_term *t)
{
	if (t->screen) {
		endwin();
		delscreen(t->screen);
	}
	release_fatal();
	release_log(t);
}

void top_term_logged(const struct top_term *t, struct buf *out)
{
	char text[LOG_SHOWN];
	off_t end = lseek(t->log_fd, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) : 0;
	ssize_t n = end > 0 ? pread(t->log_fd, text, sizeof(text), from) : 0;
	struct sv rest = { text, n > 0 ? (size_t)n : 0 }, last = SV("");

	while (rest.n)
		last = sv_token(&rest, '\n');
	buf_sv(out, last);
}

/* --- lines to cells */

/* What term_style() writes: ESC [ parameters m. */
static attr_t attr_of(struct sv parameters)
{
	attr_t a = A_NORMAL;

	while (parameters.n) {
		struct sv p = sv_token(&parameters, ';');

		if (sv_is(p, "1"))
			a |= A_BOLD;
		else if (sv_is(p, "2"))
			a |= A_DIM;
		else if (sv_is(p, "31"))
			a |= has_colors() ? COLOR_PAIR(STYLE_RED) : A_BOLD;
		else if (sv_is(p, "33"))
			a |= has_colors() ? COLOR_PAIR(STYLE_YELLOW) : A_BOLD;
		else if (sv_is(p, "36"))
			a |= has_colors() ? COLOR_PAIR(STYLE_CYAN) : A_NORMAL;
	}
	return a;
}

/* Texts went through text_put(), so an escape is one of our own. */
void top_term_line(int y, struct sv line, bool marked)
{
	attr_t mark = marked ? A_REVERSE : A_NORMAL;

	if (y < 0 || y >= LINES)
		return;
	move(y, 0);
	attrset(mark);
	while (line.n) {
		struct sv text = sv_token(&line, '\033'), code;

		if (text.n)
			addnstr(text.p, (int)text.n);
		if (!line.n)
			break;
		code = sv_token(&line, 'm');
		attrset(attr_of(sv_sub(code, 1, code.n)) | mark);
	}
	attrset(mark);
	if (marked)
		for (int x = getcurx(stdscr); x < COLS && getcury(stdscr) == y; x++)
			mvaddch(y, x, ' ');
	attrset(A_NORMAL);
}

void top_term_lines(int y, int end, struct sv text, size_t from)
{
	for (size_t n = 0; text.n && y < end; n++) {
		struct sv line = sv_token(&text, '\n');

		if (n >= from)
			top_term_line(y++, line, false);
	}
}
