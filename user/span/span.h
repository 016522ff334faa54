/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The span record, as schemas/span.schema.json defines it: what every sink gets and what the store
 * gives back.  Attribute keys come from schemas/attributes.def and from nowhere else.
 */
#ifndef RINGSPAN_SPAN_H
#define RINGSPAN_SPAN_H

#include "base/hash.h"
#include "base/json.h"

#define RINGSPAN_VERSION "0.1.0"
#define SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.41.1"

enum attr_type { ATTR_STR, ATTR_INT, ATTR_FLOAT, ATTR_BOOL, ATTR_STRS, ATTR_ANY };
enum attr_source { ATTR_OTEL, ATTR_OWN, ATTR_PAYLOAD, ATTR_CONTENT, ATTR_SNAPSHOT };

/* How much of a span is meant: what the store keeps inline, what is shown, payloads too. */
enum attr_level { ATTRS_INLINE, ATTRS_SHOWN, ATTRS_ALL };

enum attr_id {
#define ATTR(id, key, type, source, class, brief) ATTR_ID_##id,
#include "attributes.def"
#undef ATTR
	ATTR_ID_CNT
};

struct attr_def {
	const char *key;
	enum attr_type type;
	enum attr_source source;
	const char *brief;
};

extern const struct attr_def attr_defs[ATTR_ID_CNT];
bool attr_is_apart(const struct attr_def *def);  /* kept outside the store's attribute text */
const struct attr_def *attr_find(struct sv key); /* NULL: not in the table */

/* Values of ringspan.kind.	C name, text */
#define SPAN_KINDS(X)               \
	X(RUN, "run")               \
	X(AGENT, "agent")           \
	X(TURN, "turn")             \
	X(MODEL_CALL, "model_call") \
	X(ATTEMPT, "attempt")       \
	X(TOOL_CALL, "tool_call")   \
	X(PROCESS, "process")       \
	X(HTTP, "http")             \
	X(CONNECT, "connect")       \
	X(EMBEDDING, "embedding")   \
	X(RETRIEVAL, "retrieval")   \
	X(DNS, "dns")               \
	X(TLS, "tls")               \
	X(MCP, "mcp")               \
	X(A2A, "a2a")               \
	X(VALIDATION, "validation") \
	X(APPROVAL, "approval")     \
	X(WAIT, "wait")             \
	X(FILE, "file")             \
	X(SYSCALL, "syscall")       \
	X(FUNCTION, "function")     \
	X(DB, "db")

enum span_what {
#define X(id, text) SPAN_##id,
	SPAN_KINDS(X)
#undef X
		SPAN_WHAT_CNT
};
const char *span_what_name(enum span_what w);
/*
 * A failure of this kind is its own, not that of a span inside it which is counted already; and not a
 * file's that may not be written, which programs find out by trying.
 */
bool span_what_fails(enum span_what w);

enum span_kind { SPAN_KIND_INTERNAL = 1, SPAN_KIND_SERVER, SPAN_KIND_CLIENT }; /* OTLP's numbers */
const char *span_kind_name(enum span_kind k);                                  /* "INTERNAL" ... */
enum span_status { STATUS_UNSET, STATUS_OK, STATUS_ERROR };
const char *span_status_name(enum span_status s); /* "UNSET" ... */

struct span {
	struct arena arena; /* everything below lives in it */
	char trace_id[HEX128], span_id[HEX64], parent_span_id[HEX64]; /* parent: "" for a root */
	struct sv name;
	enum span_what what;
	enum span_kind kind;
	uint64_t start_ns, end_ns; /* Unix time, ns */
	enum span_status status;
	struct sv status_message;
	struct json *attributes; /* object */
	struct json *events;     /* array of {time_unix_nano, name, attributes} */
	struct json *links;      /* array of {trace_id, span_id, attributes} */
	struct json *resource;   /* object */
	bool no_redact; /* secrets stay as they are; set by its maker, before any attribute */
};

int span_new(struct span **out, enum span_what what); /* 0 or -ENOMEM */
void span_free(struct span **s);
/* One of its own with all that s holds, which may be changed.  0 or -ENOMEM. */
int span_copy(struct span **out, const struct span *s);

/* Copied into the span, and redacted like attributes: a provider's error may quote a key. */
void span_set_name(struct span *s, struct sv name);
void span_set_status(struct span *s, enum span_status status, struct sv message);

/* Set an attribute; text that holds a secret is redacted unless the span's maker was told not to. */
void span_set_str(struct span *s, enum attr_id id, struct sv v); /* an empty view sets nothing */
void span_set_int(struct span *s, enum attr_id id, int64_t v);
void span_set_float(struct span *s, enum attr_id id, double v); /* NaN sets nothing */
bool span_is_read(const struct span *s); /* of a file that was read, or that was not there */
void span_set_bool(struct span *s, enum attr_id id, bool v);
void span_set_json(struct span *s, enum attr_id id,
		   const struct json *v); /* copied; NULL sets nothing */
void span_event(struct span *s, uint64_t time_ns, const char *name, struct json *attributes);
void span_link(struct span *s, const char *trace_id, const char *span_id, const char *relation);
uint64_t span_awake_ns(
	const struct span *s); /* how long it took, but while the machine was suspended */
void span_incomplete(struct span *s, const char *reason); /* adds it once */

const struct json *span_attr(const struct span *s, enum attr_id id);
struct sv span_attr_sv(const struct span *s, enum attr_id id);
int64_t span_attr_int(const struct span *s, enum attr_id id, int64_t otherwise);
double span_attr_float(const struct span *s, enum attr_id id, double otherwise);

/*
 * Calls fn with each member of an attribute object that is to be shown, those of attributes.def in
 * its order, others behind them in theirs: what is written depends on the content alone.
 */
typedef void (*span_attr_fn)(void *ctx, const struct json *member);
void span_each_attr(const struct json *attributes, enum attr_level level, span_attr_fn fn,
		    void *ctx);

/* Parts of the span record, as JSON: an attribute object, and the array of events or links. */
int span_write_attrs(struct buf *b, const struct json *attributes, enum attr_level level);
int span_write_list(struct buf *b, const struct json *list, enum attr_level level);

/* One JSON object, DESIGN's span record; without payload attributes unless they are asked for. */
int span_write_json(struct buf *b, const struct span *s, bool payload);
/* The reverse.  0, -EINVAL (no span record), -ENOMEM. */
int span_read_json(struct span **out, struct sv text);

#endif
