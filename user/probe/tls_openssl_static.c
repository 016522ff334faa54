/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL 3 linked into a program that keeps no symbols.  Its error reports name the function that
 * they come from (__func__, since 3.0), and only that function refers to the string; the unwind
 * table says where it begins.  SSL_read and SSL_write make no reports, but what they and their kin
 * call does: ssl_read_internal and ssl_write_internal, with the number of bytes behind a pointer.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "probe/scan.h"
#include "probe/tls.h"

#define STRINGS_MAX 4 /* of one name */
#define REFS_MAX 128

/* ssl_write_internal takes flags before `written` since 3.3, and this reason came with them. */
#define SSL_R_UNSUPPORTED_WRITE_FLAG 412

static const char *const globs[] = { NULL };

enum { RD, WR, FUNCTIONS };

/* Behind a byte that is no part of them, or this program would seem to have such functions. */
static const char *const names[FUNCTIONS] = { "=ssl_read_internal", "=ssl_write_internal" };

struct search {
	__u64 strings[FUNCTIONS * STRINGS_MAX]; /* where names are */
	int cnt[FUNCTIONS];                     /* strings of each, in that order */
	struct scan_ref refs[REFS_MAX];         /* to any of them */
	int ref_cnt;
};

struct function {
	__u64 start, end;
};

/* Strings that are a name and nothing else: how many, or -errno. */
static int find_strings(const struct elf_file *f, const char *name, __u64 *strings)
{
	char bytes[32] = { 0 }; /* 0, the name, 0 */
	int n, len = snprintf(bytes + 1, sizeof(bytes) - 1, "%s", name + 1);

	n = scan_bytes(f, bytes, len + 2, strings, STRINGS_MAX);
	for (int i = 0; i < n; i++)
		strings[i]++;
	return n;
}

static bool is_one_of(__u64 target, const __u64 *strings, int cnt)
{
	for (int i = 0; i < cnt; i++)
		if (strings[i] == target)
			return true;
	return false;
}

/* The function that holds all references to a name; NULL, or why there is doubt. */
static const char *find_function(const struct elf_file *f, const struct search *s, int which,
				 struct function *fn, struct scan_calls *calls)
{
	const __u64 *strings = s->strings + (which == WR ? s->cnt[RD] : 0);
	bool found = false;

	for (int i = 0; i < s->ref_cnt; i++) {
		__u64 at = s->refs[i].addr, start, end;

		if (!is_one_of(s->refs[i].target, strings, s->cnt[which]))
			continue;
		if (elf_unwind_range(f, at, &start, &end))
			return "its unwind table does not say where a function begins";
		if (found && start != fn->start)
			return "two functions go by the same name";
		*fn = (struct function){ start, end };
		found = true;
		scan_calls_init(calls, at);
	}
	return found ? NULL : "no code refers to the name of a function";
}

static bool takes_flags(const struct elf_file *f, const struct function *fn)
{
	static const __u32 reason = SSL_R_UNSUPPORTED_WRITE_FLAG;
	__u64 size = fn->end - fn->start;
	unsigned char code[SCAN_RANGE];
	size_t n = elf_read(f, fn->start, code, size < sizeof(code) ? size : sizeof(code));

	for (size_t i = 1; i + sizeof(reason) <= n; i++)
		if ((code[i - 1] & 0xf8) == 0xb8 && memcmp(code + i, &reason, sizeof(reason)) == 0)
			return true;
	return false;
}

/* A function is called; what a compiler splits off from one is only jumped to. */
static const char *check(struct elf_file *f, const struct function *fn,
			 const struct scan_calls *calls)
{
	if (fn[RD].start == fn[WR].start)
		return "reading and writing are one function";
	for (int i = 0; i < FUNCTIONS; i++) {
		if (!scan_is_called(&calls[i], fn[i].start))
			return "nothing calls what should be a function";
		if (!elf_is_entry(f, elf_code_offset(f, fn[i].start, 1)))
			return "the bytes found do not begin a function";
	}
	return NULL;
}

/* NULL, or why there is doubt. */
static const char *find_functions(struct elf_file *f, struct search *s, struct tls_hooks *hooks)
{
	struct scan_calls calls[FUNCTIONS];
	struct function fn[FUNCTIONS];
	const char *doubt = NULL;
	int err;

	s->ref_cnt = scan_refs(f, s->strings, s->cnt[RD] + s->cnt[WR], s->refs, REFS_MAX);
	if (s->ref_cnt < 0)
		return strerror(-s->ref_cnt);
	for (int i = 0; !doubt && i < FUNCTIONS; i++)
		doubt = find_function(f, s, i, &fn[i], &calls[i]);
	if (doubt)
		return doubt;
	err = scan_calls(f, calls, FUNCTIONS);
	if (err)
		return strerror(-err);
	doubt = check(f, fn, calls);
	if (doubt)
		return doubt;
	tls_add(hooks, TLS_READ_EX, elf_code_offset(f, fn[RD].start, 1));
	tls_add(hooks, takes_flags(f, &fn[WR]) ? TLS_WRITE_EX2 : TLS_WRITE_EX,
		elf_code_offset(f, fn[WR].start, 1));
	return NULL;
}

static int openssl_static_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	_cleanup_free_ struct search *s = calloc(1, sizeof(*s));
	const char *doubt = NULL;

	if (!s)
		return -ENOMEM;
	s->cnt[RD] = find_strings(f, names[RD], s->strings);
	if (!s->cnt[RD])
		return 0;
	if (s->cnt[RD] > 0)
		s->cnt[WR] = find_strings(f, names[WR], s->strings + s->cnt[RD]);
	if (elf_machine() != EM_X86_64)
		doubt = "only x86-64 code is understood";
	for (int i = 0; !doubt && i < FUNCTIONS; i++)
		if (s->cnt[i] < 0)
			doubt = strerror(-s->cnt[i]);
	if (!doubt)
		doubt = find_functions(f, s, hooks);
	if (!doubt)
		return 0;
	return tls_refuse(hooks, "holds OpenSSL without symbols, but %s", doubt);
}

const struct tls_ops tls_openssl_static = {
	.name = "stripped openssl",
	.src = EV_SRC_OPENSSL_STATIC,
	.globs = globs,
	.mark = "OpenSSL ",
	.stripped = true,
	.locate = openssl_static_locate,
};
