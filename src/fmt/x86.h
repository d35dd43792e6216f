/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of long mode, which nested paging has in common with it: AMD64
 * Architecture Programmer's Manual, volume 2, section 5.3 (layout) and 5.4
 * (protection, A and D bits).
 *
 *	63 | 62      52 | 51     12 | 11 9 | 8 | 7  | 6 | 5 | 4 3 | 2   | 1   | 0
 *	NX | available  | address   | avl  | G | PS | D | A | 0 0 | U/S | R/W | P
 */
#ifndef UMBRA_FMT_X86_H
#define UMBRA_FMT_X86_H

#include "fmt.h"

#define P	BIT_ULL(0)
#define RW	BIT_ULL(1)
#define US	BIT_ULL(2)
#define A	BIT_ULL(5)
#define D	BIT_ULL(6)
#define PS	BIT_ULL(7)		/* not at level 0, where it is PAT */
#define NX	BIT_ULL(63)
#define ADDR	GENMASK_ULL(51, 12)
#define PAT_UP	BIT_ULL(12)		/* PAT, of a leaf above level 0 */

/* Bit 8 of the highest tables is not checked: Intel's processors ignore it. */
#define X86_GUEST							\
	.present	= P,						\
	.table_mask	= PS,						\
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),			\
	.misplaced	= UMBRA_NESTED_RESERVED,			\
	.too_high	= UMBRA_NESTED_RESERVED,			\
	.block_ignored	= PAT_UP,					\
	.user		= US,						\
	.right		= { { 0, true }, { RW }, { NX, true } },	\
	.hierarchical	= true,						\
	.young		= A,						\
	.dirty		= D,						\
	.table_young	= A,						\
	.ad		= { [UMBRA_AD_HW] = UMBRA_GUEST_AD_SET }

#endif /* UMBRA_FMT_X86_H */
