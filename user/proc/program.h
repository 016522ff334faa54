/* SPDX-License-Identifier: BSD-2-Clause */
/* What people call a program: of an interpreter the script or module that it runs. */
#ifndef RINGSPAN_PROGRAM_H
#define RINGSPAN_PROGRAM_H

#include "base/str.h"

/* What stands behind the last slash that something follows; a view. */
struct sv program_base(struct sv path);

/*
 * exe: a program's base name; args: its argv, NUL-separated.  A view of either; *rest is what stands
 * behind the name in args.
 */
struct sv program_name(struct sv exe, struct sv args, struct sv *rest);

#endif
