// SPDX-License-Identifier: GPL-2.0-only
/*
 * The formats by number, and how large a table has to be.
 */
#include "fmt.h"

static const struct umbra_fmt *const formats[] = {
	[UMBRA_FMT_X86_NPT]	= &umbra_fmt_x86_npt,
	[UMBRA_FMT_X86_EPT]	= &umbra_fmt_x86_ept,
	[UMBRA_FMT_ARM64_S2]	= &umbra_fmt_arm64_s2,
	[UMBRA_FMT_RISCV_G]	= &umbra_fmt_riscv_g,
	[UMBRA_FMT_POWER_RADIX]	= &umbra_fmt_power_radix,
	[UMBRA_FMT_MIPS_VZ]	= &umbra_fmt_mips_vz,
};

const struct umbra_fmt *umbra_fmt_get(u32 id)
{
	return id < ARRAY_SIZE(formats) ? formats[id] : NULL;
}

const struct umbra_fmt *umbra_fmt_get_guest(u32 id)
{
	return id == UMBRA_FMT_X86_64 ? &umbra_fmt_x86_64 : umbra_fmt_get(id);
}

void umbra_layout_size(struct umbra_layout *l, const struct umbra_fmt *fmt,
		       unsigned int gpa_bits)
{
	unsigned int gfn_bits = gpa_bits - PAGE_SHIFT;
	unsigned int below;

	l->fmt = fmt;
	for (l->levels = fmt->levels_min; ; l->levels++) {
		below = UMBRA_TABLE_BITS * (l->levels - 1);
		if (gfn_bits <= below + fmt->root_bits)
			break;
	}
	l->root_bits = fmt->root_varies ? gfn_bits - below : fmt->root_bits;
}

int umbra_layout_init(struct umbra_layout *l, const struct umbra_fmt *fmt,
		      unsigned int gpa_bits, enum umbra_ad ad)
{
	umbra_layout_size(l, fmt, gpa_bits);
	l->bits = &fmt->bits[ad];
	return l->bits->leaf_mask[0] ? 0 : -EOPNOTSUPP;
}
