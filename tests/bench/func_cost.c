/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ns of CPU that a call of a function takes, as a line each: the best of many short slices.
 *
 *	func_cost [SECONDS]
 *
 * Each second begins with calls that are few enough to be told, by a tracer that tells only so many; then
 * come more than that, and then those that are timed as over it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLICE 100
#define TOLD 9   /* slices of each function: less than 2000 calls in all */
#define SKIP 200 /* slices */
#define OVER 50

#define FUNC __attribute__((noipa))
static volatile int sink;

int cost_small(int n);
int cost_framed(int n);

/* Two instructions, of which the kernel emulates none. */
FUNC int cost_small(int n)
{
	return n + 1;
}

/* As most functions: it saves registers, calls others, and restores them. */
FUNC int cost_framed(int n)
{
	int got = 0;

	for (int i = 0; i < 2; i++)
		got += rand() + n;
	sink = got;
	return got;
}

static int (*const funcs[])(int) = { cost_small, cost_framed };
static const char *const names[] = { "small", "framed" };

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* The best of cnt slices, if it is better. */
static void slices(int (*fn)(int), int cnt, double *best)
{
	for (int s = 0; s < cnt; s++) {
		double began = now(CLOCK_THREAD_CPUTIME_ID), ns;

		for (int i = 0; i < SLICE; i++)
			sink += fn(i);
		ns = (now(CLOCK_THREAD_CPUTIME_ID) - began) / SLICE;
		if (!*best || ns < *best)
			*best = ns;
	}
}

int main(int argc, char *argv[])
{
	int seconds = argc > 1 ? atoi(argv[1]) : 5;
	double told[2] = { 0 }, over[2] = { 0 }, ignored = 0;

	for (int s = 0; s < seconds; s++) {
		double began = now(CLOCK_MONOTONIC);

		for (int f = 0; f < 2; f++)
			slices(funcs[f], TOLD, &told[f]);
		slices(funcs[0], SKIP, &ignored);
		for (int f = 0; f < 2; f++)
			slices(funcs[f], OVER, &over[f]);
		/* whatever counts by the second begins anew */
		while (now(CLOCK_MONOTONIC) - began < 1.1e9) {
			struct timespec nap = { 0, 10000000 };

			nanosleep(&nap, NULL);
		}
	}
	for (int f = 0; f < 2; f++)
		printf("%s %.1f\n%s_over %.1f\n", names[f], told[f], names[f], over[f]);
	return 0;
}
