/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS libraries: how to find their functions in a file.  One file and one line in tls.def for each;
 * an ops struct only says where to probe, what happens there is in bpf/.
 */
#ifndef RINGSPAN_PROBE_TLS_H
#define RINGSPAN_PROBE_TLS_H

#include <linux/types.h>
#include "event.h"
#include "probe/elf.h"
#include "probe/site.h"

/* TLS_WRITE_EX2: the number of bytes written goes where the fifth argument points, not the fourth */
enum tls_role {
	TLS_READ,
	TLS_WRITE,
	TLS_READ_EX,
	TLS_WRITE_EX,
	TLS_WRITE_EX2,
	TLS_FREE,
	TLS_ROLES
};

#define TLS_SITES_MAX 96

/* A place inside a function, for libraries whose calls are not OpenSSL's. */
struct tls_site {
	__u64 offset;
	/* so many bytes further on an emulated instruction serves as well (site.h); 0: none known */
	__u32 cheap;
	const char *prog; /* in bpf/ */
	bool ret;         /* offset is that of a function, and prog is for its return */
};

struct tls_hooks {
	__u64 offsets[TLS_ROLES];          /* into the file; 0: not there */
	struct site_plan plans[TLS_ROLES]; /* where in each; not locate()'s business */
	int cnt;
	struct tls_site sites[TLS_SITES_MAX]; /* beside these, probed in this order */
	size_t site_cnt;
};

struct tls_ops {
	const char *name;
	enum ev_src src;
	/* Where such files usually are (glob(7)), NULL-terminated: probed before anything runs. */
	const char *const *globs;
	/* Searches code: not asked about a file in which an earlier line of tls.def found something. */
	bool stripped;
	/*
	 * Fills hooks: hooks->cnt functions, 0 when this library is not in the file.  -EINVAL, with a
	 * warning, when it is but cannot be probed safely; then nothing of it is.
	 */
	int (*locate)(struct elf_file *f, const char *path, struct tls_hooks *hooks);
};

/* What locate() found, then where in it to probe. */
int tls_locate(const struct tls_ops *lib, struct elf_file *f, const char *path,
	       struct tls_hooks *hooks);

/* Leaves only the sites that do without cookies, or only the plain ones. */
void tls_limit_sites(struct tls_hooks *hooks, bool cookies, bool plain);

/* Where its probes are: "4 at emulated sites, 2 plain (ends in another function)"; always ends with NUL */
void tls_summary(const struct tls_hooks *hooks, char *text, size_t size);

extern const struct tls_ops *const tls_libs[];
extern const size_t tls_libs_cnt;

#endif
