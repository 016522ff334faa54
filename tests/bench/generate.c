// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes a capture of agents that never ran.
 *
 *	generate FILE WORKERS CONVERSATIONS TOOLS STREAMS MCP USAGE	as in struct agents_cfg
 */
#include <stdio.h>
#include <stdlib.h>
#include "agents.h"
#include "capture/capture.h"

static int write_record(void *ctx, const struct ev_hdr *rec)
{
	return capture_write(ctx, rec);
}

int main(int argc, char **argv)
{
	struct agents_cfg cfg;
	struct capture_writer *w = NULL;
	int err, end_err;

	if (argc != 8) {
		fprintf(stderr, "usage: %s FILE WORKERS CONVERSATIONS TOOLS STREAMS MCP USAGE\n",
			argv[0]);
		return 2;
	}
	cfg = (struct agents_cfg){
		.workers = strtoul(argv[2], NULL, 10),
		.conversations = strtoul(argv[3], NULL, 10),
		.tools = strtoul(argv[4], NULL, 10),
		.streams = strtoul(argv[5], NULL, 10),
		.mcp = strtoul(argv[6], NULL, 10),
		.usage = strtoul(argv[7], NULL, 10),
	};
	if (capture_create(&w, argv[1]))
		return 1;
	err = agents_generate(&cfg, write_record, w);
	end_err = capture_close(&w);
	return err || end_err;
}
