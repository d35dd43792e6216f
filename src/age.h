/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Testing and clearing young over a range of pages.
 */
#ifndef UMBRA_AGE_H
#define UMBRA_AGE_H

#include "vcpu.h"

/**
 * struct umbra_age_map - where young pages are noted
 * @gfn: the page that bit 0 begins with
 * @granule: pages that one bit stands for
 * @bits: set to 1 where a page of the granule was young; else left alone
 */
struct umbra_age_map {
	gfn_t gfn;
	u64 granule;
	unsigned long *bits;
};

/**
 * umbra_age() - find the young pages of a range, and make them old if asked
 * @vm: the VM
 * @start: first page of the range
 * @end: first page after it
 * @flags: UMBRA_AGE_CLEAR or 0
 * @map: takes what was young, or NULL
 * @gather: takes what was made old. Until the caller flushes it, a translation
 *	that is still in a TLB can be used without the page becoming young again
 *
 * Takes no lock of the VM but RCU, unless there are nested contexts, and does
 * not sleep: reclaim calls this often.
 *
 * Return: true if any page was young.
 */
bool umbra_age(struct umbra_vm *vm, gfn_t start, gfn_t end, u32 flags,
	       const struct umbra_age_map *map, struct umbra_gather *gather);

/**
 * umbra_age_nested() - the same for pages of a nested context
 * @vm: the VM
 * @n: the context, entered
 * @start: first nested page of the range
 * @end: first page after it
 * @flags: UMBRA_AGE_CLEAR or 0
 * @map: takes what was young
 * @gather: takes what was made old; of the context
 *
 * Only the context's leaves count, and only they are made old: neither the
 * guest's table nor stage 2. Does not sleep.
 */
void umbra_age_nested(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		      gfn_t end, u32 flags, const struct umbra_age_map *map,
		      struct umbra_gather *gather);

#endif /* UMBRA_AGE_H */
