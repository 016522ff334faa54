/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and classes of system calls, of the machine that a capture is from: schemas/syscalls.def. */
#ifndef RINGSPAN_EVENT_SYSCALL_H
#define RINGSPAN_EVENT_SYSCALL_H

#include "base/str.h"
#include "event/event.h"

enum syscall_machine { SYSCALL_X86_64, SYSCALL_ARM64, SYSCALL_MACHINES };

enum syscall_machine syscall_machine(void); /* that this was built for */
/* By the machine's name in META ("arch", as uname(2) has it); false: it is none of ours. */
bool syscall_machine_named(struct sv name, enum syscall_machine *m);

/* NULL when it is not known. */
const char *syscall_name(enum syscall_machine m, __u32 nr);
/* The number; -ENOENT: the machine has no call of that name. */
int syscall_number(enum syscall_machine m, struct sv name);
enum ev_call_class syscall_class(enum syscall_machine m, __u32 nr);
/* Which argument, from 1, is the path of what a call is about; 0: none. */
unsigned int syscall_path(enum syscall_machine m, __u32 nr);

const char *syscall_class_name(unsigned int class); /* "file"; "?" of none */
bool syscall_class_named(struct sv name, enum ev_call_class *class);

#endif
