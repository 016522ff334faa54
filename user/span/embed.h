/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of schemas/ that the program carries in itself, so that it needs no data folder. */
#ifndef RINGSPAN_EMBED_H
#define RINGSPAN_EMBED_H

#include "base/str.h"

/* The file's text; a NUL that is not counted stands behind it. */
struct sv embed_store_sql(void);
struct sv embed_span_schema(void);
struct sv embed_prices(void);

#endif
