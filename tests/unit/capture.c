// SPDX-License-Identifier: BSD-2-Clause
/* The capture file: what was written comes back; cut, damaged and foreign files are told apart. */
#include "../fixture.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "capture/capture.h"

static char path[] = "/tmp/ringspan-capture-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	log_set_level(LOG_NONE);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	return 0;
}

/* META, one DATA with a payload of odd length, END. */
static void write_sample(void)
{
	struct ev_meta *m = capture_meta("0.1.0");
	struct ev_data *d = record_data(5, 7, 1, EV_READ, 0, "odd", 3);
	struct ev_tick *end = record(EV_END, sizeof(*end), 9, 0, NULL, 0);
	struct capture_writer *w;

	assert_non_null(m);
	assert_int_equal(capture_create(&w, path), 0);
	assert_int_equal(capture_write(w, &m->hdr), 0);
	assert_int_equal(capture_write(w, &d->hdr), 0);
	assert_int_equal(capture_write(w, &end->hdr), 0);
	assert_int_equal(capture_close(&w), 0);
	free(m);
	free(d);
	free(end);
}

static void round_trip(void **state)
{
	struct capture_reader *r;
	struct ev_hdr *rec;
	struct stat st;

	(void)state;
	write_sample();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(capture_open(&r, path), 0);
	assert_int_equal(capture_next(r, &rec), 1);
	assert_int_equal(rec->kind, EV_META);
	assert_true(event_meta_get((struct ev_meta *)rec, "boot_id").n > 30);
	assert_int_equal(capture_next(r, &rec), 1);
	ASSERT_SV(event_payload(rec), "odd");
	assert_int_equal(capture_next(r, &rec), 1);
	assert_int_equal(capture_next(r, &rec), 0);
	capture_free(&r);
}

/* Every cut but the whole file is noticed, and nothing before the cut is lost. */
static void any_cut_is_told(void **state)
{
	struct capture_reader *r;
	struct ev_hdr *rec;
	struct stat st;
	int err;

	(void)state;
	write_sample();
	stat(path, &st);
	for (off_t n = st.st_size - 1; n >= 16; n--) {
		assert_int_equal(truncate(path, n), 0);
		assert_int_equal(capture_open(&r, path), 0);
		while ((err = capture_next(r, &rec)) > 0)
			;
		assert_int_equal(err, -EBADMSG);
		capture_free(&r);
	}
}

static void overwrite(off_t at, const void *p, size_t n)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	assert_int_equal(fwrite(p, n, 1, f), 1);
	fclose(f);
}

static void foreign_files_are_refused(void **state)
{
	struct capture_reader *r = NULL;
	uint16_t version = 99;

	(void)state;
	assert_int_equal(capture_open(&r, path), -EINVAL); /* empty */
	write_sample();
	overwrite(10, &version, sizeof(version));
	assert_int_equal(capture_open(&r, path), -EPROTO);
	overwrite(0, "SQLite format 3", 15);
	assert_int_equal(capture_open(&r, path), -EINVAL);
	assert_int_equal(capture_open(&r, "/nonexistent/x.rsp"), -ENOENT);
}

static void damage_is_told(void **state)
{
	struct capture_reader *r;
	struct ev_hdr *rec;
	uint32_t size = 0xfffffff0;

	(void)state;
	write_sample();
	overwrite(16, &size, sizeof(size));
	assert_int_equal(capture_open(&r, path), 0);
	assert_int_equal(capture_next(r, &rec), -EBADMSG);
	capture_free(&r);
}

static void other_files_are_not_overwritten(void **state)
{
	struct capture_writer *w = NULL;
	FILE *f = fopen(path, "w");

	(void)state;
	fputs("precious", f);
	fclose(f);
	assert_int_equal(capture_create(&w, path), -EEXIST);
	f = fopen(path, "r");
	assert_int_equal(fgetc(f), 'p');
	fclose(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip),
		TEST(any_cut_is_told),
		TEST(foreign_files_are_refused),
		TEST(damage_is_told),
		TEST(other_files_are_not_overwritten),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
