// SPDX-License-Identifier: BSD-2-Clause
/* Tables: see table.h. */
#include "cli/table.h"

#include <errno.h>

#define CELL_MAX 400 /* columns: no cell is wider */

struct layout {
	size_t width[TABLE_COLUMNS_MAX]; /* 0: left out */
	size_t gap;
};

void table_init(struct table *t, const struct table_column *columns, size_t cnt)
{
	*t = (struct table){ .columns = columns, .cnt = cnt };
	arena_init(&t->arena, 0);
}

void table_fini(struct table *t)
{
	arena_fini(&t->arena);
}

struct table_row *table_add(struct table *t, enum term_style style)
{
	struct table_row *row = arena_alloc(&t->arena, sizeof(*row));

	if (!row)
		return NULL;
	row->style = style;
	if (t->last)
		t->last->next = row;
	else
		t->first = row;
	t->last = row;
	return row;
}

void table_set(struct table *t, struct table_row *row, size_t column, struct sv text)
{
	if (row)
		row->cells[column] = arena_dup(&t->arena, text);
}

static size_t total(const struct table *t, const struct layout *l)
{
	size_t sum = 0;

	for (size_t i = 0; i < t->cnt; i++)
		if (l->width[i])
			sum += l->width[i] + (sum ? l->gap : 0);
	return sum;
}

static void shrink(const struct table *t, struct layout *l, size_t columns)
{
	for (size_t i = t->cnt; i-- > 0;) {
		size_t sum = total(t, l), least = t->columns[i].least, over;

		if (sum <= columns)
			return;
		over = sum - columns;
		if (!least || l->width[i] <= least)
			continue;
		l->width[i] = l->width[i] - least > over ? l->width[i] - over : least;
	}
}

static struct layout lay_out(const struct table *t, size_t columns)
{
	struct layout l = { .gap = 2 }, full;

	for (size_t i = 0; i < t->cnt; i++)
		l.width[i] = text_width(sv(t->columns[i].title), CELL_MAX);
	for (const struct table_row *row = t->first; row; row = row->next)
		for (size_t i = 0; i < t->cnt; i++) {
			size_t width = text_width(row->cells[i], CELL_MAX);

			if (width > l.width[i])
				l.width[i] = width < CELL_MAX ? width : CELL_MAX;
		}
	if (!columns || total(t, &l) <= columns)
		return l;
	l.gap = 1;
	full = l;
	shrink(t, &l, columns);
	for (size_t i = t->cnt; i-- > 0 && total(t, &l) > columns;) {
		if (!t->columns[i].spare)
			continue;
		full.width[i] = 0;
		l = full;
		shrink(t, &l, columns);
	}
	full.gap = 2;
	return total(t, &full) <= columns ? full : l;
}

static void put_row(struct buf *b, const struct table *t, const struct layout *l,
		    const struct sv *cells)
{
	size_t owed = 0; /* spaces are only written before something, so no line ends with them */

	for (size_t i = 0; i < t->cnt; i++) {
		size_t width = l->width[i], used = text_width(cells[i], width);

		if (!width)
			continue;
		used = used < width ? used : width;
		if (t->columns[i].right)
			owed += width - used;
		if (cells[i].n) {
			text_pad(b, owed);
			owed = width - text_put(b, cells[i], width);
			owed = t->columns[i].right ? 0 : owed;
		} else {
			owed += t->columns[i].right ? 0 : width;
		}
		owed += l->gap;
	}
}

int table_write(const struct table *t, FILE *out, unsigned int columns, bool colour)
{
	struct layout l = lay_out(t, columns);
	struct sv titles[TABLE_COLUMNS_MAX];
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (arena_failed(&t->arena))
		return -ENOMEM;
	for (size_t i = 0; i < t->cnt; i++)
		titles[i] = sv(t->columns[i].title);
	term_style(&b, colour, STYLE_DIM);
	put_row(&b, t, &l, titles);
	term_style(&b, colour, STYLE_PLAIN);
	buf_ch(&b, '\n');
	for (const struct table_row *row = t->first; row; row = row->next) {
		if (row->style)
			term_style(&b, colour, row->style);
		put_row(&b, t, &l, row->cells);
		if (row->style)
			term_style(&b, colour, STYLE_PLAIN);
		buf_ch(&b, '\n');
	}
	if (b.err)
		return b.err;
	return fwrite(b.p, 1, b.len, out) == b.len ? 0 : -EIO;
}
