// SPDX-License-Identifier: BSD-2-Clause
/* The program: everything else is a library, so that tests link what ships. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
