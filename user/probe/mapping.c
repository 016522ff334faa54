/* SPDX-License-Identifier: BSD-2-Clause */
/* See mapping.h.  The kernel lists mappings by rising address. */
#include "probe/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"

#define TEXT_MAX (64u << 20)

void mappings_fini(struct mappings *m)
{
	free(m->of);
	buf_fini(&m->names);
	*m = (struct mappings){ 0 };
}

static int add(struct mappings *m, const struct mapping *one, struct sv path)
{
	if (m->cnt % 64 == 0) {
		struct mapping *grown = reallocarray(m->of, m->cnt + 64, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		m->of = grown;
	}
	m->of[m->cnt] = *one;
	m->of[m->cnt].path = (__u32)m->names.len;
	if (buf_sv(&m->names, path) || buf_ch(&m->names, '\0'))
		return -ENOMEM;
	m->cnt++;
	return 0;
}

static int add_line(struct mappings *m, struct sv line)
{
	__u64 last = m->cnt ? m->of[m->cnt - 1].end : 0;
	char head[160], perms[8];
	uint64_t start, end, offset, major, minor, ino;
	struct mapping one;
	int path = 0;

	snprintf(head, sizeof(head), SV_FMT, SV_ARG(line)); /* a path may be any length */
	if (sscanf(head,
		   "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %" SCNx64 ":%" SCNx64 " %" SCNu64 " %n",
		   &start, &end, perms, &offset, &major, &minor, &ino, &path) != 7 ||
	    start >= end || start < last || perms[2] != 'x' || m->cnt == MAPPINGS_MAX)
		return 0;
	one = (struct mapping){
		.start = start, .end = end, .offset = offset, .dev = major << 32 | minor, .ino = ino
	};
	return add(m, &one, sv_sub(line, path ? (size_t)path : line.n, PATH_MAX));
}

int mappings_parse(struct mappings *m, struct sv text)
{
	int err = 0;

	while (text.n && !err)
		err = add_line(m, sv_token(&text, '\n'));
	return err;
}

int mappings_read(struct mappings *m, __u32 pid)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_close_ int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	b.max = TEXT_MAX;
	do {
		if (buf_reserve(&b, 1 << 14))
			return b.err;
		n = read(fd, b.p + b.len, 1 << 14);
		b.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (n < 0)
		return -errno;
	return b.len ? mappings_parse(m, buf_view(&b)) : -ESRCH; /* it has no memory any more */
}

struct mapping *mappings_find(const struct mappings *m, __u64 addr)
{
	size_t low = 0, high = m->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->of[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low && addr < m->of[low - 1].end ? &m->of[low - 1] : NULL;
}

const char *mapping_path(const struct mappings *m, const struct mapping *of)
{
	return m->names.p + of->path;
}
