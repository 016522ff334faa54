// SPDX-License-Identifier: BSD-2-Clause
/*
 * The capture file: a 16-byte header, then records, each padded to 8 bytes.  The last record of a
 * whole capture is END, so a cut one is known as such.  See schemas/capture.md.
 */
#include "capture/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"

#define MAGIC "ringspan"
#define BYTE_ORDER_MARK 0x0102

struct file_hdr {
	char magic[8];
	uint16_t byte_order; /* BYTE_ORDER_MARK as the writer stores it */
	uint16_t abi;        /* EV_ABI */
	uint32_t hdr_sz;     /* where records begin */
};

_Static_assert(sizeof(struct file_hdr) == 16, "file header layout");

struct capture_writer {
	FILE *f;
	char *path;
	int err;
};

struct capture_reader {
	FILE *f;
	char *path;
	uint64_t offset;
	bool ended; /* END was read */
	_Alignas(8) char rec[EV_SIZE_MAX + 8];
};

static size_t padding(uint32_t size)
{
	return -size & 7;
}

/* May path be written over?  Only nothing, an empty file, something that is no file, a capture. */
static int check_target(int fd, const char *path)
{
	char magic[sizeof(MAGIC) - 1];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return log_err(-errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return 0;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, MAGIC, sizeof(magic)) == 0)
		return 0;
	return log_err(-EEXIST, "%s: exists and is no capture; remove it or choose another name",
		       path);
}

static int writer_new(struct capture_writer **out, int fd, const char *path)
{
	struct capture_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->path = strdup(path);
	w->f = w->path ? fdopen(fd, "wb") : NULL;
	if (!w->f) {
		free(w->path);
		free(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

int capture_create(struct capture_writer **out, const char *path)
{
	struct file_hdr h = { .magic = MAGIC, .byte_order = BYTE_ORDER_MARK, .abi = EV_ABI };
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct capture_writer *w = NULL;
	int err;

	if (fd < 0)
		return log_err(-errno, "cannot write capture %s: %s", path, strerror(errno));
	err = check_target(fd, path);
	if (err)
		return err;
	if (ftruncate(fd, 0) < 0 && errno != EINVAL) /* EINVAL: no regular file */
		return log_err(-errno, "cannot write capture %s: %s", path, strerror(errno));
	err = writer_new(&w, fd, path);
	if (err)
		return err;
	take_fd(fd);
	h.hdr_sz = sizeof(h);
	if (fwrite(&h, sizeof(h), 1, w->f) != 1) {
		err = log_err(-errno, "cannot write capture %s: %s", path, strerror(errno));
		capture_close(&w);
		return err;
	}
	*out = w;
	return 0;
}

int capture_write(struct capture_writer *w, const struct ev_hdr *rec)
{
	static const char zeros[8];

	if (w->err)
		return w->err;
	if (fwrite(rec, rec->size, 1, w->f) != 1 ||
	    fwrite(zeros, 1, padding(rec->size), w->f) != padding(rec->size)) {
		w->err = -errno;
		log_line(LOG_ERR,
			 "cannot write capture %s: %s; it ends here, and is replayed up to here: "
			 "free "
			 "some space, or name a file elsewhere, for the next one",
			 w->path, strerror(errno));
	}
	return w->err;
}

int capture_close(struct capture_writer **wp)
{
	struct capture_writer *w = *wp;
	int err;

	if (!w)
		return 0;
	err = w->err;
	if (fclose(w->f) && !err)
		err = log_err(-errno, "cannot write capture %s: %s", w->path, strerror(errno));
	free(w->path);
	free(w);
	*wp = NULL;
	return err;
}

static int check_header(const struct file_hdr *h, size_t n, const char *path)
{
	if (n < sizeof(*h) || memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return log_err(-EINVAL, "%s: not a capture of ringspan", path);
	if (h->byte_order != BYTE_ORDER_MARK)
		return log_err(-EPROTO, "%s: recorded on a machine of the other byte order", path);
	if (h->abi != EV_ABI)
		return log_err(-EPROTO,
			       "%s: capture of version %u, this ringspan reads %u; "
			       "replay it with the ringspan that recorded it",
			       path, h->abi, EV_ABI);
	if (h->hdr_sz < sizeof(*h) || h->hdr_sz > 4096)
		return log_err(-EINVAL, "%s: damaged header", path);
	return 0;
}

static int reader_new(struct capture_reader **out, FILE *f, const char *path, uint64_t offset)
{
	struct capture_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->path = strdup(path);
	if (!r->path) {
		free(r);
		return -ENOMEM;
	}
	r->f = f;
	r->offset = offset;
	*out = r;
	return 0;
}

int capture_open(struct capture_reader **out, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "rbe");
	struct file_hdr h = { 0 };
	size_t n;
	int err;

	if (!f)
		return log_err(-errno, "cannot read capture %s: %s", path, strerror(errno));
	n = fread(&h, 1, sizeof(h), f);
	if (!n && ferror(f))
		return log_err(-errno, "cannot read capture %s: %s", path, strerror(errno));
	err = check_header(&h, n, path);
	if (err)
		return err;
	for (n = sizeof(h); n < h.hdr_sz; n++)
		if (fgetc(f) == EOF)
			return log_err(-EINVAL, "%s: damaged header", path);
	err = reader_new(out, f, path, h.hdr_sz);
	if (!err)
		take_ptr(f);
	return err;
}

void capture_free(struct capture_reader **r)
{
	if (!*r)
		return;
	fclose((*r)->f);
	free((*r)->path);
	free(*r);
	*r = NULL;
}

static int cut(const struct capture_reader *r)
{
	return log_err(-EBADMSG,
		       "%s: cut off at byte %llu; what came before is shown, the rest is missing",
		       r->path, (unsigned long long)r->offset);
}

int capture_next(struct capture_reader *r, struct ev_hdr **rec)
{
	struct ev_hdr *h = (void *)r->rec;
	size_t n = fread(r->rec, 1, sizeof(*h), r->f), rest;

	if (!n && r->ended)
		return 0;
	if (n < sizeof(*h))
		return cut(r);
	if (h->size < sizeof(*h) || h->size > EV_SIZE_MAX)
		goto damaged;
	rest = h->size - sizeof(*h) + padding(h->size);
	if (fread(r->rec + sizeof(*h), 1, rest, r->f) != rest)
		return cut(r);
	if (event_check(h, h->size))
		goto damaged;
	r->offset += sizeof(*h) + rest;
	r->ended = h->kind == EV_END;
	*rec = h;
	return 1;
damaged:
	return log_err(-EBADMSG,
		       "%s: damaged at byte %llu; what came before is shown, the rest is missing",
		       r->path, (unsigned long long)r->offset);
}

static int read_boot_id(struct buf *b)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char line[64];

	if (!f || !fgets(line, sizeof(line), f))
		return -ENOENT;
	line[strcspn(line, "\n")] = '\0';
	return buf_str(b, line);
}

static void stamp(struct ev_meta *m)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	m->hdr.ts = (uint64_t)mono.tv_sec * 1000000000u + mono.tv_nsec;
	m->wall_offset_ns =
		(wall.tv_sec - mono.tv_sec) * INT64_C(1000000000) + wall.tv_nsec - mono.tv_nsec;
}

struct ev_meta *capture_meta(const char *version)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct ev_meta *m;
	struct utsname u;

	uname(&u);
	buf_str(&b, "boot_id=");
	read_boot_id(&b); /* without /proc the ids are still right within one boot */
	buf_ch(&b, '\0');
	buf_fmt(&b, "host=%s%ckernel=%s%carch=%s%cversion=%s%c", u.nodename, 0, u.release, 0,
		u.machine, 0, version, 0);
	if (b.err)
		return NULL;
	m = calloc(1, sizeof(*m) + b.len);
	if (!m)
		return NULL;
	stamp(m);
	m->hdr.kind = EV_META;
	m->hdr.size = sizeof(*m) + b.len;
	m->len = b.len;
	memcpy(m + 1, b.p, b.len);
	return m;
}
