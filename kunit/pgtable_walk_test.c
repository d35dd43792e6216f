// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table as hardware finds it.
 */
#include <asm/byteorder.h>

#include "attrs.h"
#include "table.h"

/*
 * struct hw_walk - what hardware reads on its way to a page
 *
 * By the numbers that the manuals give.
 */
static const struct hw_walk {
	const struct umbra_fmt *fmt;
	unsigned int gpa_bits;
	gfn_t gfn;
	umbra_leaf_t leaf;
	unsigned int index[4];	/* in each table, from the root */
	unsigned int levels;
	u64 addr_mask;
	unsigned int addr_shift;
	u64 table;		/* a table entry without address */
	u64 entry;		/* the leaf */
} hw_walks[] = { {
	.fmt = &umbra_fmt_x86_npt, .gpa_bits = 48,
	.gfn = 0x123456789, .leaf = 0xabcdef000 | R | W | A,
	.index = { 0x024, 0x0d1, 0x0b3, 0x189 }, .levels = 4,
	.addr_mask = 0x000ffffffffff000,
	.table = 0x27, .entry = 0x8000000abcdef027,
}, {
	.fmt = &umbra_fmt_arm64_s2, .gpa_bits = 40,	/* two tables as root */
	.gfn = 0xb456789, .leaf = 0xabcdef000 | R | X | A,
	.index = { 0x2d1, 0x0b3, 0x189 }, .levels = 3,
	.addr_mask = 0x0000fffffffff000,
	.table = 0x3, .entry = 0x0000000abcdef77f,
}, {
	.fmt = &umbra_fmt_riscv_g, .gpa_bits = 41,	/* four */
	.gfn = 0x1b456789, .leaf = 0xabcdef000 | R | X | A,
	.index = { 0x6d1, 0x0b3, 0x189 }, .levels = 3,
	.addr_mask = 0x003ffffffffffc00, .addr_shift = 2,
	.table = 0x1, .entry = 0x00000002af37bc5b,
}, {
	.fmt = &umbra_fmt_power_radix, .gpa_bits = 52,	/* sixteen */
	.gfn = 0xfb12345678, .leaf = 0xabcdef000 | R | W | A,
	.index = { 0x1f62, 0x08d, 0x02b, 0x078 }, .levels = 4,
	.addr_mask = 0x01fffffffffff000,
	.table = 0x8000000000000009, .entry = 0xc000000abcdef106,
} };

static void hw_walk_desc(const struct hw_walk *walk, char *desc)
{
	strscpy(desc, walk->fmt->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(hw_walk, hw_walks, hw_walk_desc);

static void hardware_finds_the_page(struct kunit *test)
{
	const struct hw_walk *walk = test->param_value;
	struct umbra_test_table t;
	struct umbra_layout l;
	u64 entry, pa;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, umbra_layout_init(&l, walk->fmt, walk->gpa_bits,
						   UMBRA_AD_HW));
	KUNIT_ASSERT_EQ(test, 0, umbra_test_table_init(&t, &l));
	KUNIT_EXPECT_EQ(test, 1, umbra_test_map_one(test, &t, walk->gfn, 0,
						    walk->leaf));
	pa = __pa(t.pgt.root);
	for (i = 0; i < walk->levels; i++) {
		const u64 *table = __va(pa);

		entry = table[walk->index[i]];
		if (walk->fmt->big_endian)
			entry = __be64_to_cpu((__force __be64)entry);
		if (i == walk->levels - 1 || !entry)
			break;
		KUNIT_EXPECT_EQ(test, entry & ~walk->addr_mask, walk->table);
		pa = (entry & walk->addr_mask) << walk->addr_shift;
	}
	KUNIT_EXPECT_EQ(test, entry, walk->entry);
	umbra_test_table_exit(test, &t);
}

static struct kunit_case hw_walk_cases[] = {
	KUNIT_CASE_PARAM(hardware_finds_the_page, hw_walk_gen_params),
	{}
};

static struct kunit_suite hw_walk_suite = {
	.name		= "umbra_pgtable_walk",
	.test_cases	= hw_walk_cases,
};

kunit_test_suite(hw_walk_suite);
