/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where finished spans go.  One file a sink, one line in sink.def.  Spans come in the order in which
 * they finished, so a parent mostly comes after its children; the run comes last.
 */
#ifndef RINGSPAN_SINK_H
#define RINGSPAN_SINK_H

#include <stdio.h>
#include "span/payload.h"
#include "span/trace.h"

struct sink_cfg {
	FILE *out;
	bool payload;             /* with messages, arguments and results */
	enum payload_level level; /* what is given to the sink, by who gives it */
	bool files;               /* tree: each change of a file */
	bool syscalls;            /* tree: system calls of each span, by class */
	bool colour;
	unsigned int columns;     /* of the terminal; 0 = no bound */
	unsigned int max_depth;   /* tree: 0 = no bound */
	uint64_t min_duration_ns; /* tree */
};

struct sink_ops {
	const char *name; /* what --format takes */
	const char *help;
	int (*open)(void **st, const struct sink_cfg *cfg); /* 0 or -errno */
	int (*span)(void *st, const struct span *s);
	int (*close)(void *st); /* writes what was held back, frees; also after an error */
};

extern const struct sink_ops *const sinks[];
extern const size_t sink_cnt;
const struct sink_ops *sink_find(struct sv name);

/*
 * Lines of output as OTLP/JSON (LogsData), one document.  A document is begun with the resource that
 * all of it has (NULL: none), gets its lines, and is ended.  0 or -errno.
 */
struct otlp_logs {
	FILE *out;
	bool begun;
};
int otlp_logs_add(struct otlp_logs *o, const struct trace_log *l, const struct json *resource);
int otlp_logs_end(struct otlp_logs *o);

#endif
