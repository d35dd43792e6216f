/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM under stress: its format, and its memslots. Each area has one memslot that
 * stays, and may be logged; areas have others that come, go and move, and alias it.
 */
#ifndef VM_H
#define VM_H

#include <linux/umbra.h>
#include <linux/umbra_test.h>

#include "area.h"

enum slot_kind {
	SLOT_MAIN,		/* all of the area, always there */
	SLOT_ALIAS,		/* aligned for blocks */
	SLOT_CROOKED,		/* not aligned, a part of the area */
	SLOT_READONLY,
	SLOT_KINDS,
};

#define NR_SLOTS	(NR_AREAS * SLOT_KINDS)
/* Of a dirty log, each. */
#define READERS		2
#define ALL_READERS	((1 << READERS) - 1)
/* Where a memslot may be. */
#define PLACES		2

struct slot {
	struct area *area;
	enum slot_kind kind;
	uint32_t id;
	uint64_t first;		/* pages of the area */
	uint64_t nr;
	uint64_t gpa[PLACES];
	phase_t place[PLACES];
	uint64_t *stored;	/* main: start of the last store, by page */
};

struct vm {
	int fd;
	unsigned int number;
	const struct combination *as;
	uint32_t gpa_bits;
	struct slot slot[NR_SLOTS];
	unsigned int nr_slots;
};

/* A table format with the way in which A and D are tracked. */
struct combination {
	const char *name;
	uint32_t format;
	uint32_t flags;
};

/* Enough for all memslots. */
#define MIN_GPA_BITS	34

#define NR_COMBINATIONS	11
extern const struct combination combinations[NR_COMBINATIONS];

/* Returns 0 or -errno. */
int vm_create(struct vm *vm, int dev, const struct combination *as,
	      uint32_t gpa_bits, struct area *areas);
void vm_destroy(struct vm *vm);

/* Create the memslot at that place, or move it there, with these flags. */
int slot_set(struct vm *vm, struct slot *slot, unsigned int place,
	     uint32_t flags);

/* For a log that is found in any of the ways. */
uint32_t log_flags(struct rng *rng);

/* UMBRA_TEST; -ENOTTY without CONFIG_UMBRA_TEST. */
int vm_test(const struct vm *vm, struct umbra_test *cmd);
/* VERIFY the range; nothing may be wrong. */
void vm_verify(const struct vm *vm, uint64_t gpa, uint64_t length);

#endif /* VM_H */
