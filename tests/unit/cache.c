// SPDX-License-Identifier: BSD-2-Clause
/*
 * What was located, kept: found again without a search, never believed where the file's code is not
 * what it was, and no harm from entries that are cut, altered, or somebody else's.
 */
#include "../fixture.h"
#include "../bpf/libssl.h"
#include "../hooks.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "probe/cache.h"

#define BIG (64 << 20) /* sparse: far more than what is read */

struct world {
	char folder[64], path[64];
	int fd; /* a libssl.so that is large enough to be worth an entry */
	struct cache *cache;
	struct located truth, now;
};

static struct elf_file *open_elf(const struct world *w)
{
	struct elf_file *f = NULL;

	assert_int_equal(elf_file_new(&f, w->fd), 0);
	return f;
}

static int look(struct world *w, struct cache *c)
{
	struct elf_file *f = open_elf(w);
	int ret;

	memset(&w->now, 0xa5, sizeof(w->now));
	ret = cache_locate(c, f, &w->now);
	elf_file_free(&f);
	return ret;
}

static void assert_truth(const struct world *w)
{
	const struct located_lib *a = &w->truth.libs[0], *b = &w->now.libs[0];

	assert_int_equal(w->now.cnt, 1);
	assert_ptr_equal(b->lib, a->lib);
	assert_int_equal(b->hooks.cnt, a->hooks.cnt);
	assert_int_equal(b->hooks.func_cnt, a->hooks.func_cnt);
	for (size_t i = 0; i < a->hooks.func_cnt; i++) {
		const struct tls_func *x = &a->hooks.funcs[i], *y = &b->hooks.funcs[i];

		assert_int_equal(y->role, x->role);
		assert_int_equal(y->offset, x->offset);
		assert_int_equal(y->plan.kind, x->plan.kind);
		assert_int_equal(y->plan.entry.at, x->plan.entry.at);
		assert_int_equal(y->plan.exit_cnt, x->plan.exit_cnt);
	}
	assert_string_equal(b->hooks.doubt, "");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct elf_file *f;

	*state = w;
	snprintf(w->folder, sizeof(w->folder), "/tmp/cache-test.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->fd = libssl_copy(w->path, sizeof(w->path));
	if (w->fd < 0)
		return 0;
	assert_int_equal(ftruncate(w->fd, BIG), 0);
	f = open_elf(w);
	assert_int_equal(locate(f, &w->truth), 1);
	elf_file_free(&f);
	return cache_new(&w->cache, w->folder);
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	cache_free(&w->cache);
	snprintf(command, sizeof(command), "rm -rf %s", w->folder);
	assert_int_equal(system(command), 0);
	close(w->fd);
	unlink(w->path);
	free(w);
	return 0;
}

/* The only entry's name, or nothing; how many there are. */
static size_t entries(const struct world *w, char path[400])
{
	_cleanup_closedir_ DIR *dir = opendir(w->folder);
	const struct dirent *d;
	size_t cnt = 0;

	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, 400, "%s/%s", w->folder, d->d_name);
		cnt++;
	}
	return cnt;
}

/* Of the names that a file without symbols is known by. */
static void wipe_names(const struct world *w)
{
	size_t n = 1 << 20;
	_cleanup_free_ char *bytes = malloc(n);
	char *at;

	assert_non_null(bytes);
	assert_int_equal(pread(w->fd, bytes, n, 0), n);
	while ((at = memmem(bytes, n, "ssl_read_internal", 17))) {
		*at = 'x';
		assert_int_equal(pwrite(w->fd, at, 1, at - bytes), 1);
	}
}

/* Takes the symbols away, so that a search would find nothing; the head stays as it is. */
static void wipe_symbols(const struct world *w)
{
	Elf64_Ehdr eh;

	wipe_names(w);
	assert_int_equal(pread(w->fd, &eh, sizeof(eh), 0), sizeof(eh));
	for (int i = 0; i < eh.e_shnum; i++) {
		off_t at = (off_t)(eh.e_shoff + (size_t)i * sizeof(Elf64_Shdr));
		Elf64_Shdr sh;

		assert_int_equal(pread(w->fd, &sh, sizeof(sh), at), sizeof(sh));
		if (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB)
			sh.sh_type = SHT_NULL;
		assert_int_equal(pwrite(w->fd, &sh, sizeof(sh), at), sizeof(sh));
	}
}

static void found_again(void **state)
{
	struct world *w = *state;
	char path[400];
	struct stat st;

	if (w->fd < 0)
		skip();
	assert_int_equal(look(w, w->cache), 1);
	assert_truth(w);
	assert_int_equal(entries(w, path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	wipe_symbols(w);
	assert_int_equal(look(w, NULL), 0);
	assert_int_equal(look(w, w->cache), 1);
	assert_truth(w);
	/* another run */
	cache_free(&w->cache);
	assert_int_equal(cache_new(&w->cache, w->folder), 0);
	assert_int_equal(look(w, w->cache), 1);
	assert_truth(w);
	/* a file of another size is another file */
	assert_int_equal(ftruncate(w->fd, BIG + 1), 0);
	assert_int_equal(look(w, w->cache), 0);
}

static void doubts_are_kept(void **state)
{
	static const unsigned char int3[16] = { [0 ... 15] = 0xcc };
	struct world *w = *state;
	char path[400], doubt[TLS_DOUBT_MAX];

	if (w->fd < 0)
		skip();
	assert_int_equal(pwrite(w->fd, int3, sizeof(int3),
				(off_t)hooks_find(&w->truth.libs[0].hooks, TLS_READ)->offset),
			 sizeof(int3));
	assert_int_equal(look(w, w->cache), 0);
	assert_int_equal(w->now.cnt, 1);
	snprintf(doubt, sizeof(doubt), "%s", w->now.libs[0].hooks.doubt);
	assert_non_null(strstr(doubt, "SSL_read at"));
	wipe_symbols(w);
	assert_int_equal(look(w, w->cache), 0);
	assert_int_equal(w->now.cnt, 1);
	assert_string_equal(w->now.libs[0].hooks.doubt, doubt);
	assert_int_equal(w->now.libs[0].hooks.cnt, 0);
	assert_int_equal(ftruncate(w->fd, BIG + 1), 0);
	assert_int_equal(look(w, w->cache), 0);
	assert_null(w->now.cnt ? strstr(w->now.libs[0].hooks.doubt, "SSL_read at") : NULL);
	assert_int_equal(entries(w, path), 2);
}

/* Nothing, or what is no library that can be probed: an empty list is an answer too. */
static void nothing_is_kept(void **state)
{
	static const char hello[] = "ssl_lib.c";
	struct world *w = *state;
	char path[400], bytes[1 << 16], *at;

	if (w->fd < 0)
		skip();
	wipe_symbols(w);
	for (off_t off = 0; off < 1 << 20; off += sizeof(bytes) - sizeof(hello)) {
		assert_int_equal(pread(w->fd, bytes, sizeof(bytes), off), sizeof(bytes));
		while ((at = memmem(bytes, sizeof(bytes), hello, sizeof(hello) - 1))) {
			*at = 'x';
			assert_int_equal(pwrite(w->fd, at, 1, off + (at - bytes)), 1);
		}
	}
	assert_int_equal(look(w, w->cache), 0);
	assert_int_equal(w->now.cnt, 0);
	assert_int_equal(entries(w, path), 1);
	assert_int_equal(look(w, w->cache), 0);
	assert_int_equal(w->now.cnt, 0);
}

static void changed_code_is_searched_again(void **state)
{
	static const unsigned char int3[16] = { [0 ... 15] = 0xcc };
	struct world *w = *state;

	if (w->fd < 0)
		skip();
	assert_int_equal(look(w, w->cache), 1);
	assert_int_equal(pwrite(w->fd, int3, sizeof(int3),
				(off_t)hooks_find(&w->truth.libs[0].hooks, TLS_WRITE)->offset),
			 sizeof(int3));
	assert_int_equal(look(w, w->cache), 0);
	assert_non_null(strstr(w->now.libs[0].hooks.doubt, "SSL_write"));
}

/* Gives the linker's note another type. */
static void wipe_build_id(const struct world *w)
{
	static const unsigned char note[] = { 4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U' };
	unsigned char head[4096], *at;

	assert_int_equal(pread(w->fd, head, sizeof(head), 0), sizeof(head));
	at = memmem(head, sizeof(head), note, sizeof(note));
	if (!at)
		skip();
	at[8] = 99;
	assert_int_equal(pwrite(w->fd, head, sizeof(head), 0), sizeof(head));
}

static void without_a_build_id_time_tells(void **state)
{
	const struct timespec then[2] = { { 1000, 1 }, { 1000, 1 } };
	const struct timespec later[2] = { { 1000, 1 }, { 1000, 2 } };
	struct world *w = *state;

	if (w->fd < 0)
		skip();
	wipe_build_id(w);
	assert_int_equal(futimens(w->fd, then), 0);
	assert_int_equal(look(w, w->cache), 1);
	/* what lies between the samples does not tell, but when it was changed does */
	wipe_symbols(w);
	assert_int_equal(futimens(w->fd, then), 0);
	assert_int_equal(look(w, w->cache), 1);
	assert_int_equal(futimens(w->fd, later), 0);
	assert_int_equal(look(w, w->cache), 0);
}

static void put(const char *path, const char *bytes, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void damaged_entries(void **state)
{
	struct world *w = *state;
	char path[400], text[CACHE_ENTRY_MAX];
	size_t n;
	FILE *f;

	if (w->fd < 0)
		skip();
	assert_int_equal(look(w, w->cache), 1);
	assert_int_equal(entries(w, path), 1);
	f = fopen(path, "re");
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_true(n > 100);
	for (size_t i = 0; i < n; i++) {
		put(path, text, i); /* cut */
		assert_int_equal(look(w, w->cache), 1);
		assert_truth(w);
		text[i] ^= 1;
		put(path, text, n);
		text[i] ^= 1;
		assert_int_equal(look(w, w->cache), 1);
		assert_truth(w);
	}
	put(path, text, n);
	wipe_symbols(w);
	assert_int_equal(look(w, w->cache), 1); /* it was the entry all the time */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(look(w, w->cache), 0);
}

static void folders_of_others(void **state)
{
	struct world *w = *state;
	struct cache *c = NULL;
	char link[80];

	assert_int_equal(chmod(w->folder, 0770), 0);
	assert_int_equal(cache_new(&c, w->folder), -EPERM);
	assert_int_equal(chmod(w->folder, 0700), 0);
	snprintf(link, sizeof(link), "%s/link", w->folder);
	assert_int_equal(symlink(w->folder, link), 0);
	assert_true(cache_new(&c, link) < 0);
	assert_int_equal(cache_new(&c, "/nonexistent/folder"), -ENOENT);
	assert_null(c);
}

static void number_is_bounded(void **state)
{
	struct world *w = *state;
	char path[400];

	if (w->fd < 0)
		skip();
	for (int i = 0; i < CACHE_ENTRIES + 50; i++) {
		snprintf(path, sizeof(path), "%s/%032x", w->folder, i);
		put(path, "x", 1);
	}
	snprintf(path, sizeof(path), "%s/README", w->folder);
	put(path, "x", 1);
	assert_int_equal(look(w, w->cache), 1);
	cache_free(&w->cache);
	assert_int_equal(entries(w, path), CACHE_ENTRIES + 1);
	snprintf(path, sizeof(path), "%s/README", w->folder);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(cache_new(&w->cache, w->folder), 0);
	wipe_symbols(w); /* the newest is kept */
	assert_int_equal(look(w, w->cache), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found_again),
		TEST(doubts_are_kept),
		TEST(nothing_is_kept),
		TEST(changed_code_is_searched_again),
		TEST(without_a_build_id_time_tells),
		TEST(damaged_entries),
		TEST(folders_of_others),
		TEST(number_is_bounded),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
