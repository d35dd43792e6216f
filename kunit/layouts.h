/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formats and sizes of tables, as parameters of test cases: layout_gen_params.
 */
#ifndef UMBRA_KUNIT_LAYOUTS_H
#define UMBRA_KUNIT_LAYOUTS_H

#include <kunit/test.h>

#include "fmt.h"

/**
 * struct umbra_test_layout - a parameter
 * @fmt: the format
 * @gpa_bits: the size
 * @ad: who sets A and D
 */
struct umbra_test_layout {
	const struct umbra_fmt *fmt;
	unsigned int gpa_bits;
	enum umbra_ad ad;
};

/* Every format, with and without A and D of the hardware, and every shape. */
static const struct umbra_test_layout umbra_test_layouts[] = {
	{ &umbra_fmt_x86_npt, 48, UMBRA_AD_HW },	/* four levels */
	{ &umbra_fmt_x86_npt, 48, UMBRA_AD_SW },
	{ &umbra_fmt_x86_npt, 52, UMBRA_AD_HW },	/* five */
	{ &umbra_fmt_x86_ept, 48, UMBRA_AD_HW },
	{ &umbra_fmt_x86_ept, 52, UMBRA_AD_SW },
	{ &umbra_fmt_arm64_s2, 32, UMBRA_AD_HW },	/* two, large root */
	{ &umbra_fmt_arm64_s2, 40, UMBRA_AD_SW },
	{ &umbra_fmt_arm64_s2, 44, UMBRA_AD_HW },	/* small root */
	{ &umbra_fmt_riscv_g, 41, UMBRA_AD_HW },
	{ &umbra_fmt_riscv_g, 50, UMBRA_AD_SW },
	{ &umbra_fmt_riscv_g, 59, UMBRA_AD_HW },
	{ &umbra_fmt_power_radix, 52, UMBRA_AD_HW },	/* big-endian */
	{ &umbra_fmt_power_radix, 52, UMBRA_AD_SW },
	{ &umbra_fmt_mips_vz, 39, UMBRA_AD_SW },		/* no A and D */
	{ &umbra_fmt_mips_vz, 48, UMBRA_AD_SW },
};

static inline void umbra_test_layout_desc(const struct umbra_test_layout *layout,
					  char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %u bits, %s A/D",
		 layout->fmt->name, layout->gpa_bits,
		 layout->ad == UMBRA_AD_HW ? "hardware" : "software");
}

KUNIT_ARRAY_PARAM(layout, umbra_test_layouts, umbra_test_layout_desc);

/** umbra_test_layout() - the layout that a case was called with */
static inline struct umbra_layout umbra_test_layout(struct kunit *test)
{
	const struct umbra_test_layout *param = test->param_value;
	struct umbra_layout layout;

	KUNIT_ASSERT_EQ(test, 0, umbra_layout_init(&layout, param->fmt,
						   param->gpa_bits, param->ad));
	return layout;
}

#endif /* UMBRA_KUNIT_LAYOUTS_H */
