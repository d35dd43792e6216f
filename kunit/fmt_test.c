// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table formats: the same cases for all, and what the manuals say of each.
 */
#include <kunit/test.h>

#include "attrs.h"
#include "fmt.h"
#include "layouts.h"

static void geometry(struct kunit *test)
{
	const struct umbra_test_layout *param = test->param_value;
	struct umbra_layout l = umbra_test_layout(test);
	gfn_t last = (BIT_ULL(param->gpa_bits) - 1) >> PAGE_SHIFT, sum = 0;
	int level;

	KUNIT_ASSERT_GE(test, l.levels, l.fmt->levels_min);
	KUNIT_ASSERT_LE(test, l.levels, UMBRA_MAX_LEVELS);
	KUNIT_EXPECT_EQ(test, l.fmt->leaf_levels & 1, 1);
	KUNIT_EXPECT_EQ(test, umbra_level_span(0), 1);

	for (level = 0; level < l.levels; level++) {
		gfn_t span = umbra_level_span(level);
		gfn_t nr = umbra_table_entries(&l, level);
		unsigned int order = level == l.levels - 1 ?
				     umbra_root_order(&l) : 0;

		KUNIT_EXPECT_GT(test, nr, 1);
		KUNIT_EXPECT_LE(test, nr * sizeof(u64), PAGE_SIZE << order);
		KUNIT_EXPECT_EQ(test, umbra_table_index(&l, 0, level), 0);
		KUNIT_EXPECT_EQ(test, umbra_table_index(&l, span - 1, level), 0);
		KUNIT_EXPECT_EQ(test, umbra_table_index(&l, span, level), 1);
		KUNIT_EXPECT_EQ(test, umbra_table_index(&l, nr * span - 1, level),
				nr - 1);
		KUNIT_EXPECT_EQ(test, umbra_table_index(&l, ~0ULL, level), nr - 1);
		if (level < l.levels - 1)
			KUNIT_EXPECT_EQ(test, nr * span,
					umbra_level_span(level + 1));
		sum += umbra_table_index(&l, last, level) * span;
	}
	KUNIT_EXPECT_EQ(test, sum, last);
}

/* Both ends of what an entry for @nr pages can hold, and the second address. */
static void addresses(const struct umbra_layout *l, gfn_t nr, u64 pa[3])
{
	pa[0] = 0;
	pa[1] = PFN_PHYS(nr);
	pa[2] = (l->fmt->addr_mask << l->fmt->addr_shift) & -PFN_PHYS(nr);
}

static void leaves_round_trip(struct kunit *test)
{
	struct umbra_layout l = umbra_test_layout(test);
	umbra_leaf_t attrs;
	unsigned int i;
	u64 pa[3];
	int level;

	for (level = 0; level < l.levels; level++) {
		if (!(l.fmt->leaf_levels & BIT(level)))
			continue;
		addresses(&l, umbra_level_span(level), pa);
		for (i = 0; i < ARRAY_SIZE(pa); i++)
			for (attrs = 0; attrs <= ATTRS; attrs += W) {
				umbra_leaf_t leaf = pa[i] | attrs | R;
				u64 entry = umbra_make_leaf(&l, leaf, level);

				KUNIT_EXPECT_EQ(test, umbra_entry_leaf(&l, entry),
						leaf);
				KUNIT_EXPECT_EQ(test, umbra_entry_pa(&l, entry),
						pa[i]);
				KUNIT_EXPECT_TRUE(test, umbra_entry_is_leaf(&l, entry,
									    level));
				KUNIT_EXPECT_FALSE(test, umbra_entry_is_table(&l, entry,
									      level));
			}
	}
}

static void tables_round_trip(struct kunit *test)
{
	struct umbra_layout l = umbra_test_layout(test);
	unsigned int i;
	u64 pa[3];
	int level;

	addresses(&l, 1, pa);
	for (i = 0; i < ARRAY_SIZE(pa); i++) {
		u64 entry = umbra_make_table(&l, pa[i]);

		KUNIT_EXPECT_EQ(test, umbra_entry_pa(&l, entry), pa[i]);
		KUNIT_EXPECT_FALSE(test, umbra_entry_is_table(&l, entry, 0));
		for (level = 1; level < l.levels; level++) {
			KUNIT_EXPECT_TRUE(test, umbra_entry_is_table(&l, entry,
								     level));
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_leaf(&l, entry,
								     level));
		}
	}
}

static void zero_is_absent(struct kunit *test)
{
	struct umbra_layout l = umbra_test_layout(test);
	int level;

	for (level = 0; level < l.levels; level++) {
		KUNIT_EXPECT_FALSE(test, umbra_entry_is_leaf(&l, 0, level));
		KUNIT_EXPECT_FALSE(test, umbra_entry_is_table(&l, 0, level));
	}
}

static void entries_come_back_from_memory(struct kunit *test)
{
	struct umbra_layout l = umbra_test_layout(test);
	u64 entry = 0x0123456789abcdef, memory = umbra_entry_swap(&l, entry);
	u8 *bytes = (u8 *)&memory;

	KUNIT_EXPECT_EQ(test, umbra_entry_read(&l, &memory), entry);
	KUNIT_EXPECT_EQ(test, bytes[0], l.fmt->big_endian ? 0x01 : 0xef);
	KUNIT_EXPECT_EQ(test, bytes[7], l.fmt->big_endian ? 0xef : 0x01);
}

static struct kunit_case fmt_cases[] = {
	KUNIT_CASE_PARAM(geometry, layout_gen_params),
	KUNIT_CASE_PARAM(leaves_round_trip, layout_gen_params),
	KUNIT_CASE_PARAM(tables_round_trip, layout_gen_params),
	KUNIT_CASE_PARAM(zero_is_absent, layout_gen_params),
	KUNIT_CASE_PARAM(entries_come_back_from_memory, layout_gen_params),
	{}
};

static struct kunit_suite fmt_suite = {
	.name		= "umbra_fmt",
	.test_cases	= fmt_cases,
};

/* ------------------------------------------------------------ the manuals */

/*
 * Spelled as numbers, so that a wrong constant in a format cannot hide. The
 * manuals are those that the files of the formats name.
 */

struct leaf_vector {
	int level;
	umbra_leaf_t leaf;
	u64 entry;
};

/* @mask: the bits of @entry that the hardware looks at. */
static void check_leaves(struct kunit *test, const struct umbra_fmt *fmt,
			 enum umbra_ad ad, u64 mask,
			 const struct leaf_vector *v, unsigned int nr)
{
	struct umbra_layout l;

	KUNIT_ASSERT_EQ(test, 0, umbra_layout_init(&l, fmt, fmt->gpa_bits_max, ad));
	for (; nr--; v++)
		KUNIT_EXPECT_EQ(test, v->entry,
				umbra_make_leaf(&l, v->leaf, v->level) & mask);
}

static void x86_npt_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R,		   0x8000000123456005 },
		{ 0, 0x0000000123456000 | R | W,	   0x8000000123456007 },
		{ 0, 0x0000000123456000 | R | X,	   0x0000000123456005 },
		{ 0, 0x0000000123456000 | R | A,	   0x8000000123456025 },
		{ 0, 0x0000000123456000 | R | D,	   0x8000000123456045 },
		{ 0, 0x000ffffffffff000 | R | W | X,	   0x000ffffffffff007 },
		{ 1, 0x0000000040200000 | R | W | A | D,   0x80000000402000e7 },
		{ 1, 0x000fffffffe00000 | R | X,	   0x000fffffffe00085 },
		{ 2, 0x0000000fc0000000 | R | W,	   0x8000000fc0000087 },
	};
	static const u64 absent[] = {
		0x80, 0x1e, 0x80000000000000e6, 0xfffffffffffffffe,
	};
	struct umbra_layout l;
	unsigned int i;
	int level;

	check_leaves(test, &umbra_fmt_x86_npt, UMBRA_AD_HW, ~0ULL, v,
		     ARRAY_SIZE(v));
	umbra_layout_init(&l, &umbra_fmt_x86_npt, 48, UMBRA_AD_HW);
	KUNIT_EXPECT_EQ(test, umbra_make_table(&l, 0x000ffffffffff000),
			0x000ffffffffff027);
	/* Not accessed yet; with all bits that are available to software. */
	KUNIT_EXPECT_TRUE(test, umbra_entry_is_table(&l, 0x1007, 3));
	KUNIT_EXPECT_TRUE(test, umbra_entry_is_table(&l, 0x7ff0000000001e07, 1));
	KUNIT_EXPECT_EQ(test, umbra_entry_pa(&l, 0x7ff0000000001e07), 0x1000);

	/* Without P nothing else counts. */
	for (i = 0; i < ARRAY_SIZE(absent); i++)
		for (level = 0; level < 4; level++) {
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_leaf(&l, absent[i],
								     level));
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_table(&l, absent[i],
								      level));
		}

	/* Address 0x123456789000: bits 47 to 39, 38 to 30, 29 to 21, 20 to 12. */
	KUNIT_EXPECT_EQ(test, umbra_table_index(&l, 0x123456789, 3), 0x024);
	KUNIT_EXPECT_EQ(test, umbra_table_index(&l, 0x123456789, 2), 0x0d1);
	KUNIT_EXPECT_EQ(test, umbra_table_index(&l, 0x123456789, 1), 0x0b3);
	KUNIT_EXPECT_EQ(test, umbra_table_index(&l, 0x123456789, 0), 0x189);
}

static void x86_ept_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R,		   0x0000000123456031 },
		{ 0, 0x0000000123456000 | R | W,	   0x0000000123456033 },
		{ 0, 0x0000000123456000 | R | X,	   0x0000000123456035 },
		{ 0, 0x0000000123456000 | R | A,	   0x0000000123456131 },
		{ 0, 0x0000000123456000 | R | D,	   0x0000000123456231 },
		{ 0, 0x000ffffffffff000 | R | W | X,	   0x000ffffffffff037 },
		{ 1, 0x0000000040200000 | R | W | A | D,   0x00000000402003b3 },
		{ 2, 0x0000000fc0000000 | R | X,	   0x0000000fc00000b5 },
	};
	struct umbra_layout l;

	check_leaves(test, &umbra_fmt_x86_ept, UMBRA_AD_HW, ~0ULL, v,
		     ARRAY_SIZE(v));
	umbra_layout_init(&l, &umbra_fmt_x86_ept, 48, UMBRA_AD_HW);
	KUNIT_EXPECT_EQ(test, umbra_make_table(&l, 0x000ffffffffff000),
			0x000ffffffffff007);
}

/* DBM is bit 51, S2AP[1] bit 7; bits 58 to 55 are for software. */
static void arm64_s2_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R,		   0x004000012345637f },
		{ 0, 0x0000000123456000 | R | W,	   0x004800012345637f },
		{ 0, 0x0000000123456000 | R | X,	   0x000000012345637f },
		{ 0, 0x0000000123456000 | R | A,	   0x004000012345677f },
		{ 0, 0x0000000123456000 | R | D,	   0x004000012345637f },
		{ 0, 0x0000000123456000 | R | W | X | A | D,
		     0x00080001234567ff },
		{ 0, 0x0000fffffffff000 | R | W | X,	   0x0008fffffffff37f },
		{ 1, 0x0000000040200000 | R | W | A | D,   0x00480000402007fd },
		{ 2, 0x0000000fc0000000 | R | X | A,	   0x0000000fc000077d },
	};
	struct umbra_layout l;

	check_leaves(test, &umbra_fmt_arm64_s2, UMBRA_AD_HW,
		     ~GENMASK_ULL(58, 55), v, ARRAY_SIZE(v));
	umbra_layout_init(&l, &umbra_fmt_arm64_s2, 48, UMBRA_AD_HW);
	KUNIT_EXPECT_EQ(test, umbra_make_table(&l, 0x0000fffffffff000),
			0x0000fffffffff003);
}

static void riscv_g_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R,		   0x0000000048d15813 },
		{ 0, 0x0000000123456000 | R | W,	   0x0000000048d15817 },
		{ 0, 0x0000000123456000 | R | X,	   0x0000000048d1581b },
		{ 0, 0x0000000123456000 | R | A,	   0x0000000048d15853 },
		{ 0, 0x0000000123456000 | R | D,	   0x0000000048d15893 },
		{ 0, 0x00fffffffffff000 | R | W | X,	   0x003ffffffffffc1f },
		{ 1, 0x0000000040200000 | R | W | A | D,   0x00000000100800d7 },
		{ 2, 0x0000000fc0000000 | R | X,	   0x00000003f000001b },
	};
	struct umbra_layout l;

	check_leaves(test, &umbra_fmt_riscv_g, UMBRA_AD_HW, ~0ULL, v,
		     ARRAY_SIZE(v));
	umbra_layout_init(&l, &umbra_fmt_riscv_g, 41, UMBRA_AD_HW);
	KUNIT_EXPECT_EQ(test, umbra_make_table(&l, 0x00fffffffffff000),
			0x003ffffffffffc01);
}

static void power_radix_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R,		   0xc000000123456004 },
		{ 0, 0x0000000123456000 | R | W,	   0xc000000123456006 },
		{ 0, 0x0000000123456000 | R | X,	   0xc000000123456005 },
		{ 0, 0x0000000123456000 | R | A,	   0xc000000123456104 },
		{ 0, 0x0000000123456000 | R | D,	   0xc000000123456084 },
		{ 0, 0x01fffffffffff000 | R | W | X,	   0xc1fffffffffff007 },
		{ 1, 0x0000000040200000 | R | W | A | D,   0xc000000040200186 },
		{ 2, 0x0000000fc0000000 | R | X,	   0xc000000fc0000005 },
	};
	struct umbra_layout l;

	check_leaves(test, &umbra_fmt_power_radix, UMBRA_AD_HW, ~0ULL, v,
		     ARRAY_SIZE(v));
	umbra_layout_init(&l, &umbra_fmt_power_radix, 52, UMBRA_AD_HW);
	KUNIT_EXPECT_TRUE(test, l.fmt->big_endian);
	KUNIT_EXPECT_EQ(test, umbra_make_table(&l, 0x01fffffffffff000),
			0x81fffffffffff009);
}

/* RI, XI and what lies below the bits of the table reach EntryLo. */
static void mips_vz_entries(struct kunit *test)
{
	static const struct leaf_vector v[] = {
		{ 0, 0x0000000123456000 | R | A,	   0x40000000048d159b },
		{ 0, 0x0000000123456000 | R | A | X,	   0x00000000048d159b },
		{ 0, 0x0000000123456000 | R | A | X | W,   0x00000000048d159b },
		{ 0, 0x0000000123456000 | R | A | X | W | D,
		     0x00000000048d159f },
		{ 0, 0x0000000123456000 | R | X | W | D,   0x00000000048d159d },
		{ 1, 0x0fffffffffe00000 | R | A | X,	   0x003fffffffff801b },
	};

	check_leaves(test, &umbra_fmt_mips_vz, UMBRA_AD_SW, 0xc03fffffffffffff, v,
		     ARRAY_SIZE(v));
}

/* Without A and D bits an old leaf faults, and so does a write to a clean one. */
static void software_ad_faults(struct kunit *test)
{
	static const struct {
		const struct umbra_fmt *fmt;
		u64 valid;	/* none set: every access faults */
		u64 writable;
	} bits[] = {
		{ &umbra_fmt_x86_npt,	  BIT_ULL(0),  BIT_ULL(1) },
		{ &umbra_fmt_x86_ept,	  0x7,	       BIT_ULL(1) },
		{ &umbra_fmt_arm64_s2,	  BIT_ULL(10), BIT_ULL(7) },
		{ &umbra_fmt_riscv_g,	  BIT_ULL(0),  BIT_ULL(2) },
		{ &umbra_fmt_power_radix, BIT_ULL(63), BIT_ULL(1) },
		{ &umbra_fmt_mips_vz,	  BIT_ULL(1),  BIT_ULL(2) },
	};
	struct umbra_layout l;
	umbra_leaf_t attrs;
	unsigned int i;
	int level;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		umbra_layout_init(&l, bits[i].fmt, 48, UMBRA_AD_SW);
		for (level = 0; level < 2; level++)
			for (attrs = 0; attrs <= ATTRS; attrs += W) {
				u64 entry = umbra_make_leaf(&l, attrs | R, level);

				KUNIT_EXPECT_EQ_MSG(test, !!(entry & bits[i].valid),
						    !!(attrs & A), "%s, %#llx",
						    l.fmt->name, attrs);
				if (attrs & A)
					KUNIT_EXPECT_EQ_MSG(test,
							    !!(entry & bits[i].writable),
							    attrs & W && attrs & D,
							    "%s, %#llx",
							    l.fmt->name, attrs);
			}
	}
}

static void roots(struct kunit *test)
{
	static const struct {
		const struct umbra_fmt *fmt;
		unsigned int gpa_bits;
		int levels;
		unsigned int entries;	/* of the root */
		unsigned int pages;
	} v[] = {
		{ &umbra_fmt_x86_npt,	  32, 4,  512,	1 },
		{ &umbra_fmt_x86_npt,	  48, 4,  512,	1 },
		{ &umbra_fmt_x86_npt,	  49, 5,  512,	1 },
		{ &umbra_fmt_x86_ept,	  48, 4,  512,	1 },
		{ &umbra_fmt_x86_ept,	  52, 5,  512,	1 },
		/* Up to sixteen tables side by side, and then a level more. */
		{ &umbra_fmt_arm64_s2,	  32, 2, 2048,	4 },
		{ &umbra_fmt_arm64_s2,	  34, 2, 8192, 16 },
		{ &umbra_fmt_arm64_s2,	  35, 3,   32,	1 },
		{ &umbra_fmt_arm64_s2,	  40, 3, 1024,	2 },
		{ &umbra_fmt_arm64_s2,	  43, 3, 8192, 16 },
		{ &umbra_fmt_arm64_s2,	  44, 4,   32,	1 },
		{ &umbra_fmt_arm64_s2,	  48, 4,  512,	1 },
		{ &umbra_fmt_riscv_g,	  41, 3, 2048,	4 },
		{ &umbra_fmt_riscv_g,	  42, 4, 2048,	4 },
		{ &umbra_fmt_riscv_g,	  50, 4, 2048,	4 },
		{ &umbra_fmt_riscv_g,	  51, 5, 2048,	4 },
		{ &umbra_fmt_power_radix, 52, 4, 8192, 16 },
		{ &umbra_fmt_mips_vz,	  39, 3,  512,	1 },
		{ &umbra_fmt_mips_vz,	  40, 4,  512,	1 },
	};
	struct umbra_layout l;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		KUNIT_EXPECT_EQ(test, 0, umbra_layout_init(&l, v[i].fmt, v[i].gpa_bits,
							   UMBRA_AD_SW));
		KUNIT_EXPECT_EQ_MSG(test, l.levels, v[i].levels, "%s, %u bits",
				    v[i].fmt->name, v[i].gpa_bits);
		KUNIT_EXPECT_EQ_MSG(test, umbra_table_entries(&l, l.levels - 1),
				    v[i].entries, "%s, %u bits", v[i].fmt->name,
				    v[i].gpa_bits);
		KUNIT_EXPECT_EQ_MSG(test, 1 << umbra_root_order(&l), v[i].pages,
				    "%s, %u bits", v[i].fmt->name,
				    v[i].gpa_bits);
	}
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			umbra_layout_init(&l, &umbra_fmt_mips_vz, 48, UMBRA_AD_HW));
}

static void numbers(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(0), &umbra_fmt_x86_npt);
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(1), &umbra_fmt_x86_ept);
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(2), &umbra_fmt_arm64_s2);
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(3), &umbra_fmt_riscv_g);
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(4), &umbra_fmt_power_radix);
	KUNIT_EXPECT_PTR_EQ(test, umbra_fmt_get(5), &umbra_fmt_mips_vz);
	KUNIT_EXPECT_NULL(test, umbra_fmt_get(6));
	KUNIT_EXPECT_NULL(test, umbra_fmt_get(U32_MAX));
}

static struct kunit_case manual_cases[] = {
	KUNIT_CASE(x86_npt_entries),
	KUNIT_CASE(x86_ept_entries),
	KUNIT_CASE(arm64_s2_entries),
	KUNIT_CASE(riscv_g_entries),
	KUNIT_CASE(power_radix_entries),
	KUNIT_CASE(mips_vz_entries),
	KUNIT_CASE(software_ad_faults),
	KUNIT_CASE(roots),
	KUNIT_CASE(numbers),
	{}
};

static struct kunit_suite manual_suite = {
	.name		= "umbra_fmt_manuals",
	.test_cases	= manual_cases,
};

kunit_test_suites(&fmt_suite, &manual_suite);
