// SPDX-License-Identifier: BSD-2-Clause
/*
 * Embedded files: see embed.h.  The assembler reads them, so no generator and no second copy is
 * needed.  Paths are relative to the top of the source tree, where make runs the compiler; -MMD does
 * not see them, so the Makefile names them as prerequisites of this object.
 */
#include "span/embed.h"

#define EMBED(func, symbol, file)                                              \
	__asm__(".pushsection .rodata\n"                                       \
		".global " #symbol "\n"                                        \
		".global " #symbol "_end\n" #symbol ":\n"                      \
		".incbin \"" file "\"\n" #symbol "_end:\n"                     \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char symbol[], symbol##_end[];                            \
	struct sv func(void)                                                   \
	{                                                                      \
		return (struct sv){ symbol, (size_t)(symbol##_end - symbol) }; \
	}

EMBED(embed_store_sql, ringspan_store_sql, "schemas/store.sql")
EMBED(embed_span_schema, ringspan_span_schema, "schemas/span.schema.json")
EMBED(embed_prices, ringspan_prices, "schemas/prices.json")
