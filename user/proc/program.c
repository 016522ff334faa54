// SPDX-License-Identifier: BSD-2-Clause
/* Names of programs: see program.h. */
#include "proc/program.h"

/* Interpreters whose first argument that is no option names the program that people mean. */
static bool is_interpreter(struct sv exe)
{
	static const char *const names[] = { "python", "node", "nodejs", "bun",
					     "deno",   "ruby", "perl" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_starts(exe, names[i]))
			return true;
	return false;
}

struct sv program_base(struct sv path)
{
	struct sv name = path;

	while (path.n) {
		struct sv part = sv_token(&path, '/');

		if (part.n)
			name = part;
	}
	return name;
}

struct sv program_name(struct sv exe, struct sv args, struct sv *rest)
{
	struct sv behind, arg;

	sv_token(&args, '\0');
	*rest = behind = args;
	if (!is_interpreter(exe))
		return exe;
	while (behind.n) {
		arg = sv_token(&behind, '\0');
		if (sv_is(arg, "-m") && behind.n)
			arg = sv_token(&behind, '\0');
		else if (sv_is(arg, "-c") || sv_is(arg, "-e"))
			return exe;
		else if (!arg.n || arg.p[0] == '-')
			continue;
		*rest = behind;
		return program_base(arg);
	}
	return exe;
}
