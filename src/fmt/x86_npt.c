// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD nested paging with four levels.
 *
 * The entries are those of long mode: AMD64 Architecture Programmer's Manual,
 * volume 2, section 5.3 (layout), 5.4 (protection, A and D bits) and 15.25.5:
 * a nested walk is always a user access, so U/S is set everywhere.
 *
 *	63 | 62      52 | 51     12 | 11 9 | 8 | 7  | 6 | 5 | 4 3 | 2   | 1   | 0
 *	NX | available  | address   | avl  | G | PS | D | A | 0 0 | U/S | R/W | P
 */
#include "fmt.h"

#define NPT_P	BIT_ULL(0)
#define NPT_RW	BIT_ULL(1)
#define NPT_US	BIT_ULL(2)
#define NPT_A	BIT_ULL(5)
#define NPT_D	BIT_ULL(6)
#define NPT_PS	BIT_ULL(7)	/* not level 0, where this bit is PAT */
#define NPT_NX	BIT_ULL(63)
#define NPT_PA	GENMASK_ULL(51, 12)

/* The bits for one combination of write, execute, young, dirty. */
#define NPT_LEAF(w, x, a, d)	(NPT_US | (w) * NPT_RW |		\
				 (1 - (x)) * NPT_NX | (a) * NPT_A |	\
				 (d) * NPT_D)

const struct umbra_fmt umbra_fmt_x86_npt = {
	.name		= "x86_npt",
	.id		= UMBRA_FMT_X86_NPT,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 48,
	.levels		= 4,
	.leaf_levels	= BIT(0),
	.gfn_shift	= { 0, 9, 18, 27, 36 },
	.addr_mask	= NPT_PA,
	.type_mask	= NPT_P | NPT_PS,
	.type_leaf	= { NPT_P, NPT_P | NPT_PS },
	.type_table	= NPT_P,
	.table_bits	= NPT_P | NPT_RW | NPT_US | NPT_A,
	.leaf_bits	= {
		NPT_LEAF(0, 0, 0, 0), NPT_LEAF(1, 0, 0, 0),
		NPT_LEAF(0, 1, 0, 0), NPT_LEAF(1, 1, 0, 0),
		NPT_LEAF(0, 0, 1, 0), NPT_LEAF(1, 0, 1, 0),
		NPT_LEAF(0, 1, 1, 0), NPT_LEAF(1, 1, 1, 0),
		NPT_LEAF(0, 0, 0, 1), NPT_LEAF(1, 0, 0, 1),
		NPT_LEAF(0, 1, 0, 1), NPT_LEAF(1, 1, 0, 1),
		NPT_LEAF(0, 0, 1, 1), NPT_LEAF(1, 0, 1, 1),
		NPT_LEAF(0, 1, 1, 1), NPT_LEAF(1, 1, 1, 1),
	},
	.attr		= {
		{ NPT_RW, NPT_RW },
		{ NPT_NX, 0 },
		{ NPT_A, NPT_A },
		{ NPT_D, NPT_D },
	},
};

/* Nothing overlaps, and what the manual reserves (4 and 3 cache) stays clear. */
#define NPT_USED	(NPT_LEAF(0, 0, 0, 0) | NPT_LEAF(1, 1, 1, 1) |	\
			 NPT_P | NPT_PS)
static_assert(!(NPT_PA & NPT_USED));
static_assert(NPT_USED == (NPT_NX | 0xe7));
