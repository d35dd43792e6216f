// SPDX-License-Identifier: GPL-2.0-only
/*
 * MIPS VZ: root TLB entries in a table that software walks.
 *
 * A leaf is the value of EntryLo0 or EntryLo1: MIPS64 Architecture for
 * Programmers, volume III, section 9.6 (EntryLo0, EntryLo1), and the
 * Virtualization Module, volume IV-i, for the root TLB. The hardware knows
 * neither accessed nor dirty: the bit that it calls D permits writing. So only
 * UMBRA_AD_SW exists. Bits above the address (Fill) are ignored when the
 * register is written; the table keeps its own there.
 *
 *	63 | 62 | 61    | 60    56 | 55 | 53    6 | 5 3 | 2 | 1 | 0
 *	RI | XI | table | software |    | address | C   | D | V | G
 *
 * The address is shifted: bit 6 of an entry is bit 12 of the address. A table
 * entry is no register: it is the address, shifted likewise, and bit 61.
 */
#include "fmt.h"

#define G	BIT_ULL(0)		/* whatever the ASID; both of a pair */
#define V	BIT_ULL(1)
#define D	BIT_ULL(2)		/* writable */
#define C_WB	(3ULL << 3)
#define SW_DIRTY BIT_ULL(57)
#define SW_W	BIT_ULL(58)
#define SW_A	BIT_ULL(59)
#define SW_LEAF	BIT_ULL(60)
#define TABLE	BIT_ULL(61)
#define XI	BIT_ULL(62)
#define RI	BIT_ULL(63)
#define MMIO	BIT_ULL(56)		/* not valid */
#define ADDR	GENMASK_ULL(53, 6)

#define SW(w, x, a, d)							\
	(G | C_WB | (a) * (V | SW_A) | ((w) & (d)) * D | !(x) * XI |	\
	 (w) * SW_W | (d) * SW_DIRTY)

const struct umbra_fmt umbra_fmt_mips_vz = {
	.name		= "mips_vz",
	.id		= UMBRA_FMT_MIPS_VZ,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 48,
	.levels_min	= 3,
	.root_bits	= 9,
	.leaf_levels	= BIT(0) | BIT(1),
	.addr_shift	= 6,
	.addr_mask	= ADDR,
	.table_mask	= TABLE,
	.table		= TABLE,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_SW] = {
			.leaf_mask	= { SW_LEAF, SW_LEAF },
			.leaf		= { SW_LEAF, SW_LEAF },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { XI, true }, { SW_A },
					    { SW_DIRTY } },
		},
	},
	.guest = {
		.present	= SW_LEAF | TABLE,
		.table_mask	= TABLE,
		.table		= TABLE,
		.page		= SW_LEAF,
		.leaf_levels	= BIT(0) | BIT(1),
		.misplaced	= UMBRA_NESTED_RESERVED,
		.too_high	= UMBRA_NESTED_ADDRESS_SIZE,
		.right		= { { RI, true }, { SW_W | D }, { XI, true } },
		.young		= V,
		.dirty		= D,
		.ad = { [UMBRA_AD_SW] = UMBRA_GUEST_AD_FAULT },
	},
};

/* What reaches the register lies below the software bits. */
static_assert(!(ADDR & (SW(0, 0, 0, 0) | SW(1, 1, 1, 1) | SW_LEAF | TABLE)));
static_assert(!(MMIO & (ADDR | V | SW_LEAF | TABLE)));
