/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ringspan doctor` shows: every feature, and the TLS libraries that this machine has. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "probe/feature.h"
#include "probe/probe.h"
#include "probe/tls.h"

struct report {
	probe_feature_fn fn;
	void *ctx;
	bool can_probe, cookies;
};

static void tell_library(const struct report *r, const struct tls_ops *lib, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct tls_hooks hooks = { 0 };
	struct elf_file *elf = NULL;
	int err = fd < 0 ? -errno : elf_file_new(&elf, fd);
	struct probe_feature f = { .name = path, .use = "TLS plaintext", .remedy = "" };
	char summary[160], reason[224];

	if (!err)
		err = tls_locate(lib, elf, &hooks);
	elf_file_free(&elf);
	if (!err && !hooks.cnt)
		return;
	f.on = !err && r->can_probe;
	tls_limit_sites(&hooks, r->cookies, false);
	tls_summary(&hooks, summary, sizeof(summary));
	if (err)
		snprintf(reason, sizeof(reason), "%s: %s", lib->name,
			 hooks.doubt[0] ? hooks.doubt : strerror(-err));
	else
		snprintf(reason, sizeof(reason), "%s: %d functions found: %s%s", lib->name,
			 hooks.cnt, summary, r->can_probe ? "" : "; but no probe can be set");
	f.reason = reason;
	if (!f.on)
		f.remedy = err ? "a library with symbols and an intact file" : "see uprobes above";
	r->fn(r->ctx, &f);
}

static void tell_libraries(const struct report *r)
{
	for (size_t i = 0; i < tls_libs_cnt; i++) {
		for (const char *const *pat = tls_libs[i]->globs; *pat; pat++) {
			glob_t g = { 0 };

			if (glob(*pat, 0, NULL, &g) == 0)
				for (size_t n = 0; n < g.gl_pathc; n++)
					tell_library(r, tls_libs[i], g.gl_pathv[n]);
			globfree(&g);
		}
	}
}

int probe_features(probe_feature_fn fn, void *ctx)
{
	struct report r = { .fn = fn, .ctx = ctx };
	struct features f;

	features_try(&f, true);
	for (enum feat i = 0; i < FEAT_CNT; i++) {
		struct probe_feature row = {
			.name = feature_name(i),
			.use = feature_use(i),
			.on = f.of[i].on,
			.reason = f.of[i].reason,
			.remedy = f.of[i].on ? "" : f.of[i].remedy,
		};

		fn(ctx, &row);
	}
	r.can_probe = f.of[FEAT_UPROBE].on || f.of[FEAT_MULTI].on;
	r.cookies = f.of[FEAT_COOKIE].on;
	tell_libraries(&r);
	return 0;
}
