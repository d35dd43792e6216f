// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V G-stage: Sv39x4, Sv48x4 and Sv57x4.
 *
 * The RISC-V Instruction Set Manual, volume II: section 4.4 (page-table entry)
 * and 8.5 (two-stage address translation): the root is four pages and indexed
 * by two more bits, and every access is a user access, so U is set in leaves.
 *
 *	63 | 62 61 | 60   54 | 53   10 | 9 8 | 7 | 6 | 5 | 4 | 3 | 2 | 1 | 0
 *	N  | PBMT  | 0       | address | RSW | D | A | G | U | X | W | R | V
 *
 * The address is shifted: bit 10 of an entry is bit 12 of the address.
 */
#include "fmt.h"

#define V	BIT_ULL(0)
#define R	BIT_ULL(1)
#define W	BIT_ULL(2)
#define X	BIT_ULL(3)
#define U	BIT_ULL(4)
#define A	BIT_ULL(6)
#define D	BIT_ULL(7)
#define SW_W	BIT_ULL(8)
#define SW_LEAF	BIT_ULL(9)
#define MMIO	BIT_ULL(54)	/* not valid */
#define ADDR	GENMASK_ULL(53, 10)
#define HIGH	GENMASK_ULL(63, 54)	/* Svnapot and Svpbmt are not there */

#define LEAF(w, x, a, d)						\
	(R | U | (w) * W | (x) * X | (a) * A | (d) * D)

/* Old: not valid. Clean: not writable. */
#define SW(w, x, a, d)		(LEAF((w) & (d), x, a, d) | (a) * V | (w) * SW_W)

const struct umbra_fmt umbra_fmt_riscv_g = {
	.name		= "riscv_g",
	.id		= UMBRA_FMT_RISCV_G,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 59,
	.levels_min	= 3,
	.root_bits	= 11,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_shift	= 2,
	.addr_mask	= ADDR,
	.table_mask	= V | R | W | X,
	.table		= V,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_HW] = {
			.leaf_mask	= { V | R, V | R },
			.leaf		= { V | R, V | R },
			.leaf_bits	= UMBRA_LEAF_BITS(LEAF),
			.attr		= { { W }, { X }, { A }, { D } },
		},
		[UMBRA_AD_SW] = {
			.leaf_mask	= { SW_LEAF, SW_LEAF },
			.leaf		= { SW_LEAF, SW_LEAF },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { X }, { A }, { D } },
		},
	},
	.guest = {
		.present	= V,
		.table_mask	= R | W | X,
		.page		= R | W | X,
		.leaf_levels	= GENMASK(UMBRA_MAX_LEVELS - 1, 0),
		.misplaced	= UMBRA_NESTED_NOT_PRESENT,
		.too_high	= UMBRA_NESTED_ADDRESS_SIZE,
		.reserved	= { HIGH, HIGH | U | A | D },
		.bad		= { { R | W, W } },
		.user		= U,
		.right		= { { R }, { W }, { X } },
		.young		= A,
		.dirty		= D,
		.ad = {
			[UMBRA_AD_HW] = UMBRA_GUEST_AD_SET,
			[UMBRA_AD_SW] = UMBRA_GUEST_AD_FAULT,
		},
	},
};

#define USED	(LEAF(0, 0, 0, 0) | LEAF(1, 1, 1, 1) | V)
static_assert(USED == 0xdf);
static_assert(!(ADDR & (USED | SW_LEAF | SW_W)));
static_assert(!(MMIO & (ADDR | USED | SW_LEAF)));
