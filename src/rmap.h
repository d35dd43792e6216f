/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reverse map: from a page of the VM to the nested leaves that map it.
 *
 * An item says where a nested leaf may be: in which context, at which address.
 * It may be stale, so whoever uses it looks first (U18). One item costs a slot
 * of an xarray, more of them an array that grows.
 */
#ifndef UMBRA_RMAP_H
#define UMBRA_RMAP_H

#include <linux/xarray.h>

#include "types.h"

/* Levels that a nested leaf may stand at. */
#define UMBRA_RMAP_LEVELS	3

/* A context's number, and above it the page that its leaf begins with. */
#define UMBRA_RMAP_SLOT_BITS	16

static inline u64 umbra_rmap_item(unsigned int slot, gfn_t gfn)
{
	return gfn << UMBRA_RMAP_SLOT_BITS | slot;
}

static inline unsigned int umbra_rmap_slot(u64 item)
{
	return item & (BIT(UMBRA_RMAP_SLOT_BITS) - 1);
}

static inline gfn_t umbra_rmap_gfn(u64 item)
{
	return item >> UMBRA_RMAP_SLOT_BITS;
}

/**
 * struct umbra_rmap - the reverse map of a VM
 * @by_gfn: [level]: items of leaves of a level, by the page of the VM that they
 *	begin with, in units of what they span. A value, or a struct rmap_array
 *
 * The lock of an xarray guards its arrays as well.
 */
struct umbra_rmap {
	struct xarray by_gfn[UMBRA_RMAP_LEVELS];
};

/** umbra_rmap_init() - make it empty */
void umbra_rmap_init(struct umbra_rmap *r);

/** umbra_rmap_destroy() - free it; nobody else uses it */
void umbra_rmap_destroy(struct umbra_rmap *r);

/**
 * umbra_rmap_add() - note a nested leaf
 * @r: the map
 * @gfn: page of the VM that the leaf maps first
 * @level: of the leaf
 * @item: where the leaf is; at most LONG_MAX
 *
 * To be called before the leaf is installed. May sleep.
 *
 * Return: 0; -ENOSPC if there is no room among the items of that page, which
 * umbra_rmap_grow() makes; -ENOMEM.
 */
int umbra_rmap_add(struct umbra_rmap *r, gfn_t gfn, int level, u64 item);

/**
 * umbra_rmap_grow() - make room for at least one more item
 * @r: the map
 * @gfn: as for umbra_rmap_add()
 * @level: likewise
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_rmap_grow(struct umbra_rmap *r, gfn_t gfn, int level);

/**
 * umbra_rmap_walk() - go through the items of a range of pages
 * @r: the map
 * @start: first page of the range
 * @end: first page after it
 * @fn: called for each item of a leaf that touches the range, with the page of
 *	the VM that the leaf maps first; under a spinlock. The item is dropped
 *	if it returns false
 * @ctx: for @fn
 */
void umbra_rmap_walk(struct umbra_rmap *r, gfn_t start, gfn_t end,
		     bool (*fn)(void *ctx, gfn_t gfn, int level, u64 item),
		     void *ctx);

#endif /* UMBRA_RMAP_H */
