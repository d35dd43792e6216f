/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Idle ages: for how many scans no page of a memslot has been used.
 *
 * A page has one byte: the number, modulo 256, of the first scan that counts
 * its last use. So a use is one store, from anywhere, and a scan has nothing to
 * increment.
 */
#ifndef UMBRA_IDLE_H
#define UMBRA_IDLE_H

#include "types.h"

/**
 * struct umbra_idle - the idle ages of a memslot
 * @scan: number of the next scan
 * @seen: for each page, the scan that its last use belongs to; never more than
 *	255 before @scan
 */
struct umbra_idle {
	u8 scan;
	u8 seen[];
};

/** umbra_idle_alloc() - nothing was used, no scan was made; NULL: no memory */
struct umbra_idle *umbra_idle_alloc(u64 nr_pages);

/**
 * umbra_idle_used() - pages were found to be young, which they are no longer
 * @idle: the ages, or NULL
 * @first: first page, counted from the memslot's first
 * @nr: how many
 *
 * Any context.
 */
void umbra_idle_used(struct umbra_idle *idle, u64 first, u64 nr);

/**
 * umbra_idle_scan() - count the ages, and begin the next scan
 * @idle: the ages; nobody else scans. What was young has been told
 * @nr_pages: of the memslot
 * @pages: out: [0]: pages used since the last scan; [n]: pages that have been
 *	idle for 2^(n - 1) to 2^n - 1 scans; the last one, for more as well
 *
 * May sleep.
 */
void umbra_idle_scan(struct umbra_idle *idle, u64 nr_pages,
		     u64 pages[UMBRA_IDLE_BUCKETS]);

#endif /* UMBRA_IDLE_H */
