/* SPDX-License-Identifier: BSD-2-Clause */
/* Option tables to getopt_long, and the help that is made of them. */
#ifndef RINGSPAN_OPT_H
#define RINGSPAN_OPT_H

#include <stdio.h>
#include "base/str.h"
#include "cli/cli.h"

/*
 * Fills opts, which is zeroed, and leaves the arguments behind the options at argv[*rest] and on.
 * 0 or -EINVAL; logged with what to do.
 */
int opt_parse(const struct cmd *c, void *opts, int argc, char **argv, int *rest);

void opt_help(FILE *out, const struct cmd *c);

int opt_size(struct sv text, size_t *bytes);    /* 8M, 64KiB, 4096: powers of 1024; 0, -EINVAL */
int opt_duration(struct sv text, uint64_t *ns); /* 10ms, 1m30s; 0, -EINVAL */

/*
 * The name among cnt (got by name_at) that a misspelt word probably means; NULL when none is near.
 */
const char *opt_nearest(const char *word, size_t cnt,
			const char *(*name_at)(const void *of, size_t i), const void *of);

#endif
