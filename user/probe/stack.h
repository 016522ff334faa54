/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack of a crash in words. */
#ifndef RINGSPAN_PROBE_STACK_H
#define RINGSPAN_PROBE_STACK_H

#include "probe/file.h"

/*
 * Puts a STACK into files.facts: what the frames of the record are in, by the symbols of the files.
 * Frames that cannot be callers end it: what is in no file, or is not behind a call instruction.
 * 0 or -ENOMEM.
 */
int stack_tell(struct files *fs, const struct ev_signal *sig);

#endif
