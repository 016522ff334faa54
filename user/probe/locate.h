/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that the locators of tls.def have to say about a file. */
#ifndef RINGSPAN_PROBE_LOCATE_H
#define RINGSPAN_PROBE_LOCATE_H

#include "probe/tls.h"

#define LOCATED_MAX 8
#define LOCATED_VERSION_MAX 24

/* A library that is in the file, or that was refused: then hooks.doubt says why. */
struct located_lib {
	const struct tls_ops *lib;
	char version[LOCATED_VERSION_MAX]; /* as the file says; "": it does not */
	struct tls_hooks hooks;
};

struct located {
	struct located_lib libs[LOCATED_MAX];
	size_t cnt; /* 0: there is no TLS in it that is known */
};

/*
 * Asks the locators in the order of tls.def, each that tls_ops says may be asked: a program can have
 * OpenSSL and rustls linked in.  How many libraries can be probed, or -errno when the file could not
 * be read: then it is not known what is in it.
 */
int locate(struct elf_file *f, struct located *out);

size_t located_hooked(const struct located *l); /* libraries that can be probed */

#endif
