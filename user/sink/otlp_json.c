// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sink: OTLP/JSON (opentelemetry-proto v1, "JSON Protobuf Encoding" of the OTLP specification): ids
 * in hex, enums as integers, 64-bit integers as decimal strings, lowerCamelCase keys.
 *
 * A line is one TracesData, which is also the body of a POST to /v1/traces; spans stand under their
 * resource.  A line is written when it reaches DOC_MAX, so that none is larger than what receivers
 * take (64 MiB); an export below that is one JSON document.  Without spans nothing is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "sink/sink.h"

#define DOC_MAX (16u << 20)
#define GROUPS_MAX 64

struct group {
	struct buf resource; /* its attributes, as they are written */
	struct buf spans;
};

struct otlp {
	struct sink_cfg cfg;
	struct group groups[GROUPS_MAX];
	size_t group_cnt, bytes;
};

static void write_value(struct buf *b, const struct json *v, enum attr_type type);

/* A comma, but behind an opening bracket. */
static void separate(struct buf *b)
{
	if (b->len && b->p[b->len - 1] != '[' && b->p[b->len - 1] != '{')
		buf_ch(b, ',');
}

static void write_key_value(struct buf *b, const struct json *v, enum attr_type type)
{
	separate(b);
	buf_str(b, "{\"key\":");
	json_write_str(b, v->key);
	buf_str(b, ",\"value\":");
	write_value(b, v, type);
	buf_ch(b, '}');
}

/* The attribute table says whether a number is one of counting: 1 may be a temperature. */
static void write_number(struct buf *b, const struct json *v, enum attr_type type)
{
	bool spelt_as_int = true;
	double f = 0;
	int64_t i;

	for (size_t n = 0; n < v->s.n; n++)
		if (v->s.p[n] == '.' || v->s.p[n] == 'e' || v->s.p[n] == 'E')
			spelt_as_int = false;
	if ((type == ATTR_INT || (spelt_as_int && type != ATTR_FLOAT)) && json_i64(v, &i)) {
		buf_fmt(b, "{\"intValue\":\"%" PRId64 "\"}", i);
	} else if (json_f64(v, &f)) {
		buf_str(b, "{\"doubleValue\":");
		json_write(b, v);
		buf_ch(b, '}');
	} else { /* larger than any double */
		buf_str(b, "{\"stringValue\":");
		json_write_str(b, v->s);
		buf_ch(b, '}');
	}
}

/* Depth is that of JSON texts: LIMIT_JSON_DEPTH. */
static void write_value(struct buf *b, const struct json *v, enum attr_type type)
{
	switch (v->type) {
	case JSON_NULL:
		buf_str(b, "{}");
		return;
	case JSON_BOOL:
		buf_fmt(b, "{\"boolValue\":%s}", v->b ? "true" : "false");
		return;
	case JSON_NUMBER:
		write_number(b, v, type);
		return;
	case JSON_STRING:
		buf_str(b, "{\"stringValue\":");
		json_write_str(b, v->s);
		buf_ch(b, '}');
		return;
	case JSON_ARRAY:
		buf_str(b, "{\"arrayValue\":{\"values\":[");
		json_for_each (v, e) {
			separate(b);
			write_value(b, e, ATTR_ANY);
		}
		buf_str(b, "]}}");
		return;
	case JSON_OBJECT:
		buf_str(b, "{\"kvlistValue\":{\"values\":[");
		json_for_each (v, e) {
			write_key_value(b, e, ATTR_ANY);
		}
		buf_str(b, "]}}");
		return;
	}
}

/* Of OpenTelemetry's keys with <key> at their end each has its own. */
static void write_each(struct buf *b, const struct json *of)
{
	json_for_each (of, v) {
		_cleanup_buf_ struct buf key = BUF_INIT;
		struct json named = *v;

		buf_fmt(&key, SV_FMT "." SV_FMT, SV_ARG(of->key), SV_ARG(v->key));
		named.key = buf_view(&key);
		write_key_value(b, &named, ATTR_ANY);
	}
}

static void write_attr(void *ctx, const struct json *v)
{
	const struct attr_def *def = attr_find(v->key);

	if (def == &attr_defs[ATTR_ID_DB_PARAMETERS]) {
		write_each(ctx, v);
		return;
	}

	write_key_value(ctx, v, def ? def->type : ATTR_ANY);
}

static void write_attrs(struct buf *b, const struct json *attributes, bool payload)
{
	buf_str(b, "\"attributes\":[");
	span_each_attr(attributes, payload ? ATTRS_ALL : ATTRS_SHOWN, write_attr, b);
	buf_ch(b, ']');
}

static void write_events(struct buf *b, const struct json *events, bool payload)
{
	buf_str(b, ",\"events\":[");
	json_for_each (events, ev) {
		int64_t t = 0;

		json_i64(json_get(ev, "time_unix_nano"), &t);
		separate(b);
		buf_fmt(b, "{\"timeUnixNano\":\"%" PRId64 "\",\"name\":", t);
		json_write_str(b, json_sv(json_get(ev, "name")));
		buf_ch(b, ',');
		write_attrs(b, json_get(ev, "attributes"), payload);
		buf_ch(b, '}');
	}
	buf_ch(b, ']');
}

static void write_links(struct buf *b, const struct json *links, bool payload)
{
	buf_str(b, ",\"links\":[");
	json_for_each (links, link) {
		separate(b);
		buf_str(b, "{\"traceId\":");
		json_write_str(b, json_sv(json_get(link, "trace_id")));
		buf_str(b, ",\"spanId\":");
		json_write_str(b, json_sv(json_get(link, "span_id")));
		buf_ch(b, ',');
		write_attrs(b, json_get(link, "attributes"), payload);
		buf_ch(b, '}');
	}
	buf_ch(b, ']');
}

static void write_status(struct buf *b, const struct span *s)
{
	buf_str(b, ",\"status\":{");
	if (s->status_message.n) {
		buf_str(b, "\"message\":");
		json_write_str(b, s->status_message);
	}
	if (s->status != STATUS_UNSET) { /* the default of the enum is left out */
		separate(b);
		buf_fmt(b, "\"code\":%d", s->status);
	}
	buf_ch(b, '}');
}

static void write_span(struct buf *b, const struct span *s, bool payload)
{
	separate(b);
	buf_fmt(b, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", s->trace_id, s->span_id);
	if (s->parent_span_id[0])
		buf_fmt(b, "\"parentSpanId\":\"%s\",", s->parent_span_id);
	buf_str(b, "\"name\":");
	json_write_str(b, s->name);
	buf_fmt(b,
		",\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64 "\",\"endTimeUnixNano\":\"%" PRIu64
		"\",",
		s->kind, s->start_ns, s->end_ns);
	write_attrs(b, s->attributes, payload);
	if (s->events->head)
		write_events(b, s->events, payload);
	if (s->links->head)
		write_links(b, s->links, payload);
	write_status(b, s);
	buf_ch(b, '}');
}

static int put(FILE *out, struct sv s)
{
	if (!s.n)
		return 0;
	errno = 0;
	if (fwrite(s.p, 1, s.n, out) == s.n)
		return 0;
	return errno ? -errno : -EIO;
}

static int put_group(FILE *out, const struct group *g)
{
	int err = put(out, SV("{\"resource\":{"));

	err = err ? err : put(out, buf_view(&g->resource));
	err = err ? err
		  : put(out, SV("},\"scopeSpans\":[{\"scope\":{\"name\":\"ringspan\","
				"\"version\":\"" RINGSPAN_VERSION "\"},\"spans\":["));
	err = err ? err : put(out, buf_view(&g->spans));
	return err ? err
		   : put(out, SV("],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL
				 "\"}],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL "\"}"));
}

static int put_document(struct otlp *o)
{
	FILE *out = o->cfg.out;
	int err = 0;

	if (!o->group_cnt)
		return 0;
	err = put(out, SV("{\"resourceSpans\":["));
	for (size_t i = 0; i < o->group_cnt; i++) {
		if (!err && i)
			err = put(out, SV(","));
		err = err ? err : put_group(out, &o->groups[i]);
		buf_clear(&o->groups[i].resource);
		buf_clear(&o->groups[i].spans);
	}
	o->group_cnt = o->bytes = 0;
	return err ? err : put(out, SV("]}\n"));
}

/* The group of the resource that stands in *resource; that may become the group's. */
static int find_group(struct otlp *o, struct buf *resource, struct group **out)
{
	int err = 0;

	for (size_t i = 0; i < o->group_cnt; i++)
		if (sv_eq(buf_view(&o->groups[i].resource), buf_view(resource))) {
			*out = &o->groups[i];
			return 0;
		}
	if (o->group_cnt == GROUPS_MAX)
		err = put_document(o);
	if (err)
		return err;
	*out = &o->groups[o->group_cnt++];
	return buf_sv(&(*out)->resource, buf_view(resource));
}

static int otlp_open(void **st, const struct sink_cfg *cfg)
{
	struct otlp *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->cfg = *cfg;
	*st = o;
	return 0;
}

static int otlp_span(void *st, const struct span *s)
{
	_cleanup_buf_ struct buf resource = BUF_INIT;
	struct otlp *o = st;
	struct group *g;
	size_t before;
	int err;

	write_attrs(&resource, s->resource, true);
	err = resource.err ? resource.err : find_group(o, &resource, &g);
	if (err)
		return err;
	before = g->spans.len;
	write_span(&g->spans, s, o->cfg.payload);
	if (g->spans.err) { /* half a span would spoil the document */
		err = g->spans.err;
		g->spans.len = before;
		g->spans.err = 0;
		return err;
	}
	o->bytes += g->spans.len - before;
	return o->bytes >= DOC_MAX ? put_document(o) : 0;
}

static int otlp_close(void *st)
{
	struct otlp *o = st;
	int err = put_document(o);

	for (size_t i = 0; i < GROUPS_MAX; i++) {
		buf_fini(&o->groups[i].resource);
		buf_fini(&o->groups[i].spans);
	}
	if (!err && fflush(o->cfg.out))
		err = -errno;
	free(o);
	return err;
}

const struct sink_ops sink_otlp_json = {
	.name = "otlp-json",
	.help = "OpenTelemetry's TracesData as JSON, one document a line",
	.open = otlp_open,
	.span = otlp_span,
	.close = otlp_close,
};

/* --- logs */

static void write_log(struct buf *b, const struct trace_log *l)
{
	buf_fmt(b, "{\"timeUnixNano\":\"%" PRIu64 "\",\"observedTimeUnixNano\":\"%" PRIu64 "\",",
		l->time_ns, l->time_ns);
	buf_str(b, "\"body\":{\"stringValue\":");
	json_write_str(b, l->text);
	buf_fmt(b,
		"},\"attributes\":[{\"key\":\"log.iostream\",\"value\":{\"stringValue\":\"%s\"}},"
		"{\"key\":\"process.pid\",\"value\":{\"intValue\":\"%" PRIu32 "\"}}",
		l->fd == 2 ? "stderr" : "stdout", l->pid);
	if (l->missing)
		buf_fmt(b,
			",{\"key\":\"ringspan.missing_bytes\",\"value\":{\"intValue\":\"%" PRIu64
			"\"}}",
			l->missing);
	buf_fmt(b, "],\"traceId\":\"%s\",\"spanId\":\"%s\"}", l->trace_id, l->span_id);
}

int otlp_logs_add(struct otlp_logs *o, const struct trace_log *l, const struct json *resource)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (o->begun) {
		buf_ch(&b, ',');
	} else {
		buf_str(&b, "{\"resourceLogs\":[{\"resource\":{");
		if (resource)
			write_attrs(&b, resource, true);
		buf_str(&b, "},\"scopeLogs\":[{\"scope\":{\"name\":\"ringspan\",\"version\":"
			    "\"" RINGSPAN_VERSION "\"},\"logRecords\":[");
	}
	o->begun = true;
	write_log(&b, l);
	return b.err ? b.err : put(o->out, buf_view(&b));
}

int otlp_logs_end(struct otlp_logs *o)
{
	int err = o->begun ? put(o->out, SV("],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL
					    "\"}],\"schemaUrl\":\"" SEMCONV_SCHEMA_URL "\"}]}\n"))
			   : 0;

	if (!err && fflush(o->out))
		err = -errno;
	return err;
}
