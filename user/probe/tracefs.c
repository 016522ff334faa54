/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracepoints of system calls are attached by number, and the numbers are files in tracefs.  Many
 * machines do not mount it, so it is mounted detached: visible to nobody, gone with the descriptor.
 */
#include "probe/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include "base/cleanup.h"

static int open_detached(void)
{
	_cleanup_close_ int fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	int dir;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	dir = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return dir < 0 ? -errno : dir;
}

int tracefs_open(void)
{
	static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int dir = open_detached();

	for (size_t i = 0; dir < 0 && i < ARRAY_SIZE(mounts); i++) {
		dir = open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && faccessat(dir, "events", F_OK, 0)) {
			close(dir);
			dir = -1;
		}
	}
	return dir < 0 ? -ENOENT : dir;
}

int tracefs_id(int dir, const char *event)
{
	char path[128], text[16];
	_cleanup_close_ int fd = -1;
	ssize_t n;
	int id;

	snprintf(path, sizeof(path), "events/%s/id", event);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return sscanf(text, "%d", &id) == 1 && id > 0 ? id : -EINVAL;
}
