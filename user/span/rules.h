/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a user wants masked beside the secrets that base/redact.h finds: rules of a file, a line each.
 *
 *	# a comment
 *	redact header X-Customer
 *	redact json $.customer.email
 *	redact pattern [0-9]{3}-[0-9]{2}-[0-9]{4}
 *
 * header NAME: what stands behind "NAME:" at the beginning of a line of any text, and texts that are members
 * of that name; case does not matter.
 * json PATH: a value in the JSON of an attribute, or in a text that is JSON itself (an object or array).  Of
 * RFC 9535: $, .name, ['name'], [0], .*, [*], and .. before a name or *.
 * pattern ERE: what an extended regular expression (POSIX) matches in any text, in bytes and without
 * regard to lines; of a long text in pieces of RULES_SLICE bytes which have RULES_OVERLAP in common, so a
 * longer match may be found in part.  Back-references and large counts are refused.
 *
 * Bytes of texts become '*'; any other value becomes "*".  Names of members stay.
 */
#ifndef RINGSPAN_RULES_H
#define RINGSPAN_RULES_H

#include "span/span.h"

#define RULES_MAX 64
#define RULES_SLICE 4096
#define RULES_OVERLAP 512
#define RULES_PATTERN_MAX 256 /* bytes */
#define RULES_REPEAT_MAX 64
#define RULES_REPEATS_MAX 4096 /* the counts of a pattern, multiplied; '+' is 2 */

struct rules;

/* name: of the file, for messages.  0, -EINVAL or -ENOMEM, logged with the line. */
int rules_parse(struct rules **out, struct sv text, const char *name);
void rules_free(struct rules **r);

/* A copy of the span, the caller's, with what the rules name masked.  0 or -ENOMEM. */
int rules_apply(const struct rules *r, struct span **out, const struct span *s);

/* Masks a text in place: headers and patterns.  How many bytes. */
size_t rules_text(const struct rules *r, char *p, size_t n);

#endif
