// SPDX-License-Identifier: BSD-2-Clause
/* What all HTTP versions share: see msg.h. */
#include "proto/msg.h"

struct sv http_field_get(const struct http_msg *m, const char *name)
{
	for (size_t i = 0; i < m->field_cnt; i++) {
		if (sv_ieq(m->fields[i].name, name))
			return m->fields[i].value;
	}
	return (struct sv){ NULL, 0 };
}
