// SPDX-License-Identifier: BSD-2-Clause
/*
 * Control group paths: see cgroup.h.  What names a container is the last part of a path that is, or
 * ends in, its id:
 *
 *	/docker/ID, /system.slice/docker-ID.scope                 docker, by cgroupfs and by systemd
 *	/machine.slice/libpod-ID.scope/container                  podman
 *	/kubepods/burstable/podUID/ID                             Kubernetes by cgroupfs
 *	/kubepods.slice/.../kubepods-podUID.slice/crio-ID.scope   ... by systemd, dashes as underscores
 *	/system.slice/x.service/kubepods-podUID.slice:cri-containerd:ID    ... containerd of two minds
 */
#include "proc/cgroup.h"

#include <string.h>

#define UUID_LEN 36
#define STATIC_POD_LEN 32 /* hex digits that the kubelet names a static pod by */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_hex(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_hex(s.p[i]))
			return false;
	return s.n > 0;
}

static struct sv without_suffix(struct sv s, const char *suffix)
{
	return sv_ends(s, suffix) ? sv_sub(s, 0, s.n - strlen(suffix)) : s;
}

/* The id that a part of a path is, or ends in; empty: none. */
static struct sv container_of(struct sv part)
{
	struct sv name = without_suffix(part, ".scope"), id, prefix;

	if (name.n < CGROUP_CONTAINER_LEN)
		return SV("");
	prefix = sv_sub(name, 0, name.n - CGROUP_CONTAINER_LEN);
	id = sv_sub(name, prefix.n, CGROUP_CONTAINER_LEN);
	if (!all_hex(id) || sv_ends(prefix, "conmon-"))
		return SV("");
	if (prefix.n && !sv_ends(prefix, "-") && !sv_ends(prefix, ":"))
		return SV("");
	return id;
}

/* A UUID whose dashes may be underscores: systemd's own dashes mean nesting. */
static bool copy_uuid(struct sv s, char out[CGROUP_POD_SIZE])
{
	if (s.n != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' && s.p[i] != '_' : !is_hex(s.p[i]))
			return false;
		out[i] = s.p[i];
		if (dash)
			out[i] = '-';
	}
	out[UUID_LEN] = '\0';
	return true;
}

/* podUID, or a slice whose last word is that; before it only what Kubernetes writes. */
static bool pod_of(struct sv part, char out[CGROUP_POD_SIZE])
{
	struct sv slice = sv_token(&part, ':'), uid, class;
	char found[CGROUP_POD_SIZE];
	long at;

	uid = without_suffix(slice, ".slice");
	if (sv_starts(uid, "kubepods-")) {
		uid = sv_sub(uid, strlen("kubepods-"), uid.n);
		at = sv_find(uid, SV("-pod"));
		class = sv_sub(uid, 0, at < 0 ? 0 : (size_t)at);
		if (sv_is(class, "burstable") || sv_is(class, "besteffort") ||
		    sv_is(class, "guaranteed"))
			uid = sv_sub(uid, class.n + 1, uid.n);
	}
	if (!sv_starts(uid, "pod"))
		return false;
	uid = sv_sub(uid, strlen("pod"), uid.n);
	if (uid.n == STATIC_POD_LEN && all_hex(uid)) {
		memcpy(found, uid.p, uid.n);
		found[uid.n] = '\0';
	} else if (!copy_uuid(uid, found)) {
		return false;
	}
	memcpy(out, found, sizeof(found));
	return true;
}

void cgroup_parse(struct sv path, struct cgroup_names *out)
{
	*out = (struct cgroup_names){ .container = SV("") };
	/* of a group that was removed while processes were in it, cgroups(7) */
	path = without_suffix(path, " (deleted)");
	while (path.n) {
		struct sv part = sv_token(&path, '/'), id = container_of(part);

		/* a node may be a container itself: what is around a pod is not the pod's */
		if (pod_of(part, out->pod))
			out->container = SV("");
		if (id.n)
			out->container = id;
	}
}

/* "4:memory:/path" -> "/path"; v2's line has number 0 and no controllers.  Empty: no such line. */
static struct sv line_path(struct sv line, bool *v2)
{
	struct sv number = sv_token(&line, ':'), controllers = sv_token(&line, ':');

	*v2 = sv_is(number, "0") && !controllers.n;
	return sv_starts(line, "/") ? line : SV("");
}

struct sv cgroup_path(struct sv text)
{
	struct sv named = SV(""), unified = SV(""), other = SV(""), root = SV("");

	while (text.n && !named.n) {
		struct cgroup_names names;
		bool v2;
		struct sv path = line_path(sv_token(&text, '\n'), &v2);

		cgroup_parse(path, &names);
		if (names.container.n || names.pod[0])
			named = path;
		else if (sv_is(path, "/"))
			root = path;
		else if (v2)
			unified = path;
		else if (!other.n)
			other = path;
	}
	if (named.n)
		return named;
	return unified.n ? unified : other.n ? other : root;
}
