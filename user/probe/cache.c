/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One small JSON file an entry, named by what it is about, written beside and renamed.  Nobody but
 * its owner may write to the folder; its content is checked as if anybody could.
 */
#include "probe/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/hash.h"
#include "probe/cache_entry.h"

#define HEAD 4096  /* the headers of a file, its program headers among them */
#define SAMPLES 64 /* of SAMPLE bytes, over the whole file */
#define SAMPLE 4096
#define SEAL 16 /* hex digits that an entry begins with */
#define ENTRY_NAME_MAX 64

struct cache {
	int folder;
	char self[HEX128]; /* this program */
	size_t stored;     /* entries, since it was opened */
};

int cache_default_folder(struct buf *out)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	/* the XDG Base Directory Specification has relative paths ignored */
	if (cache && *cache == '/')
		return buf_fmt(out, "%s/ringspan", cache);
	if (geteuid() == 0)
		return buf_str(out, "/var/cache/ringspan");
	if (home && *home == '/')
		return buf_fmt(out, "%s/.cache/ringspan", home);
	return -ENOENT;
}

/* ---- names */

static void add_bytes(XXH3_state_t *x, const struct elf_file *f, __u64 offset, size_t n)
{
	unsigned char bytes[HEAD];
	__u64 size = elf_size(f);

	if (n > size - offset)
		n = size - offset;
	if (!elf_pread(f, offset, bytes, n))
		XXH3_128bits_update(x, bytes, n);
}

/* What is common to all that is known by the name of one file. */
static void add_identity(XXH3_state_t *x, const struct elf_file *f)
{
	unsigned char id[ELF_BUILD_ID_MAX];
	struct {
		__u64 size, id_len, mtime_s, mtime_ns;
	} head = { .size = elf_size(f), .id_len = elf_build_id(f, id) };
	struct stat st;

	add_bytes(x, f, 0, HEAD);
	if (!head.id_len && !elf_stat(f, &st)) {
		head.mtime_s = (__u64)st.st_mtim.tv_sec;
		head.mtime_ns = (__u64)st.st_mtim.tv_nsec;
	}
	XXH3_128bits_update(x, &head, sizeof(head));
	XXH3_128bits_update(x, id, head.id_len);
	for (__u64 i = 1; !head.id_len && i <= SAMPLES; i++)
		add_bytes(x, f, head.size / (SAMPLES + 1) * i, SAMPLE);
}

static int name_of(const struct elf_file *f, const char *maker, char name[HEX128])
{
	XXH3_state_t *x = XXH3_createState();
	XXH128_canonical_t c;
	XXH128_hash_t hash;

	if (!x)
		return -ENOMEM;
	XXH3_128bits_reset(x);
	XXH3_128bits_update(x, maker, strlen(maker));
	add_identity(x, f);
	hash = XXH3_128bits_digest(x);
	XXH128_canonicalFromHash(&c, hash);
	hash_hex(c.digest, sizeof(c.digest), name);
	XXH3_freeState(x);
	return 0;
}

/* ---- the folder */

/* What the entries of a ringspan that was built otherwise say need not be so for this one. */
static int know_self(struct cache *c)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_file *f = NULL;
	int err = fd < 0 ? -errno : elf_file_new(&f, fd);

	if (!err)
		err = name_of(f, "", c->self);
	elf_file_free(&f);
	return err;
}

static int open_folder(const char *path)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return take_fd(fd);
}

int cache_new(struct cache **out, const char *folder)
{
	struct cache *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->folder = open_folder(folder);
	err = c->folder < 0 ? c->folder : know_self(c);
	if (err) {
		cache_free(&c);
		return err;
	}
	*out = c;
	return 0;
}

struct entry_age {
	char name[ENTRY_NAME_MAX];
	struct timespec written;
};

static int older_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry_age *)a)->written;
	const struct timespec *y = &((const struct entry_age *)b)->written;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Entries, and halves of them that somebody left; other files are not ours. */
static bool is_entry(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n == HEX128 - 1 && (name[n] == '.' || !name[n]) && strlen(name) < ENTRY_NAME_MAX;
}

static void remove_old(const struct cache *c)
{
	int fd = openat(c->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ struct entry_age *ages = NULL;
	size_t cnt = 0, room = 0;
	const struct dirent *d;
	struct stat st;

	while (dir && (d = readdir(dir))) {
		if (!is_entry(d->d_name) || fstatat(c->folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (cnt == room) {
			void *more = realloc(ages, (room += CACHE_ENTRIES) * sizeof(*ages));

			if (!more)
				return;
			ages = more;
		}
		snprintf(ages[cnt].name, ENTRY_NAME_MAX, "%.*s", ENTRY_NAME_MAX - 1, d->d_name);
		ages[cnt++].written = st.st_mtim;
	}
	if (cnt <= CACHE_ENTRIES)
		return;
	qsort(ages, cnt, sizeof(*ages), older_first);
	for (size_t i = 0; i < cnt - CACHE_ENTRIES; i++)
		unlinkat(c->folder, ages[i].name, 0);
}

void cache_free(struct cache **c)
{
	if (!*c)
		return;
	if ((*c)->stored)
		remove_old(*c);
	if ((*c)->folder >= 0)
		close((*c)->folder);
	free(*c);
	*c = NULL;
}

/* ---- entries */

static int read_entry(const struct cache *c, const char *name, struct buf *text)
{
	_cleanup_close_ int fd = openat(c->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size > CACHE_ENTRY_MAX)
		return -EPERM;
	if (buf_reserve(text, CACHE_ENTRY_MAX))
		return -ENOMEM;
	n = pread(fd, text->p, CACHE_ENTRY_MAX, 0);
	if (n < 0)
		return -errno;
	text->len = (size_t)n;
	return 0;
}

/* All of it or nothing; that a disk is full is no reason to say so. */
static void write_entry(struct cache *c, const char *name, struct sv text)
{
	_cleanup_close_ int fd = -1;
	char half[64];

	snprintf(half, sizeof(half), "%s.%d", name, (int)getpid());
	fd = openat(c->folder, half, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, text.p, text.n) == (ssize_t)text.n &&
	    !renameat(c->folder, half, c->folder, name))
		c->stored++;
	else
		unlinkat(c->folder, half, 0);
}

/* Of an entry's text and of what it is about, so that one is no other's. */
static uint64_t seal(const char *name, struct sv text)
{
	return XXH3_64bits_withSeed(text.p, text.n, hash64(sv(name)));
}

static void store(struct cache *c, const char *name, const struct elf_file *f,
		  const struct located *l)
{
	_cleanup_buf_ struct buf text = { .max = CACHE_ENTRY_MAX - SEAL }, entry = BUF_INIT;

	if (entry_write(&text, f, l) ||
	    buf_fmt(&entry, "%016" PRIx64, seal(name, buf_view(&text))) ||
	    buf_sv(&entry, buf_view(&text)))
		return;
	write_entry(c, name, buf_view(&entry));
}

static int load(const struct cache *c, const char *name, struct elf_file *f, struct located *out)
{
	_cleanup_buf_ struct buf entry = BUF_INIT;
	char wanted[SEAL + 1];
	struct sv text;
	int err = read_entry(c, name, &entry);

	if (err)
		return err;
	text = sv_sub(buf_view(&entry), SEAL, entry.len);
	snprintf(wanted, sizeof(wanted), "%016" PRIx64, seal(name, text));
	if (!sv_is(sv_sub(buf_view(&entry), 0, SEAL), wanted))
		return -EINVAL;
	return entry_read(text, f, out);
}

int cache_locate(struct cache *c, struct elf_file *f, struct located *out)
{
	char name[HEX128];
	int ret;

	if (!c || elf_size(f) < CACHE_FILE_MIN || name_of(f, c->self, name))
		return locate(f, out);
	if (!load(c, name, f, out))
		return (int)located_hooked(out);
	ret = locate(f, out);
	if (ret >= 0)
		store(c, name, f, out);
	return ret;
}
