/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line to stderr, "ringspan: ...", and the error code handed back, so that a failure is logged
 * where it is known and returned in the same statement:
 *
 *	return log_err(-ENOENT, "no process %d; `ps` lists those that run", pid);
 */
#ifndef RINGSPAN_LOG_H
#define RINGSPAN_LOG_H

enum log_level { LOG_NONE = -1, LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* lines above it are not written; LOG_WARN at start */
enum log_level log_get_level(void);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_err(err, ...)                       \
	({                                      \
		int _err = (err);               \
		log_line(LOG_ERR, __VA_ARGS__); \
		_err;                           \
	})
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
