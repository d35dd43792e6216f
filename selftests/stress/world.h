/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a round takes place in: fresh memory, two VMs, and all actors.
 */
#ifndef WORLD_H
#define WORLD_H

#include "actor.h"
#include "vm.h"

#define NR_VMS		2
#define VM_VCPUS	(VCPU_WRITERS / NR_VMS)
#define MAX_ACTORS	32

struct world {
	int dev;
	uint64_t seed;		/* of this round */
	struct area area[NR_AREAS];
	struct vm vm[NR_VMS];
	struct actor actor[MAX_ACTORS];
	unsigned int nr_actors;
};

/* Sums over all rounds. */
struct totals {
	uint64_t rounds;
	uint64_t accesses;
	uint64_t faults;
	uint64_t retries;
	uint64_t waits;
	uint64_t invalidations;
	uint64_t splits;
	uint64_t collapses;
	uint64_t flushes;
};

/* For that many seconds. Has everybody come to an end? */
bool world_round(uint64_t seed, unsigned int round, unsigned int seconds,
		 struct totals *totals);

#endif /* WORLD_H */
