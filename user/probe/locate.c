/* SPDX-License-Identifier: BSD-2-Clause */
/* Which locator is asked about which file: see locate.h. */
#include "probe/locate.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "probe/scan.h"

#define MARKS_MAX 64 /* places that are looked at for a version */

size_t located_hooked(const struct located *l)
{
	size_t cnt = 0;

	for (size_t i = 0; i < l->cnt; i++)
		cnt += l->libs[i].hooks.cnt > 0;
	return cnt;
}

/* The version that bytes begin with: "3.0.19", "1.1.1w"; 0: none. */
static size_t version_len(const char *p, size_t n)
{
	bool dot = false;
	size_t len = 0;

	while (len < n && (isalnum((unsigned char)p[len]) || p[len] == '.' || p[len] == '+'))
		dot |= p[len++] == '.';
	return len && len < n && dot && isdigit((unsigned char)p[0]) ? len : 0;
}

/* Only for people: where it is not found, or stands in what can be written to, there is none. */
static void find_version(const struct elf_file *f, struct located_lib *l)
{
	size_t mark = l->lib->mark ? strlen(l->lib->mark) : 0, best = 0;
	__u64 at[MARKS_MAX];
	int cnt = mark ? scan_bytes(f, l->lib->mark, mark, at, MARKS_MAX) : 0;

	if (cnt == -E2BIG)
		cnt = MARKS_MAX;
	for (int i = 0; i < cnt; i++) {
		char text[LOCATED_VERSION_MAX];
		size_t n = elf_read(f, at[i] + mark, text, sizeof(text));
		size_t len = version_len(text, n);

		if (len <= best) /* "since OpenSSL 3.0" is none */
			continue;
		memcpy(l->version, text, len);
		l->version[len] = '\0';
		best = len;
	}
}

int locate(struct elf_file *f, struct located *out)
{
	out->cnt = 0;
	for (size_t i = 0; i < tls_libs_cnt && out->cnt < LOCATED_MAX; i++) {
		struct located_lib *l = &out->libs[out->cnt];
		int err;

		if (out->cnt && !tls_libs[i]->by_name &&
		    (out->libs[0].lib->by_name || tls_libs[i]->stripped))
			continue;
		*l = (struct located_lib){ .lib = tls_libs[i] };
		err = tls_locate(l->lib, f, &l->hooks);
		if (err && !l->hooks.doubt[0])
			return err;
		if (!err && !l->hooks.cnt)
			continue;
		find_version(f, l);
		out->cnt++;
	}
	return (int)located_hooked(out);
}
