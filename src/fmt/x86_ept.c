// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intel extended page tables, four or five levels.
 *
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3C,
 * section 29.3.2, tables 29-2 to 29-7 (chapter 28 in older editions). Accessed
 * and dirty flags (section 29.3.5) are in use if bit 6 of the EPT pointer is
 * set; without them UMBRA_AD_SW is for use.
 *
 *	63  | 62   52 | 51   12 | 11 | 10 | 9 | 8 | 7    | 6   | 5 3  | 2 | 1 | 0
 *	#VE | ignored | address |    | XU | D | A | page | IPAT | type | X | W | R
 */
#include "fmt.h"

#define R	BIT_ULL(0)
#define W	BIT_ULL(1)
#define X	BIT_ULL(2)
#define TYPE	GENMASK_ULL(5, 3)
#define TYPE_WB	(6ULL << 3)
#define TYPE_2	(2ULL << 3)		/* reserved, as are 3 and 7 */
#define TYPE_3	(3ULL << 3)
#define PAGE	BIT_ULL(7)		/* a leaf above level 0 */
#define A	BIT_ULL(8)
#define D	BIT_ULL(9)
#define SW_LEAF	BIT_ULL(52)
#define SW_W	BIT_ULL(53)
#define SW_X	BIT_ULL(54)
#define MMIO	BIT_ULL(55)		/* not present */
#define ADDR	GENMASK_ULL(51, 12)

#define LEAF(w, x, a, d)	(TYPE_WB | (w) * W | (x) * X | (a) * A | (d) * D)

/*
 * Old: none of R, W and X, which is what not present means. Clean: not
 * writable. The flags A and D are ignored by the hardware then.
 */
#define SW(w, x, a, d)							\
	(LEAF((w) & (d) & (a), (x) & (a), a, d) | (a) * R |		\
	 (w) * SW_W | (x) * SW_X)

const struct umbra_fmt umbra_fmt_x86_ept = {
	.name		= "x86_ept",
	.id		= UMBRA_FMT_X86_EPT,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 52,
	.levels_min	= 4,
	.root_bits	= 9,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_mask	= ADDR,
	.table_mask	= R | PAGE,
	.table		= R,
	.table_bits	= W | X,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_HW] = {
			.leaf_mask	= { R, R | PAGE },
			.leaf		= { R, R | PAGE },
			.leaf_bits	= UMBRA_LEAF_BITS(LEAF),
			.attr		= { { W }, { X }, { A }, { D } },
		},
		[UMBRA_AD_SW] = {
			.leaf_mask	= { SW_LEAF, SW_LEAF | PAGE },
			.leaf		= { SW_LEAF, SW_LEAF | PAGE },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { SW_X }, { A }, { D } },
		},
	},
	.guest = {
		.present	= R | W | X,
		.table_mask	= PAGE,
		.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
		.misplaced	= UMBRA_NESTED_RESERVED,
		.too_high	= UMBRA_NESTED_RESERVED,
		.reserved	= { 0, GENMASK_ULL(6, 3) },
		.bad		= { { R | W, W },
				    { TYPE, TYPE_2 }, { TYPE, TYPE_3 },
				    { TYPE, TYPE } },
		.right		= { { R }, { W }, { X } },
		.hierarchical	= true,
		.young		= A,
		.dirty		= D,
		.table_young	= A,
		.ad = {
			[UMBRA_AD_HW] = UMBRA_GUEST_AD_SET,
			[UMBRA_AD_SW] = UMBRA_GUEST_AD_IGNORE,
		},
	},
};

#define USED	(LEAF(0, 0, 0, 0) | LEAF(1, 1, 1, 1) | R | PAGE)
static_assert(USED == 0x3b7);
static_assert(!(ADDR & (USED | SW_LEAF | SW_W | SW_X)));
static_assert(!(MMIO & (ADDR | USED | SW_LEAF)));
