/* SPDX-License-Identifier: BSD-2-Clause */
/* See perfmap.h. */
#include "probe/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>

#define LINE_MAX_ 4096
#define READ_MAX (16u << 20)
#define STEP (64u << 10)
#define BEFORE_MAX 64 /* entries before the nearest that may reach over it */

void perfmap_fini(struct perfmap *m)
{
	free(m->of);
	buf_fini(&m->names);
	*m = (struct perfmap){ 0 };
}

static bool hex(struct sv s, __u64 *out)
{
	if (sv_starts(s, "0x"))
		s = sv_sub(s, 2, s.n);
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] | 0x20;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (__u64)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (__u64)(c - 'a' + 10);
		else
			return false;
	}
	return s.n > 0 && s.n <= 16;
}

/* A name is one line of text, whatever it is made of. */
static bool add_name(struct perfmap *m, struct sv name, struct perfmap_entry *e)
{
	name = sv_clip_utf8(name, PERFMAP_NAME);
	if (!name.n || m->names.len + name.n > PERFMAP_NAMES || buf_reserve(&m->names, name.n))
		return false;
	e->name = (__u32)m->names.len;
	e->len = (__u16)name.n;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		buf_ch(&m->names, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	return true;
}

static void add_line(struct perfmap *m, struct sv line)
{
	struct sv addr = sv_token(&line, ' '), size = sv_token(&line, ' ');
	struct perfmap_entry e = { .order = (__u32)m->cnt };
	__u64 bytes;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!hex(addr, &e.addr) || !hex(size, &bytes) || !bytes || bytes > UINT32_MAX ||
	    e.addr > UINT64_MAX - bytes || m->cnt == PERFMAP_ENTRIES)
		return;
	e.size = (__u32)bytes;
	if (m->cnt == m->room) {
		size_t room = m->room ? 2 * m->room : 256;
		struct perfmap_entry *grown = reallocarray(m->of, room, sizeof(*grown));

		if (!grown)
			return;
		m->of = grown;
		m->room = room;
	}
	if (!add_name(m, line, &e))
		return;
	m->of[m->cnt++] = e;
	m->unsorted = true;
	if (e.size > m->widest)
		m->widest = e.size;
}

size_t perfmap_feed(struct perfmap *m, struct sv text)
{
	size_t done = 0;

	for (;;) {
		const char *from = text.p + done;
		const char *end = text.n > done ? memchr(from, '\n', text.n - done) : NULL;

		if (!end)
			return done;
		if (end - from < LINE_MAX_)
			add_line(m, (struct sv){ from, (size_t)(end - from) });
		done += (size_t)(end - from) + 1;
	}
}

static int by_addr(const void *pa, const void *pb)
{
	const struct perfmap_entry *a = pa, *b = pb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void sort(struct perfmap *m)
{
	if (!m->unsorted)
		return;
	qsort(m->of, m->cnt, sizeof(*m->of), by_addr);
	m->unsorted = false;
	for (size_t i = 1; i < m->cnt; i++)
		m->moved |= m->of[i].addr - m->of[i - 1].addr < m->of[i - 1].size;
}

bool perfmap_find(struct perfmap *m, __u64 addr, struct sv *name)
{
	const struct perfmap_entry *best = NULL;
	size_t low = 0, high;

	sort(m);
	high = m->cnt;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->of[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t n = 0; n < BEFORE_MAX && low > n; n++) {
		const struct perfmap_entry *e = &m->of[low - 1 - n];

		if (addr - e->addr >= m->widest)
			break;
		if (addr - e->addr < e->size && (!best || e->order > best->order))
			best = e;
	}
	if (best)
		*name = (struct sv){ m->names.p + best->name, best->len };
	return best != NULL;
}

int perfmap_open(int root, const char *path, uid_t uid)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_uid != uid && st.st_uid != 0)
		err = -EACCES;
	if (err)
		close(fd);
	return err ? err : fd;
}

/* A line that is not whole yet is read again with the rest of it; one that is too long is passed over. */
static int take_in(struct perfmap *m, int fd, char *room)
{
	ssize_t n = pread(fd, room, STEP, m->done);
	size_t used;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	used = perfmap_feed(m, (struct sv){ room, (size_t)n });
	if (!used && n < LINE_MAX_)
		return 0;
	m->done += used ? (off_t)used : n;
	return 1;
}

int perfmap_read(struct perfmap *m, int fd)
{
	size_t was = m->cnt;
	struct stat st;
	char *room;
	int ret = 1;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_dev != m->dev || st.st_ino != m->ino || st.st_size < m->done) {
		bool moved = m->cnt > 0;

		perfmap_fini(m);
		m->dev = st.st_dev;
		m->ino = st.st_ino;
		m->moved = moved;
		was = 0;
	}
	if (st.st_size <= m->done)
		return 0;
	room = malloc(STEP);
	if (!room)
		return -ENOMEM;
	for (size_t n = 0; ret == 1 && n < READ_MAX / STEP; n++)
		ret = take_in(m, fd, room);
	free(room);
	return ret < 0 ? ret : m->cnt != was;
}
