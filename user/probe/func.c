/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a call ends is probed at instructions inside the function, where its code can be followed and has
 * some that the kernel emulates (site.h).  Else a return probe serves, for which the kernel changes the
 * return address on the stack: exceptions cannot pass that, so in files that know them the RETs are probed
 * (rets.h), which are single-stepped and cost more.  Programs of Go move their stacks, and their
 * goroutines change threads: they are refused.
 */
#include "probe/func.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "event/function.h"
#include "probe/detach.h"
#include "probe/elf.h"
#include "probe/fact.h"
#include "probe/flow.h"
#include "probe/hook.h"
#include "probe/kern.h"
#include "probe/rets.h"
#include "probe/site.h"
#include "probe/uprobe.h"

#define EXITS 64    /* places where one function returns */
#define MATCHES 256 /* functions of a file that one pattern may name */
#define CODE_MAX (RETS_CODE_MAX > FLOW_CODE_MAX ? RETS_CODE_MAX : FLOW_CODE_MAX)

struct wish {
	const struct probe_func *asked;
	struct func_format format;
	char *real; /* the path without symbolic links; NULL: no path, or nothing is there */
	unsigned int hits;
};

struct funcs {
	struct kern *kern;
	struct buf *facts;
	bool multi, plain;
	struct wish *wishes;
	size_t cnt;
	__u32 last_id;
	struct usdt_link {
		struct bpf_link *link;
	} * links; /* of USDT probes */
	size_t link_cnt;
};

/* --- programs */

bool funcs_owns(const struct bpf_program *prog)
{
	return strncmp(bpf_program__name(prog), "func_", 5) == 0;
}

/* The program of a name for kernels with or without bpf_loop: see guard.bpf.h. */
static bool is_wanted(const char *name, bool modern)
{
	size_t len = strlen(name);

	return (len > 4 && strcmp(name + len - 4, "_old") == 0) != modern;
}

void funcs_select(struct bpf_object *obj, const struct features *f, bool on)
{
	static const char *const maps[] = { "func_probes", "__bpf_usdt_specs",
					    "__bpf_usdt_ip_to_spec_id" };
	static const char *const old[] = { "func_threads_old", "func_thread_zero" };
	bool storage = f->of[FEAT_STORAGE].on;
	struct bpf_program *prog;

	bpf_object__for_each_program (prog, obj) {
		const char *name = bpf_program__name(prog);
		bool uprobe = strcmp(bpf_program__section_name(prog), "uprobe") == 0 ||
			      strcmp(bpf_program__section_name(prog), "uretprobe") == 0;

		if (!funcs_owns(prog))
			continue;
		bpf_program__set_autoload(prog, on && is_wanted(name, f->of[FEAT_LOOP].on));
		/* how those of USDT are attached is libbpf's business */
		if (uprobe && f->of[FEAT_MULTI].on)
			bpf_program__set_expected_attach_type(prog, UPROBE_TYPE_MULTI);
	}
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, maps[i]), on);
	bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, "func_threads"), on && storage);
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, old[i]), on && !storage);
}

int funcs_attach(struct hook_links *links, struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program (prog, obj) {
		struct bpf_link *link;

		if (!funcs_owns(prog) || !bpf_program__autoload(prog) ||
		    bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE)
			continue;
		link = bpf_program__attach(prog);
		if (!link)
			return log_err(-errno, "cannot attach %s: %s; see `ringspan doctor`",
				       bpf_program__name(prog), strerror(errno));
		links->of[links->cnt++] = link;
	}
	return 0;
}

/* --- what was asked for */

static bool is_path(const struct probe_func *f)
{
	return strchr(f->bin, '/') != NULL;
}

/* "libc" is libc.so.6, libc-2.31.so; "python3" is python3.11; and not libcrypto.so.3. */
static bool is_called(const char *name, const char *base)
{
	size_t n = strlen(name);

	if (strpbrk(name, "*?["))
		return fnmatch(name, base, 0) == 0;
	if (strncmp(base, name, n) != 0)
		return false;
	base += n;
	return !*base || *base == '.' || isdigit((unsigned char)*base) ||
	       (*base == '-' && isdigit((unsigned char)base[1]));
}

static bool is_meant(const struct wish *w, const char *path)
{
	const char *base = strrchr(path, '/');

	if (is_path(w->asked))
		return strcmp(w->asked->bin, path) == 0 || (w->real && strcmp(w->real, path) == 0);
	return is_called(w->asked->bin, base ? base + 1 : path);
}

int funcs_new(struct funcs **out, const struct probe_cfg *cfg, struct kern *kern,
	      const struct features *f, struct buf *facts)
{
	struct funcs *fs;

	if (!cfg->func_cnt)
		return 0;
	if (!f->of[FEAT_COOKIE].on || (!f->of[FEAT_MULTI].on && !f->of[FEAT_UPROBE].on))
		return log_err(-EOPNOTSUPP,
			       "%s: this machine lacks what that needs: %s; see `ringspan doctor`",
			       cfg->funcs[0].asked,
			       feature_name(f->of[FEAT_COOKIE].on ? FEAT_UPROBE : FEAT_COOKIE));
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	fs->kern = kern;
	fs->facts = facts;
	fs->multi = f->of[FEAT_MULTI].on;
	fs->plain = cfg->force_plain_sites;
	fs->wishes = calloc(cfg->func_cnt, sizeof(*fs->wishes));
	*out = fs;
	if (!fs->wishes)
		return -ENOMEM;
	for (fs->cnt = 0; fs->cnt < cfg->func_cnt; fs->cnt++) {
		struct wish *w = &fs->wishes[fs->cnt];
		const char *why;
		size_t at;

		w->asked = &cfg->funcs[fs->cnt];
		if (func_format_read(&w->format, sv(w->asked->format), &at, &why))
			return log_err(-EINVAL, "%s: %s", w->asked->asked, why);
		if (w->asked->provider && !f->of[FEAT_USDT].on)
			return log_err(-EOPNOTSUPP, "%s: %s; see `ringspan doctor`",
				       w->asked->asked, f->of[FEAT_USDT].reason);
		w->real = is_path(w->asked) ? realpath(w->asked->bin, NULL) : NULL;
	}
	return 0;
}

static void *destroy_links(void *ctx)
{
	struct funcs *fs = ctx;

	for (size_t i = 0; i < fs->link_cnt; i++)
		bpf_link__destroy(fs->links[i].link);
	fs->link_cnt = 0;
	return NULL;
}

void funcs_detach(struct funcs *fs, struct detach *d)
{
	/* one after the other: what libbpf notes of them is not for several threads */
	if (fs && fs->link_cnt)
		detach_work(d, destroy_links, fs);
}

void funcs_free(struct funcs **fsp)
{
	struct funcs *fs = *fsp;

	if (!fs)
		return;
	destroy_links(fs);
	for (size_t i = 0; i < fs->cnt; i++)
		free(fs->wishes[i].real);
	free(fs->wishes);
	free(fs->links);
	free(fs);
	*fsp = NULL;
}

void funcs_tell_unmet(const struct funcs *fs)
{
	for (size_t i = 0; fs && i < fs->cnt; i++)
		if (!fs->wishes[i].hits)
			log_warn("%s: no file that was in use is called so and has it",
				 fs->wishes[i].asked->asked);
}

/* --- setting probes */

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

/* Everything that has to do with one file. */
struct target {
	struct funcs *fs;
	struct elf_file *elf;
	int fd;
	const char *path;
	struct uprobe_links *links;
	unsigned char *code; /* CODE_MAX bytes */
	bool unwinds;        /* exceptions may pass its functions */
};

/* Does the file unwind its stack?  By what the compilers of C++ and Rust leave in it. */
static bool has_exceptions(struct elf_file *elf)
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
	__u64 room = elf_func_room(t->elf, func->offset), n = room < CODE_MAX ? room : CODE_MAX;
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
	__u64 room = elf_func_room(t->elf, func), n = room < CODE_MAX ? room : CODE_MAX, off = 0;
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

static int hook_funcs(const struct target *t, struct wish *w)
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
		int ret =
			w->asked->place ? hook_place(t, w, &found[i]) : hook_call(t, w, &found[i]);

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

static int hook_usdt(const struct target *t, struct wish *w)
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

/* --- files */

int funcs_hook(struct funcs *fs, int fd, const char *path, struct uprobe_links *links)
{
	struct target t = { .fs = fs, .fd = fd, .path = path, .links = links };
	int sum = 0, n = 0;

	for (size_t i = 0; fs && i < fs->cnt && n >= 0; i++) {
		if (!is_meant(&fs->wishes[i], path))
			continue;
		if (!t.elf) {
			t.code = malloc(CODE_MAX);
			n = t.code ? elf_file_new(&t.elf, fd) : -ENOMEM;
			if (n)
				break;
			t.unwinds = has_exceptions(t.elf);
		}
		n = fs->wishes[i].asked->provider ? hook_usdt(&t, &fs->wishes[i])
						  : hook_funcs(&t, &fs->wishes[i]);
		sum += n > 0 ? n : 0;
	}
	elf_file_free(&t.elf);
	free(t.code);
	return n < 0 && n != -ENOEXEC ? n : sum;
}

/* Where libraries and programs are that go by a name. */
static const char *const places[] = {
	"/lib/*-linux-gnu/*", "/usr/lib/*-linux-gnu/*", "/lib64/*",   "/usr/lib64/*",
	"/usr/lib/*.so*",     "/usr/local/lib/*.so*",   "/usr/bin/*", "/usr/local/bin/*",
};

static void each_in(const char *pattern, const struct wish *w, funcs_path_fn fn, void *ctx)
{
	glob_t g = { 0 };

	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (is_called(w->asked->bin, strrchr(g.gl_pathv[i], '/') + 1))
				fn(ctx, g.gl_pathv[i]);
	globfree(&g);
}

void funcs_each_path(const struct funcs *fs, funcs_path_fn fn, void *ctx)
{
	for (size_t i = 0; fs && i < fs->cnt; i++) {
		const struct wish *w = &fs->wishes[i];

		if (is_path(w->asked))
			fn(ctx, w->asked->bin);
		for (size_t k = 0; !is_path(w->asked) && k < ARRAY_SIZE(places); k++)
			each_in(places[k], w, fn, ctx);
	}
}

int funcs_check(const struct funcs *fs)
{
	for (size_t i = 0; fs && i < fs->cnt; i++) {
		const struct wish *w = &fs->wishes[i];
		const struct probe_func *f = w->asked;

		if (w->hits || !w->real) /* what is not there may come */
			continue;
		if (f->provider)
			return log_err(-ENOENT,
				       "%s: no such probe in %s; `readelf -n` lists those it has",
				       f->asked, f->bin);
		return log_err(-ENOENT,
			       "%s: nothing to probe in %s; `nm -D` and `nm` list its functions, a "
			       "stripped file has names only of those that it exports",
			       f->asked, f->bin);
	}
	return 0;
}
