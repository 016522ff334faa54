/* SPDX-License-Identifier: BSD-2-Clause */
/* --uprobe and --usdt: which functions become spans. */
#ifndef RINGSPAN_FUNC_OPT_H
#define RINGSPAN_FUNC_OPT_H

#include "cli/cli.h"
#include "probe/probe.h"

#define FUNC_OPT_TEXT 512 /* characters of one, with NUL */

struct func_opts {
	struct opt_strs uprobes, usdts;        /* the options */
	struct probe_func of[PROBE_FUNCS_MAX]; /* what they say, by func_opt() */
	size_t cnt;
	char text[PROBE_FUNCS_MAX][FUNC_OPT_TEXT];
};

/* Lines of an option table; member: the struct func_opts in the verb's option struct. */
#define FUNC_OPTS(type, member)                                                                 \
	{                                                                                       \
		"uprobe",                                                                       \
		0,                                                                              \
		OPT_STRS,                                                                       \
		offsetof(type, member.uprobes),                                                 \
		"FUNC",                                                                         \
		"spans of calls of a function: 'libc:getaddrinfo(%s, %s) = %d'; again for more" \
	},                                                                                      \
	{                                                                                       \
		"usdt", 0, OPT_STRS, offsetof(type, member.usdts), "PROBE",                     \
			"... of a probe that a program has built in: "                          \
			"python3:python:function__entry"                                        \
	}

/*
 * Reads them: BIN:FUNC[+OFFSET][(ARGUMENTS)][ = RESULT], and BIN:PROVIDER:NAME with the same behind it.
 * 0 or -EINVAL, logged.
 */
int func_opt(struct func_opts *o);

#endif
