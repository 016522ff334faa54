/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ns of CPU that a switch takes between two threads that wake each other through pipes on one CPU, with the
 * read and the write that go with it.  Median of rounds.
 *
 *	switch_cost NAME
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SWITCHES 20000
#define ROUNDS 21

static int ping[2], pong[2];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void *echo(void *arg)
{
	char byte;

	while (read(ping[0], &byte, 1) == 1 && write(pong[1], &byte, 1) == 1)
		;
	return arg;
}

static double measure(void)
{
	double start = now();
	char byte = 0;

	for (int i = 0; i < SWITCHES / 2; i++)
		if (write(ping[1], &byte, 1) != 1 || read(pong[0], &byte, 1) != 1)
			exit(1);
	return (now() - start) / SWITCHES;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	double ns[ROUNDS];
	pthread_t thread;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (pipe(ping) || pipe(pong) || sched_setaffinity(0, sizeof(cpu), &cpu) ||
	    pthread_create(&thread, NULL, echo, NULL))
		return 1;
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = measure();
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%-40s %8.0f\n", argc > 1 ? argv[1] : "", ns[ROUNDS / 2]);
	return 0;
}
