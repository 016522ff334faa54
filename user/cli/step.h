/* SPDX-License-Identifier: BSD-2-Clause */
/* `replay --step`: a capture walked through by keys, or by commands where stdin is no terminal. */
#ifndef RINGSPAN_STEP_H
#define RINGSPAN_STEP_H

#include "cli/steps.h"

/* Until it is left.  The exit code. */
int step_through(struct steps *s, const struct sink_cfg *cfg);

#endif
