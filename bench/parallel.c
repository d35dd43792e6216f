// SPDX-License-Identifier: GPL-2.0-only
/*
 * What several threads do at once, on two processors, by the clock. The cost of
 * a page is the time from the start of all to the end of the last, divided by
 * the pages of all of them.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bench.h"

static void start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	if (pthread_create(thread, NULL, fn, arg))
		errx(1, "pthread_create");
}

/* ------------------------------------------------------------------- faults */

/* Threads that fault one half of the memory in, page by page, each a share. */
static struct member {
	struct guest *g;
	unsigned int vcpu;
	pthread_t thread;
} team[MAX_VCPUS];

static pthread_barrier_t whistle;

static void *fault_share(void *arg)
{
	struct member *m = arg;
	uint64_t share = m->g->size / 2 / m->g->nr_vcpus;
	uint64_t gpa = m->vcpu * share, end = gpa + share;

	pthread_barrier_wait(&whistle);
	for (; gpa < end; gpa += PAGE_SIZE)
		m->g->mmu->populate(m->g, m->vcpu, gpa, PAGE_SIZE);
	return NULL;
}

static void line_up(struct guest *g)
{
	unsigned int i;

	pthread_barrier_init(&whistle, NULL, g->nr_vcpus + 1);
	for (i = 0; i < g->nr_vcpus; i++) {
		team[i].g = g;
		team[i].vcpu = i;
		start(&team[i].thread, fault_share, &team[i]);
	}
}

static uint64_t fault_half(struct guest *g)
{
	unsigned int i;

	pthread_barrier_wait(&whistle);
	for (i = 0; i < g->nr_vcpus; i++)
		pthread_join(team[i].thread, NULL);
	return g->size / 2 / PAGE_SIZE;
}

static const struct scenario faults = {
	.setup	= { add_vcpus, fill },
	.before	= { add_slot, line_up },
	.work	= fault_half,
	.after	= { delete_slot },
};

/* -------------------------------------------------------------------- storm */

/* What the other processor does meanwhile; the arg of these figures. */
enum {
	SPIN,		/* nothing that anybody notices */
	STORM_OUTSIDE,	/* invalidate pages in no slot, one at a time */
	STORM_INSIDE,	/* likewise in the other half of the slot */
};

static struct {
	pthread_t thread;
	atomic_bool stop;
} storm;

static void *blow(void *arg)
{
	struct guest *g = arg;
	char *mem = g->arg == STORM_INSIDE ? g->mem + g->size / 2 : g->other;
	uint64_t at = 0;

	while (!storm.stop) {
		if (g->arg == SPIN)
			continue;
		drop_memory(mem + at, PAGE_SIZE);
		at = (at + PAGE_SIZE) % (g->size / 2);
	}
	return NULL;
}

static void storm_begins(struct guest *g)
{
	storm.stop = false;
	start(&storm.thread, blow, g);
}

static void storm_ends(struct guest *g)
{
	(void)g;
	storm.stop = true;
	pthread_join(storm.thread, NULL);
}

static const struct scenario storm_faults = {
	.setup	= { fill },
	.before	= { add_slot, line_up, storm_begins },
	.work	= fault_half,
	.after	= { storm_ends, delete_slot },
};

/* ------------------------------------------------------------------ the rows */

#define BOTH(s, n)							\
	.unit = "ns per page, by the clock",				\
	.umbra = { &umbra, &s, n }, .peer = { &kvm, &s, n }, .goal = 1
#define RATIO(s, a, b)							\
	.unit = "ratio", .umbra = { &umbra, &s, a, OVER_OTHER, b }

const struct row parallel_rows[] = {
	/* The cost of one alone over that of both is the gain in throughput. */
	{ "two vCPUs over one, disjoint memory",
	  RATIO(faults, 1, 2), .goal = 1.8 },
	{ "faults of two vCPUs", BOTH(faults, 2) },
	{ "faults beside a storm elsewhere, over a quiet VM",
	  RATIO(storm_faults, SPIN, STORM_INSIDE), .goal = 0.9 },
	{ "faults beside a storm elsewhere, over one outside all slots",
	  RATIO(storm_faults, STORM_OUTSIDE, STORM_INSIDE), .goal = 0.9 },
	{ "faults beside a storm elsewhere",
	  BOTH(storm_faults, STORM_INSIDE) },
	{ "faults of 64 vCPUs over two, per page",
	  RATIO(faults, 64, 2), .goal = 1.1, .better = LESS },
	{ "faults of 64 vCPUs", BOTH(faults, 64) },
	{ }
};
