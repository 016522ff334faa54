// SPDX-License-Identifier: BSD-2-Clause
/* The output formats, by sink.def. */
#include "sink/sink.h"

#define SINK(id) extern const struct sink_ops sink_##id;
#include "sink/sink.def"
#undef SINK

const struct sink_ops *const sinks[] = {
#define SINK(id) &sink_##id,
#include "sink/sink.def"
#undef SINK
};

const size_t sink_cnt = sizeof(sinks) / sizeof(sinks[0]);

const struct sink_ops *sink_find(struct sv name)
{
	for (size_t i = 0; i < sink_cnt; i++)
		if (sv_is(name, sinks[i]->name))
			return sinks[i];
	return NULL;
}
