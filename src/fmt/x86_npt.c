// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD nested paging, four or five levels.
 *
 * The entries are those of long mode. AMD64 Architecture Programmer's Manual,
 * volume 2, section 15.25.5: a nested walk is always a user access, so U/S is
 * set everywhere.
 */
#include "x86.h"

#define SW_LEAF	BIT_ULL(9)
#define SW_W	BIT_ULL(10)
#define MMIO	BIT_ULL(11)		/* not present */

#define LEAF(w, x, a, d)	(US | (w) * RW | !(x) * NX | (a) * A | (d) * D)

/* Old: not present. Clean: not writable. */
#define SW(w, x, a, d)		(LEAF((w) & (d), x, a, d) | (a) * P | (w) * SW_W)

const struct umbra_fmt umbra_fmt_x86_npt = {
	.name		= "x86_npt",
	.id		= UMBRA_FMT_X86_NPT,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 52,
	.levels_min	= 4,
	.root_bits	= 9,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_mask	= ADDR,
	.table_mask	= P | PS,
	.table		= P,
	.table_bits	= RW | US | A,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_HW] = {
			.leaf_mask	= { P, P | PS },
			.leaf		= { P, P | PS },
			.leaf_bits	= UMBRA_LEAF_BITS(LEAF),
			.attr		= { { RW }, { NX, true }, { A }, { D } },
		},
		[UMBRA_AD_SW] = {
			.leaf_mask	= { SW_LEAF, SW_LEAF | PS },
			.leaf		= { SW_LEAF, SW_LEAF | PS },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { NX, true }, { A }, { D } },
		},
	},
	.guest = { X86_GUEST },
};

/* Nothing overlaps, and the bits used are those of the picture above. */
#define USED	(LEAF(0, 0, 0, 0) | LEAF(1, 1, 1, 1) | P | PS)
static_assert(USED == (BIT_ULL(63) | 0xe7));
static_assert(!(ADDR & (USED | SW_LEAF | SW_W)));
static_assert(!(USED & (SW_LEAF | SW_W)));
static_assert(!(MMIO & (ADDR | USED | SW_LEAF)));
