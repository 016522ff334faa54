/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time blocked on a disk that is slow by construction: a loop device on a file of a FUSE file system whose
 * server, a child of this test, answers each read only after a while.  So a program that reads the device past
 * the page cache blocks for a known time, and what it was blocked by its own clocks differs from that by
 * what the machine was busy with.
 *
 * Not held against delay accounting (blkio_delay_total): that counts what a thread is preempted on its way
 * to its wait, and now and then, on 6.18, the time since boot.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define DELAY_MS 20
#define READS 20
#define STRIDE (1u << 20) /* no read is ahead of another's */
#define DISK_BYTES ((uint64_t)READS * STRIDE)
#define FILE_ID 2
#define TOLD_FD 40 /* of the victim: where it leaves what it measured */

static char dir[] = "/tmp/disk-test.XXXXXX";

/* --- the slow file system */

static void answer(int fd, const struct fuse_in_header *in, int err, const void *data, size_t len)
{
	static char buf[FUSE_MIN_READ_BUFFER + 4096];
	struct fuse_out_header out = { .unique = in->unique, .error = err };

	out.len = sizeof(out) + (err ? 0 : len);
	memcpy(buf, &out, sizeof(out));
	if (!err && len)
		memcpy(buf + sizeof(out), data, len);
	if (write(fd, buf, out.len) < 0 && errno != ENOENT) /* whoever asked may be gone */
		_exit(1);
}

static struct fuse_attr attr_of(uint64_t id)
{
	return (struct fuse_attr){
		.ino = id,
		.mode = id == FILE_ID ? S_IFREG | 0600 : S_IFDIR | 0700,
		.nlink = 1,
		.size = id == FILE_ID ? DISK_BYTES : 0,
		.blksize = 4096,
	};
}

static void serve_read(int fd, const struct fuse_in_header *in, const struct fuse_read_in *read)
{
	static const char zeroes[4096];

	usleep(DELAY_MS * 1000);
	answer(fd, in, 0, zeroes, read->size < sizeof(zeroes) ? read->size : sizeof(zeroes));
}

static void serve_one(int fd, const struct fuse_in_header *in)
{
	const void *arg = in + 1;
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = 31,
				      .max_write = 4096 };
	struct fuse_entry_out entry = {
		.nodeid = FILE_ID, .attr_valid = 3600, .entry_valid = 3600, .attr = attr_of(FILE_ID)
	};
	struct fuse_attr_out attr = { .attr_valid = 3600, .attr = attr_of(in->nodeid) };
	struct fuse_open_out opened = { .fh = 1 };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(fd, in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer(fd, in, strcmp(arg, "disk") ? -ENOENT : 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(fd, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		serve_read(fd, in, arg);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(fd, in, 0, NULL, 0);
		break;
	default:
		answer(fd, in, -ENOSYS, NULL, 0);
		break;
	}
}

static void serve(int fd)
{
	static char buf[FUSE_MIN_READ_BUFFER + 4096] __attribute__((aligned(8)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, buf, sizeof(buf)) >= (ssize_t)sizeof(struct fuse_in_header))
		serve_one(fd, (const void *)buf);
	_exit(0);
}

/* In a mount namespace of its own; the server, or -1. */
static pid_t mount_slow(void)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char opts[64];
	pid_t pid;

	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("slow", dir, "fuse", MS_NOSUID | MS_NODEV, opts))
		return -1;
	pid = fork();
	if (pid == 0)
		serve(fd);
	return pid;
}

/* A loop device on its file, which goes with the last descriptor; its number, or -1. */
static int make_disk(int *disk)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), file = -1;
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY };
	char path[64];
	int nr;

	snprintf(path, sizeof(path), "%s/disk", dir);
	file = open(path, O_RDONLY | O_CLOEXEC);
	config.fd = (__u32)file;
	for (int i = 0; file >= 0 && i < 5; i++) { /* another may take what is free first */
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(path, sizeof(path), "/dev/loop%d", nr);
		*disk = nr < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		if (*disk >= 0 && ioctl(*disk, LOOP_CONFIGURE, &config) == 0)
			return nr;
		if (*disk >= 0)
			close(*disk);
	}
	return -1;
}

/* --- the victim */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t run_delay(void)
{
	unsigned long long on, waited = 0;
	FILE *f = fopen("/proc/thread-self/schedstat", "re");

	if (!f || fscanf(f, "%llu %llu", &on, &waited) != 2)
		_exit(1);
	fclose(f);
	return waited;
}

/* Time that the thread was neither on a CPU nor waiting for one, since some time.  Not preempted between. */
static uint64_t blocked_ns(void)
{
	uint64_t before, after = run_delay(), wall, cpu;

	do {
		before = after;
		wall = clock_ns(CLOCK_MONOTONIC);
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		after = run_delay();
	} while (after != before);
	return wall - cpu - after;
}

static int victim(const char *disk)
{
	static char block[4096] __attribute__((aligned(4096)));
	int fd = open(disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
	uint64_t blocked = blocked_ns();

	for (int i = 0; i < READS; i++)
		if (pread(fd, block, sizeof(block), (off_t)i * STRIDE) != sizeof(block))
			return 1;
	blocked = blocked_ns() - blocked;
	return write(TOLD_FD, &blocked, sizeof(blocked)) != sizeof(blocked);
}

/* --- the test */

static char device[32];

static void blocked_as_built(void **state)
{
	struct trace *t = *state;
	const struct ev_usage *u = NULL, *next;
	uint64_t own = 0, got;
	int told[2];

	assert_int_equal(pipe(told), 0);
	assert_int_equal(dup2(told[1], TOLD_FD), TOLD_FD);
	close(told[1]);
	trace_victim(t, "victim", device);
	close(TOLD_FD);
	assert_int_equal(t->status, 0);
	assert_int_equal(read(told[0], &own, sizeof(own)), sizeof(own));
	close(told[0]);
	for (size_t i = 0; (next = trace_rec(t, EV_USAGE, t->pid, i)); i++)
		u = next;
	assert_non_null(u);
	if (!u)
		return; /* for who reads it without knowing cmocka */
	got = u->blocked_ns[EV_BLOCK_DISK];
	printf("# built to be blocked %d ms, by own clocks %.3f ms, told %.3f ms: %+.2f %%\n",
	       READS * DELAY_MS, (double)own / 1e6, (double)got / 1e6,
	       ((double)got / (double)own - 1) * 100);
	assert_in_range(got, own - own / 20, own + own / 20);
	assert_true(got >= (uint64_t)READS * DELAY_MS * 950000);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocked_as_built, trace_setup, trace_teardown),
	};
	int failed, disk = -1, nr = -1;
	pid_t server;

	if (argc == 3 && strcmp(argv[1], "victim") == 0)
		return victim(argv[2]);
	failed = trace_skip();
	if (failed)
		return failed;
	if (!mkdtemp(dir))
		return 1;
	server = mount_slow();
	if (server > 0)
		nr = make_disk(&disk);
	if (nr < 0) {
		printf("skipped: FUSE or loop devices are missing: %s\n", strerror(errno));
		failed = SKIP;
	} else {
		snprintf(device, sizeof(device), "/dev/loop%d", nr);
		failed = cmocka_run_group_tests_name("disk", tests, NULL, NULL);
		close(disk);
	}
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	if (server > 0)
		kill(server, SIGKILL);
	return failed;
}
