/* SPDX-License-Identifier: BSD-2-Clause */
/* What was asked for, and in which files it may be; what is there is probed by func_set.c. */
#include "probe/func.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/detach.h"
#include "probe/func_set.h"
#include "probe/hook.h"
#include "probe/uprobe.h"

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

/* That of calls that go on is run when they are asked for: kern_open_calls(). */
static bool is_rows(const struct bpf_program *prog)
{
	return strcmp(bpf_program__name(prog), "func_rows") == 0;
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
		bpf_program__set_autoload(prog, on && (is_rows(prog) ||
						       is_wanted(name, f->of[FEAT_LOOP].on)));
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
		    bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE || is_rows(prog))
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

int funcs_hook(struct funcs *fs, int fd, const char *path, struct uprobe_links *links)
{
	struct target t = { .fs = fs, .fd = fd, .path = path, .links = links, .done = BUF_INIT };
	int sum = 0, n = 0;

	for (size_t i = 0; fs && i < fs->cnt && n >= 0; i++) {
		if (!is_meant(&fs->wishes[i], path))
			continue;
		if (!t.elf) {
			t.code = malloc(FUNC_CODE_MAX);
			n = t.code ? elf_file_new(&t.elf, fd) : -ENOMEM;
			if (n)
				break;
			t.unwinds = func_has_exceptions(t.elf);
		}
		n = fs->wishes[i].asked->provider ? func_set_usdt(&t, &fs->wishes[i])
						  : func_set_calls(&t, &fs->wishes[i]);
		sum += n > 0 ? n : 0;
	}
	elf_file_free(&t.elf);
	buf_fini(&t.done);
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
