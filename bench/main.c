// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: bench count|parallel [MIB]
 *
 * MIB is how much memory most figures take, 256 if not given.
 * Prints a line for each row: name, unit, umbra, peer or "-", goal, and "more" or
 * "less", with tabs between. Fails if anything cannot be done; no time is too long.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* The least of many is what others on the host do not disturb. */
static int rounds;
static uint64_t size = 256 * MIB;

/*
 * Nanoseconds. Where QEMU counts instructions (-icount shift=0) an instruction
 * takes one.
 */
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void do_steps(const step_t *step, struct guest *g)
{
	int i;

	for (i = 0; i < MAX_STEPS && step[i]; i++)
		step[i](g);
}

static double measure(const struct mmu *mmu, const struct scenario *s, long arg)
{
	struct guest g = { .mmu = mmu, .arg = arg, .size = size };
	double cost, least = 0;
	uint64_t start, nr;
	int round;

	g.mem = map_memory(g.size);
	g.other = map_memory(g.size);
	g.bitmap = (uint64_t *)map_memory(g.size / PAGE_SIZE / 8);
	memset(g.bitmap, 0xff, g.size / PAGE_SIZE / 8);
	mmu->create(&g);
	add_vcpu(&g);
	do_steps(s->setup, &g);
	if (s->value)
		return s->value(&g);
	for (round = 0; round < rounds; round++) {
		do_steps(s->before, &g);
		start = now();
		nr = s->work(&g);
		cost = (double)(now() - start) / nr;
		do_steps(s->after, &g);
		if (!round || cost < least)
			least = cost;
	}
	return least;
}

/* In a process of its own, whose mm nobody else watches. */
static double measure_apart(const struct mmu *mmu, const struct scenario *s,
			    long arg)
{
	static double *result;
	int status;
	pid_t pid;

	if (!result)
		result = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		err(1, "mmap");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		*result = measure(mmu, s, arg);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "a measurement failed");
	return *result;
}

static double figure(const struct figure *f)
{
	double value = measure_apart(f->mmu, f->scenario, f->arg);

	switch (f->how) {
	case MINUS_NONE:
		return value - measure_apart(&none, f->scenario, f->arg);
	case MINUS_OTHER:
		return value - measure_apart(f->mmu, f->scenario, f->other);
	case OVER_OTHER:
		return value / measure_apart(f->mmu, f->scenario, f->other);
	case PLAIN:
		break;
	}
	return value;
}

int main(int argc, char **argv)
{
	const struct row *row;

	if (argc == 3)
		size = atol(argv[2]) * MIB;
	if (argc >= 2 && !strcmp(argv[1], "count")) {
		row = count_rows;
		rounds = 3;
	} else if (argc >= 2 && !strcmp(argv[1], "parallel")) {
		row = parallel_rows;
		rounds = 20;
	} else {
		errx(2, "usage: bench count|parallel [MIB]");
	}

	for (; row->name; row++) {
		printf("%s\t%s\t%.6g\t", row->name, row->unit,
		       figure(&row->umbra));
		if (row->peer.mmu)
			printf("%.6g", figure(&row->peer));
		else
			printf("-");
		printf("\t%g\t%s\n", row->goal,
		       row->better == MORE ? "more" : "less");
		fflush(stdout);
	}
	return 0;
}
