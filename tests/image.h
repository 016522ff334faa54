/* SPDX-License-Identifier: BSD-2-Clause */
/* An executable that a test has made byte by byte, as a file that a locator is asked about. */
#ifndef RINGSPAN_TESTS_IMAGE_H
#define RINGSPAN_TESTS_IMAGE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/tls.h"

#define IMAGES_KEPT 24

/* Leaves it in the folder of that name, if there is one: what tests/fuzz begins with. */
static inline void image_keep(const void *image, size_t size)
{
	static unsigned int cnt;
	const char *folder = getenv("RINGSPAN_IMAGES");
	_cleanup_close_ int fd = -1;
	char path[256];

	if (!folder || cnt >= IMAGES_KEPT)
		return;
	snprintf(path, sizeof(path), "%s/%s-%u.image", folder, program_invocation_short_name,
		 cnt++);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, image, size), size);
}

/* What the library's locator says: 0 with the hooks, or -errno. */
static inline int image_locate(const struct tls_ops *lib, const void *image, size_t size,
			       struct tls_hooks *hooks)
{
	_cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);
	struct elf_file *f = NULL;
	int err;

	image_keep(image, size);
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
