/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions and USDT probes that the user named: found in every file that comes into use and is
 * called as they say, and probed there.
 */
#ifndef RINGSPAN_PROBE_FUNC_H
#define RINGSPAN_PROBE_FUNC_H

#include "base/buf.h"
#include "probe/feature.h"
#include "probe/probe.h"

struct bpf_object;
struct bpf_program;
struct detach;
struct funcs;
struct kern;
struct hook_links;
struct uprobe_links;

/* Its programs and maps, before loading: on or off. */
bool funcs_owns(const struct bpf_program *prog);
void funcs_select(struct bpf_object *obj, const struct features *f, bool on);
/* Its tracepoints, after loading and before any others: what a thread was in is told before its end. */
int funcs_attach(struct hook_links *links, struct bpf_object *obj);

/*
 * cfg and facts, where PROBE goes, outlive it.  0 or -errno, logged: what was asked for cannot be had on
 * this machine.
 */
int funcs_new(struct funcs **out, const struct probe_cfg *cfg, struct kern *kern,
	      const struct features *f, struct buf *facts);
/* Takes USDT probes away: see detach.h. */
void funcs_detach(struct funcs *fs, struct detach *d);
void funcs_free(struct funcs **fs);
/* Says what was in no file that came into use. */
void funcs_tell_unmet(const struct funcs *fs);

/*
 * Probes what an open file that goes by that path has; those of functions are added to links.  How many
 * were set, 0 when nothing was asked of it, or -errno, logged.
 */
int funcs_hook(struct funcs *fs, int fd, const char *path, struct uprobe_links *links);

/* Calls fn with files that are there already, and are called as was asked for. */
typedef void (*funcs_path_fn)(void *ctx, const char *path);
void funcs_each_path(const struct funcs *fs, funcs_path_fn fn, void *ctx);
/* After that: 0, or -ENOENT, logged, when a file that was named by its path has not what was asked for. */
int funcs_check(const struct funcs *fs);

#endif
