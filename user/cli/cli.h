/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs: one file each, one line in cmd.def.  Options are tables: name, type, where the value goes,
 * help; help texts and parsing come from the table alone.
 */
#ifndef RINGSPAN_CLI_H
#define RINGSPAN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "span/payload.h"

/* Exit codes of every verb. */
enum { EXIT_FINE = 0, EXIT_NOTHING = 1, EXIT_USAGE = 2 };

enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_STR,      /* const char * */
	OPT_UINT,     /* unsigned int */
	OPT_SIZE,     /* size_t: 8M, 64KiB */
	OPT_DURATION, /* uint64_t ns: 10ms, 2s */
	OPT_RATE,     /* unsigned int, times a second; --name alone is OPT_RATE_USUAL */
	OPT_PID,      /* pid_t list: struct opt_pids */
	OPT_STRS,     /* struct opt_strs: each time one more */
	OPT_PAYLOAD,  /* struct opt_payload: none, meta or full, which --name alone is */
};

#define OPT_STRS_MAX 64

struct opt_strs {
	const char *of[OPT_STRS_MAX];
	size_t cnt;
};

struct opt_payload {
	enum payload_level level;
	bool given;
};

#define OPT_RATE_USUAL 99 /* not in step with what happens 100 times a second */
#define OPT_PIDS_MAX 64

struct opt_pids {
	pid_t pid[OPT_PIDS_MAX];
	size_t cnt;
};

/* Options of every verb: the option struct of each begins with it. */
struct opt_common {
	const char *store; /* NULL: store_default_path() */
	bool verbose, help;
};

struct opt {
	const char *name; /* long name without dashes */
	char letter;      /* 0: none */
	enum opt_type type;
	size_t offset;   /* of the value in the verb's option struct */
	const char *arg; /* how help names the argument */
	const char *help;
};

struct cmd {
	const char *name;
	const char *args;       /* usage behind the options: "-- CMD [ARG ...]" */
	const char *help;       /* one line */
	const char *more;       /* further lines of the verb's own help; may be NULL */
	const struct opt *opts; /* ended by a NULL name */
	size_t opts_sz;         /* of the option struct, zeroed before parsing */
	bool foreign; /* options end at the first argument: the rest is another program's */
	int (*run)(void *opts, int argc,
		   char **argv); /* what is left of the arguments; gives the exit code */
};

extern const struct cmd *const cmds[];
extern const size_t cmd_cnt;

int cli_main(int argc, char **argv); /* gives the exit code */

#endif
