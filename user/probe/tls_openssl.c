/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL and BoringSSL by their symbols: libssl.so, and programs that export what they link
 * statically (node).  SSL_peek is left alone: what it shows is read again.
 */
#include "base/cleanup.h"
#include "probe/tls.h"

/* The calls of early data are made of the others; what is counted is the outermost. */
static const struct tls_symbol symbols[] = {
	{ "SSL_read", TLS_READ, 1 },
	{ "SSL_write", TLS_WRITE, 1 },
	{ "SSL_read_ex", TLS_READ_EX, 2 },
	{ "SSL_write_ex", TLS_WRITE_EX, 2 },
	{ "SSL_write_ex2", TLS_WRITE_EX2, 0 },
	{ "SSL_read_early_data", TLS_READ_EX, 3 },
	{ "SSL_write_early_data", TLS_WRITE_EX, 3 },
	{ "SSL_sendfile", TLS_SENDFILE, 0 },
	{ "SSL_free", TLS_FREE, 0 },
	{ "SSL_clear", TLS_CLEAR, 0 },
};

static const char *const globs[] = {
	"/usr/lib/*/libssl.so.*",       "/usr/lib64/libssl.so.*",
	"/usr/lib/libssl.so.*",         "/usr/local/lib/libssl.so.*",
	"/usr/local/lib64/libssl.so.*", "/usr/bin/node",
	"/usr/local/bin/node",          NULL,
};

static int openssl_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	return tls_find_symbols(f, symbols, ARRAY_SIZE(symbols), hooks);
}

_Static_assert(ARRAY_SIZE(symbols) <= TLS_SYMBOLS_MAX, "TLS_SYMBOLS_MAX");

const struct tls_ops tls_openssl = {
	.name = "openssl",
	.src = EV_SRC_OPENSSL,
	.globs = globs,
	.mark = "OpenSSL ",
	.by_name = true,
	.locate = openssl_locate,
};
