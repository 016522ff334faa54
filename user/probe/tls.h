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

/* What a function does, which decides the programs for it (tls.c). */
enum tls_role {
	TLS_READ,
	TLS_WRITE,
	TLS_READ_EX,
	TLS_WRITE_EX,
	TLS_WRITE_EX2, /* the number of bytes goes where the fifth argument points, not the fourth */
	TLS_SENDFILE,  /* what it writes is in a file, and is not seen */
	TLS_FREE,      /* the object is no more */
	TLS_CLEAR,     /* what the object does from now on is another connection */
	TLS_GNUTLS_RECV,
	TLS_GNUTLS_PACKET,
	TLS_GNUTLS_SEND,
	TLS_GNUTLS_SENDFILE,
	TLS_GNUTLS_UNCORK,
	TLS_NSS_READ,
	TLS_NSS_RECV,
	TLS_NSS_WRITE,
	TLS_NSS_WRITEV,
	TLS_NSS_CLOSE,
	TLS_NSS_IMPORT, /* makes a file a TLS connection */
	TLS_ROLES
};

#define TLS_FUNCS_MAX 16

/* A function that is called as its library's documentation says. */
struct tls_func {
	enum tls_role role;
	__u64 offset; /* into the file */
	/* where in it to probe, or in an inner one; not locate()'s business */
	struct site_plan plan;
	__u64 inner; /* the function, as an offset, by which it does what it does (inner.h); 0: none */
	bool covered; /* ... which has its probes as another one's */
};

#define TLS_SITES_MAX 96
#define TLS_CHEAP_MAX 4096 /* no site is further from its function's entry */
#define TLS_DOUBT_MAX 160

/* A place inside a function, for libraries whose calls are not OpenSSL's. */
struct tls_site {
	__u64 offset;
	/* so many bytes further on an emulated instruction serves as well (site.h); 0: none known */
	__u32 cheap;
	const char *prog; /* in bpf/ */
	bool ret;         /* offset is that of a function, and prog is for its return */
};

struct tls_hooks {
	struct tls_func funcs[TLS_FUNCS_MAX];
	size_t func_cnt;
	struct tls_site sites[TLS_SITES_MAX]; /* beside these, probed in this order */
	size_t site_cnt;
	int cnt; /* functions of the library that were found */
	/* why locate() refused: "holds rustls, but ..."; "": it did not */
	char doubt[TLS_DOUBT_MAX];
};

struct tls_ops {
	const char *name;
	enum ev_src src;
	/* Where such files usually are (glob(7)), NULL-terminated: probed before anything runs. */
	const char *const *globs;
	/* Goes by the names of functions: where it finds or refuses some nobody searches code. */
	bool by_name;
	/* Searches code: not asked about a file in which an earlier line of tls.def found something. */
	bool stripped;
	/* What stands before its version in a file that holds it; NULL: nothing does. */
	const char *mark;
	/* Programs of its sites, NULL-terminated; NULL: it has no sites. */
	const char *const *progs;
	/*
	 * Fills hooks, which is zeroed: hooks->cnt functions, 0 when this library is not in the file.
	 * tls_refuse() when it is but cannot be probed safely; then nothing of it is.  Else -errno.
	 */
	int (*locate)(struct elf_file *f, struct tls_hooks *hooks);
};

/* A symbol that matters. */
struct tls_symbol {
	const char *name;
	enum tls_role role;
	/*
	 * Functions that are there together or not at all, so that no connection is seen by half; in
	 * group 1 those without which the library is not in the file.  0: alone.
	 */
	unsigned int group;
};

#define TLS_SYMBOLS_MAX TLS_FUNCS_MAX

/*
 * locate() of a library that has symbols.  Refuses when a group is not complete or
 * where one of them points no function begins.
 */
int tls_find_symbols(struct elf_file *f, const struct tls_symbol *symbols, size_t cnt,
		     struct tls_hooks *hooks);

/* For locate(): one more function that was found; an offset that is there already adds nothing. */
void tls_add(struct tls_hooks *hooks, enum tls_role role, __u64 offset);

/* The programs in bpf/ for the entry and for the return of a function; NULL: none. */
const char *tls_enter_prog(enum tls_role role);
const char *tls_exit_prog(enum tls_role role);

/* Notes why, and gives -EINVAL. */
__attribute__((format(printf, 2, 3))) int tls_refuse(struct tls_hooks *hooks, const char *fmt, ...);

/* What locate() found, then where in it to probe. */
int tls_locate(const struct tls_ops *lib, struct elf_file *f, struct tls_hooks *hooks);

/* The second part alone.  0 or -ENOMEM. */
int tls_choose_sites(struct elf_file *f, struct tls_hooks *hooks);

/* Where in the file that begins which the plan is for. */
__u64 tls_func_base(const struct tls_func *func);

/* Leaves only the sites that do without cookies, or only the plain ones. */
void tls_limit_sites(struct tls_hooks *hooks, bool cookies, bool plain);

/* Where its probes are: "4 at emulated sites, 2 plain (ends in another function)"; always ends with NUL */
void tls_summary(const struct tls_hooks *hooks, char *text, size_t size);

extern const struct tls_ops *const tls_libs[];
extern const size_t tls_libs_cnt;

#endif
