// SPDX-License-Identifier: BSD-2-Clause
/* Text for terminals: see term.h.  The only place that knows UTF-8, widths and escape sequences. */
#include "sink/term.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define ZERO_WIDTH_MAX 4 /* combining characters on one base: more are an attack on the reader */
#define REPLACEMENT '?'
#define ELLIPSIS 0x2026

bool term_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned int term_columns(int fd)
{
	const char *wanted = getenv("COLUMNS");
	struct winsize ws;

	if (!isatty(fd))
		return wanted ? (unsigned int)strtoul(wanted, NULL, 10) : 0;
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		return ws.ws_col;
	return 80;
}

unsigned int term_rows(int fd)
{
	struct winsize ws;

	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_row : 0;
}

void term_repaint(struct buf *b, struct sv picture, unsigned int rows)
{
	unsigned int line = 0;

	/* ECMA-48 8.3.21, 8.3.41, 8.3.39: CUP, EL, ED; a line end in the last row would scroll */
	buf_str(b, "\033[H");
	while (picture.n && (!rows || ++line < rows)) {
		buf_sv(b, sv_token(&picture, '\n'));
		buf_str(b, "\033[K\n");
	}
	buf_str(b, "\033[J");
}

/* https://no-color.org: any value but the empty one */
bool term_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
}

void term_style(struct buf *b, bool colour, enum term_style style)
{
	/* ECMA-48 8.3.117, SGR */
	static const char *const codes[] = {
		[STYLE_PLAIN] = "\033[0m",  [STYLE_BOLD] = "\033[1m",    [STYLE_DIM] = "\033[2m",
		[STYLE_RED] = "\033[1;31m", [STYLE_YELLOW] = "\033[33m", [STYLE_CYAN] = "\033[36m",
	};

	if (colour)
		buf_str(b, codes[style]);
}

/* Decodes one character (RFC 3629); 0xffffffff and one byte for what is none. */
static uint32_t decode(struct sv s, size_t *len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s.p[0];
	size_t n = lead < 0x80       ? 1
		   : lead >> 5 == 6  ? 2
		   : lead >> 4 == 14 ? 3
		   : lead >> 3 == 30 ? 4
				     : 0;
	uint32_t cp;

	*len = 1;
	if (n <= 1)
		return n ? lead : UINT32_MAX;
	if (s.n < n)
		return UINT32_MAX;
	cp = lead & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch >> 6 != 2)
			return UINT32_MAX;
		cp = cp << 6 | (ch & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return UINT32_MAX;
	*len = n;
	return cp;
}

/* Unicode 15, 23.2: marks, embeddings, overrides and isolates turn what follows them around. */
static bool is_bidi_control(uint32_t cp)
{
	return cp == 0x061c || cp == 0x200e || cp == 0x200f || (cp >= 0x202a && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

uint32_t text_next(struct sv *s, unsigned int *width)
{
	size_t len;
	uint32_t cp = decode(*s, &len);
	int w;

	*s = sv_sub(*s, len, s->n);
	*width = 1;
	if (cp == ' ' || (cp >= '\t' && cp <= '\r'))
		return ' ';
	if (cp < 0x7f)
		return cp < ' ' ? REPLACEMENT : cp;
	if (cp == UINT32_MAX || is_bidi_control(cp) || !term_utf8())
		return REPLACEMENT;
	w = wcwidth((wchar_t)cp);
	if (w < 0)
		return REPLACEMENT;
	*width = (unsigned int)w;
	return cp;
}

size_t text_width(struct sv s, size_t max)
{
	size_t columns = 0;
	unsigned int w;

	while (s.n && columns <= max) {
		text_next(&s, &w);
		columns += w;
	}
	return columns;
}

static void put_char(struct buf *b, uint32_t cp)
{
	char utf8[4];
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, cp >>= 6)
		utf8[i] = (char)(0x80 | (cp & 0x3f));
	utf8[0] = (char)(lead[n] | cp);
	buf_add(b, utf8, n);
}

/* Takes what fits into `width` columns off *s. */
static size_t put_some(struct buf *b, struct sv *s, size_t width)
{
	size_t columns = 0, marks = 0;

	while (s->n) {
		struct sv rest = *s;
		unsigned int w;
		uint32_t cp = text_next(&rest, &w);

		if (columns + w > width)
			break;
		marks = w ? 0 : marks + 1;
		if (marks <= ZERO_WIDTH_MAX)
			put_char(b, cp);
		columns += w;
		*s = rest;
	}
	return columns;
}

size_t text_put(struct buf *b, struct sv s, size_t width)
{
	size_t mark = term_utf8() ? 1 : 2, columns;

	if (text_width(s, width) <= width)
		return put_some(b, &s, width);
	if (width <= mark)
		return put_some(b, &s, width);
	columns = put_some(b, &s, width - mark);
	if (mark == 1)
		put_char(b, ELLIPSIS);
	else
		buf_str(b, "..");
	return columns + mark;
}

void text_pad(struct buf *b, size_t columns)
{
	buf_fmt(b, "%*s", (int)columns, "");
}
