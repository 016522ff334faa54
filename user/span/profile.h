/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples of stacks: what their addresses are, as FRAMES told, and whom they are counted for. */
#ifndef RINGSPAN_SPAN_PROFILE_H
#define RINGSPAN_SPAN_PROFILE_H

#include "base/arena.h"
#include "base/map.h"
#include "event/event.h"

struct trace;

struct profile {
	struct arena arena;  /* frames and their texts */
	struct map frames;   /* hash of name, file and kind -> struct trace_frame */
	struct map kernel;   /* address -> struct trace_frame */
	struct map places;   /* {build id, offset} -> struct trace_frame */
	struct map programs; /* {tgid, start} -> struct program_names */
	size_t name_cnt;     /* addresses and places that have one, all together */
};

void profile_init(struct profile *p);
void profile_fini(struct profile *p);
void profile_names(struct profile *p, const struct ev_frames *e);
void profile_process_over(struct profile *p, uint32_t tgid, uint64_t start);
void profile_sample(struct trace *t, const struct ev_sample *s);

#endif
