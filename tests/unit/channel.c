// SPDX-License-Identifier: BSD-2-Clause
/* Records from one process to another: all of them, in order, whole; and neither side believes the other. */
#include "probe/channel.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (256u << 10)
#define RECORDS 20000
#define AT_ONCE 30

static size_t size_of(uint32_t n)
{
	uint32_t x = n * 2654435761u;

	/* now and then the largest there is, else small ones of any size */
	return n % 997 == 0 ? EV_SIZE_MAX : sizeof(struct ev_hdr) + (x >> 20) % 700;
}

static void make(char *room, uint32_t n)
{
	struct ev_hdr *h = (void *)room;

	*h = (struct ev_hdr){ .size = (uint32_t)size_of(n), .kind = EV_DATA, .tid = n };
	memset(h + 1, (int)(n & 0xff), h->size - sizeof(*h));
}

static bool is_right(const struct ev_hdr *h, uint32_t n)
{
	const unsigned char *p = (const void *)(h + 1);

	if (h->size != size_of(n) || h->tid != n)
		return false;
	for (size_t i = 0; i < h->size - sizeof(*h); i++)
		if (p[i] != (n & 0xff))
			return false;
	return true;
}

/* Exit code 0: all was put. */
static int write_all(struct channel *c)
{
	_Alignas(8) static char room[EV_SIZE_MAX];

	for (uint32_t n = 0; n < RECORDS; n++) {
		int err;

		make(room, n);
		while ((err = channel_put(c, (const void *)room)) == -EAGAIN) {
			struct pollfd fd = { .fd = channel_space_fd(c), .events = POLLIN };

			channel_tell(c);
			if (poll(&fd, 1, 60000) != 1)
				return 1;
			channel_space_seen(c);
		}
		if (err)
			return 2;
		if (channel_is_filling(c))
			channel_tell(c);
	}
	channel_tell(c);
	return 0;
}

static void test_two_processes(void **state)
{
	struct channel *c = NULL;
	const struct ev_hdr *rec;
	int status, ret = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(channel_new(&c, BYTES), 0);
	pid = fork();
	if (!pid)
		_exit(write_all(c));
	for (uint32_t n = 0; n < RECORDS;) {
		struct pollfd fd = { .fd = channel_fd(c), .events = POLLIN };
		uint32_t until = n + AT_ONCE;

		assert_int_equal(poll(&fd, 1, 60000), 1);
		channel_seen(c);
		while (n < until && (ret = channel_next(c, &rec)) == 1)
			assert_true(is_right(rec, n++));
		assert_true(ret >= 0);
		if (ret)
			channel_again(c);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(channel_next(c, &rec), 0);
	channel_free(&c);
}

/* Room comes back only for what was taken. */
static void test_full(void **state)
{
	_Alignas(8) static char room[EV_SIZE_MAX];
	struct channel *c = NULL;
	const struct ev_hdr *rec;
	uint32_t put = 0, taken = 0;

	(void)state;
	assert_int_equal(channel_new(&c, BYTES), 0);
	for (;; put++) {
		make(room, put);
		if (channel_put(c, (const void *)room))
			break;
	}
	assert_int_equal(channel_put(c, (const void *)room), -EAGAIN);
	assert_true(channel_is_filling(c));
	while (channel_next(c, &rec) == 1)
		assert_true(is_right(rec, taken++));
	assert_int_equal(taken, put);
	assert_false(channel_is_filling(c));
	assert_int_equal(channel_put(c, (const void *)room), 0);
	assert_int_equal(channel_next(c, &rec), 1);
	assert_true(is_right(rec, put));
	channel_free(&c);
}

/*
 * While the reader keeps up no more than a quarter is used, so that memory does not grow with time; and when
 * it does not, all that the writer has not passed over.
 */
static void test_begins_anew(void **state)
{
	_Alignas(8) static char room[EV_SIZE_MAX];
	struct channel *c = NULL;
	const struct ev_hdr *rec = NULL;
	const char *first = NULL, *last = NULL;
	uint32_t taken, put;

	(void)state;
	assert_int_equal(channel_new(&c, BYTES), 0);
	for (taken = 0; taken < RECORDS; taken++) {
		make(room, taken);
		assert_int_equal(channel_put(c, (const void *)room), 0);
		assert_false(size_of(taken) < 4096 && channel_is_filling(c));
		assert_int_equal(channel_next(c, &rec), 1);
		assert_true(is_right(rec, taken));
		assert_int_equal(channel_next(c, &rec), 0);
		first = first && first < (const char *)rec ? first : (const char *)rec;
		last = last > (const char *)rec ? last : (const char *)rec;
	}
	assert_true(last - first < (ptrdiff_t)(BYTES / 4 + EV_SIZE_MAX));
	for (put = taken;; put++) {
		make(room, put);
		if (channel_put(c, (const void *)room))
			break;
	}
	assert_true(channel_is_filling(c));
	while (channel_next(c, &rec) == 1)
		assert_true(is_right(rec, taken++));
	assert_int_equal(taken, put);
	channel_free(&c);
}

/* What the other side can write to is where the channel itself says: found as the test changes it. */
static void test_lies(void **state)
{
	_Alignas(8) static char room[EV_SIZE_MAX];
	static const uint32_t sizes[] = {
		0, 1, sizeof(struct ev_hdr) - 1, EV_SIZE_MAX + 1, UINT32_MAX, 4096
	};
	struct ev_hdr *h = (void *)room;
	const struct ev_hdr *rec;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct channel *c = NULL;

		assert_int_equal(channel_new(&c, BYTES), 0);
		make(room, 1);
		assert_int_equal(channel_put(c, h), 0);
		assert_int_equal(channel_next(c, &rec), 1);
		make(room, 2);
		assert_int_equal(channel_put(c, h), 0);
		/* behind the record that the reader has comes the next one; its writer changes the size */
		((struct ev_hdr *)((const char *)rec + ((rec->size + 7) & ~7u)))->size = sizes[i];
		assert_int_equal(channel_next(c, &rec), -EBADMSG);
		channel_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_begins_anew),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
