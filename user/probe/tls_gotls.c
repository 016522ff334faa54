/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Go's crypto/tls, in any Go program from 1.17 on: by the runtime's own function table, as Go has no
 * symbols to rely on.  Probes are at the entries and at every RET (bpf/gotls.bpf.c says why), and only
 * where the code is of the register ABI, whose registers the programs read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "probe/pcln.h"
#include "probe/rets.h"
#include "probe/tls.h"

enum { GO_READ, GO_WRITE, GO_CLOSE, GO_FUNCS };

static const char *const names[GO_FUNCS] = {
	[GO_READ] = "crypto/tls.(*Conn).Read",
	[GO_WRITE] = "crypto/tls.(*Conn).Write",
	[GO_CLOSE] = "crypto/tls.(*Conn).Close",
};

static const char *const enter_progs[GO_FUNCS] = {
	[GO_READ] = "gotls_read_enter",
	[GO_WRITE] = "gotls_write_enter",
	[GO_CLOSE] = "gotls_close_enter",
};

static const char exit_prog[] = "gotls_exit";

static const char *const progs[] = {
	"gotls_read_enter", "gotls_write_enter", "gotls_close_enter", exit_prog, NULL,
};

/* Go programs are anywhere. */
static const char *const globs[] = { NULL };

/* What of a function was found. */
struct go_func {
	__u64 offset; /* of its entry, into the file */
	__u32 cheap;  /* as in tls_site */
};

static void add_site(struct tls_hooks *hooks, __u64 offset, __u32 cheap, const char *prog)
{
	hooks->sites[hooks->site_cnt++] =
		(struct tls_site){ .offset = offset, .cheap = cheap, .prog = prog };
}

/*
 * The comparison of the stack pointer with the goroutine's bound, in R14: cmp 16(R14), RSP; for large
 * frames lea -n(RSP), R12; cmp 16(R14), R12.  Go 1.16 takes the goroutine from %fs here.
 */
static bool is_go_entry(const unsigned char *p, size_t n)
{
	static const unsigned char cmp_sp[] = { 0x49, 0x3b, 0x66, 0x10 };
	static const unsigned char cmp_r12[] = { 0x4d, 0x3b, 0x66, 0x10 };
	static const unsigned char lea8[] = { 0x4c, 0x8d, 0x64, 0x24 };
	static const unsigned char lea32[] = { 0x4c, 0x8d, 0xa4, 0x24 };

	if (n < 12)
		return false;
	return memcmp(p, cmp_sp, 4) == 0 ||
	       (memcmp(p, lea8, 4) == 0 && memcmp(p + 5, cmp_r12, 4) == 0) ||
	       (memcmp(p, lea32, 4) == 0 && memcmp(p + 8, cmp_r12, 4) == 0);
}

/* Checks a function's n bytes of code, and notes its RETs. */
static int check_code(const unsigned char *code, size_t n, bool returns, struct go_func *func,
		      struct tls_hooks *hooks)
{
	size_t rets[TLS_SITES_MAX];
	struct site_plan plan;
	int cnt;

	if (!is_go_entry(code, n))
		return -EINVAL;
	cnt = rets_find(code, n, rets, TLS_SITES_MAX - GO_FUNCS - hooks->site_cnt);
	for (int i = 0; returns && i < cnt; i++)
		add_site(hooks, func->offset + rets[i], 0, exit_prog);
	site_choose(&plan, code, n, SITE_GO, false);
	func->cheap = plan.entry.depth ? 0 : plan.entry.at;
	return cnt < 0 ? cnt : 0;
}

static int take_func(const struct elf_file *f, const struct pcln_func *func, __u64 text,
		     bool returns, struct go_func *out, struct tls_hooks *hooks)
{
	__u64 n = func->end - func->start;
	unsigned char *code;
	int err;

	out->offset = elf_code_offset(f, text + func->start, n);
	if (!out->offset || !n || n > RETS_CODE_MAX)
		return -EINVAL;
	code = malloc(n);
	if (!code)
		return -ENOMEM;
	err = elf_pread(f, out->offset, code, n);
	if (!err)
		err = check_code(code, n, returns, out, hooks);
	free(code);
	return err;
}

/* RETs first: a call whose return was not seen is dropped, one whose entry was not is not told. */
static int take_all(const struct elf_file *f, const struct pcln *pcln, __u64 text,
		    struct tls_hooks *hooks)
{
	struct go_func funcs[GO_FUNCS];

	hooks->site_cnt = 0;
	for (int i = 0; i < GO_FUNCS; i++) {
		int err = take_func(f, &pcln->funcs[i], text, i != GO_CLOSE, &funcs[i], hooks);

		if (err)
			return err;
	}
	for (int i = 0; i < GO_FUNCS; i++)
		add_site(hooks, funcs[i].offset, funcs[i].cheap, enter_progs[i]);
	return 0;
}

static int gotls_locate(struct elf_file *f, struct tls_hooks *hooks)
{
	struct pcln_func funcs[GO_FUNCS];
	struct pcln pcln = { .funcs = funcs };
	int found = pcln_find(&pcln, f, names, GO_FUNCS);
	__u64 text;

	if (!found)
		return 0;
	if (found == -EINVAL)
		return tls_refuse(hooks, "its Go function table is damaged, or there are two");
	if (found < 0)
		return found;
#if !defined(__x86_64__)
	return tls_refuse(hooks, "Go's crypto/tls is only known on x86-64");
#endif
	if (found != GO_FUNCS)
		return tls_refuse(hooks, "a part of Go's crypto/tls is not there");
	/* a program linked by Go itself has nothing before its text */
	text = pcln.absolute ? 0 : pcln.text ? pcln.text : elf_section_addr(f, ".text");
	if (take_all(f, &pcln, text, hooks)) {
		hooks->site_cnt = 0;
		return tls_refuse(hooks,
				  "the code of Go's crypto/tls is not what Go 1.17 or later makes");
	}
	hooks->cnt = GO_FUNCS;
	return 0;
}

const struct tls_ops tls_gotls = {
	.name = "go",
	.src = EV_SRC_GOTLS,
	.globs = globs,
	.by_name = true,
	.progs = progs,
	.locate = gotls_locate,
};
