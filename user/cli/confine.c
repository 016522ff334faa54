// SPDX-License-Identifier: BSD-2-Clause
/* See confine.h.  A call that is not on the list fails with EPERM, so that a library that asks for more goes on. */
#include "cli/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

/* The leak sanitizer looks at the process from a thread of its own, by ptrace: such a build stays as it is. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static const char allowed[] =
	/* descriptors */
	"read write readv writev pread64 pwrite64 lseek close dup dup2 dup3 fcntl ioctl "
	"memfd_create "
	"poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait "
	"sendto recvfrom sendmsg recvmsg "
	/* files: the store's journals, time zones, a terminal's description */
	"open openat stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 "
	"readlink readlinkat getcwd getdents64 unlink unlinkat fsync fdatasync ftruncate fallocate "
	"fadvise64 fchmod fchown flock umask "
	/* memory */
	"brk mmap munmap mremap mprotect madvise "
	/* time, signals, and what the process is */
	"clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday restart_syscall "
	"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack kill tgkill wait4 "
	"waitid "
	"getpid getppid gettid getpgid getpgrp getuid geteuid getgid getegid getrusage times "
	"prlimit64 "
	"sysinfo uname getrandom sched_yield sched_getaffinity futex set_robust_list rseq "
	"exit exit_group";

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	struct sv left = sv(allowed);
	int err = filter ? 0 : -ENOMEM;
	char name[32];

	while (!err && left.n) {
		struct sv one = sv_token(&left, ' ');
		int nr;

		snprintf(name, sizeof(name), SV_FMT, SV_ARG(one));
		nr = seccomp_syscall_resolve_name(name);
		if (nr >= 0) /* below: this machine has it not */
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
	}
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* May files be made in its folder by right of its owner, without a capability? */
static bool is_own(const char *file)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s", file) >= PATH_MAX || stat(dirname(path), &st))
		return false;
	return st.st_uid == geteuid() && st.st_mode & S_IWUSR && st.st_mode & S_IXUSR;
}

static int drop_capabilities(const char *const *files, size_t cnt)
{
	bool keep = false;

	for (size_t i = 0; i < cnt; i++)
		keep |= files[i] && !is_own(files[i]);
	keep = keep && capng_have_capability(CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE);
	capng_clear(CAPNG_SELECT_CAPS);
	if (keep) {
		log_debug("CAP_DAC_OVERRIDE is kept: the folder of the store or the capture is "
			  "another user's");
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
	}
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

void confine(const char *const *files, size_t cnt)
{
	int err;

	if (SANITIZED)
		return;
	err = drop_capabilities(files, cnt);
	if (err)
		log_warn("capabilities cannot be given up (%s): what is traced is parsed with them",
			 strerror(-err));
	err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : filter_calls();
	if (err)
		log_warn("system calls cannot be limited (%s): what is traced is parsed without "
			 "that",
			 strerror(-err));
}
