// SPDX-License-Identifier: BSD-2-Clause
#include "cli/store_opt.h"

#include <errno.h>
#include "base/log.h"
#include "cli/opt.h"

int store_opt(struct store_limits *out, const char *size, const char *age)
{
	size_t bytes = STORE_BYTES;

	*out = (struct store_limits){ 0 };
	if (size && sv_is(sv(size), "none"))
		bytes = 0;
	else if (size && (opt_size(sv(size), &bytes) || !bytes))
		return log_err(-EINVAL, "--store-size %s: want a size such as 4G, or none", size);
	if (age && (opt_duration(sv(age), &out->age_ns) || !out->age_ns))
		return log_err(-EINVAL, "--store-age %s: want a duration such as 30d or 12h", age);
	out->bytes = bytes;
	return 0;
}
