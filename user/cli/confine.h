/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving up what parsing hostile bytes does not need, for good. */
#ifndef RINGSPAN_CONFINE_H
#define RINGSPAN_CONFINE_H

#include <stddef.h>

/*
 * From now on this process has no capabilities, gets none by an exec, and may make only the system calls that
 * its work takes: on files, memory, clocks and descriptors that are open; no exec, no new process or socket, no
 * ptrace, no bpf.  files: what it goes on writing to (NULL: none); where the folder of one belongs to somebody
 * else, CAP_DAC_OVERRIDE is kept, as SQLite makes files there.
 *
 * What cannot be given up is said in a warning, with the reason: it is no reason not to record.
 */
void confine(const char *const *files, size_t cnt);

#endif
