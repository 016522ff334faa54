/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of the where language.  Each takes the whole text or fails with -EINVAL or -ERANGE. */
#ifndef RINGSPAN_WHERE_VALUE_H
#define RINGSPAN_WHERE_VALUE_H

#include "base/str.h"

int where_number(struct sv s, bool *is_int, int64_t *i, double *f); /* 12, -1.5e3, 10kB, 4MiB, 2k */
int where_duration(struct sv s, int64_t *ns);                       /* 10ms, 1m30s, 1.5h, -15m, 0 */
/* 2026-11-21, 2026-11-21T10:00:00.5Z, ...+01:00: Unix time in ns; without a zone UTC. */
int where_time(struct sv s, int64_t *ns);

#endif
