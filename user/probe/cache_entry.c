/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *	{"libs":[{"lib":"openssl","version":"3.0.19","functions":6,
 *		  "calls":[{"role":0,"at":165232,"code":2954718}, ...],
 *		  "sites":[{"prog":"gotls_exit","at":165232,"cheap":0,"ret":false,"code":1}, ...]},
 *		 {"lib":"rustls","version":"0.23.40","doubt":"holds rustls, but ..."}]}
 */
#include "probe/cache_entry.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include "base/hash.h"
#include "base/json.h"

#define CODE 16 /* bytes at each place that must be what they were */
#define ARENA (1u << 20)

/* Of the code at that offset up to its probe, `cheap` further on; fewer bytes at the end of a file. */
static int code_hash(const struct elf_file *f, __u64 offset, __u32 cheap, __u32 *hash)
{
	unsigned char code[TLS_CHEAP_MAX + CODE];
	__u64 size = elf_size(f);
	size_t n = cheap + CODE;

	if (offset < size && size - offset < n)
		n = size - offset;

	if (elf_pread(f, offset, code, n))
		return -EIO;
	*hash = (__u32)hash64((struct sv){ (const char *)code, n });
	return 0;
}

/* ---- writing */

static int put_place(struct arena *a, struct json *o, const struct elf_file *f, __u64 offset,
		     __u32 cheap)
{
	__u32 hash;

	if (cheap > TLS_CHEAP_MAX || code_hash(f, offset, cheap, &hash))
		return -EIO;
	json_set(a, o, "at", json_uint(a, offset));
	json_set(a, o, "code", json_uint(a, hash));
	return 0;
}

static int put_hooks(struct arena *a, struct json *o, const struct elf_file *f,
		     const struct tls_hooks *hooks)
{
	struct json *calls = json_array(a), *sites = json_array(a);
	int err = 0;

	json_set(a, o, "functions", json_int(a, hooks->cnt));
	for (size_t i = 0; !err && i < hooks->func_cnt; i++) {
		struct json *c = json_object(a);

		json_set(a, c, "role", json_int(a, hooks->funcs[i].role));
		err = put_place(a, c, f, hooks->funcs[i].offset, 0);
		json_push(calls, c);
	}
	for (size_t i = 0; !err && i < hooks->site_cnt; i++) {
		const struct tls_site *site = &hooks->sites[i];
		struct json *s = json_object(a);

		json_set(a, s, "prog", json_string(a, sv(site->prog)));
		err = put_place(a, s, f, site->offset, site->cheap);
		json_set(a, s, "cheap", json_uint(a, site->cheap));
		json_set(a, s, "ret", json_bool(a, site->ret));
		json_push(sites, s);
	}
	json_set(a, o, "calls", calls);
	json_set(a, o, "sites", sites);
	return err;
}

int entry_write(struct buf *text, const struct elf_file *f, const struct located *l)
{
	struct json *all, *libs;
	struct arena a;
	int err = 0;

	arena_init(&a, ARENA);
	all = json_object(&a);
	libs = json_array(&a);
	json_set(&a, all, "libs", libs);
	for (size_t i = 0; !err && i < l->cnt; i++) {
		const struct located_lib *lib = &l->libs[i];
		struct json *o = json_object(&a);

		json_set(&a, o, "lib", json_string(&a, sv(lib->lib->name)));
		json_set(&a, o, "version", json_string(&a, sv(lib->version)));
		if (lib->hooks.doubt[0])
			json_set(&a, o, "doubt", json_string(&a, sv(lib->hooks.doubt)));
		else
			err = put_hooks(&a, o, f, &lib->hooks);
		json_push(libs, o);
	}
	if (!err)
		err = all ? json_write(text, all) : -ENOMEM;
	arena_fini(&a);
	return err;
}

/* ---- reading */

static bool get_uint(const struct json *o, const char *key, __u64 max, __u64 *out)
{
	int64_t v;

	if (!json_i64(json_get(o, key), &v) || v < 0 || (__u64)v > max)
		return false;
	*out = (__u64)v;
	return true;
}

/* Code, and the same that was there. */
static bool get_place(const struct json *o, const struct elf_file *f, __u32 cheap, __u64 *offset)
{
	__u64 code;
	__u32 now;

	return get_uint(o, "at", INT64_MAX, offset) && get_uint(o, "code", UINT32_MAX, &code) &&
	       *offset && elf_code_addr(f, *offset) && !code_hash(f, *offset, cheap, &now) &&
	       now == code;
}

static const char *prog_of(const struct tls_ops *lib, struct sv name)
{
	for (const char *const *p = lib->progs; p && *p; p++)
		if (sv_is(name, *p))
			return *p;
	return NULL;
}

static bool get_site(const struct json *o, const struct tls_ops *lib, const struct elf_file *f,
		     struct tls_hooks *hooks)
{
	struct tls_site *site = &hooks->sites[hooks->site_cnt];
	__u64 cheap;

	if (hooks->site_cnt == TLS_SITES_MAX)
		return false;
	site->prog = prog_of(lib, json_sv(json_get(o, "prog")));
	if (!site->prog || !get_uint(o, "cheap", TLS_CHEAP_MAX, &cheap) ||
	    !get_place(o, f, (__u32)cheap, &site->offset))
		return false;
	site->cheap = (__u32)cheap;
	site->ret = json_true(json_get(o, "ret"));
	hooks->site_cnt++;
	return true;
}

static bool get_hooks(const struct json *o, const struct tls_ops *lib, struct elf_file *f,
		      struct tls_hooks *hooks)
{
	__u64 cnt;

	json_for_each (json_get(o, "calls"), c) {
		__u64 role, at;

		if (!get_uint(c, "role", TLS_ROLES - 1, &role) || !get_place(c, f, 0, &at) ||
		    !elf_is_entry(f, at) || hooks->func_cnt == TLS_FUNCS_MAX)
			return false;
		tls_add(hooks, (enum tls_role)role, at);
	}
	json_for_each (json_get(o, "sites"), s)
		if (!get_site(s, lib, f, hooks))
			return false;
	if (!get_uint(o, "functions", TLS_FUNCS_MAX + TLS_SITES_MAX, &cnt) || !cnt)
		return false;
	hooks->cnt = (int)cnt;
	return tls_choose_sites(f, hooks) == 0;
}

/* It is shown to people: nothing but what a locator can have said. */
static bool get_text(const struct json *v, char *out, size_t size)
{
	struct sv text = json_sv(v);

	if (!json_is(v, JSON_STRING) || text.n >= size)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	if (text.n)
		memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return true;
}

static bool get_lib(const struct json *o, struct elf_file *f, struct located_lib *out)
{
	struct sv name = json_sv(json_get(o, "lib"));
	const struct json *doubt = json_get(o, "doubt");

	*out = (struct located_lib){ .lib = NULL };
	for (size_t i = 0; i < tls_libs_cnt; i++)
		if (sv_is(name, tls_libs[i]->name))
			out->lib = tls_libs[i];
	if (!out->lib || !get_text(json_get(o, "version"), out->version, sizeof(out->version)))
		return false;
	if (!doubt)
		return get_hooks(o, out->lib, f, &out->hooks);
	return get_text(doubt, out->hooks.doubt, sizeof(out->hooks.doubt)) && out->hooks.doubt[0];
}

int entry_read(struct sv text, struct elf_file *f, struct located *out)
{
	struct json_err broken = { 0 };
	const struct json *all, *libs;
	struct arena a;
	bool ok;

	arena_init(&a, ARENA);
	all = json_parse(&a, text, &broken);
	libs = json_get(all, "libs");
	out->cnt = 0;
	ok = json_is(libs, JSON_ARRAY) && !broken.cut && !broken.broken && libs->cnt <= LOCATED_MAX;
	json_for_each (libs, o)
		ok = ok && get_lib(o, f, &out->libs[out->cnt++]);
	arena_fini(&a);
	if (ok)
		return 0;
	out->cnt = 0;
	return -EINVAL;
}
