/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ns a system call takes, as one line: one that ringspan does not look at (getppid), two that it does
 * (a byte read from /dev/zero, a byte written to /dev/null).  Medians of rounds in which they take turns.
 *
 *	sys_cost NAME
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS 100000
#define ROUNDS 21
#define KINDS 3

static int zero, null;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static double measure(int kind)
{
	double start = now();
	char byte;

	for (int i = 0; i < CALLS; i++) {
		if (kind == 0)
			syscall(SYS_getppid);
		else if ((kind == 1 ? read(zero, &byte, 1) : write(null, &byte, 1)) != 1)
			exit(1);
	}
	return (now() - start) / CALLS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double ns[KINDS][ROUNDS];

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	for (int r = 0; r < ROUNDS; r++)
		for (int k = 0; k < KINDS; k++)
			ns[k][r] = measure(k);
	printf("%-40s", argc > 1 ? argv[1] : "");
	for (int k = 0; k < KINDS; k++) {
		qsort(ns[k], ROUNDS, sizeof(ns[k][0]), by_value);
		printf(" %8.0f", ns[k][ROUNDS / 2]);
	}
	printf("\n");
	return 0;
}
