/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a TLS library sends from a file.  OpenSSL does so only with TLS in the kernel, which not every
 * kernel has, so the victim has functions of its own under the names of OpenSSL and GnuTLS.
 */
#include "streams.h"

#include <sys/types.h>

/* --- the victim */

int SSL_read(void *ssl, void *buf, int n);
int SSL_write(void *ssl, const void *buf, int n);
ssize_t SSL_sendfile(void *ssl, int fd, off_t offset, size_t size, int flags);
void SSL_free(void *ssl);
ssize_t gnutls_record_recv(void *session, void *buf, size_t n);
ssize_t gnutls_record_send(void *session, const void *buf, size_t n);
ssize_t gnutls_record_send_file(void *session, int fd, off_t *offset, size_t n);
void gnutls_deinit(void *session);

static volatile long touched;

__attribute__((noipa)) int SSL_read(void *ssl, void *buf, int n)
{
	touched += (long)ssl + (long)buf;
	return -n;
}

__attribute__((noipa)) int SSL_write(void *ssl, const void *buf, int n)
{
	touched -= (long)ssl;
	touched += *(const char *)buf; /* else its page may not be there */
	return n;
}

__attribute__((noipa)) ssize_t SSL_sendfile(void *ssl, int fd, off_t offset, size_t size, int flags)
{
	(void)fd;
	(void)flags;
	touched += (long)ssl;
	touched += offset;
	return (ssize_t)size;
}

__attribute__((noipa)) void SSL_free(void *ssl)
{
	touched += (long)ssl;
}

__attribute__((noipa)) ssize_t gnutls_record_recv(void *session, void *buf, size_t n)
{
	touched += (long)session + (long)buf;
	return -(ssize_t)n;
}

__attribute__((noipa)) ssize_t gnutls_record_send(void *session, const void *buf, size_t n)
{
	touched -= (long)session;
	touched += *(const char *)buf;
	return (ssize_t)n;
}

/* The first five bytes by a buffer, the rest by the kernel. */
__attribute__((noipa)) ssize_t gnutls_record_send_file(void *session, int fd, off_t *offset,
						       size_t n)
{
	(void)fd;
	touched += (long)offset;
	return gnutls_record_send(session, "first", 5) + (ssize_t)n - 5;
}

__attribute__((noipa)) void gnutls_deinit(void *session)
{
	touched += (long)session;
}

static int run_victim(const char *mode)
{
	static char object;

	if (strcmp(mode, "openssl") == 0) {
		SSL_write(&object, "head", 4);
		SSL_sendfile(&object, 3, 0, 5000000000, 0);
		SSL_write(&object, "tail", 4);
		SSL_read(&object, &object, 1);
		SSL_free(&object);
	} else {
		gnutls_record_send_file(&object, 3, NULL, 1000);
		gnutls_record_send(&object, "last", 4);
		gnutls_record_recv(&object, &object, 1);
		gnutls_deinit(&object);
	}
	return 0;
}

/* --- the test */

/* A record says up to 4 GiB of what is missing; positions say the rest. */
static void the_content_is_missing(void **state)
{
	struct trace *t = *state;
	const struct ev_data *d;

	trace_clear(t);
	trace_victim(t, "file", "openssl");
	assert_int_equal(t->status, 0);
	d = trace_rec(t, EV_DATA, t->pid, 1);
	assert_non_null(d);
	assert_int_equal(d->len, 0);
	assert_int_equal(d->pos, 4);
	assert_int_equal(d->missing, 0xffffffff);
	assert_int_equal(d->hdr.flags, EVF_TRUNC);
	d = trace_rec(t, EV_DATA, t->pid, 2);
	assert_non_null(d);
	assert_int_equal(d->pos, 5000000004);
	assert_memory_equal(d + 1, "tail", 4);
}

static void what_goes_through_a_buffer_is_told(void **state)
{
	streams_are(*state, "file", "gnutls", EV_SRC_GNUTLS, ">first[995]last<.\n");
}

/* A victim is over before its exec would have brought the probes. */
static int setup(void **state)
{
	struct trace *t;

	if (trace_setup(state))
		return -1;
	t = *state;
	return probe_hook_file(t->p, "/proc/self/exe") > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_is_missing),
		cmocka_unit_test(what_goes_through_a_buffer_is_told),
	};

	if (argc > 2)
		return run_victim(argv[2]);
	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, setup, trace_teardown);
}
