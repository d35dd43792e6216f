/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses of a vCPU, and what may come of them: values as the oracle has it, and
 * errors as memslot and memory were all the time, or may have been.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "actor.h"
#include "vm.h"

/* Where an access, or a fault, goes, and how it was there before. */
#define MAX_PAGES	512

struct target {
	struct vm *vm;
	struct slot *slot;
	unsigned int place;
	uint64_t page;		/* of the area */
	uint64_t offset;	/* in the area, bytes */
	uint64_t nr;		/* pages */
	uint64_t gpa;
	uint64_t start;		/* when it began */
	phase_t place_before;
	phase_t before[MAX_PAGES];
};

/* A memslot and a page at random, up to max pages. */
void target_pick(struct target *t, struct rng *rng, struct vm *vm, uint64_t max);
/* The access is to [offset, offset + len) of the area. */
void target_open(struct target *t, uint64_t offset, uint64_t len);
/* It has ended so: was there a reason to, and none not to? */
void target_judge(const struct target *t, int ret, bool write, bool nowait);

/* One or more operations of ACCESS on cells. */
enum access_kind {
	ACCESS_LOAD,
	ACCESS_STORE,
	ACCESS_CMPXCHG,
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_KINDS,
};

/*
 * Perform nr operations in one call, of which only the last may be no load or
 * read. Returns false if there was nothing to do, or the call failed.
 */
bool access_batch(struct actor *actor, enum access_kind last, unsigned int nr);
/* Count up by CMPXCHG. */
bool access_count(struct actor *actor);
/* FAULT a range. */
bool access_fault(struct actor *actor, uint32_t flags);

#endif /* ACCESS_H */
