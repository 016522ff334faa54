/* SPDX-License-Identifier: BSD-2-Clause */
/* An executable that a test has made byte by byte, as a file that a locator is asked about. */
#ifndef RINGSPAN_TESTS_IMAGE_H
#define RINGSPAN_TESTS_IMAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/tls.h"

/* What the library's locator says: 0 with the hooks, or -errno. */
static inline int image_locate(const struct tls_ops *lib, const void *image, size_t size,
			       struct tls_hooks *hooks)
{
	_cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);
	struct elf_file *f = NULL;
	int err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, size), size);
	memset(hooks, 0, sizeof(*hooks));
	err = elf_file_new(&f, fd);
	if (!err)
		err = lib->locate(f, hooks);
	elf_file_free(&f);
	return err;
}

#endif
