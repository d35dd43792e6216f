// SPDX-License-Identifier: GPL-2.0-only
/*
 * Armv8 stage 2, 4 KiB granule.
 *
 * Arm Architecture Reference Manual for A-profile, section D8.3 (descriptor
 * formats and attributes), D8.4 (permissions), D8.5 (hardware management of the
 * Access flag and of dirty state). Up to sixteen tables may be concatenated as
 * the root (D8.2.8): the walk then begins one level lower, so the root has
 * between 2 and 2^13 entries, as many as the address size needs.
 *
 *	63 59 | 58 55 | 54 53 | 51  | 47   12 | 10 | 9 8 | 7 6  | 5     2 | 1 0
 *	      | soft  | XN    | DBM | address | AF | SH  | S2AP | MemAttr | type
 *
 * A leaf is writable if DBM is set and dirty if S2AP[1] is: hardware with
 * FEAT_HAFDBS sets S2AP[1] at the first write. A leaf that is dirty but must
 * not be written any more has its dirty state in a software bit.
 */
#include "fmt.h"

#define VALID		BIT_ULL(0)
#define TABLE		BIT_ULL(1)	/* and page, at level 0 */
#define MEMATTR_WB	(0xfULL << 2)
#define S2AP_R		BIT_ULL(6)
#define S2AP_W		BIT_ULL(7)
#define SH_INNER	(3ULL << 8)
#define AF		BIT_ULL(10)
#define DBM		BIT_ULL(51)
#define XNX		BIT_ULL(53)	/* set: some levels of privilege only */
#define XN		BIT_ULL(54)	/* with bit 53 clear: at all levels */
#define SW_W		BIT_ULL(56)
#define SW_D		BIT_ULL(57)
#define MMIO		BIT_ULL(58)	/* not valid */
#define ADDR		GENMASK_ULL(47, 12)

#define COMMON(x, a)	(MEMATTR_WB | S2AP_R | SH_INNER | !(x) * XN | (a) * AF)
#define LEAF(w, x, a, d)						\
	(COMMON(x, a) | (w) * DBM | ((w) & (d)) * S2AP_W |		\
	 (!(w) && (d)) * SW_D)

/* Old: no access flag, which faults. Clean: not writable. */
#define SW(w, x, a, d)							\
	(COMMON(x, a) | ((w) & (d)) * S2AP_W | (w) * SW_W | (d) * SW_D)

const struct umbra_fmt umbra_fmt_arm64_s2 = {
	.name		= "arm64_s2",
	.id		= UMBRA_FMT_ARM64_S2,
	.gpa_bits_min	= 32,
	.gpa_bits_max	= 48,
	.levels_min	= 2,
	.root_bits	= 13,
	.root_varies	= true,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_mask	= ADDR,
	.table_mask	= VALID | TABLE,
	.table		= VALID | TABLE,
	.mmio		= MMIO,
	.bits = {
		[UMBRA_AD_HW] = {
			.leaf_mask	= { VALID | TABLE, VALID | TABLE },
			.leaf		= { VALID | TABLE, VALID },
			.leaf_bits	= UMBRA_LEAF_BITS(LEAF),
			.attr		= { { DBM }, { XN, true }, { AF },
					    { S2AP_W | SW_D } },
		},
		[UMBRA_AD_SW] = {
			.leaf_mask	= { VALID | TABLE, VALID | TABLE },
			.leaf		= { VALID | TABLE, VALID },
			.leaf_bits	= UMBRA_LEAF_BITS(SW),
			.attr		= { { SW_W }, { XN, true }, { AF },
					    { SW_D } },
		},
	},
	.guest = {
		.present	= VALID,
		.table_mask	= TABLE,
		.table		= TABLE,
		.page		= TABLE,
		.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
		.misplaced	= UMBRA_NESTED_NOT_PRESENT,
		.too_high	= UMBRA_NESTED_ADDRESS_SIZE,
		.block_ignored	= GENMASK_ULL(29, 12),
		.right		= { { S2AP_R }, { S2AP_W | DBM },
				    { XN | XNX, true } },
		.young		= AF,
		.dirty		= S2AP_W,
		.ad = {
			[UMBRA_AD_HW] = UMBRA_GUEST_AD_SET,
			[UMBRA_AD_SW] = UMBRA_GUEST_AD_FAULT,
		},
	},
};

#define USED	(LEAF(0, 0, 0, 0) | LEAF(1, 1, 1, 1) | VALID | TABLE)
static_assert(USED == (BIT_ULL(54) | BIT_ULL(51) | 0x7ff));
static_assert(!(ADDR & (USED | SW_W | SW_D)));
static_assert(!(MMIO & (ADDR | USED)));
