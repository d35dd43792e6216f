// SPDX-License-Identifier: GPL-2.0-only
/*
 * POWER radix tree, partition-scoped, 52 bits.
 *
 * Power ISA version 3.0B, book III, section 5.7.10: page directory entries
 * (5.7.10.1) and page table entries (5.7.10.2). Bits are numbered from the most
 * significant one there; here they are numbered as usual. Entries are
 * big-endian. The root has 2^13 entries, every other table 2^9, which is what
 * the entry that points to it says (NLS).
 *
 *	leaf:	63 | 62 | 61 | 56   12 | 11 9 | 8 | 7 | 5 4 | 3 0
 *		V  | L  | SW | address | SW   | R | C | ATT | EAA
 *	table:	63 | 62 |    | 59    8        |             | 4 0
 *		V  | 0  |    | address        |             | NLS
 */
#include "fmt.h"

#define V	BIT_ULL(63)
#define L	BIT_ULL(62)
#define SW_LEAF	BIT_ULL(61)
#define SW_W	BIT_ULL(11)
#define R_BIT	BIT_ULL(8)		/* referenced */
#define C_BIT	BIT_ULL(7)		/* changed */
#define EAA_R	BIT_ULL(2)
#define EAA_W	BIT_ULL(1)
#define EAA_X	BIT_ULL(0)
#define NLS	9ULL
#define MMIO	BIT_ULL(60)		/* not valid */
#define ADDR	GENMASK_ULL(56, 12)

#define LEAF(w, x, a, d)						\
	(EAA_R | (w) * EAA_W | (x) * EAA_X | (a) * R_BIT | (d) * C_BIT)

/* Old: not valid. Clean: not writable, as POWER8 needs it. */
#define SW(w, x, a, d)							\
	(LEAF((w) & (d), x, a, d) | (a) * V | (w) * SW_W)

const struct umbra_fmt umbra_fmt_power_radix = {
	.name		= "power_radix",
	.id		= UMBRA_FMT_POWER_RADIX,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 52,
	.levels_min	= 4,
	.root_bits	= 13,
	.big_endian	= true,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_mask	= ADDR,
	.table_mask	= V | L,
	.table		= V,
	.table_bits	= NLS,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_HW] = {
			.leaf_mask	= { V | L, V | L },
			.leaf		= { V | L, V | L },
			.leaf_bits	= UMBRA_LEAF_BITS(LEAF),
			.attr		= { { EAA_W }, { EAA_X }, { R_BIT },
					    { C_BIT } },
		},
		[UMBRA_AD_SW] = {
			.leaf_mask	= { SW_LEAF | L, SW_LEAF | L },
			.leaf		= { SW_LEAF | L, SW_LEAF | L },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { EAA_X }, { R_BIT },
					    { C_BIT } },
		},
	},
	.guest = {
		.present	= V,
		.table_mask	= L,
		.page		= L,
		.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
		.misplaced	= UMBRA_NESTED_RESERVED,
		.too_high	= UMBRA_NESTED_ADDRESS_SIZE,
		.reserved	= { 0, GENMASK_ULL(61, 57) | GENMASK_ULL(11, 5) },
		.table_need_mask = GENMASK_ULL(4, 0),
		.table_need	= NLS,
		.right		= { { EAA_R }, { EAA_W }, { EAA_X } },
		.young		= R_BIT,
		.dirty		= C_BIT,
		.ad = {
			[UMBRA_AD_HW] = UMBRA_GUEST_AD_SET,
			[UMBRA_AD_SW] = UMBRA_GUEST_AD_FAULT,
		},
	},
};

#define USED	(LEAF(0, 0, 0, 0) | LEAF(1, 1, 1, 1) | V | L)
static_assert(USED == (BIT_ULL(63) | BIT_ULL(62) | 0x187));
static_assert(!(ADDR & (USED | SW_LEAF | SW_W)));
static_assert(!(MMIO & (ADDR | USED | SW_LEAF)));
