// SPDX-License-Identifier: BSD-2-Clause
/*
 * record: runs a command under observation.  The command is held before its exec until the probes are
 * set; it is never hindered after that, and ringspan ends as it ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/log.h"
#include "cli/exe.h"
#include "cli/live.h"

#define STEP_MS 100             /* also the longest that a record waits in the ring */
#define LINGER_NS 300000000ull  /* for processes that outlive the command */
#define EXIT_CANNOT_EXECUTE 126 /* as shells say it, POSIX 2.8.2 */
#define EXIT_NOT_FOUND 127

struct record_opts {
	struct live_opts live;
	bool wait;
};

static const struct opt record_options[] = {
	LIVE_OPTS,
	FUNC_OPTS(struct record_opts, live.funcs),
	{ "wait", 'w', OPT_FLAG, offsetof(struct record_opts, wait), NULL,
	  "go on until every process that the command left behind has ended" },
	{ 0 },
};

struct child {
	pid_t pid;
	int line;       /* a byte lets it go on; it answers with an errno when exec failed */
	int status;     /* as wait(2) gives it */
	int interrupts; /* SIGINTs so far */
	bool over, left;
};

/* The child's side.  Nothing but the exec is left of it. */
static void run_child(const struct live *l, int line, const char *path, char **argv)
{
	char go;
	int err;

	live_unblock(l);
	if (read(line, &go, 1) != 1)
		_exit(EXIT_NOTHING); /* ringspan is gone */
	execvp(path, argv);
	err = errno;
	if (write(line, &err, sizeof(err)) < 0)
		_exit(EXIT_NOTHING);
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

static int start_child(struct child *c, const struct live *l, const char *path, char **argv)
{
	int line[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line))
		return log_err(-errno, "socketpair: %s", strerror(errno));
	c->pid = fork();
	if (c->pid < 0) {
		int err = -errno;

		close(line[0]);
		close(line[1]);
		return log_err(err, "fork: %s", strerror(-err));
	}
	if (c->pid == 0) {
		close(line[0]);
		run_child(l, line[1], path, argv);
	}
	close(line[1]);
	c->line = line[0];
	return 0;
}

/* Lets the child go; 0 when its exec worked, else the errno of it, logged. */
static int release(const struct child *c, const char *path)
{
	int err = 0;

	if (send(c->line, "", 1, MSG_NOSIGNAL) != 1)
		return log_err(-errno, "%s: ended before it began", path);
	if (recv(c->line, &err, sizeof(err), 0) != (ssize_t)sizeof(err))
		return 0;
	return log_err(-err, "%s: %s", path, strerror(err));
}

/*
 * A signal from the terminal went to the whole foreground group, so the child has had it too; one
 * from kill(1) was meant for the child as much.
 */
static void pass_on(struct child *c, const struct signalfd_siginfo *sig)
{
	bool from_terminal = sig->ssi_code == SI_KERNEL;

	if (sig->ssi_signo == SIGCHLD)
		return;
	if (sig->ssi_signo == SIGINT && ++c->interrupts > 1) {
		c->left = true;
		return;
	}
	if (!from_terminal || getpgid(c->pid) != getpgrp())
		kill(c->pid, (int)sig->ssi_signo);
}

static int until_child_ends(struct live *l, struct child *c)
{
	struct signalfd_siginfo sig;

	while (!c->over && !c->left) {
		int ret = live_step(l, STEP_MS, &sig);

		if (ret < 0)
			return ret;
		if (ret)
			pass_on(c, &sig);
		c->over = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
	}
	return 0;
}

/* The command is over; what it started may not be. */
static int until_run_ends(struct live *l, bool wait)
{
	uint64_t since = live_now();
	struct signalfd_siginfo sig;

	while (!live_over(l, 1) && (wait || live_now() - since < LINGER_NS)) {
		int ret = live_step(l, STEP_MS / 5, &sig);

		if (ret < 0)
			return ret;
		if (ret && sig.ssi_signo != SIGCHLD)
			break;
	}
	return 0;
}

static int exit_code(const struct child *c)
{
	if (!c->over)
		return 128 + SIGINT;
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

/* Everything between the fork and the end of the recording.  The exit code. */
static int observe(struct live *l, struct child *c, const struct record_opts *o, const char *path)
{
	char program[PATH_MAX];
	int err, code;

	exe_program(path, program);
	err = monitor_hook_file(live_monitor(l), program);
	if (err < 0)
		log_warn("%s: cannot be probed (%s): what it holds of TLS is not seen", program,
			 strerror(-err));
	err = monitor_watch(live_monitor(l), c->pid, EV_RUN_RECORD);
	if (!err)
		err = live_confine(l);
	if (err)
		return EXIT_NOTHING; /* closing the line ends the child */
	err = release(c, path);
	if (err)
		return err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	err = until_child_ends(l, c);
	if (!err && c->over)
		err = until_run_ends(l, o->wait);
	if (err && !c->over) { /* recording broke; the command goes on and is waited for */
		live_unblock(l);
		c->over = waitpid(c->pid, &c->status, 0) == c->pid;
	}
	err = live_end(l);
	code = exit_code(c);
	return !code && err ? EXIT_NOTHING : code; /* what was recorded is not all kept */
}

static int run_record(void *opts, int argc, char **argv)
{
	struct record_opts *o = opts;
	struct child c = { .line = -1 };
	struct live *l = NULL;
	char path[PATH_MAX];
	int err, code;

	if (!argc) {
		log_err(-EINVAL, "nothing to run: ringspan record [OPTION ...] -- CMD [ARG ...]");
		return EXIT_USAGE;
	}
	if (live_read_opts(&o->live))
		return EXIT_USAGE;
	err = exe_find(argv[0], path);
	if (err) {
		log_err(err, "%s: %s", argv[0],
			err == -ENOENT ? "command not found" : "cannot be executed");
		return err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	}
	if (live_new(&l, &o->live))
		return EXIT_NOTHING;
	code = start_child(&c, l, path, argv) ? EXIT_NOTHING : observe(l, &c, o, path);
	if (c.line >= 0)
		close(c.line);
	if (c.pid > 0 && !c.over && !c.left)
		waitpid(c.pid, NULL, 0);
	live_free(&l);
	return code;
}

const struct cmd cmd_record = {
	.name = "record",
	.args = "-- CMD [ARG ...]",
	.help = "run a command and record what it and everything that it starts does",
	.more = "The exit code is the command's: its own, or 128 and the signal's number.\n"
		"Ctrl-C goes to the command; a second one ends the recording and leaves it "
		"alone.\n",
	.opts = record_options,
	.opts_sz = sizeof(struct record_opts),
	.foreign = true,
	.run = run_record,
};
