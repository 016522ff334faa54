// SPDX-License-Identifier: BSD-2-Clause
/* Facts of the tree's lines that tell of files: what a tool call changed and read, what a process read. */
#include <string.h>
#include "base/cleanup.h"
#include "sink/tree_priv.h"

#define PATH_BYTES 400 /* of one that is shown */

/* Ends the fact that was added from `from` on; an empty one is none. */
static void end_fact(struct buf *b, size_t from)
{
	if (b->len > from)
		buf_ch(b, '\0');
}

/* The end of a path: its last directory and name. */
static struct sv path_end(struct sv path)
{
	size_t at = path.n;

	for (int slashes = 0; at; at--) {
		slashes += path.p[at - 1] == '/';
		if (slashes == 2)
			break;
	}
	return sv_sub(path, at, path.n);
}

static const char *change_word(struct sv change)
{
	static const struct {
		const char *change, *word;
	} words[] = {
		{ "created", "wrote" },       { "written", "wrote" }, { "removed", "removed" },
		{ "renamed", "renamed" },     { "linked", "linked" }, { "dir_created", "made" },
		{ "dir_removed", "removed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (sv_is(change, words[i].change))
			return words[i].word;
	return "changed";
}

/* "wrote src/a.c 1.2 kB, removed old/b, +17" */
static void changes(struct buf *b, const struct span *s)
{
	const struct json *list = span_attr(s, ATTR_ID_FILES_CHANGES);
	size_t from = b->len, cnt = 0;

	json_for_each (list, e) {
		struct sv path = sv_clip_utf8(json_sv(json_get(e, "path")), PATH_BYTES);
		int64_t bytes = 0;

		if (cnt == FILES_SHOWN || !path.n || memchr(path.p, '\0', path.n))
			break;
		buf_fmt(b, "%s%s%s " SV_FMT, cnt++ ? ", " : "", json_get(e, "error") ? "not " : "",
			change_word(json_sv(json_get(e, "change"))), SV_ARG(path_end(path)));
		if (json_i64(json_get(e, "bytes"), &bytes) && bytes > 0)
			buf_fmt(b, " %s", human_bytes((uint64_t)bytes).s);
	}
	if (cnt && list->cnt > cnt)
		buf_fmt(b, ", +%zu", (size_t)list->cnt - cnt);
	end_fact(b, from);
}

/* "read src/a.c 1.2 kB, b.c 34 B, +17" */
static void tool_reads(struct buf *b, const struct span *s)
{
	const struct json *list = span_attr(s, ATTR_ID_FILES_READS);
	int64_t all = span_attr_int(s, ATTR_ID_FILES_READ, 0) -
		      span_attr_int(s, ATTR_ID_FILES_PACKAGES, 0);
	size_t from = b->len, cnt = 0;

	json_for_each (list, e) {
		struct sv path = sv_clip_utf8(json_sv(json_get(e, "path")), PATH_BYTES);
		int64_t bytes = 0;

		if (cnt == FILES_SHOWN || !path.n || memchr(path.p, '\0', path.n))
			break;
		buf_fmt(b, "%s" SV_FMT,
			cnt                    ? ", "
			: json_get(e, "error") ? "not read "
					       : "read ",
			SV_ARG(path_end(path)));
		if (json_i64(json_get(e, "bytes"), &bytes) && bytes > 0)
			buf_fmt(b, " %s", human_bytes((uint64_t)bytes).s);
		else if (cnt && json_get(e, "error"))
			buf_str(b, " refused");
		cnt++;
	}
	if (cnt && all > (int64_t)cnt)
		buf_fmt(b, ", +%lld", (long long)(all - (int64_t)cnt));
	end_fact(b, from);
}

/* "read 12 files, 34 kB" */
void tree_read_sums(struct buf *b, const struct span *s)
{
	int64_t n = span_attr_int(s, ATTR_ID_FILES_READ, 0);
	int64_t bytes = span_attr_int(s, ATTR_ID_FILES_READ_BYTES, 0);
	size_t from = b->len;

	if (n <= 0)
		return;
	buf_fmt(b, "read %lld %s", (long long)n, n == 1 ? "file" : "files");
	if (bytes > 0)
		buf_fmt(b, " %s", human_bytes((uint64_t)bytes).s);
	end_fact(b, from);
}

void tree_file_facts(struct buf *b, const struct span *s)
{
	changes(b, s);
	tool_reads(b, s);
}
