/* SPDX-License-Identifier: BSD-2-Clause */
/* Which locator is asked about which file: see locate.h. */
#include "probe/locate.h"

#include <errno.h>

size_t located_hooked(const struct located *l)
{
	size_t cnt = 0;

	for (size_t i = 0; i < l->cnt; i++)
		cnt += l->libs[i].hooks.cnt > 0;
	return cnt;
}

int locate(struct elf_file *f, struct located *out)
{
	out->cnt = 0;
	for (size_t i = 0; i < tls_libs_cnt && out->cnt < LOCATED_MAX; i++) {
		struct located_lib *l = &out->libs[out->cnt];
		int err;

		if (out->cnt && out->libs[0].lib->by_name)
			break;
		if (out->cnt && tls_libs[i]->stripped)
			continue;
		*l = (struct located_lib){ .lib = tls_libs[i] };
		err = tls_locate(l->lib, f, &l->hooks);
		if (err && !l->hooks.doubt[0])
			return err;
		if (err || l->hooks.cnt)
			out->cnt++;
	}
	return (int)located_hooked(out);
}
