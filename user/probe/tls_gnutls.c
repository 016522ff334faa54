/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GnuTLS 3 by its symbols.  What gnutls_record_send() is given while the session is corked counts
 * then, and gnutls_record_uncork() sends it by calls of its own.  gnutls_record_send() itself only
 * jumps to gnutls_record_send2() where that is there, which makes them one call.  What
 * gnutls_record_send_early_data() keeps goes to gnutls_record_send() when the handshake can send it.
 */
#include "base/cleanup.h"
#include "probe/tls.h"

static const struct tls_symbol symbols[] = {
	{ "gnutls_record_recv", TLS_GNUTLS_RECV, 1 },
	{ "gnutls_record_send", TLS_GNUTLS_SEND, 1 },
	{ "gnutls_record_recv_seq", TLS_GNUTLS_RECV, 0 },
	{ "gnutls_record_recv_packet", TLS_GNUTLS_PACKET, 0 },
	{ "gnutls_record_recv_early_data", TLS_GNUTLS_RECV, 0 },
	{ "gnutls_record_send2", TLS_GNUTLS_SEND, 0 },
	{ "gnutls_record_send_range", TLS_GNUTLS_SEND, 0 },
	{ "gnutls_record_send_file", TLS_GNUTLS_SENDFILE, 0 },
	{ "gnutls_record_uncork", TLS_GNUTLS_UNCORK, 0 },
	{ "gnutls_deinit", TLS_FREE, 0 },
};

_Static_assert(ARRAY_SIZE(symbols) <= TLS_SYMBOLS_MAX, "TLS_SYMBOLS_MAX");

static const char *const globs[] = {
	"/usr/lib/*/libgnutls.so.??",       "/usr/lib64/libgnutls.so.*",
	"/usr/lib/libgnutls.so.??",         "/usr/local/lib/libgnutls.so.*",
	"/usr/local/lib64/libgnutls.so.??", NULL,
};

static int gnutls_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	return tls_find_symbols(f, symbols, ARRAY_SIZE(symbols), hooks);
}

const struct tls_ops tls_gnutls = {
	.name = "gnutls",
	.src = EV_SRC_GNUTLS,
	.globs = globs,
	.by_name = true,
	.locate = gnutls_locate,
};
