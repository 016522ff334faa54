/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a call ends is probed at instructions inside the function, where its code can be followed and has
 * some that the kernel emulates (site.h).  Else a return probe serves, for which the kernel changes the
 * return address on the stack: exceptions cannot pass that, so in files that know them the RETs are probed
 * (rets.h), which are single-stepped and cost more.  Programs of Go move their stacks, and their
 * goroutines change threads: they are refused.
 */
#include "probe/func_set.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/fact.h"
#include "probe/kern.h"
#include "probe/site.h"
#include "probe/uprobe.h"

#define EXITS 64    /* places where one function returns */
#define MATCHES 256 /* functions of a file that one pattern may name */

/* A number for what was found; 0: there are no more (said once). */
static __u32 new_id(struct funcs *fs, const struct wish *w, __u32 flags)
{
	struct func_probe row = { .texts = func_format_texts(&w->format),
				  .args = w->format.arg_cnt,
				  .flags = flags };

	if (fs->last_id + 1 >= FUNC_IDS) {
		if (fs->last_id < FUNC_IDS)
			log_warn("%s: more than %d functions are probed already; the rest is not",
				 w->asked->asked, FUNC_IDS - 1);
		fs->last_id = FUNC_IDS;
		return 0;
	}
	return kern_put_func(fs->kern, fs->last_id + 1, &row) ? 0 : ++fs->last_id;
}

static int tell(struct funcs *fs, struct wish *w, __u32 id, enum ev_probe_kind kind,
		const char *path, const char *name)
{
	w->hits++;
	return fact_probe(fs->facts, id, kind, path, name, w->asked->format);
}

/* Does the file unwind its stack?  By what the compilers of C++ and Rust leave in it. */
bool func_has_exceptions(struct elf_file *elf)
{
	static const char *const names[] = { "__gxx_personality_v0", "rust_eh_personality",
					     "_Unwind_Resume" };
	__u64 offsets[ARRAY_SIZE(names)];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (elf_has_dynamic(elf, names[i]))
			return true;
	return elf_find_funcs(elf, names, ARRAY_SIZE(names), offsets) > 0;
}

/* Where to probe a function. */
struct plan {
	struct site_at entry;
	struct site_at exits[EXITS];
	size_t exit_cnt;
	bool ret;  /* by a return probe instead */
	bool tail; /* it may end as another function */
};

static void add_exits(struct plan *p, const size_t *rets, int cnt)
{
	for (int i = 0; i < cnt; i++)
		p->exits[p->exit_cnt++] = (struct site_at){ (__u32)rets[i], 0 };
}

/* 0, or -EINVAL: where it ends cannot be told. */
static int choose(const struct target *t, const struct elf_func *func, struct plan *p)
{
	__u64 room = elf_func_room(t->elf, func->offset),
	      n = room < FUNC_CODE_MAX ? room : FUNC_CODE_MAX;
	struct site_plan site = { .exit_cnt = 0 };
	size_t rets[EXITS];
	int cnt = -EINVAL;

	*p = (struct plan){ .ret = true, .tail = true };
	if (elf_machine() != EM_X86_64 || !room || elf_pread(t->elf, func->offset, t->code, n))
		return t->unwinds ? -EINVAL : 0;
	site_choose(&site, t->code, n < FLOW_CODE_MAX ? n : FLOW_CODE_MAX, SITE_SYSV, true);
	/* what follows its last instruction is none of its own */
	if (func->size && func->size <= n)
		cnt = rets_find(t->code, func->size, rets, EXITS);
	p->tail = cnt < 0 && !site.exit_cnt;
	if (!t->fs->plain)
		p->entry = site.entry;
	if (!t->fs->plain && !t->unwinds) { /* a caught exception goes on where no jump leads to */
		memcpy(p->exits, site.exits, sizeof(site.exits));
		p->exit_cnt = site.exit_cnt;
	}
	if (t->unwinds) {
		if (cnt < 0 && func->size && func->size <= n)
			cnt = rets_find_here(t->code, func->size, rets, EXITS);
		if (cnt < 0)
			return cnt;
		add_exits(p, rets, cnt);
		p->ret = false;
	}
	p->ret &= !p->exit_cnt;
	return 0;
}

static __u64 cookie_of(__u32 id, __s64 depth)
{
	return id | (__u64)depth << 32;
}

static int attach(const struct target *t, const char *prog, bool ret, const struct site_at *at,
		  size_t cnt, __u64 base, __u32 id)
{
	int err = 0;

	for (size_t done = 0; done < cnt && !err; done += UPROBE_OFFSETS) {
		struct uprobe_spec spec = {
			.file = t->fd, .ret = ret, .multi = t->fs->multi, .with_cookies = true
		};

		for (size_t i = done; i < cnt && spec.cnt < UPROBE_OFFSETS; i++) {
			spec.offsets[spec.cnt] = base + at[i].at;
			spec.cookies[spec.cnt++] = cookie_of(id, ret ? RETURN_DEPTH : at[i].depth);
		}
		err = uprobe_attach(t->links, kern_uprobe_fd(t->fs->kern, prog), &spec);
	}
	return err;
}

/* The exit first: a call of which only that is seen is not told. */
static int hook_call(const struct target *t, struct wish *w, const struct elf_func *func)
{
	struct plan plan;
	__u32 id;
	int err;

	if (choose(t, func, &plan)) {
		log_warn(
			"%s: where %s in %s returns is not understood, and exceptions may pass it; "
			"it is not probed",
			w->asked->asked, func->name, t->path);
		return 0;
	}
	id = new_id(t->fs, w, plan.tail ? FUNC_TAIL : 0);
	if (!id)
		return 0;
	if (plan.ret)
		err = attach(t, "func_exit", true, &plan.entry, 1, func->offset, id);
	else
		err = attach(t, "func_exit", false, plan.exits, plan.exit_cnt, func->offset, id);
	if (!err)
		err = attach(t, "func_enter", false, &plan.entry, 1, func->offset, id);
	if (err)
		return log_err(err, "%s: cannot set a probe on %s in %s: %s", w->asked->asked,
			       func->name, t->path, strerror(-err));
	log_debug("%s in %s: entry at +%u, %s", func->name, t->path, plan.entry.at,
		  plan.ret ? "return probe" : "exits inside");
	err = tell(t->fs, w, id, EV_PROBE_CALL, t->path, func->name);
	return err ? err : 1;
}

/* Does an instruction begin there?  A breakpoint inside one would change what the program does. */
static bool is_instruction(const struct target *t, __u64 func, __u64 at)
{
	__u64 room = elf_func_room(t->elf, func), n = room < FUNC_CODE_MAX ? room : FUNC_CODE_MAX,
	      off = 0;
	ZydisDecodedInstruction in;
	ZydisDecoder dec;

	if (at >= n || elf_pread(t->elf, func, t->code, n))
		return false;
	if (elf_machine() != EM_X86_64)
		return at % 4 == 0;
	if (ZYAN_FAILED(ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return false;
	while (off < at) {
		if (ZYAN_FAILED(
			    ZydisDecoderDecodeInstruction(&dec, NULL, t->code + off, n - off, &in)))
			return false;
		off += in.length;
	}
	return off == at;
}

static int hook_place(const struct target *t, struct wish *w, const struct elf_func *func)
{
	struct site_at at = { (__u32)w->asked->offset, 0 };
	char name[ELF_NAME_SIZE + 24];
	__u32 id;
	int err;

	if (!is_instruction(t, func->offset, w->asked->offset)) {
		log_warn("%s: no instruction of %s in %s begins there; `objdump -d` shows them",
			 w->asked->asked, func->name, t->path);
		return 0;
	}
	id = new_id(t->fs, w, 0);
	if (!id)
		return 0;
	err = attach(t, "func_point", false, &at, 1, func->offset, id);
	if (err)
		return log_err(err, "%s: cannot set a probe in %s: %s", w->asked->asked, t->path,
			       strerror(-err));
	snprintf(name, sizeof(name), "%s+0x%x", func->name, at.at);
	err = tell(t->fs, w, id, EV_PROBE_PLACE, t->path, name);
	return err ? err : 1;
}

static bool is_go(struct elf_file *elf)
{
	static const char *const sections[] = { ".gopclntab", ".data.rel.ro.gopclntab",
						".note.go.buildid" };

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (elf_section_addr(elf, sections[i]))
			return true;
	return false;
}

/* Of two that name the same function the first is taken: its calls begin in one place. */
static bool is_done(struct target *t, __u64 offset)
{
	const __u64 *done = (const void *)t->done.p;

	for (size_t i = 0; i < t->done.len / sizeof(*done); i++)
		if (done[i] == offset)
			return true;
	buf_add(&t->done, &offset, sizeof(offset));
	return false;
}

static int hook_each(struct target *t, struct wish *w, const struct elf_func *func)
{
	if (w->asked->place)
		return hook_place(t, w, func);
	if (!is_done(t, func->offset))
		return hook_call(t, w, func);
	w->hits++;
	return 0;
}

int func_set_calls(struct target *t, struct wish *w)
{
	_cleanup_free_ struct elf_func *found = calloc(MATCHES, sizeof(*found));
	int n = found ? elf_match_funcs(t->elf, w->asked->name, found, MATCHES) : -ENOMEM, sum = 0;

	if (n == -E2BIG)
		log_warn("%s: fits more than %d functions of %s, none is probed; narrow it",
			 w->asked->asked, MATCHES, t->path);
	if (n > 0 && is_go(t->elf)) {
		log_warn("%s: %s is a program of Go, whose stacks move and whose goroutines change "
			 "threads; its functions are not probed",
			 w->asked->asked, t->path);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		int ret = hook_each(t, w, &found[i]);

		if (ret < 0)
			return ret;
		sum += ret;
	}
	return n == -ENOMEM ? n : sum;
}

/* --- USDT */

/* What two of them begin and end with one another are called. */
static const struct {
	const char *begin, *end;
} pairs[] = {
	{ "__entry", "__return" }, { "__entry", "__exit" }, { "__start", "__done" },
	{ "__start", "__end" },    { "__start", "__stop" }, { "__begin", "__end" },
	{ "__begin", "__done" },
};

/* 0 or -errno; -ENOENT: the file has no such probe. */
static int attach_usdt(const struct target *t, const char *provider, const char *name, __u64 cookie)
{
	LIBBPF_OPTS(bpf_usdt_opts, opts, .usdt_cookie = cookie);
	struct funcs *fs = t->fs;
	struct usdt_link *grown;
	struct bpf_link *link;
	char path[32];

	grown = realloc(fs->links, (fs->link_cnt + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	fs->links = grown;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	link = bpf_program__attach_usdt(kern_program(fs->kern, "func_usdt"), -1, path, provider,
					name, &opts);
	if (!link)
		return -errno;
	fs->links[fs->link_cnt++].link = link;
	return 0;
}

/* The probe where it ends, if what was asked for is where something begins. */
static int attach_end(const struct target *t, const struct probe_func *asked, __u32 id)
{
	size_t len = strlen(asked->name);
	int err = -ENOENT;

	for (size_t i = 0; err == -ENOENT && i < ARRAY_SIZE(pairs); i++) {
		size_t n = strlen(pairs[i].begin);
		char name[128];

		if (len <= n || strcmp(asked->name + len - n, pairs[i].begin) != 0 ||
		    len - n + strlen(pairs[i].end) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s%s", (int)(len - n), asked->name, pairs[i].end);
		err = attach_usdt(t, asked->provider, name, cookie_of(id, 0) | FUNC_END);
	}
	return err;
}

static bool ends_by_name(const struct probe_func *asked)
{
	return strcmp(asked->provider, "python") == 0 &&
	       strcmp(asked->name, "function__entry") == 0;
}

int func_set_usdt(struct target *t, struct wish *w)
{
	const struct probe_func *asked = w->asked;
	__u32 id = new_id(t->fs, w, ends_by_name(asked) ? FUNC_NAMES : 0);
	char name[256];
	bool pair;
	int err;

	if (!id)
		return 0;
	err = attach_end(t, asked, id);
	pair = !err;
	if (!err || err == -ENOENT)
		err = attach_usdt(t, asked->provider, asked->name,
				  cookie_of(id, 0) | (pair ? FUNC_BEGIN : 0));
	if (err == -ENOENT)
		return 0;
	if (err)
		return log_err(err, "%s: cannot set a probe in %s: %s; -v shows why", asked->asked,
			       t->path, strerror(-err));
	snprintf(name, sizeof(name), "%s:%s", asked->provider, asked->name);
	err = tell(t->fs, w, id, pair ? EV_PROBE_PAIR : EV_PROBE_USDT, t->path, name);
	return err ? err : 1;
}
