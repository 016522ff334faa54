/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL and BoringSSL by their symbols: libssl.so, and programs that export what they link
 * statically (node).  SSL_peek is left alone: what it shows is read again.
 */
#include <errno.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/tls.h"

static const char *const names[TLS_ROLES] = {
	[TLS_READ] = "SSL_read",           [TLS_WRITE] = "SSL_write",
	[TLS_READ_EX] = "SSL_read_ex",     [TLS_WRITE_EX] = "SSL_write_ex",
	[TLS_WRITE_EX2] = "SSL_write_ex2", [TLS_FREE] = "SSL_free",
};

static const char *const globs[] = {
	"/usr/lib/*/libssl.so.*",       "/usr/lib64/libssl.so.*",
	"/usr/lib/libssl.so.*",         "/usr/local/lib/libssl.so.*",
	"/usr/local/lib64/libssl.so.*", "/usr/bin/node",
	"/usr/local/bin/node",          NULL,
};

static int openssl_locate(struct elf_file *f, const char *path, struct tls_hooks *hooks)
{
	int found = elf_find_funcs(f, names, TLS_ROLES, hooks->offsets);

	if (found < 0)
		return found;
	if (!hooks->offsets[TLS_READ] && !hooks->offsets[TLS_WRITE])
		return 0;
	if (!hooks->offsets[TLS_READ] || !hooks->offsets[TLS_WRITE] ||
	    !hooks->offsets[TLS_READ_EX] != !hooks->offsets[TLS_WRITE_EX]) {
		log_warn("%s reads or writes TLS by functions that it lacks: no probe set in it",
			 path);
		return -EINVAL;
	}
	for (size_t i = 0; i < TLS_ROLES; i++) {
		if (!hooks->offsets[i] || elf_is_entry(f, hooks->offsets[i]))
			continue;
		log_warn(
			"%s: the bytes of %s at 0x%llx do not begin a function: no probe set in it",
			path, names[i], (unsigned long long)hooks->offsets[i]);
		return -EINVAL;
	}
	hooks->cnt = found;
	return 0;
}

const struct tls_ops tls_openssl = {
	.name = "openssl",
	.src = EV_SRC_OPENSSL,
	.globs = globs,
	.locate = openssl_locate,
};
