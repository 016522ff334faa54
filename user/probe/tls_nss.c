/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NSS by the symbols of NSPR: a TLS connection is a file of NSPR (PRFileDesc) that SSL_ImportFD() put
 * a layer on, and is read and written by what reads and writes any file.  Which files those are is
 * learnt from the return of SSL_ImportFD(): a connection counts once one was made while the process
 * was traced.  The two are in libnspr4.so and libssl3.so, or in one file.
 */
#include "base/cleanup.h"
#include "probe/tls.h"

static const struct tls_symbol nspr[] = {
	{ "PR_Read", TLS_NSS_READ, 1 },     { "PR_Write", TLS_NSS_WRITE, 1 },
	{ "PR_Recv", TLS_NSS_RECV, 1 },     { "PR_Send", TLS_NSS_WRITE, 1 },
	{ "PR_Writev", TLS_NSS_WRITEV, 1 }, { "PR_Close", TLS_NSS_CLOSE, 1 },
};

static const struct tls_symbol libssl[] = {
	{ "SSL_ImportFD", TLS_NSS_IMPORT, 1 },
};

static const char *const globs[] = {
	"/usr/lib/*/libnspr4.so",
	"/usr/lib/*/libssl3.so",
	"/usr/lib64/libnspr4.so",
	"/usr/lib64/libssl3.so",
	"/usr/lib/libnspr4.so",
	"/usr/lib/libssl3.so",
	NULL,
};

static int nss_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	int err = tls_find_symbols(f, nspr, ARRAY_SIZE(nspr), hooks);

	return err ? err : tls_find_symbols(f, libssl, ARRAY_SIZE(libssl), hooks);
}

const struct tls_ops tls_nss = {
	.name = "nss",
	.src = EV_SRC_NSS,
	.globs = globs,
	.mark = "NSS ",
	.by_name = true,
	.locate = nss_locate,
};
