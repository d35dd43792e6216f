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
 * umbra_age_slot() - find young pages in a memslot, make them old if asked
 * @vm: the VM
 * @slot: the memslot, whose idle ages, if any, take what was made old
 * @start: first page
 * @end: first page after the range
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
bool umbra_age_slot(struct umbra_vm *vm, const struct umbra_memslot *slot,
		    gfn_t start, gfn_t end, u32 flags,
		    const struct umbra_age_map *map,
		    struct umbra_gather *gather);

/**
 * umbra_age() - find young pages, make them old if asked, and flush
 * @vm: the VM
 * @start: first page of the range
 * @end: first page after it
 * @flags: UMBRA_AGE_CLEAR or 0
 * @map: takes what was young
 *
 * May sleep.
 */
void umbra_age(struct umbra_vm *vm, gfn_t start, gfn_t end, u32 flags,
	       const struct umbra_age_map *map);

/**
 * umbra_age_scan() - a scan for idle ages of a memslot
 * @vm: the VM
 * @id: the memslot
 * @pages: out: as umbra_idle_scan()
 *
 * Makes all pages of the memslot old. May sleep.
 *
 * Return: 0; -ENOENT if there is no such memslot or it keeps no ages; -EINTR.
 */
int umbra_age_scan(struct umbra_vm *vm, u32 id,
		   u64 pages[UMBRA_IDLE_BUCKETS]);

/**
 * umbra_age_nested() - the same for pages of a nested context
 * @vm: the VM
 * @n: the context, entered
 * @start: first nested page of the range
 * @end: first page after it
 * @flags: UMBRA_AGE_CLEAR or 0
 * @map: takes what was young
 *
 * Only the context's leaves count, and only they are made old: neither the
 * guest's table nor stage 2. May sleep.
 */
void umbra_age_nested(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		      gfn_t end, u32 flags, const struct umbra_age_map *map);

#endif /* UMBRA_AGE_H */
