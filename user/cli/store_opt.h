/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that say how large and how old what is stored may get: of the verbs that write to a store. */
#ifndef RINGSPAN_STORE_OPT_H
#define RINGSPAN_STORE_OPT_H

#include "cli/cli.h"
#include "sink/store.h"

#define STORE_OPTS(type)                                                                          \
	{ "store-size", 0,                                                                        \
	  OPT_STR,      offsetof(type, store_size),                                               \
	  "SIZE",       "remove the oldest runs where the store gets larger (4G; none: never)" }, \
	{                                                                                         \
		"store-age", 0, OPT_STR, offsetof(type, store_age), "TIME",                       \
			"remove runs that ended so long ago (30d; without it, never)"             \
	}

/* What the texts say; NULL: the default.  0 or -EINVAL, logged. */
int store_opt(struct store_limits *out, const char *size, const char *age);

#endif
