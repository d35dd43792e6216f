// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO entries of the shadow table.
 */
#include "attrs.h"
#include "layouts.h"
#include "pages.h"
#include "table.h"

#define TAG	0x5a5a5
#define LAST	(BIT(UMBRA_MMIO_TAG_BITS) - 1)

struct mmio_test {
	struct umbra_test_table t;
	unsigned int nr;	/* MMIO entries shown */
	gfn_t gfn;		/* the last one */
	u64 pages;
	u32 tag;
};

static void shown(void *ctx, gfn_t gfn, u64 nr, u32 tag)
{
	struct mmio_test *m = ctx;

	m->nr++;
	m->gfn = gfn;
	m->pages = nr;
	m->tag = tag;
}

static void no_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		    umbra_leaf_t new)
{
}

static const struct umbra_leaf_ops ops = { .leaf = no_leaf, .mmio = shown };

static int mmio_init(struct kunit *test)
{
	struct umbra_layout layout = umbra_test_layout(test);
	struct mmio_test *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	if (!m || umbra_test_table_init(&m->t, &layout))
		return -ENOMEM;
	test->priv = m;
	return 0;
}

static void mmio_exit(struct kunit *test)
{
	struct mmio_test *m = test->priv;

	if (m)
		umbra_test_table_exit(test, &m->t);
}

static void set(struct kunit *test, gfn_t gfn, int level, u32 tag)
{
	struct mmio_test *m = test->priv;

	KUNIT_ASSERT_EQ(test, umbra_memcache_topup(&m->t.mc), 0);
	umbra_pgtable_set_mmio(&m->t.pgt, gfn, level, tag, &m->t.mc);
}

static int translate(struct kunit *test, gfn_t gfn, u64 *leaf)
{
	struct mmio_test *m = test->priv;
	int level;

	return umbra_pgtable_translate(&m->t.pgt, gfn, R, leaf, &level);
}

static unsigned int show(struct kunit *test, gfn_t start, gfn_t end)
{
	struct mmio_test *m = test->priv;

	m->nr = 0;
	KUNIT_EXPECT_TRUE(test, umbra_pgtable_visit(&m->t.pgt, &start, end, &ops,
						    m));
	return m->nr;
}

static void says_nothing_to_hardware(struct kunit *test)
{
	struct umbra_layout layout = umbra_test_layout(test);
	static const u32 tags[] = { 0, 1, TAG, LAST };
	const struct umbra_layout *l = &layout;
	unsigned int i;
	int level;

	for (level = 0; level < l->levels; level++) {
		for (i = 0; i < ARRAY_SIZE(tags); i++) {
			u64 entry = umbra_make_mmio(l, tags[i]);

			KUNIT_EXPECT_TRUE(test, umbra_entry_is_mmio(l, entry,
								    level));
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_leaf(l, entry,
								     level));
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_table(l, entry,
								      level));
			KUNIT_EXPECT_EQ(test, umbra_entry_tag(l, entry),
					tags[i]);
		}
	}
}

/* A leaf of any attributes, or a table, is none. */
static void nothing_else_is_one(struct kunit *test)
{
	struct umbra_layout layout = umbra_test_layout(test);
	const struct umbra_layout *l = &layout;
	u64 table = umbra_make_table(l, PFN_PHYS(0x123));
	umbra_leaf_t attrs;
	int level;

	for (level = 0; level < l->levels; level++) {
		for (attrs = 0; attrs <= ATTRS; attrs += W) {
			u64 leaf = umbra_make_leaf(l, umbra_test_leaf(0, attrs),
						   level);

			KUNIT_EXPECT_FALSE(test, umbra_entry_is_mmio(l, leaf,
								     level));
		}
		if (level)
			KUNIT_EXPECT_FALSE(test, umbra_entry_is_mmio(l, table,
								     level));
		KUNIT_EXPECT_FALSE(test, umbra_entry_is_mmio(l, 0, level));
	}
}

static void stands_for_all_it_spans(struct kunit *test)
{
	struct mmio_test *m = test->priv;
	int level, levels = m->t.pgt.layout.levels;
	gfn_t end = umbra_test_end(&m->t.pgt);
	u64 tag;

	for (level = 0; level < levels; level++) {
		/* One after the other, from the first: in an entry of its own. */
		gfn_t gfn = umbra_level_span(level);

		set(test, gfn, level, TAG + level);
		KUNIT_EXPECT_EQ(test, translate(test, gfn, &tag), -ENXIO);
		KUNIT_EXPECT_EQ(test, tag, TAG + level);
		KUNIT_EXPECT_EQ(test, translate(test, 2 * gfn - 1, &tag), -ENXIO);
		KUNIT_EXPECT_EQ(test, translate(test, gfn - 1, &tag), -ENOENT);
		KUNIT_EXPECT_EQ(test, show(test, 0, end), level + 1);
		KUNIT_EXPECT_EQ(test, m->pages, gfn);
		KUNIT_EXPECT_EQ(test, m->tag, TAG + level);
	}
	KUNIT_EXPECT_EQ(test, atomic_long_read(&m->t.pgt.nr_leaves), 0);
}

static void makes_way_for_leaves(struct kunit *test)
{
	struct mmio_test *m = test->priv;
	int top = m->t.pgt.layout.levels - 1;
	umbra_leaf_t leaf;

	set(test, 5, top, TAG);
	KUNIT_EXPECT_EQ(test, translate(test, 5, &leaf), -ENXIO);
	/* Below it: a table takes its place. */
	KUNIT_EXPECT_EQ(test, umbra_test_map_one(test, &m->t, 5, 0,
						 umbra_test_leaf(5, W)), 1);
	KUNIT_EXPECT_NE(test, translate(test, 5, &leaf), -ENXIO);
	KUNIT_EXPECT_EQ(test, umbra_leaf_pfn(leaf),
			umbra_leaf_pfn(umbra_test_leaf(5, 0)));
	KUNIT_EXPECT_EQ(test, translate(test, 6, &leaf), -ENOENT);
	/* In its own place. */
	set(test, 6, 0, TAG);
	KUNIT_EXPECT_EQ(test, translate(test, 6, &leaf), -ENXIO);
	KUNIT_EXPECT_EQ(test, umbra_test_map_one(test, &m->t, 6, 0,
						 umbra_test_leaf(6, W)), 1);
	KUNIT_EXPECT_NE(test, translate(test, 6, &leaf), -ENXIO);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&m->t.pgt.nr_leaves), 2);
}

/* Neither a leaf nor a table makes way for it. */
static void does_not_replace(struct kunit *test)
{
	struct mmio_test *m = test->priv;
	umbra_leaf_t leaf;

	umbra_test_map_one(test, &m->t, 5, 0, umbra_test_leaf(5, W));
	set(test, 5, 0, TAG);
	set(test, 5, 1, TAG);
	KUNIT_EXPECT_NE(test, translate(test, 5, &leaf), -ENXIO);
	KUNIT_EXPECT_EQ(test, show(test, 0, umbra_test_end(&m->t.pgt)), 0);
	/* But another one does. */
	set(test, 6, 0, TAG);
	set(test, 6, 0, TAG + 1);
	KUNIT_EXPECT_EQ(test, translate(test, 6, &leaf), -ENXIO);
	KUNIT_EXPECT_EQ(test, leaf, TAG + 1);
}

/* It is no reason to keep a table, and unmapping does not take it for a leaf. */
static void goes_with_its_table(struct kunit *test)
{
	struct mmio_test *m = test->priv;
	gfn_t end = umbra_test_end(&m->t.pgt), next = 0;
	long tables = atomic_long_read(&m->t.pgt.nr_tables);

	set(test, 5, 0, TAG);
	set(test, umbra_level_span(1) * 3, 1, TAG);
	KUNIT_EXPECT_LT(test, tables, atomic_long_read(&m->t.pgt.nr_tables));
	umbra_test_map_one(test, &m->t, 6, 0, umbra_test_leaf(6, W));
	KUNIT_EXPECT_TRUE(test, umbra_pgtable_unmap(&m->t.pgt, 4, 8, &next,
						    &m->t.gather, &ops, m));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&m->t.pgt.nr_leaves), 0);
	umbra_pgtable_prune(&m->t.pgt, 0, end, &m->t.gather);
	KUNIT_EXPECT_EQ(test, tables, atomic_long_read(&m->t.pgt.nr_tables));
	umbra_test_table_settle(test, &m->t);
}

static void all_can_be_dropped(struct kunit *test)
{
	struct mmio_test *m = test->priv;
	gfn_t next = 0, end = umbra_test_end(&m->t.pgt);
	umbra_leaf_t leaf;

	set(test, 5, 0, TAG);
	set(test, umbra_level_span(1) * 3, 1, LAST);
	umbra_test_map_one(test, &m->t, 6, 0, umbra_test_leaf(6, W));
	KUNIT_EXPECT_EQ(test, show(test, 0, end), 2);
	KUNIT_EXPECT_TRUE(test, umbra_pgtable_clear_mmio(&m->t.pgt, &next, end,
							 &ops, m));
	KUNIT_EXPECT_EQ(test, show(test, 0, end), 0);
	KUNIT_EXPECT_EQ(test, translate(test, 5, &leaf), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&m->t.pgt.nr_leaves), 1);
}

static struct kunit_case mmio_cases[] = {
	KUNIT_CASE_PARAM(says_nothing_to_hardware, layout_gen_params),
	KUNIT_CASE_PARAM(nothing_else_is_one, layout_gen_params),
	KUNIT_CASE_PARAM(stands_for_all_it_spans, layout_gen_params),
	KUNIT_CASE_PARAM(makes_way_for_leaves, layout_gen_params),
	KUNIT_CASE_PARAM(does_not_replace, layout_gen_params),
	KUNIT_CASE_PARAM(goes_with_its_table, layout_gen_params),
	KUNIT_CASE_PARAM(all_can_be_dropped, layout_gen_params),
	{}
};

static struct kunit_suite mmio_suite = {
	.name		= "umbra_mmio",
	.init		= mmio_init,
	.exit		= mmio_exit,
	.test_cases	= mmio_cases,
};

kunit_test_suite(mmio_suite);
