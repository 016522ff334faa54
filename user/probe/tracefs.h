/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of tracepoints, whether tracefs is mounted or not. */
#ifndef RINGSPAN_PROBE_TRACEFS_H
#define RINGSPAN_PROBE_TRACEFS_H

/* A directory file descriptor of tracefs: a mount of our own that nobody sees, or the machine's. */
int tracefs_open(void);
/* Id of "syscalls/sys_enter_connect", or -errno. */
int tracefs_id(int dir, const char *event);

#endif
