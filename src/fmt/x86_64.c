// SPDX-License-Identifier: GPL-2.0-only
/*
 * Long mode of x86-64, four or five levels: what an ordinary guest has.
 *
 * Only walked, never made: a VM's own table is none of these. EFER.NXE and
 * CR0.WP are taken to be set; SMEP, SMAP and protection keys do not exist.
 */
#include "x86.h"

const struct umbra_fmt umbra_fmt_x86_64 = {
	.name		= "x86_64",
	.id		= UMBRA_FMT_X86_64,
	.gpa_bits_min	= 48,
	.gpa_bits_max	= 57,
	.levels_min	= 4,
	.root_bits	= 9,
	.leaf_levels	= BIT(0) | BIT(1) | BIT(2),
	.addr_mask	= ADDR,
	.guest = {
		X86_GUEST,
		.user_optional = true,
	},
};
