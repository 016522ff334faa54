/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of TLS libraries, from tls.def. */
#include "probe/tls.h"

#include "base/cleanup.h"

#define TLS(name) extern const struct tls_ops tls_##name;
#include "probe/tls.def"
#undef TLS

const struct tls_ops *const tls_libs[] = {
#define TLS(name) &tls_##name,
#include "probe/tls.def"
#undef TLS
};

const size_t tls_libs_cnt = ARRAY_SIZE(tls_libs);
