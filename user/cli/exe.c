// SPDX-License-Identifier: BSD-2-Clause
/* PATH and `#!` lines: see exe.h. */
#include "cli/exe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/str.h"

#define LINE_MAX_BYTES 256 /* BINPRM_BUF_SIZE: the kernel reads no more of a `#!` line */
#define CHAIN_MAX 5        /* interpreters of interpreters, as exec_binprm() has it */

static int check(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : -EACCES;
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

int exe_find(const char *command, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	struct sv rest = sv(dirs ? dirs : "/usr/local/bin:/bin:/usr/bin");
	int err = -ENOENT;

	if (!command[0])
		return -ENOENT;
	if (strchr(command, '/')) {
		if (snprintf(path, PATH_MAX, "%s", command) >= PATH_MAX)
			return -ENOENT;
		return check(path);
	}
	while (rest.n) {
		struct sv dir = sv_token(&rest, ':');
		int ret;

		if (!dir.n) /* POSIX: an empty entry is the working directory */
			dir = SV(".");
		if (snprintf(path, PATH_MAX, SV_FMT "/%s", SV_ARG(dir), command) >= PATH_MAX)
			continue;
		ret = check(path);
		if (!ret)
			return 0;
		if (ret == -EACCES) /* another directory may have one that can be run */
			err = ret;
	}
	return err;
}

/* Words behind `env`: options and settings do not name the program; -S splits, as words are here. */
static struct sv env_command(struct sv words)
{
	while (words.n) {
		struct sv word = sv_token(&words, ' ');

		if (word.n && word.p[0] != '-' && sv_find(word, SV("=")) < 0)
			return word;
	}
	return (struct sv){ NULL, 0 };
}

/* What the file's first line names, into path.  False: it is no script, or names nothing. */
static bool interpreter(const char *file, char path[PATH_MAX])
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	char text[LINE_MAX_BYTES], command[LINE_MAX_BYTES];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);
	struct sv line, word;

	if (n < 2 || memcmp(text, "#!", 2) != 0)
		return false;
	line = (struct sv){ text + 2, (size_t)n - 2 };
	line = sv_trim(sv_token(&line, '\n'));
	word = sv_token(&line, ' ');
	if (sv_ends(word, "/env"))
		word = env_command(line);
	if (!word.n)
		return false;
	memcpy(command, word.p, word.n);
	command[word.n] = '\0';
	return exe_find(command, path) == 0;
}

void exe_program(const char *file, char path[PATH_MAX])
{
	char next[PATH_MAX];

	snprintf(path, PATH_MAX, "%s", file);
	for (int i = 0; i < CHAIN_MAX && interpreter(path, next); i++)
		memcpy(path, next, PATH_MAX);
}
