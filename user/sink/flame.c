// SPDX-License-Identifier: BSD-2-Clause
/* See flame.h. */
#include "sink/flame.h"

#include <errno.h>
#include <inttypes.h>
#include "base/hash.h"
#include "base/json_lex.h"
#include "sink/human.h"

#define WIDTH 1200.0
#define EDGE 10.0 /* left and right of the boxes */
#define HEAD 40   /* above them: the title */
#define ROW 17    /* from one box to the next */
#define CHAR 7.0  /* width of a letter, about */
#define THIN 0.1  /* a box that is less wide is left out, with what is on it */

struct flame {
	struct buf b;
	double scale; /* width of a sample */
	uint64_t all;
	unsigned int depth, height;
};

static const struct palette {
	unsigned int r, g, b;    /* the darkest */
	unsigned int dr, dg, db; /* how much lighter one may be */
} palettes[] = {
	[0] = { 170, 180, 190, 40, 40, 40 },                  /* groups */
	[TRACE_CODE_FILE] = { 215, 90, 30, 40, 110, 40 },     /* warm */
	[TRACE_CODE_GENERATED] = { 80, 170, 70, 60, 50, 50 }, /* green */
	[TRACE_CODE_KERNEL] = { 100, 140, 215, 60, 60, 40 },  /* blue */
	[TRACE_CODE_UNKNOWN] = { 190, 190, 190, 30, 30, 30 },
	[TRACE_CODE_CUT] = { 190, 190, 190, 30, 30, 30 },
};

/* XML 1.0, 2.2 and 2.4: what may not stand in it at all becomes U+FFFD. */
static void escaped(struct buf *b, struct sv s)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t cp;
		size_t len = utf8_get(s.p + i, s.n - i, &cp);

		if (!len)
			len = s.n - i;
		if (cp == '<')
			buf_str(b, "&lt;");
		else if (cp == '>')
			buf_str(b, "&gt;");
		else if (cp == '&')
			buf_str(b, "&amp;");
		else if (cp == '"')
			buf_str(b, "&quot;");
		else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xfffe || cp == 0xffff ||
			 cp == UTF8_REPLACEMENT)
			buf_str(b, "\xef\xbf\xbd");
		else
			buf_add(b, s.p + i, len);
		i += len;
	}
}

static void colour(struct flame *f, const struct profile_call *c)
{
	const struct palette *p = &palettes[c->code];
	uint64_t h = hash64(c->name);

	buf_fmt(&f->b, "#%02x%02x%02x", p->r + (unsigned int)(h & 0xff) * p->dr / 255,
		p->g + (unsigned int)(h >> 8 & 0xff) * p->dg / 255,
		p->b + (unsigned int)(h >> 16 & 0xff) * p->db / 255);
}

/* What fits of the name; nothing where that is not worth it. */
static void label(struct flame *f, struct sv name, double x, double y, double width)
{
	size_t room = width > 2 * CHAR ? (size_t)((width - 6) / CHAR) : 0;
	struct sv shown = name.n <= room ? name : sv_clip_utf8(name, room > 2 ? room - 2 : 0);

	if (!shown.n)
		return;
	buf_fmt(&f->b, "<text x=\"%.1f\" y=\"%.0f\">", x + 3, y + ROW - 5);
	escaped(&f->b, shown);
	buf_str(&f->b, shown.n < name.n ? "..</text>" : "</text>");
}

static void box(struct flame *f, const struct profile_call *c, double x, unsigned int level)
{
	double width = (double)c->total * f->scale, y = f->height - (level + 1.0) * ROW - EDGE;
	double share = 100.0 * (double)c->total / (double)f->all;

	buf_str(&f->b, "<g><title>");
	escaped(&f->b, c->name);
	buf_fmt(&f->b,
		" (%" PRIu64 " sample%s, %.2f %%)</title><rect x=\"%.1f\" y=\"%.0f\" "
		"width=\"%.1f\" height=\"%d\" rx=\"1\" fill=\"",
		c->total, c->total == 1 ? "" : "s", share, x, y, width, ROW - 1);
	colour(f, c);
	buf_str(&f->b, "\"/>");
	label(f, c->name, x, y, width);
	buf_str(&f->b, "</g>\n");
}

/* As deep as stacks are. */
static void boxes(struct flame *f, const struct profile_call *c, double x, unsigned int level)
{
	if ((double)c->total * f->scale < THIN)
		return;
	box(f, c, x, level);
	for (const struct profile_call *sub = c->calls; sub; sub = sub->next) {
		boxes(f, sub, x, level + 1);
		x += (double)sub->total * f->scale;
	}
}

static void measure(struct flame *f, const struct profile_call *c, unsigned int level)
{
	if ((double)c->total * f->scale < THIN)
		return;
	if (level + 1 > f->depth)
		f->depth = level + 1;
	for (const struct profile_call *sub = c->calls; sub; sub = sub->next)
		measure(f, sub, level + 1);
}

int flame_svg(const struct profile_sum *p, struct sv title, FILE *out)
{
	struct flame f = { .all = p->root.total };
	struct profile_call root = p->root;
	int err;

	root.name = SV("all");
	f.scale = f.all ? (WIDTH - 2 * EDGE) / (double)f.all : 0;
	measure(&f, &root, 0);
	f.height = HEAD + f.depth * ROW + (unsigned int)EDGE;
	buf_fmt(&f.b,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%u\" "
		"viewBox=\"0 0 %.0f %u\" font-family=\"monospace\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fffdf5\"/>\n"
		"<text x=\"%.0f\" y=\"24\" font-size=\"16\">",
		WIDTH, f.height, WIDTH, f.height, EDGE);
	escaped(&f.b, title);
	buf_fmt(&f.b, " \xc2\xb7 %" PRIu64 " sample%s \xc2\xb7 %s on CPU</text>\n", f.all,
		f.all == 1 ? "" : "s", human_duration(p->ns).s);
	boxes(&f, &root, EDGE, 0);
	buf_str(&f.b, "</svg>\n");
	err = f.b.err;
	if (!err && fwrite(f.b.p, 1, f.b.len, out) != f.b.len)
		err = -EIO;
	buf_fini(&f.b);
	return err;
}
