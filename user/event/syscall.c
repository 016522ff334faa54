/* SPDX-License-Identifier: BSD-2-Clause */
/* The table as it is written: a look-up goes through it, which is for setting up and for telling. */
#include "event/syscall.h"

#include <errno.h>

#define NUMBERS 512

static const struct call {
	const char *name;
	short nr[SYSCALL_MACHINES];
	unsigned char class, path;
} calls[] = {
#define SYSCALL(name, x86_64, arm64, class, path) \
	{ #name, { x86_64, arm64 }, EV_CALL_##class, path },
#include "syscalls.def"
#undef SYSCALL
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static const char *const classes[EV_CALL_CLASSES] = {
	[EV_CALL_OTHER] = "other",   [EV_CALL_FILE] = "file",   [EV_CALL_NETWORK] = "network",
	[EV_CALL_POLL] = "poll",     [EV_CALL_FUTEX] = "futex", [EV_CALL_PROCESS] = "process",
	[EV_CALL_MEMORY] = "memory",
};

enum syscall_machine syscall_machine(void)
{
#if defined(__aarch64__)
	return SYSCALL_ARM64;
#else
	return SYSCALL_X86_64;
#endif
}

bool syscall_machine_named(struct sv name, enum syscall_machine *m)
{
	if (sv_is(name, "x86_64"))
		*m = SYSCALL_X86_64;
	else if (sv_is(name, "aarch64"))
		*m = SYSCALL_ARM64;
	else
		return false;
	return true;
}

static const struct call *find(enum syscall_machine m, __u32 nr)
{
	for (size_t i = 0; i < CALLS && nr < NUMBERS; i++)
		if (calls[i].nr[m] == (short)nr)
			return &calls[i];
	return NULL;
}

const char *syscall_name(enum syscall_machine m, __u32 nr)
{
	const struct call *c = find(m, nr);

	return c ? c->name : NULL;
}

int syscall_number(enum syscall_machine m, struct sv name)
{
	for (size_t i = 0; i < CALLS; i++)
		if (calls[i].nr[m] >= 0 && sv_is(name, calls[i].name))
			return calls[i].nr[m];
	return -ENOENT;
}

enum ev_call_class syscall_class(enum syscall_machine m, __u32 nr)
{
	const struct call *c = find(m, nr);

	return c ? c->class : EV_CALL_OTHER;
}

unsigned int syscall_path(enum syscall_machine m, __u32 nr)
{
	const struct call *c = find(m, nr);

	return c ? c->path : 0;
}

const char *syscall_class_name(unsigned int class)
{
	return class < EV_CALL_CLASSES ? classes[class] : "?";
}

bool syscall_class_named(struct sv name, enum ev_call_class *class)
{
	for (unsigned int i = 0; i < EV_CALL_CLASSES; i++) {
		if (!sv_is(name, classes[i]))
			continue;
		*class = i;
		return true;
	}
	return false;
}
