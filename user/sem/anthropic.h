/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of an Anthropic answer, for the APIs that carry one inside: Bedrock invoke. */
#ifndef RINGSPAN_SEM_ANTHROPIC_H
#define RINGSPAN_SEM_ANTHROPIC_H

#include "sem/answer.h"

struct anthropic {
	struct answer answer;
	int64_t input, cache_read, cache_write; /* as on the wire */
	struct json *usage;                     /* the fields' last values */
};

extern const struct sem_ops sem_anthropic_messages;

#endif
