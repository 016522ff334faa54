// SPDX-License-Identifier: BSD-2-Clause
/* A profile as folded stacks, as a table, as JSON. */
#include "cli/profile.h"

#include <errno.h>
#include <inttypes.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/table.h"
#include "sink/human.h"

static int write_all(struct buf *b, FILE *out)
{
	if (b->err)
		return b->err;
	return fwrite(b->p, 1, b->len, out) == b->len ? 0 : -EIO;
}

/* --- folded; as deep as stacks are */

static void fold(struct buf *out, struct buf *path, const struct profile_call *of)
{
	for (const struct profile_call *c = of->calls; c; c = c->next) {
		size_t was = path->len;

		if (was)
			buf_ch(path, ';');
		buf_sv(path, c->name);
		if (c->self) {
			buf_sv(out, buf_view(path));
			buf_fmt(out, " %" PRIu64 "\n", c->self);
		}
		fold(out, path, c);
		path->len = was;
	}
}

int profile_print_folded(const struct profile_sum *p, FILE *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT, path = BUF_INIT;

	fold(&b, &path, &p->root);
	return path.err ? path.err : write_all(&b, out);
}

/* --- table */

enum { SELF, SELF_PART, TOTAL, TOTAL_PART, FUNCTION, FILE_NAME };

static const struct table_column columns[] = {
	[SELF] = { .title = "SELF", .right = true },
	[SELF_PART] = { .title = "%", .right = true },
	[TOTAL] = { .title = "TOTAL", .right = true },
	[TOTAL_PART] = { .title = "%", .right = true },
	[FUNCTION] = { .title = "FUNCTION", .least = 24 },
	[FILE_NAME] = { .title = "IN", .least = 12, .spare = true },
};

static struct sv file_of(const struct profile_func *f)
{
	struct sv file = f->file;

	if (f->code == TRACE_CODE_KERNEL)
		return file.n ? file : SV("kernel");
	for (size_t i = file.n; i > 0; i--)
		if (file.p[i - 1] == '/')
			return sv_sub(file, i, file.n);
	return file;
}

static struct sv part(struct table *t, uint64_t n, uint64_t of)
{
	return arena_fmt(&t->arena, "%.1f", of ? 100.0 * (double)n / (double)of : 0.0);
}

static int add_row(struct table *t, const struct profile_sum *p, const struct profile_func *f)
{
	struct table_row *row = table_add(t, STYLE_PLAIN);
	uint64_t all = p->root.total;

	if (!row)
		return -ENOMEM;
	table_set(t, row, SELF, sv(human_duration(p->ns / all * f->self).s));
	table_set(t, row, SELF_PART, part(t, f->self, all));
	table_set(t, row, TOTAL, sv(human_duration(p->ns / all * f->total).s));
	table_set(t, row, TOTAL_PART, part(t, f->total, all));
	table_set(t, row, FUNCTION, f->name);
	table_set(t, row, FILE_NAME, file_of(f));
	return 0;
}

int profile_print_table(const struct profile_sum *p, unsigned int rows, unsigned int width,
			bool colour, FILE *out)
{
	size_t cnt = rows && rows < p->func_cnt ? rows : p->func_cnt;
	struct table t;
	int err = 0;

	fprintf(out, "%" PRIu64 " samples, %s on CPU\n\n", p->root.total, human_duration(p->ns).s);
	table_init(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < cnt && !err; i++)
		err = add_row(&t, p, &p->funcs[i]);
	if (!err)
		err = table_write(&t, out, width, colour);
	table_fini(&t);
	if (!err && cnt < p->func_cnt)
		fprintf(out, "%zu more functions (--limit 0 shows all)\n", p->func_cnt - cnt);
	return err ? err : ferror(out) ? -EIO : 0;
}

/* --- JSON */

static const char *code_name(enum trace_code code)
{
	switch (code) {
	case TRACE_CODE_FILE:
		return "file";
	case TRACE_CODE_GENERATED:
		return "generated";
	case TRACE_CODE_KERNEL:
		return "kernel";
	case TRACE_CODE_CUT:
		return "cut";
	case TRACE_CODE_UNKNOWN:
	case TRACE_CODE_NONE:
		break;
	}
	return "unknown";
}

struct path {
	const struct profile_call *of[TRACE_FRAMES_MAX + 2];
	size_t cnt;
	bool begun;
};

static void stacks(struct buf *b, struct path *path, const struct profile_call *of)
{
	for (const struct profile_call *c = of->calls; c; c = c->next) {
		if (path->cnt == ARRAY_SIZE(path->of))
			return;
		path->of[path->cnt++] = c;
		if (c->self) {
			buf_str(b, path->begun ? ",{\"frames\":[" : "{\"frames\":[");
			for (size_t i = 0; i < path->cnt; i++) {
				buf_str(b, i ? "," : "");
				json_write_str(b, path->of[i]->name);
			}
			buf_fmt(b, "],\"samples\":%" PRIu64 "}", c->self);
			path->begun = true;
		}
		stacks(b, path, c);
		path->cnt--;
	}
}

int profile_print_json(const struct profile_sum *p, const char *by, unsigned int rows, FILE *out)
{
	size_t cnt = rows && rows < p->func_cnt ? rows : p->func_cnt;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct path path = { .cnt = 0 };

	buf_fmt(&b, "{\"by\":\"%s\",\"samples\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"functions\":[",
		by, p->root.total, p->ns);
	for (size_t i = 0; i < cnt; i++) {
		const struct profile_func *f = &p->funcs[i];

		buf_str(&b, i ? ",{\"name\":" : "{\"name\":");
		json_write_str(&b, f->name);
		buf_str(&b, ",\"file\":");
		json_write_str(&b, f->file);
		buf_fmt(&b, ",\"code\":\"%s\",\"self\":%" PRIu64 ",\"total\":%" PRIu64 "}",
			code_name(f->code), f->self, f->total);
	}
	buf_str(&b, "],\"stacks\":[");
	stacks(&b, &path, &p->root);
	buf_str(&b, "]}\n");
	return write_all(&b, out);
}
