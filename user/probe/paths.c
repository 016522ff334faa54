// SPDX-License-Identifier: BSD-2-Clause
#include "probe/paths.h"

#include <sys/syscall.h>

#define CALL(name, ...) [SYS_##name] = { __VA_ARGS__ }

/* As their manual pages have them.  Newer machines have only what takes a directory, and flags. */
static const struct path_call calls[SYS_CALLS] = {
	/*		   what			dir path dir2 path2 */
	CALL(openat, PATH_OPEN, 1, 2, 0, 3),
	CALL(openat2, PATH_OPEN_HOW, 1, 2, 0, 3),
	CALL(unlinkat, PATH_UNLINKAT, 1, 2, 0, 0),
	CALL(renameat2, EV_FILE_RENAME, 1, 2, 3, 4),
	CALL(mkdirat, EV_FILE_MKDIR, 1, 2, 0, 0),
	CALL(linkat, EV_FILE_LINK, 3, 4, 1, 2),
	CALL(symlinkat, EV_FILE_SYMLINK, 2, 3, PATH_NO_DIR, 1),
	CALL(truncate, EV_FILE_TRUNCATE, 0, 1, 0, 0),
#ifdef SYS_renameat
	CALL(renameat, EV_FILE_RENAME, 1, 2, 3, 4),
#endif
#ifdef SYS_open
	CALL(open, PATH_OPEN, 0, 1, 0, 2),
	CALL(creat, PATH_CREAT, 0, 1, 0, 0),
	CALL(unlink, EV_FILE_REMOVE, 0, 1, 0, 0),
	CALL(rmdir, EV_FILE_RMDIR, 0, 1, 0, 0),
	CALL(rename, EV_FILE_RENAME, 0, 1, 0, 2),
	CALL(mkdir, EV_FILE_MKDIR, 0, 1, 0, 0),
	CALL(link, EV_FILE_LINK, 0, 2, 0, 1),
	CALL(symlink, EV_FILE_SYMLINK, 0, 2, PATH_NO_DIR, 1),
#endif
};

void paths_of_calls(struct path_call table[SYS_CALLS])
{
	for (unsigned int nr = 0; nr < SYS_CALLS; nr++)
		table[nr] = calls[nr];
}
