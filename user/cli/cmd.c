// SPDX-License-Identifier: BSD-2-Clause
/* The verbs, by cmd.def. */
#include "cli/cli.h"

#define CMD(id) extern const struct cmd cmd_##id;
#include "cli/cmd.def"
#undef CMD

const struct cmd *const cmds[] = {
#define CMD(id) &cmd_##id,
#include "cli/cmd.def"
#undef CMD
};

const size_t cmd_cnt = sizeof(cmds) / sizeof(cmds[0]);
