/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON (RFC 8259) for bytes that may be hostile or cut off.
 *
 * The reader builds a tree in an arena and never fails as a whole: where the text ends early or is
 * broken, open strings, arrays and objects are closed there, what came before stays usable, and the
 * values that were open are marked `cut`.  Numbers keep their spelling, so 64-bit integers and a
 * provider's own formatting survive.  Strings are decoded to UTF-8; a lone surrogate or an invalid
 * byte becomes U+FFFD; NUL is allowed.  Object keys keep their order; the last of equal keys wins
 * in json_get().
 *
 * The writer makes compact text: valid UTF-8, control characters, DEL, U+2028 and U+2029 escaped.
 */
#ifndef RINGSPAN_JSON_H
#define RINGSPAN_JSON_H

#include "base/arena.h"
#include "base/buf.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool cut;                 /* the text ended or broke inside this value */
	bool b;                   /* JSON_BOOL */
	struct sv s;              /* JSON_STRING: the bytes; JSON_NUMBER: its spelling */
	struct sv key;            /* when a member of an object */
	struct json *next;        /* sibling */
	struct json *head, *tail; /* children */
	size_t cnt;
};

struct json_err {
	bool cut;      /* text ended early */
	bool broken;   /* text is not JSON from `offset` on */
	bool too_deep; /* LIMIT_JSON_DEPTH; deeper values are null */
	bool too_big;  /* the arena's bound */
	size_t offset; /* where reading stopped: cut, the length of the text; broken, the byte */
};

/*
 * NULL only when there is no value at all: empty or white space, no JSON from the first byte on, a
 * literal or sign that is cut ("tru", "-"), or no memory.  err may be NULL.  The tree does not
 * point into text.  A number that ends with a text that is cut is cut, one that is a text of its
 * own is not.  White space behind the value is skipped; other bytes there set err->broken.
 */
struct json *json_parse(struct arena *a, struct sv text, struct json_err *err);

/*
 * Looking.  All take NULL and wrong types for v and give "nothing" then.
 * A string that merely holds a number is not a number.
 */
struct json *json_get(const struct json *v, const char *key);
struct json *json_get_sv(const struct json *v, struct sv key);
struct json *json_path(const struct json *v,
		       const char *dotted); /* "usage.input_tokens", "choices.0.delta" */
struct json *json_at(const struct json *v, size_t index);
bool json_is(const struct json *v, enum json_type type);
struct sv json_sv(const struct json *v);           /* JSON_STRING, else {NULL, 0} */
bool json_i64(const struct json *v, int64_t *out); /* also 3.0 and 3e0; false if no integer */
uint64_t json_count(const struct json *v);         /* what is no integer, or below 0, is 0 */
bool json_f64(const struct json *v, double *out);
bool json_true(const struct json *v);
bool json_str_is(const struct json *v, const char *cstr);
/*
 * The same value: objects have no order, of equal keys the last one counts, and 1 is 1.0.  Like nothing is
 * what is cut, and what takes more than LIMIT_JSON_STEPS to find out.
 */
bool json_same(const struct json *a, const struct json *b);

#define json_for_each(v, e)                                                                  \
	for (struct json *e = ((v) && ((v)->type == JSON_ARRAY || (v)->type == JSON_OBJECT)) \
				      ? (v)->head                                            \
				      : NULL;                                                \
	     e; e = e->next)

/* Making.  NULL when the arena is full; adding NULL does nothing.  Strings are copied. */
struct json *json_null(struct arena *a);
struct json *json_bool(struct arena *a, bool b);
struct json *json_int(struct arena *a, int64_t v);
struct json *json_uint(struct arena *a, uint64_t v);
struct json *json_float(struct arena *a,
			double v); /* shortest spelling that reads back the same; NaN, inf: null */
struct json *json_string(struct arena *a, struct sv s);
struct json *json_array(struct arena *a);
struct json *json_object(struct arena *a);
/* v must not be in another container; its key is set. */
void json_set(struct arena *a, struct json *obj, const char *key,
	      struct json *v); /* replaces in place */
void json_add(struct arena *a, struct json *obj, struct sv key,
	      struct json *v); /* appends, no look-up */
void json_push(struct json *arr, struct json *v);
struct json *json_copy(struct arena *a, const struct json *v); /* deep, without key and siblings */

/* NULL writes null, and so does what is deeper than twice LIMIT_JSON_DEPTH; error of the buffer. */
int json_write(struct buf *b, const struct json *v);
int json_write_str(struct buf *b, struct sv s); /* quoted and escaped */
struct sv json_text(struct arena *a, const struct json *v);

#endif
