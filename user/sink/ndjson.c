// SPDX-License-Identifier: BSD-2-Clause
/* Sink: one span record a line, as schemas/span.schema.json defines it.  Holds nothing back. */
#include <errno.h>
#include <stdlib.h>

#include "sink/sink.h"

struct ndjson {
	struct sink_cfg cfg;
	struct buf line;
};

static int ndjson_open(void **st, const struct sink_cfg *cfg)
{
	struct ndjson *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->cfg = *cfg;
	*st = n;
	return 0;
}

static int ndjson_span(void *st, const struct span *s)
{
	struct ndjson *n = st;

	buf_clear(&n->line);
	span_write_json(&n->line, s, n->cfg.payload);
	buf_ch(&n->line, '\n');
	if (n->line.err)
		return n->line.err;
	errno = 0;
	if (fwrite(n->line.p, 1, n->line.len, n->cfg.out) == n->line.len)
		return 0;
	return errno ? -errno : -EIO;
}

static int ndjson_close(void *st)
{
	struct ndjson *n = st;
	int err = fflush(n->cfg.out) ? -errno : 0;

	buf_fini(&n->line);
	free(n);
	return err;
}

const struct sink_ops sink_ndjson = {
	.name = "ndjson",
	.help = "one JSON object a span, one span a line",
	.open = ndjson_open,
	.span = ndjson_span,
	.close = ndjson_close,
};
