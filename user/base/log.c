// SPDX-License-Identifier: BSD-2-Clause
/* The one place that writes diagnostics.  A line leaves in one write, so lines never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum log_level max_level = LOG_WARN;

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_get_level(void)
{
	return max_level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = { "ringspan: ", "ringspan: warning: ", "ringspan: ",
					      "ringspan: debug: " };
	char line[1024];
	va_list ap;
	int n, m;

	if (level > max_level || level < LOG_ERR)
		return;
	n = snprintf(line, sizeof(line), "%s", prefix[level]);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* nothing is left to tell a failure to */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
