/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's libssl, and copies of it under other names. */
#ifndef RINGSPAN_TESTS_BPF_LIBSSL_H
#define RINGSPAN_TESTS_BPF_LIBSSL_H

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define LIBSSL "libssl.so.3"

/* Where the loader finds it; NULL when it does not. */
static inline const char *libssl_path(void)
{
	void *lib = dlopen(LIBSSL, RTLD_NOW);
	struct link_map *map = NULL;

	if (!lib || dlinfo(lib, RTLD_DI_LINKMAP, &map))
		return NULL;
	return map->l_name;
}

/* Makes a new file; path is filled with its name.  An open descriptor, or -1. */
static inline int libssl_copy(char *path, size_t size)
{
	const char *from = libssl_path();
	int in = from ? open(from, O_RDONLY | O_CLOEXEC) : -1, out;
	struct stat st;
	off_t off = 0;

	snprintf(path, size, "/tmp/ringspan-test-XXXXXX");
	out = mkstemp(path);
	if (in < 0 || out < 0 || fstat(in, &st))
		return -1;
	while (off < st.st_size)
		if (sendfile(out, in, &off, st.st_size - off) <= 0)
			return -1;
	close(in);
	return out;
}

#endif
