/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a locator found a function. */
#ifndef RINGSPAN_TESTS_HOOKS_H
#define RINGSPAN_TESTS_HOOKS_H

#include "probe/tls.h"

/* The first function of that role; one at offset 0, where none is, when there is none such. */
static inline const struct tls_func *hooks_find(const struct tls_hooks *hooks, enum tls_role role)
{
	static const struct tls_func none;

	for (size_t i = 0; i < hooks->func_cnt; i++)
		if (hooks->funcs[i].role == role)
			return &hooks->funcs[i];
	return &none;
}

#endif
