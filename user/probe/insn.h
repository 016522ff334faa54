/* SPDX-License-Identifier: BSD-2-Clause */
/* Does machine code look like the beginning of a function, or like a call? */
#ifndef RINGSPAN_PROBE_INSN_H
#define RINGSPAN_PROBE_INSN_H

#include <stdbool.h>
#include <stddef.h>

#define INSN_MIN 4 /* bytes that insn_is_entry() wants to see */

/* machine: EM_X86_64 or EM_AARCH64; false for others. */
bool insn_is_entry(unsigned int machine, const unsigned char *p, size_t n);

#define INSN_CALL_MAX 8 /* bytes before a return address that insn_is_call() wants to see */

/* Does a call instruction end with the last of the n bytes?  False for other machines. */
bool insn_is_call(unsigned int machine, const unsigned char *p, size_t n);

#endif
