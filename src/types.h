/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address types, leaves in format-independent form, limits.
 */
#ifndef UMBRA_TYPES_H
#define UMBRA_TYPES_H

#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <uapi/linux/umbra.h>

typedef u64 gpa_t;	/* guest physical address, bytes */
typedef u64 gfn_t;	/* guest frame number, pages of 4 KiB */

/* Every format has a granule of 4 KiB, and so must the host. */
static_assert(PAGE_SHIFT == 12);

/* Levels are numbered from the lowest: level 0 maps single pages. */
#define UMBRA_MAX_LEVELS	5

#define UMBRA_MAX_SLOTS		32767
#define UMBRA_MAX_SLOT_PAGES	BIT_ULL(31)
#define UMBRA_MAX_VCPUS		1024
#define UMBRA_LOG_READERS	4
#define UMBRA_MIN_RING		8
#define UMBRA_MAX_RING		65536

/*
 * A leaf in no format: host physical address | UMBRA_PTE_*. 0 is "nothing".
 * UMBRA_PTE_READ is always set in a leaf.
 */
typedef u64 umbra_leaf_t;

#define UMBRA_LEAF_ATTRS	((umbra_leaf_t)(UMBRA_PTE_READ | \
						UMBRA_PTE_WRITE | \
						UMBRA_PTE_EXEC | \
						UMBRA_PTE_YOUNG | \
						UMBRA_PTE_DIRTY))

static inline phys_addr_t umbra_leaf_pa(umbra_leaf_t leaf)
{
	return leaf & ~UMBRA_LEAF_ATTRS;
}

static inline unsigned long umbra_leaf_pfn(umbra_leaf_t leaf)
{
	return PHYS_PFN(umbra_leaf_pa(leaf));
}

#endif /* UMBRA_TYPES_H */
