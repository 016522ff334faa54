/* SPDX-License-Identifier: BSD-2-Clause */
/* Which file a command runs: found before it is started, so that its probes can be set first. */
#ifndef RINGSPAN_EXE_H
#define RINGSPAN_EXE_H

#include <limits.h>

/*
 * The file that execvp(3) would run for that command.  0, -ENOENT (not found), -EACCES (found, but
 * not to be executed).
 */
int exe_find(const char *command, char path[PATH_MAX]);

/*
 * The program that the kernel will run for a file: the file itself or, through its `#!` line and
 * those of its interpreters, the last interpreter; with `#!/usr/bin/env NAME` the NAME.  What cannot
 * be followed ends the search: path then holds the last file that was found.
 */
void exe_program(const char *file, char path[PATH_MAX]);

#endif
