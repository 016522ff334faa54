/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An HTTP client whose request and answer move by io_uring, which no read or write call shows.
 *
 *	uring PORT
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring;
static struct io_uring_sqe *sqes;
static unsigned char *sq, *cq;
static struct io_uring_params par;

static void setup(void)
{
	size_t sq_len, cq_len;

	ring = (int)syscall(SYS_io_uring_setup, 4, &par);
	if (ring < 0)
		err(77, "io_uring_setup");
	sq_len = par.sq_off.array + par.sq_entries * sizeof(uint32_t);
	cq_len = par.cq_off.cqes + par.cq_entries * sizeof(struct io_uring_cqe);
	sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, par.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		    IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		err(1, "mmap");
}

/* One request at a time: queued, submitted and waited for. */
static int transfer(int op, int fd, void *buf, unsigned int len)
{
	uint32_t *tail = (uint32_t *)(sq + par.sq_off.tail), *head;
	uint32_t at = *tail & (par.sq_entries - 1);
	struct io_uring_cqe *cqe;

	sqes[at] =
		(struct io_uring_sqe){ .opcode = op, .fd = fd, .addr = (uintptr_t)buf, .len = len };
	((uint32_t *)(sq + par.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		err(1, "io_uring_enter");
	head = (uint32_t *)(cq + par.cq_off.head);
	cqe = (struct io_uring_cqe *)(cq + par.cq_off.cqes) + (*head & (par.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

int main(int argc, char **argv)
{
	static char ask[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[4096];

	setup();
	if (connect(fd, (void *)&to, sizeof(to)))
		err(1, "connect");
	if (transfer(IORING_OP_SEND, fd, ask, sizeof(ask) - 1) != sizeof(ask) - 1)
		errx(1, "send");
	while (transfer(IORING_OP_RECV, fd, answer, sizeof(answer)) > 0)
		;
	close(fd);
	return 0;
}
