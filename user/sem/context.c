// SPDX-License-Identifier: BSD-2-Clause
/* W3C Trace Context (www.w3.org/TR/trace-context, level 1 and 2): what traceparent names. */
#include "sem/context.h"

#include <string.h>

#define PARENT_LEN 55 /* of version 00; later ones begin alike, and go on behind a dash */

/* n lower case hex digits, not all of them zero. */
static bool is_id(const char *p, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
		any |= p[i] != '0';
	}
	return any;
}

static bool is_hex(const char *p)
{
	return is_id(p, 2) || (p[0] == '0' && p[1] == '0');
}

bool sem_traceparent(struct sv text, char trace_id[HEX128], char span_id[HEX64])
{
	const char *p;

	text = sv_trim(text);
	p = text.p;
	if (text.n < PARENT_LEN || !is_hex(p) || (p[0] == 'f' && p[1] == 'f') || p[2] != '-' ||
	    p[35] != '-' || p[52] != '-' || !is_hex(p + 53))
		return false;
	if (text.n > PARENT_LEN && ((p[0] == '0' && p[1] == '0') || p[PARENT_LEN] != '-'))
		return false;
	if (!is_id(p + 3, HEX128 - 1) || !is_id(p + 36, HEX64 - 1))
		return false;
	memcpy(trace_id, p + 3, HEX128 - 1);
	trace_id[HEX128 - 1] = '\0';
	memcpy(span_id, p + 36, HEX64 - 1);
	span_id[HEX64 - 1] = '\0';
	return true;
}
