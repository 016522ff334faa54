/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BoringSSL linked into a program that keeps no symbols (Bun, and what is built with it).  Its error
 * reports pass library, reason, source file and line as numbers: code that refers to the path of
 * ssl_lib.cc is such a report, and the reasons, in the order of their lines, tell SSL_read and
 * SSL_write.  Which registers carry what differs by version, the order of the arguments does not.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "probe/scan.h"
#include "probe/tls.h"

#define PATHS_MAX 8
#define PATH_LEN 256 /* of the source file */
#define SITES_MAX 512
#define PICKS_MAX 8 /* reports of one line */
#define RUN 5       /* instructions looked at on each side of a reference */
#define INSN_LEN 7  /* the longest of them */
#define NEAR 64     /* lines from SSL_read's report to SSL_write's first, and on to its last */
#define IMM_MAX 0xffff

/* include/openssl/err.h and ssl.h; they never changed */
#define LIB_SSL 16
#define REASON_NOT_TO_BE_CALLED 66 /* first check of SSL_peek (inlined in SSL_read) and SSL_write */
#define REASON_BAD_LENGTH 111      /* further down in SSL_write */

static const char *const globs[] = {
	"/usr/bin/bun",
	"/usr/local/bin/bun",
	"/home/*/.bun/bin/bun",
	NULL,
};

struct site {
	struct scan_ref ref; /* to the path */
	__u32 lib, reason, line;
};

/* mov $imm32, r32; what a register got from the instruction nearest to the reference stays. */
static size_t take_imm(const unsigned char *p, unsigned int reg, size_t size, __u32 *imm)
{
	__u32 v;

	memcpy(&v, p, sizeof(v));
	if (v <= IMM_MAX && !imm[reg])
		imm[reg] = v;
	return size;
}

/* The instruction at p, if it is one that sets an argument: its length, or 0.  Intel SDM, volume 2 */
static size_t run_next(const unsigned char *p, __u32 *imm)
{
	if ((p[0] & 0xf8) == 0xb8)
		return take_imm(p + 1, p[0] & 7, 5, imm);
	if (p[0] == 0x41 && (p[1] & 0xf8) == 0xb8)
		return take_imm(p + 2, 8 + (p[1] & 7), 6, imm);
	if (p[0] == 0x31 && (p[1] & 0xc0) == 0xc0) /* xor r32, r32 */
		return 2;
	if ((p[0] == 0x45 || p[0] == 0x44) && p[1] == 0x31)
		return 3;
	if ((p[0] == 0x48 || p[0] == 0x4c) && p[1] == 0x8d && (p[2] & 0xc7) == 5) /* lea */
		return 7;
	return 0;
}

/* The same for the instruction that ends at p; small numbers make it plain which one it is. */
static size_t run_before(const unsigned char *p, __u32 *imm)
{
	bool small = p[-2] == 0 && p[-1] == 0;

	if (small && p[-6] == 0x41 && (p[-5] & 0xf8) == 0xb8)
		return take_imm(p - 4, 8 + (p[-5] & 7), 6, imm);
	if (small && (p[-5] & 0xf8) == 0xb8)
		return take_imm(p - 4, p[-5] & 7, 5, imm);
	if (p[-2] == 0x31 && (p[-1] & 0xc0) == 0xc0)
		return p[-3] == 0x45 || p[-3] == 0x44 || p[-3] == 0x41 ? 3 : 2;
	if ((p[-7] == 0x48 || p[-7] == 0x4c) && p[-6] == 0x8d && (p[-5] & 0xc7) == 5)
		return 7;
	return 0;
}

/* The arguments around a reference; false when it is no report of an error of this library. */
static bool read_site(const struct elf_file *f, struct site *s)
{
	static const unsigned int args[] = { 7, 6, 2, 1, 8 }; /* rdi, rsi, rdx, rcx, r8 */
	unsigned char code[2 * RUN * INSN_LEN + INSN_LEN] = { 0 };
	size_t before = RUN * INSN_LEN, n = before + s->ref.size + RUN * INSN_LEN, file = 0, len;
	const unsigned char *p = code + before;
	__u32 imm[16] = { 0 };

	if (elf_read(f, s->ref.addr - before, code, n) != n)
		return false;
	p += s->ref.size;
	for (int i = 0; i < RUN && (len = run_next(p, imm)); i++)
		p += len;
	p = code + before;
	for (int i = 0; i < RUN && (len = run_before(p, imm)); i++)
		p -= len;
	while (file < ARRAY_SIZE(args) && args[file] != s->ref.reg)
		file++;
	if (!file || file + 1 >= ARRAY_SIZE(args))
		return false;
	s->lib = imm[args[0]];
	s->reason = imm[args[file - 1]];
	s->line = imm[args[file + 1]];
	return s->lib == LIB_SSL && s->reason && s->line;
}

/* Where the path of the source file begins: how many such strings, or -errno. */
static int find_paths(const struct elf_file *f, __u64 *paths)
{
	/* or .cc; without its last byte, or this program would seem to hold such a path */
	static const char name[] = "/ssl/ssl_lib.c?";
	const size_t name_len = sizeof(name) - 2;
	__u64 hits[PATHS_MAX];
	int n = scan_bytes(f, name, name_len, hits, PATHS_MAX), cnt = 0;

	for (int i = 0; i < n; i++) {
		char text[PATH_LEN], tail[2];
		const char *nul;
		size_t len = PATH_LEN;

		if (elf_read(f, hits[i] + name_len, tail, 2) != 2 ||
		    (tail[0] && (tail[0] != 'c' || tail[1])))
			continue;
		while (len && elf_read(f, hits[i] - len, text, len) != len)
			len /= 2; /* the segment begins in between */
		nul = memrchr(text, 0, len);
		if (nul) /* the end of the string before it */
			paths[cnt++] = hits[i] - (text + len - nul - 1);
	}
	return n < 0 ? n : cnt;
}

/* All reports of errors that name one of the paths: how many, or -errno. */
static int find_sites(const struct elf_file *f, const __u64 *paths, int path_cnt,
		      struct site *sites)
{
	_cleanup_free_ struct scan_ref *refs = calloc(SITES_MAX, sizeof(*refs));
	int n = refs ? scan_refs(f, paths, path_cnt, refs, SITES_MAX) : -ENOMEM, cnt = 0;

	for (int i = 0; i < n; i++) {
		sites[cnt].ref = refs[i];
		cnt += read_site(f, &sites[cnt]);
	}
	return n < 0 ? n : cnt;
}

/* The largest line below a bound that reports the reason; 0: none. */
static __u32 last_line(const struct site *sites, int cnt, __u32 reason, __u32 below)
{
	__u32 line = 0;

	for (int i = 0; i < cnt; i++)
		if (sites[i].reason == reason && sites[i].line < below && sites[i].line > line)
			line = sites[i].line;
	return line;
}

/* push %rbp; mov %rsp, %rbp, or endbr64, or the push of a register that the caller keeps */
static bool is_prologue(const unsigned char *p)
{
	return memcmp(p, "\x55\x48\x89\xe5", 4) == 0 || memcmp(p, "\xf3\x0f\x1e\xfa", 4) == 0 ||
	       (p[0] & 0xf8) == 0x50 || (p[0] == 0x41 && (p[1] & 0xf8) == 0x50);
}

/*
 * Where the function that holds an address begins, 0 in doubt: at a beginning's bytes, aligned, and
 * behind padding or called.  Never before the unwind table's last entry: that one may stand for many
 * functions, but none begins before it and ends behind it.
 */
static __u64 function_start(const struct elf_file *f, __u64 addr, const struct scan_calls *calls)
{
	__u64 low = 0, end;

	if (elf_unwind_range(f, addr, &low, &end))
		low = 0;
	for (__u64 at = addr & ~15ull; at >= low && at > calls->low; at -= 16) {
		unsigned char p[5]; /* the byte before, and the first four */

		if (elf_read(f, at - 1, p, sizeof(p)) != sizeof(p))
			return 0;
		if (is_prologue(p + 1) && (p[0] == 0xcc || scan_is_called(calls, at)))
			return at;
	}
	return 0;
}

struct report {
	__u32 reason, line;
};

enum { READ, WRITE, LENGTH, REPORTS }; /* the last two are both in SSL_write */

/* Sites of these reports; a compiler may have made several of one. */
struct picks {
	const struct site *sites[PICKS_MAX];
	struct scan_calls calls[PICKS_MAX];
	size_t cnt;
};

static bool is_report(const struct site *s, const struct report *r)
{
	return s->reason == r->reason && s->line == r->line;
}

static int pick(struct picks *p, const struct site *sites, int cnt, const struct report *r)
{
	for (int i = 0; i < cnt; i++) {
		if (!is_report(&sites[i], r))
			continue;
		if (p->cnt == PICKS_MAX)
			return -E2BIG;
		p->sites[p->cnt] = &sites[i];
		scan_calls_init(&p->calls[p->cnt++], sites[i].ref.addr);
	}
	return 0;
}

/* The one function that holds all sites of a report: its beginning, 0 in doubt. */
static __u64 reporter(const struct elf_file *f, const struct picks *p, const struct report *r)
{
	__u64 start = 0;

	for (size_t i = 0; i < p->cnt; i++) {
		__u64 at;

		if (!is_report(p->sites[i], r))
			continue;
		at = function_start(f, p->sites[i]->ref.addr, &p->calls[i]);
		if (!at || (start && at != start))
			return 0;
		start = at;
	}
	return start;
}

/* The reports that matter, by the order of their lines; NULL, or why there is doubt. */
static const char *find_reports(const struct site *sites, int cnt, struct report *r)
{
	__u32 length = last_line(sites, cnt, REASON_BAD_LENGTH, ~0u);
	__u32 write = last_line(sites, cnt, REASON_NOT_TO_BE_CALLED, length);
	__u32 read = last_line(sites, cnt, REASON_NOT_TO_BE_CALLED, write);

	if (!read)
		return "the error reports of SSL_read and SSL_write are not there";
	if (length - write > NEAR || write - read > NEAR)
		return "its error reports are not in the order that is known";
	r[READ] = (struct report){ REASON_NOT_TO_BE_CALLED, read };
	r[WRITE] = (struct report){ REASON_NOT_TO_BE_CALLED, write };
	r[LENGTH] = (struct report){ REASON_BAD_LENGTH, length };
	return NULL;
}

static const char *find_functions(struct elf_file *f, const struct site *sites, int cnt,
				  struct tls_hooks *hooks)
{
	struct report reports[REPORTS];
	struct picks p = { .cnt = 0 };
	const char *doubt = find_reports(sites, cnt, reports);
	__u64 start[REPORTS];
	int err = 0;

	if (doubt)
		return doubt;
	for (int i = 0; !err && i < REPORTS; i++)
		err = pick(&p, sites, cnt, &reports[i]);
	if (!err)
		err = scan_calls(f, p.calls, p.cnt);
	if (err)
		return strerror(-err);
	for (int i = 0; i < REPORTS; i++) {
		start[i] = reporter(f, &p, &reports[i]);
		if (!start[i] || !elf_is_entry(f, elf_code_offset(f, start[i], 1)))
			return "it cannot be told where SSL_read and SSL_write begin";
	}
	if (start[READ] == start[WRITE] || start[LENGTH] != start[WRITE])
		return "what looks like SSL_write is another function";
	tls_add(hooks, TLS_READ, elf_code_offset(f, start[READ], 1));
	tls_add(hooks, TLS_WRITE, elf_code_offset(f, start[WRITE], 1));
	return NULL;
}

static int boringssl_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	__u64 paths[PATHS_MAX];
	const char *doubt;
	struct site *sites;
	int cnt = find_paths(f, paths);

	if (!cnt)
		return 0;
	sites = calloc(SITES_MAX, sizeof(*sites));
	if (!sites)
		return -ENOMEM;
	if (cnt > 0 && elf_machine() == EM_X86_64)
		cnt = find_sites(f, paths, cnt, sites);
	if (elf_machine() != EM_X86_64)
		doubt = "only x86-64 code is understood";
	else if (cnt < 0)
		doubt = strerror(-cnt);
	else
		doubt = find_functions(f, sites, cnt, hooks);
	free(sites);
	if (!doubt)
		return 0;
	return tls_refuse(hooks, "holds BoringSSL without symbols, but %s", doubt);
}

const struct tls_ops tls_boringssl = {
	.name = "stripped boringssl",
	.src = EV_SRC_BORINGSSL,
	.globs = globs,
	.stripped = true,
	.locate = boringssl_locate,
};
