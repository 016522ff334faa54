// SPDX-License-Identifier: BSD-2-Clause
/* The screen of `ringspan top`: what is on it, and keys.  While it waits for these the ring is emptied. */
#include <curses.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/top.h"
#include "cli/top_term.h"

#define STEP_MS 100
#define FILTER_MAX 64
#define FOOT_LINES 3 /* two of the selected row, and keys */
#define ESC 27

enum mode { TABLE, TREE, OWN, HELP };

struct ui {
	struct top_watch *w;
	struct top_term term;
	enum mode mode;
	char selected[HEX128]; /* trace id; "": the first row */
	size_t from;           /* first line or row that is shown */
	bool at_end;           /* a tree that grows is followed */
	bool typing;           /* a filter */
	char filter[FILTER_MAX];
	char *tree; /* its lines; NULL: not drawn yet */
	size_t tree_size;
	const struct top_row **rows; /* as they are shown; of the latest look */
	size_t cnt;
	bool over;
};

/* --- what is shown */

static size_t count_lines(struct sv text)
{
	size_t n = 0;

	for (; text.n; n++)
		sv_token(&text, '\n');
	return n;
}

static size_t room(void)
{
	int n = LINES - TOP_HEAD_LINES - 1 - FOOT_LINES;

	return n > 1 ? (size_t)n : 1;
}

static size_t selected_at(const struct ui *s)
{
	for (size_t i = 0; i < s->cnt; i++)
		if (strcmp(s->rows[i]->now.trace_id, s->selected) == 0)
			return i;
	return 0;
}

static const struct top_row *selected_row(const struct ui *s)
{
	return s->cnt ? s->rows[selected_at(s)] : NULL;
}

static void select_row(struct ui *s, size_t i)
{
	if (!s->cnt)
		return;
	i = i < s->cnt ? i : s->cnt - 1;
	memcpy(s->selected, s->rows[i]->now.trace_id, sizeof(s->selected));
}

static int sort_rows(struct ui *s)
{
	const struct top_view *v = &s->w->view;

	free(s->rows);
	s->rows = NULL;
	s->cnt = 0;
	return top_order(v->top, v->key, v->reverse, v->filter, &s->rows, &s->cnt);
}

static void scroll_to(struct ui *s, size_t line, size_t lines, size_t height)
{
	if (line < s->from)
		s->from = line;
	if (line >= s->from + height)
		s->from = line - height + 1;
	if (s->from + height > lines)
		s->from = lines > height ? lines - height : 0;
}

static void paint_text(int y, struct buf *b)
{
	top_term_lines(y, LINES, buf_view(b), 0);
	buf_clear(b);
}

static void paint_log(const struct ui *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT, last = BUF_INIT;

	top_term_logged(&s->term, &last);
	if (!last.len)
		return;
	term_style(&b, s->w->view.colour, STYLE_YELLOW);
	text_put(&b, buf_view(&last), (size_t)COLS);
	move(LINES - 1, 0);
	clrtoeol();
	top_term_line(LINES - 1, buf_view(&b), false);
}

static void paint_foot(const struct ui *s)
{
	const struct top_row *r = selected_row(s);
	_cleanup_buf_ struct buf b = BUF_INIT, line = BUF_INIT;

	if (r) {
		top_draw_detail(&b, &s->w->view, r);
		top_term_lines(LINES - FOOT_LINES, LINES - 1, buf_view(&b), 0);
	}
	if (s->typing) {
		buf_str(&line, "/");
		text_put(&line, sv(s->filter), (size_t)COLS - 2);
		buf_str(&line, "_");
	} else {
		term_style(&line, s->w->view.colour, STYLE_DIM);
		text_put(&line,
			 SV("q quit  enter tree  / filter  S A T $ C M order  r reverse  b own "
			    "cost  ? help"),
			 (size_t)COLS);
	}
	top_term_line(LINES - 1, buf_view(&line), false);
}

static void paint_table(struct ui *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t at = selected_at(s), height = room();

	scroll_to(s, at, s->cnt, height);
	top_draw_head(&b, &s->w->view);
	paint_text(0, &b);
	top_draw_titles(&b, &s->w->view);
	paint_text(TOP_HEAD_LINES, &b);
	for (size_t i = 0; i < height && s->from + i < s->cnt; i++) {
		struct sv line;

		top_draw_row(&b, &s->w->view, s->rows[s->from + i]);
		line = buf_view(&b);
		top_term_line(TOP_HEAD_LINES + 1 + (int)i, sv_token(&line, '\n'),
			      s->from + i == at);
		buf_clear(&b);
	}
	if (!s->cnt) {
		text_put(&b,
			 s->filter[0] ? SV("no agent has these words")
				      : SV("no agent yet: one is found when it asks a model"),
			 (size_t)COLS);
		top_term_line(TOP_HEAD_LINES + 2, buf_view(&b), false);
	}
	paint_foot(s);
}

/* A text that may be longer than the screen, below a line that says what it is. */
static void paint_page(struct ui *s, struct sv title, struct sv text)
{
	size_t lines = count_lines(text), height = LINES > 2 ? (size_t)LINES - 2 : 1;
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (s->at_end)
		s->from = lines;
	if (s->from + height >= lines)
		s->from = lines > height ? lines - height : 0;
	top_term_line(0, title, false);
	top_term_lines(1, LINES - 1, text, s->from);
	term_style(&b, s->w->view.colour, STYLE_DIM);
	if (lines > height)
		buf_fmt(&b, "lines %zu-%zu of %zu  ", s->from + 1,
			s->from + height < lines ? s->from + height : lines, lines);
	text_put(&b, SV("esc or q back  up down PgUp PgDn Home End"),
		 (size_t)COLS > b.len ? (size_t)COLS - b.len : 1);
	top_term_line(LINES - 1, buf_view(&b), false);
}

static int draw_tree(struct ui *s)
{
	const struct top_watch *w = s->w;
	char *text = NULL;
	size_t size = 0;
	int err = kept_draw(&w->kept, live_session(w->live), s->selected, w->view.columns,
			    w->view.colour, &text, &size);

	if (err) {
		free(text);
		return err;
	}
	free(s->tree);
	s->tree = text;
	s->tree_size = size;
	return 0;
}

static void paint_tree(struct ui *s)
{
	const struct top_row *r = selected_row(s);
	_cleanup_buf_ struct buf title = BUF_INIT;
	struct sv line;

	if (r && strcmp(r->now.trace_id, s->selected) == 0)
		top_draw_row(&title, &s->w->view, r);
	line = buf_view(&title);
	paint_page(s, sv_token(&line, '\n'), (struct sv){ s->tree, s->tree_size });
}

static void paint(struct ui *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	s->w->view.columns = (unsigned int)COLS;
	erase();
	switch (s->mode) {
	case TABLE:
		paint_table(s);
		break;
	case TREE:
		paint_tree(s);
		break;
	case OWN:
		top_draw_own(&b, &s->w->view);
		paint_page(s, SV("what ringspan itself takes"), buf_view(&b));
		break;
	case HELP:
		top_draw_help(&b, &s->w->view);
		paint_page(s, SV("ringspan top: keys and states"), buf_view(&b));
		break;
	}
	if (!s->typing)
		paint_log(s);
	refresh();
}

/* --- keys */

static void enter_mode(struct ui *s, enum mode m)
{
	s->mode = m;
	s->from = 0;
	s->at_end = false;
}

static bool order_key(struct ui *s, int key)
{
	static const char keys[TOP_KEY_CNT] = {
		[TOP_BY_STATE] = 'S', [TOP_BY_AGE] = 'A',    [TOP_BY_PID] = 'P',
		[TOP_BY_AGENT] = 'N', [TOP_BY_RATE] = 'T',   [TOP_BY_TOKENS] = 'K',
		[TOP_BY_COST] = '$',  [TOP_BY_CPU] = 'C',    [TOP_BY_MEMORY] = 'M',
		[TOP_BY_NET] = 'W',   [TOP_BY_ERRORS] = 'E',
	};

	for (enum top_key k = 0; k < TOP_KEY_CNT; k++) {
		if (keys[k] != key)
			continue;
		s->w->view.key = k;
		return true;
	}
	return false;
}

/* A line of the filter; what it lets through is seen at once. */
static void type(struct ui *s, int key)
{
	size_t n = strlen(s->filter);

	if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		s->typing = false;
	} else if (key == ESC) {
		s->typing = false;
		s->filter[0] = '\0';
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		while (n && ((unsigned char)s->filter[--n] & 0xc0) == 0x80)
			; /* the rest of a character */
		s->filter[n] = '\0';
	} else if (key >= ' ' && key < 256 && key != 127 && n + 1 < sizeof(s->filter)) {
		s->filter[n] = (char)key;
		s->filter[n + 1] = '\0';
	}
}

/* How far a key goes up or down; 0: it is another key. */
static long steps_of(int key, size_t page)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		return -1;
	case KEY_DOWN:
	case 'j':
		return 1;
	case KEY_PPAGE:
		return -(long)page;
	case KEY_NPAGE:
	case ' ':
		return (long)page;
	case KEY_HOME:
	case 'g':
		return INT16_MIN * 1000L;
	case KEY_END:
	case 'G':
		return INT16_MAX * 1000L;
	default:
		return 0;
	}
}

static size_t moved(size_t at, long by)
{
	return by < 0 && at < (size_t)-by ? 0 : (size_t)((long)at + by);
}

static void table_key(struct ui *s, int key)
{
	long by = steps_of(key, room());

	if (by) {
		select_row(s, moved(selected_at(s), by));
	} else if (key == 'q') {
		s->over = true;
	} else if (key == '/') {
		s->typing = true;
	} else if (key == 'r') {
		s->w->view.reverse = !s->w->view.reverse;
	} else if (key == 'b') {
		enter_mode(s, OWN);
	} else if (key == '?' || key == 'h' || key == KEY_F(1)) {
		enter_mode(s, HELP);
	} else if (key == ESC) {
		s->filter[0] = '\0';
	} else if ((key == '\r' || key == '\n' || key == KEY_ENTER) && s->cnt) {
		select_row(s, selected_at(s));
		enter_mode(s, TREE);
	} else {
		order_key(s, key);
	}
}

static void page_key(struct ui *s, int key)
{
	long by = steps_of(key, LINES > 3 ? (size_t)LINES - 3 : 1);

	if (by) {
		s->at_end = by > SHRT_MAX;
		s->from = s->at_end ? s->from : moved(s->from, by);
	} else if (key == 'q' || key == ESC || key == KEY_LEFT || key == KEY_BACKSPACE) {
		enter_mode(s, TABLE);
	}
}

static int take_keys(struct ui *s, bool *any)
{
	enum mode before = s->mode;
	unsigned int columns = s->w->view.columns;
	int key, err;

	while (!s->over && (key = getch()) != ERR) {
		*any = true;
		if (key == KEY_RESIZE)
			s->w->view.columns = (unsigned int)COLS;
		else if (s->typing)
			type(s, key);
		else if (s->mode == TABLE)
			table_key(s, key);
		else
			page_key(s, key);
	}
	if (!*any)
		return 0;
	err = sort_rows(s);
	if (!err && s->mode == TREE && (before != TREE || columns != s->w->view.columns))
		err = draw_tree(s);
	return err;
}

/* --- going on */

static int look(struct ui *s)
{
	int ret = top_look(s->w), err;

	if (ret < 0)
		return ret;
	s->over |= ret;
	err = sort_rows(s);
	return !err && s->mode == TREE ? draw_tree(s) : err;
}

static int wait_for_more(struct ui *s, uint64_t next)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = monitor_fd(live_monitor(s->w->live)), .events = POLLIN } };
	uint64_t now = live_now(), left = next > now ? next - now : 0;
	struct signalfd_siginfo sig;
	int ret;

	if (poll(fds, ARRAY_SIZE(fds),
		 left < STEP_MS * 1000000ull ? (int)(left / 1000000) + 1 : STEP_MS) < 0 &&
	    errno != EINTR)
		return log_err(-errno, "poll: %s", strerror(errno));
	if (fds[0].revents & (POLLHUP | POLLERR))
		s->over = true; /* the terminal is gone */
	ret = live_step(s->w->live, 0, &sig);
	if (ret < 0)
		return ret;
	s->over |= ret && sig.ssi_signo != SIGCHLD;
	return 0;
}

static int go_on(struct ui *s)
{
	uint64_t next = 0;
	int err = 0;

	while (!err && !s->over) {
		bool changed = live_now() >= next;

		if (changed) {
			next = live_now() + s->w->interval_ns;
			err = look(s);
		}
		if (!err)
			err = take_keys(s, &changed);
		if (!err && changed && !s->over)
			paint(s);
		if (!err && !s->over)
			err = wait_for_more(s, next);
	}
	return err;
}

int top_screen(struct top_watch *w)
{
	struct ui s = { .w = w };
	int err;

	snprintf(s.filter, sizeof(s.filter), "%s", w->view.filter);
	w->view.filter = s.filter;
	err = top_term_open(&s.term, w->view.colour);
	if (!err)
		err = go_on(&s);
	top_term_close(&s.term);
	w->view.filter = "";
	free(s.rows);
	free(s.tree);
	return err;
}
