// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table: each operation, on tables of all shapes.
 */
#include <linux/string.h>

#include "attrs.h"
#include "layouts.h"
#include "pages.h"
#include "table.h"

/*
 * struct pgtable_test - a table, and what its walks told
 */
struct pgtable_test {
	struct umbra_test_table t;
	unsigned int nr;	/* calls */
	struct {
		gfn_t gfn;
		u64 nr;
		umbra_leaf_t old;
		umbra_leaf_t new;
	} told[32];		/* the first ones */
};

static void tell(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		 umbra_leaf_t new)
{
	struct pgtable_test *p = ctx;

	if (p->nr < ARRAY_SIZE(p->told)) {
		p->told[p->nr].gfn = gfn;
		p->told[p->nr].nr = nr;
		p->told[p->nr].old = old;
		p->told[p->nr].new = new;
	}
	p->nr++;
}

static bool whenever_possible(void *ctx)
{
	return true;
}

static const struct umbra_leaf_ops tell_ops = { .leaf = tell };
static const struct umbra_leaf_ops stop_ops = {
	.leaf = tell,
	.stop = whenever_possible,
};

static int pgtable_init(struct kunit *test)
{
	struct umbra_layout layout = umbra_test_layout(test);
	struct pgtable_test *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	if (!p || umbra_test_table_init(&p->t, &layout))
		return -ENOMEM;
	test->priv = p;
	return 0;
}

static void pgtable_exit(struct kunit *test)
{
	struct pgtable_test *p = test->priv;

	if (p)
		umbra_test_table_exit(test, &p->t);
}

/* -------------------------------------------------------------- shorthand */

static struct umbra_pgtable *table(struct kunit *test)
{
	struct pgtable_test *p = test->priv;

	return &p->t.pgt;
}

static int levels(struct kunit *test)
{
	return table(test)->layout.levels;
}

static void map(struct kunit *test, gfn_t gfn, int level, umbra_leaf_t attrs)
{
	struct pgtable_test *p = test->priv;

	KUNIT_ASSERT_EQ(test, 1, umbra_test_map_one(test, &p->t, gfn, level,
						    umbra_test_leaf(gfn, attrs)));
}

/* Returns how many calls it took. */
static unsigned int unmap(struct kunit *test, gfn_t start, gfn_t end,
			  const struct umbra_leaf_ops *ops)
{
	struct pgtable_test *p = test->priv;
	gfn_t next = start, before;
	unsigned int calls = 0;
	bool done;

	p->nr = 0;
	do {
		before = next;
		done = umbra_pgtable_unmap(&p->t.pgt, start, end, &next,
					   &p->t.gather, ops, p);
		KUNIT_ASSERT_TRUE(test, done || next > before);
		calls++;
	} while (!done);
	return calls;
}

static unsigned int visit(struct kunit *test, gfn_t start, gfn_t end,
			  const struct umbra_leaf_ops *ops)
{
	struct pgtable_test *p = test->priv;
	gfn_t next = start, before;
	unsigned int calls = 0;
	bool done;

	p->nr = 0;
	do {
		before = next;
		done = umbra_pgtable_visit(&p->t.pgt, &next, end, ops, p);
		KUNIT_ASSERT_TRUE(test, done || next > before);
		calls++;
	} while (!done);
	return calls;
}

static void clear(struct kunit *test, gfn_t start, gfn_t end, umbra_leaf_t attrs)
{
	struct pgtable_test *p = test->priv;

	p->nr = 0;
	umbra_pgtable_clear(&p->t.pgt, start, end, attrs, &p->t.gather,
			    &tell_ops, p);
}

static umbra_leaf_t lookup(struct kunit *test, gfn_t gfn)
{
	int level;

	return umbra_pgtable_lookup(table(test), gfn, &level);
}

static int level_of(struct kunit *test, gfn_t gfn)
{
	int level;

	umbra_pgtable_lookup(table(test), gfn, &level);
	return level;
}

static void expect_told(struct kunit *test, unsigned int i, gfn_t gfn, u64 nr,
			umbra_leaf_t old, umbra_leaf_t new)
{
	struct pgtable_test *p = test->priv;

	KUNIT_ASSERT_LT(test, i, p->nr);
	KUNIT_EXPECT_EQ(test, p->told[i].gfn, gfn);
	KUNIT_EXPECT_EQ(test, p->told[i].nr, nr);
	KUNIT_EXPECT_EQ(test, p->told[i].old, old);
	KUNIT_EXPECT_EQ(test, p->told[i].new, new);
}

/* Also has it flushed, so to say. */
static void expect_gathered(struct kunit *test, gfn_t start, gfn_t end)
{
	struct pgtable_test *p = test->priv;

	if (start < end) {
		KUNIT_EXPECT_EQ(test, p->t.gather.start, start);
		KUNIT_EXPECT_EQ(test, p->t.gather.end, end);
	} else {
		KUNIT_EXPECT_GE(test, p->t.gather.start, p->t.gather.end);
	}
	umbra_gather_free(&p->t.gather, p->t.pgt.ops);
}

static void expect_leaves(struct kunit *test, long nr)
{
	struct pgtable_test *p = test->priv;

	visit(test, 0, umbra_test_end(&p->t.pgt), &tell_ops);
	KUNIT_EXPECT_EQ(test, p->nr, nr);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&p->t.pgt.nr_leaves), nr);
}

/* Below the root. */
static long tables(struct kunit *test)
{
	struct umbra_pgtable *pgt = table(test);

	return atomic_long_read(&pgt->nr_tables) -
	       (1 << umbra_root_order(&pgt->layout));
}

/* Start anew. */
static void empty(struct kunit *test)
{
	struct pgtable_test *p = test->priv;

	unmap(test, 0, umbra_test_end(&p->t.pgt), &tell_ops);
	umbra_gather_free(&p->t.gather, p->t.pgt.ops);
}

/* ------------------------------------------------------------------ cases */

static void starts_empty(struct kunit *test)
{
	gfn_t end = umbra_test_end(table(test));
	gfn_t gfn[] = { 0, umbra_level_span(1), end - 1 };
	struct pgtable_test *p = test->priv;
	umbra_leaf_t leaf;
	unsigned int i;
	int level;

	for (i = 0; i < ARRAY_SIZE(gfn); i++) {
		KUNIT_EXPECT_EQ(test, lookup(test, gfn[i]), 0);
		KUNIT_EXPECT_EQ(test, level_of(test, gfn[i]), levels(test) - 1);
		KUNIT_EXPECT_EQ(test, -ENOENT,
				umbra_pgtable_translate(table(test), gfn[i],
							UMBRA_PTE_READ, &leaf,
							&level));
	}
	unmap(test, 0, end, &tell_ops);
	KUNIT_EXPECT_EQ(test, p->nr, 0);
	clear(test, 0, end, W | A | D);
	KUNIT_EXPECT_EQ(test, p->nr, 0);
	expect_gathered(test, 0, 0);
	expect_leaves(test, 0);
	KUNIT_EXPECT_EQ(test, tables(test), 0);
	umbra_test_table_settle(test, &p->t);
}

static void init_without_memory(struct kunit *test)
{
	struct umbra_pgtable pgt = { .layout = umbra_test_layout(test) };
	long before = umbra_test_pages();

	umbra_test_fail_alloc(1);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			umbra_pgtable_init(&pgt, &umbra_test_page_ops));
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), before);
}

/* A page at the start of each level's second entry shares what is above it. */
static void map_makes_the_tables_it_needs(struct kunit *test)
{
	gfn_t last = umbra_test_end(table(test)) - 1;
	struct pgtable_test *p = test->priv;
	long nr = levels(test) - 1;
	int level;

	map(test, 0, 0, W | A);
	KUNIT_EXPECT_EQ(test, tables(test), nr);
	for (level = 0; level < levels(test); level++) {
		gfn_t span = umbra_level_span(level);

		map(test, span, 0, X);
		nr += level;
		KUNIT_EXPECT_EQ(test, tables(test), nr);
		expect_leaves(test, level + 2);
		KUNIT_EXPECT_EQ(test, lookup(test, span), umbra_test_leaf(span, X));
		KUNIT_EXPECT_EQ(test, level_of(test, span), 0);
		KUNIT_EXPECT_EQ(test, lookup(test, 2 * span), 0);
		KUNIT_EXPECT_EQ(test, level_of(test, 2 * span), level);
	}
	map(test, last, 0, D);
	KUNIT_EXPECT_EQ(test, tables(test), nr + levels(test) - 1);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), umbra_test_leaf(0, W | A));
	KUNIT_EXPECT_EQ(test, lookup(test, last), umbra_test_leaf(last, D));
	umbra_test_table_settle(test, &p->t);
}

/* Up to the end of a table; first the middle, then all, then all in vain. */
static void map_installs_runs(struct kunit *test)
{
	umbra_leaf_t leaves[32];
	const unsigned int nr = ARRAY_SIZE(leaves);
	struct pgtable_test *p = test->priv;
	unsigned int i;
	int level;

	for (level = 0; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level);
		gfn_t base = umbra_level_span(level + 1) - nr * span;

		for (i = 0; i < nr; i++)
			leaves[i] = umbra_test_leaf(base + i * span, i % 16 * 2);

		KUNIT_EXPECT_EQ(test, nr - 4,
				umbra_test_map(test, &p->t, base + 3 * span, level,
					       leaves + 3, nr - 4));
		KUNIT_EXPECT_EQ(test, 4, umbra_test_map(test, &p->t, base, level,
							leaves, nr));
		KUNIT_EXPECT_EQ(test, 0, umbra_test_map(test, &p->t, base, level,
							leaves, nr));
		KUNIT_EXPECT_EQ(test, tables(test), levels(test) - 1 - level);
		expect_leaves(test, nr);
		for (i = 0; i < nr; i++)
			KUNIT_EXPECT_EQ(test, lookup(test, base + i * span),
					leaves[i]);
		KUNIT_EXPECT_EQ(test, level_of(test, base), level);
		KUNIT_EXPECT_EQ(test, lookup(test, base - 1), 0);
		KUNIT_EXPECT_EQ(test, lookup(test, base + nr * span), 0);
		empty(test);
		expect_leaves(test, 0);
	}
}

static void map_widens(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	umbra_leaf_t old, new;
	gfn_t gfn = 0;

	for (old = 0; old <= ATTRS; old += W)
		for (new = 0; new <= ATTRS; new += W) {
			map(test, gfn, 0, old);
			KUNIT_EXPECT_EQ(test, (old | new) != old,
					umbra_test_map_one(test, &p->t, gfn, 0,
							   umbra_test_leaf(gfn, new)));
			KUNIT_EXPECT_EQ(test, lookup(test, gfn),
					umbra_test_leaf(gfn, old | new));
			gfn++;
		}
	expect_leaves(test, gfn);
}

/* One leaf of three is there for another page. */
static void map_refuses_another_page(struct kunit *test)
{
	umbra_leaf_t leaves[3], other;
	struct pgtable_test *p = test->priv;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(leaves); i++)
		leaves[i] = umbra_test_leaf(i, W | D);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		other = umbra_test_leaf(i, A) + UMBRA_TEST_OTHER_PAGE;
		KUNIT_EXPECT_EQ(test, 1, umbra_test_map_one(test, &p->t, i, 0, other));
		KUNIT_EXPECT_EQ(test, -EEXIST,
				umbra_test_map(test, &p->t, 0, 0, leaves,
					       ARRAY_SIZE(leaves)));
		KUNIT_EXPECT_EQ(test, lookup(test, i), other);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_EQ(test, lookup(test, j), leaves[j]);
		expect_leaves(test, i + 1);
		empty(test);
	}
}

/* A block gives pages what it has itself, and no more. */
static void map_below_a_block(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level, below;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level), gfn = 2 * span - 2;
		umbra_leaf_t other = umbra_test_leaf(gfn, 0) + UMBRA_TEST_OTHER_PAGE;
		umbra_leaf_t leaves[] = {
			umbra_test_leaf(gfn, A), umbra_test_leaf(gfn + 1, W)
		};

		map(test, span, level, W | A);
		KUNIT_EXPECT_EQ(test, 0, umbra_test_map(test, &p->t, gfn, 0,
							leaves, 2));
		KUNIT_EXPECT_EQ(test, -EEXIST,
				umbra_test_map_one(test, &p->t, gfn, 0, other));
		leaves[1] |= X;
		KUNIT_EXPECT_EQ(test, -E2BIG, umbra_test_map(test, &p->t, gfn, 0,
							     leaves, 2));
		for (below = 0; below < level; below++)
			KUNIT_EXPECT_EQ(test, -E2BIG,
					umbra_test_map_one(test, &p->t, span, below,
							   umbra_test_leaf(span, D)));
		KUNIT_EXPECT_EQ(test, lookup(test, gfn), umbra_test_leaf(span, W | A));
		KUNIT_EXPECT_EQ(test, level_of(test, gfn), level);
		expect_leaves(test, 1);
		empty(test);
	}
}

/* Even if it is empty: whoever removed what was in it may not have flushed. */
static void map_above_a_table(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		map(test, 0, 0, 0);
		KUNIT_EXPECT_EQ(test, -EMLINK,
				umbra_test_map_one(test, &p->t, 0, level,
						   umbra_test_leaf(0, 0)));
		unmap(test, 0, 1, &tell_ops);
		KUNIT_EXPECT_EQ(test, -EMLINK,
				umbra_test_map_one(test, &p->t, 0, level,
						   umbra_test_leaf(0, 0)));
		expect_leaves(test, 0);
		unmap(test, 0, umbra_level_span(level), &tell_ops);
		map(test, 0, level, 0);
		expect_leaves(test, 1);
		empty(test);
	}
}

/* Every part of a range that crosses from one table into the next. */
static void unmap_removes_the_range(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	gfn_t base = umbra_level_span(1) - 3, start, end, gfn;
	const unsigned int nr = 6;

	for (start = base; start <= base + nr; start++)
		for (end = start; end <= base + nr; end++) {
			for (gfn = base; gfn < base + nr; gfn++)
				map(test, gfn, 0, (gfn & 15) * 2);

			unmap(test, start, end, &tell_ops);
			KUNIT_ASSERT_EQ(test, p->nr, end - start);
			for (gfn = start; gfn < end; gfn++)
				expect_told(test, gfn - start, gfn, 1,
					    umbra_test_leaf(gfn, (gfn & 15) * 2), 0);
			expect_gathered(test, start, end);
			for (gfn = base; gfn < base + nr; gfn++)
				KUNIT_EXPECT_EQ(test, !lookup(test, gfn),
						start <= gfn && gfn < end);
			KUNIT_EXPECT_EQ(test, atomic_long_read(&p->t.pgt.nr_leaves),
					nr - (end - start));
			empty(test);
		}
	expect_leaves(test, 0);
}

/*
 * One leaf; ranges that begin or end beside what a table below @level spans. All
 * that the tables span has to be flushed, as hardware may have cached them.
 */
static void unmap_frees_covered_tables(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level, i;

	for (level = 1; level < levels(test); level++) {
		gfn_t base = umbra_level_span(level), last = 2 * base - 1;
		const struct {
			gfn_t start;
			gfn_t end;
			int freed;
		} range[] = {
			{ base, last, level - 1 },
			{ base + 1, last + 1, 0 },
			{ base, last + 1, level },
			{ base - 1, last + 2, level },
		};

		for (i = 0; i < ARRAY_SIZE(range); i++) {
			map(test, base, 0, 0);
			KUNIT_EXPECT_EQ(test, tables(test), levels(test) - 1);
			unmap(test, range[i].start, range[i].end, &tell_ops);
			KUNIT_EXPECT_EQ(test, tables(test),
					levels(test) - 1 - range[i].freed);
			expect_gathered(test, base,
					p->nr ? base + umbra_level_span(range[i].freed) :
						base);
			empty(test);
			KUNIT_EXPECT_EQ(test, tables(test), 0);
		}
	}
	umbra_test_table_settle(test, &p->t);
}

/* U13; the rest of the block goes with it, to be faulted in again. */
static void unmap_removes_whole_blocks(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level, i;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level), end = 2 * span;
		gfn_t range[][2] = {
			{ span, span + 1 }, { end - 1, end }, { span + 5, span + 9 },
			{ span, end }, { span - 1, span + 1 }, { end - 1, end + 1 },
		};

		for (i = 0; i < ARRAY_SIZE(range); i++) {
			map(test, span, level, W | A | D);
			unmap(test, range[i][0], range[i][1], &tell_ops);
			KUNIT_EXPECT_EQ(test, p->nr, 1);
			expect_told(test, 0, span, span,
				    umbra_test_leaf(span, W | A | D), 0);
			expect_gathered(test, span, end);
			expect_leaves(test, 0);
		}
		map(test, span, level, 0);
		unmap(test, 0, span, &tell_ops);
		unmap(test, end, 3 * span, &tell_ops);
		expect_leaves(test, 1);
		empty(test);
	}
}

/*
 * Leaves in four tables of level 0: first and last in each of the first two
 * tables of level 1.
 */
static void map_four_tables(struct kunit *test, gfn_t gfn[8])
{
	gfn_t one = umbra_level_span(1), two = umbra_level_span(2);
	gfn_t base[] = { 0, two - one, two, 2 * two - one };
	unsigned int i;

	for (i = 0; i < 8; i++) {
		gfn[i] = base[i / 2] + i % 2 * (one - 1);
		map(test, gfn[i], 0, i * 2);
	}
}

static void unmap_stops_and_goes_on(struct kunit *test)
{
	gfn_t end = 2 * umbra_level_span(2), next = 0, gfn[8];
	struct pgtable_test *p = test->priv;
	unsigned int i;
	long before;

	map_four_tables(test, gfn);
	before = tables(test);
	KUNIT_EXPECT_FALSE(test, umbra_pgtable_unmap(table(test), 0, end, &next,
						     &p->t.gather, &stop_ops, p));
	KUNIT_EXPECT_EQ(test, next, gfn[1] + 1);
	KUNIT_EXPECT_EQ(test, tables(test), before - 1);
	expect_leaves(test, 6);
	empty(test);

	/* What is left are the tables above level 1. */
	map_four_tables(test, gfn);
	KUNIT_EXPECT_GE(test, unmap(test, 0, end, &stop_ops), 4);
	KUNIT_EXPECT_EQ(test, p->nr, 8);
	for (i = 0; i < 8; i++)
		expect_told(test, i, gfn[i], 1, umbra_test_leaf(gfn[i], i * 2), 0);
	KUNIT_EXPECT_EQ(test, tables(test), max(levels(test) - 3, 0));
	expect_leaves(test, 0);
	expect_gathered(test, 0, end);
}

/* Those without leaves, wherever they reach beyond the range; no others. */
static void prune_takes_empty_tables(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	gfn_t one = umbra_level_span(1);

	map(test, 0, 0, 0);
	map(test, one, 0, 0);
	map(test, 2 * one, 0, 0);
	umbra_test_table_settle(test, &p->t);
	umbra_pgtable_prune(table(test), 0, umbra_test_end(table(test)),
			    &p->t.gather);
	KUNIT_EXPECT_EQ(test, tables(test), levels(test) + 1);

	unmap(test, one, one + 1, &tell_ops);
	unmap(test, 2 * one, 2 * one + 1, &tell_ops);
	umbra_gather_free(&p->t.gather, p->t.pgt.ops);
	umbra_pgtable_prune(table(test), 2 * one - 3, 2 * one, &p->t.gather);
	KUNIT_EXPECT_EQ(test, tables(test), levels(test));
	expect_gathered(test, one, 2 * one);
	expect_leaves(test, 1);

	/* All the way up to the root. */
	unmap(test, 0, 1, &tell_ops);
	umbra_pgtable_prune(table(test), 2 * one, 2 * one + 1, &p->t.gather);
	KUNIT_EXPECT_EQ(test, tables(test), levels(test) - 1);
	umbra_pgtable_prune(table(test), 1, 2, &p->t.gather);
	KUNIT_EXPECT_EQ(test, tables(test), 0);
	umbra_test_table_settle(test, &p->t);
}

static void visit_stops_and_goes_on(struct kunit *test)
{
	gfn_t end = 2 * umbra_level_span(2), gfn[8];
	struct pgtable_test *p = test->priv;
	unsigned int i;

	map_four_tables(test, gfn);
	KUNIT_EXPECT_GE(test, visit(test, 0, end, &stop_ops), 4);
	KUNIT_EXPECT_EQ(test, p->nr, 8);
	for (i = 0; i < 8; i++)
		expect_told(test, i, gfn[i], 1, umbra_test_leaf(gfn[i], i * 2),
			    umbra_test_leaf(gfn[i], i * 2));

	/* From the second leaf to before the last. */
	visit(test, gfn[1], gfn[7], &tell_ops);
	KUNIT_EXPECT_EQ(test, p->nr, 6);
	expect_told(test, 0, gfn[1], 1, umbra_test_leaf(gfn[1], 2),
		    umbra_test_leaf(gfn[1], 2));
	visit(test, gfn[1] + 1, gfn[2], &tell_ops);
	KUNIT_EXPECT_EQ(test, p->nr, 0);
	expect_leaves(test, 8);
}

static void visit_shows_parts_of_blocks(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level), mid = span + span / 2;

		map(test, span, level, W | A);
		visit(test, 0, 3 * span, &tell_ops);
		expect_told(test, 0, span, span, umbra_test_leaf(span, W | A),
			    umbra_test_leaf(span, W | A));
		visit(test, mid, mid + 3, &tell_ops);
		expect_told(test, 0, mid, 3, umbra_test_leaf(mid, W | A),
			    umbra_test_leaf(mid, W | A));
		visit(test, mid, 3 * span, &tell_ops);
		expect_told(test, 0, mid, span / 2, umbra_test_leaf(mid, W | A),
			    umbra_test_leaf(mid, W | A));
		KUNIT_EXPECT_EQ(test, p->nr, 1);
		empty(test);
	}
}

/* Sixteen leaves, of which the first and the last are out of the range. */
static void clear_clears_just_that(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	umbra_leaf_t attrs, old;
	unsigned int nr;

	for (attrs = 0; attrs <= ATTRS; attrs += W) {
		gfn_t gfn = 0, first = 15, end = 0;

		if (attrs & X)
			continue;
		for (old = 0; old <= ATTRS; old += W)
			map(test, gfn++, 0, old);
		clear(test, 1, 15, attrs);
		for (gfn = 1, nr = 0; gfn < 15; gfn++) {
			old = gfn * 2;
			KUNIT_EXPECT_EQ(test, lookup(test, gfn),
					umbra_test_leaf(gfn, old & ~attrs));
			if (!(old & attrs))
				continue;
			expect_told(test, nr++, gfn, 1, umbra_test_leaf(gfn, old),
				    umbra_test_leaf(gfn, old & ~attrs));
			first = min(first, gfn);
			end = gfn + 1;
		}
		KUNIT_EXPECT_EQ(test, p->nr, nr);
		KUNIT_EXPECT_EQ(test, lookup(test, 0), umbra_test_leaf(0, 0));
		KUNIT_EXPECT_EQ(test, lookup(test, 15), umbra_test_leaf(15, 30));
		expect_gathered(test, first, end);
		expect_leaves(test, 16);
		empty(test);
	}
}

static void clear_does_not_stop(struct kunit *test)
{
	gfn_t end = 2 * umbra_level_span(2), gfn[8];
	struct pgtable_test *p = test->priv;
	unsigned int i;

	map_four_tables(test, gfn);
	umbra_pgtable_clear(table(test), 0, end, A | D, &p->t.gather, &stop_ops, p);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, lookup(test, gfn[i]) & (A | D), 0);
}

/* The attributes are those of the block, and so is the flush. */
static void clear_clears_whole_blocks(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level);

		map(test, span, level, W | X | A | D);
		clear(test, span, span + 3, D);
		KUNIT_EXPECT_EQ(test, p->nr, 1);
		expect_told(test, 0, span, 3, umbra_test_leaf(span, W | X | A | D),
			    umbra_test_leaf(span, W | X | A));
		expect_gathered(test, span, 2 * span);
		KUNIT_EXPECT_EQ(test, lookup(test, span),
				umbra_test_leaf(span, W | X | A));

		clear(test, 2 * span - 7, 3 * span, W | D);
		KUNIT_EXPECT_EQ(test, p->nr, 1);
		expect_told(test, 0, 2 * span - 7, 7,
			    umbra_test_leaf(2 * span - 7, W | X | A),
			    umbra_test_leaf(2 * span - 7, X | A));
		expect_gathered(test, span, 2 * span);
		KUNIT_EXPECT_EQ(test, lookup(test, span), umbra_test_leaf(span, X | A));
		KUNIT_EXPECT_EQ(test, level_of(test, span), level);
		empty(test);
	}
}

/* Break, and make: smaller leaves for the same pages, as old and as dirty. */
static void a_block_can_be_split(struct kunit *test)
{
	struct pgtable_test *p = test->priv;
	int level, i;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level);
		gfn_t step = umbra_level_span(level - 1);
		umbra_leaf_t block = umbra_test_leaf(span, W | D);

		map(test, span, level, W | D);
		KUNIT_EXPECT_EQ(test, block,
				umbra_pgtable_break(table(test), span, level,
						    &p->t.gather));
		KUNIT_EXPECT_EQ(test, p->t.gather.levels, BIT(level));
		expect_gathered(test, span, 2 * span);
		KUNIT_EXPECT_EQ(test, lookup(test, span), 0);
		KUNIT_EXPECT_EQ(test, level_of(test, span), level);
		expect_leaves(test, 0);

		KUNIT_ASSERT_EQ(test, 0, umbra_memcache_topup(&p->t.mc));
		KUNIT_EXPECT_TRUE(test,
				  umbra_pgtable_make(table(test), span, level,
						     block,
						     umbra_memcache_get(&p->t.mc)));
		KUNIT_EXPECT_EQ(test, tables(test), levels(test) - level);
		expect_leaves(test, 1 << UMBRA_TABLE_BITS);
		for (i = 0; i < 1 << UMBRA_TABLE_BITS; i++) {
			gfn_t gfn = span + i * step;

			KUNIT_EXPECT_EQ(test, lookup(test, gfn),
					umbra_test_leaf(gfn, W | D));
			KUNIT_EXPECT_EQ(test, level_of(test, gfn), level - 1);
		}
		KUNIT_EXPECT_EQ(test, lookup(test, span - 1), 0);
		KUNIT_EXPECT_EQ(test, lookup(test, 2 * span), 0);
		umbra_test_table_settle(test, &p->t);
		empty(test);
	}
}

/* What is not a block of this level stays. */
static void only_a_block_can_be_split(struct kunit *test)
{
	gfn_t one = umbra_level_span(1);
	struct pgtable_test *p = test->priv;
	struct umbra_memcache *mc = &p->t.mc;
	u64 *page;

	map(test, 0, 0, W);
	map(test, one, 1, W);
	KUNIT_EXPECT_EQ(test, 0, umbra_pgtable_break(table(test), 0, 1,
						     &p->t.gather));
	KUNIT_EXPECT_EQ(test, 0, umbra_pgtable_break(table(test), one, 0,
						     &p->t.gather));
	KUNIT_EXPECT_EQ(test, 0, umbra_pgtable_break(table(test), 2 * one, 1,
						     &p->t.gather));
	expect_gathered(test, 0, 0);

	/* The table that was filled goes back as it came: empty. */
	KUNIT_ASSERT_EQ(test, 0, umbra_memcache_topup(mc));
	page = umbra_memcache_get(mc);
	KUNIT_EXPECT_FALSE(test, umbra_pgtable_make(table(test), one, 1,
						    umbra_test_leaf(one, A),
						    page));
	KUNIT_EXPECT_NULL(test, memchr_inv(page, 0, PAGE_SIZE));
	umbra_memcache_put(mc, page);
	KUNIT_EXPECT_EQ(test, lookup(test, one), umbra_test_leaf(one, W));
	expect_leaves(test, 2);
	umbra_test_table_settle(test, &p->t);
}

static void translate_sets_a_and_d(struct kunit *test)
{
	static const u32 accesses[] = {
		UMBRA_PTE_READ, UMBRA_PTE_WRITE, UMBRA_PTE_EXEC
	};
	const struct umbra_test_layout *param = test->param_value;
	umbra_leaf_t attrs, leaf, out, used;
	unsigned int i;
	gfn_t gfn = 0;
	int level;

	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		for (attrs = 0; attrs <= ATTRS; attrs += W) {
			u32 access = accesses[i];
			int ret;

			map(test, gfn, 0, attrs);
			leaf = lookup(test, gfn);
			ret = umbra_pgtable_translate(table(test), gfn, access,
						      &out, &level);
			used = access == UMBRA_PTE_WRITE ? A | D : A;
			if (leaf & access &&
			    (param->ad == UMBRA_AD_HW || (leaf & used) == used)) {
				leaf |= used;
				KUNIT_EXPECT_EQ(test, ret, 0);
				KUNIT_EXPECT_EQ(test, out, leaf);
				KUNIT_EXPECT_EQ(test, level, 0);
			} else {
				KUNIT_EXPECT_EQ(test, ret, -EACCES);
			}
			KUNIT_EXPECT_EQ(test, lookup(test, gfn), leaf);
			gfn++;
		}
	KUNIT_EXPECT_EQ(test, -ENOENT,
			umbra_pgtable_translate(table(test), gfn, UMBRA_PTE_READ,
						&out, &level));
	KUNIT_EXPECT_EQ(test, lookup(test, gfn), 0);
	expect_leaves(test, gfn);
}

static void translate_finds_blocks(struct kunit *test)
{
	umbra_leaf_t leaf, out;
	int level, at;

	for (level = 1; umbra_test_has_leaves(table(test), level); level++) {
		gfn_t span = umbra_level_span(level);

		leaf = umbra_test_leaf(span, W | A | D);
		map(test, span, level, W | A | D);
		KUNIT_EXPECT_EQ(test, 0,
				umbra_pgtable_translate(table(test), 2 * span - 1,
							UMBRA_PTE_WRITE, &out, &at));
		KUNIT_EXPECT_EQ(test, out, leaf);
		KUNIT_EXPECT_EQ(test, at, level);
		KUNIT_EXPECT_EQ(test, -ENOENT,
				umbra_pgtable_translate(table(test), 2 * span,
							UMBRA_PTE_READ, &out, &at));
		empty(test);
	}
}

static struct kunit_case pgtable_cases[] = {
	KUNIT_CASE_PARAM(starts_empty, layout_gen_params),
	KUNIT_CASE_PARAM(init_without_memory, layout_gen_params),
	KUNIT_CASE_PARAM(map_makes_the_tables_it_needs, layout_gen_params),
	KUNIT_CASE_PARAM(map_installs_runs, layout_gen_params),
	KUNIT_CASE_PARAM(map_widens, layout_gen_params),
	KUNIT_CASE_PARAM(map_refuses_another_page, layout_gen_params),
	KUNIT_CASE_PARAM(map_below_a_block, layout_gen_params),
	KUNIT_CASE_PARAM(map_above_a_table, layout_gen_params),
	KUNIT_CASE_PARAM(unmap_removes_the_range, layout_gen_params),
	KUNIT_CASE_PARAM(unmap_frees_covered_tables, layout_gen_params),
	KUNIT_CASE_PARAM(unmap_removes_whole_blocks, layout_gen_params),
	KUNIT_CASE_PARAM(unmap_stops_and_goes_on, layout_gen_params),
	KUNIT_CASE_PARAM(prune_takes_empty_tables, layout_gen_params),
	KUNIT_CASE_PARAM(visit_stops_and_goes_on, layout_gen_params),
	KUNIT_CASE_PARAM(visit_shows_parts_of_blocks, layout_gen_params),
	KUNIT_CASE_PARAM(clear_clears_just_that, layout_gen_params),
	KUNIT_CASE_PARAM(clear_does_not_stop, layout_gen_params),
	KUNIT_CASE_PARAM(clear_clears_whole_blocks, layout_gen_params),
	KUNIT_CASE_PARAM(a_block_can_be_split, layout_gen_params),
	KUNIT_CASE_PARAM(only_a_block_can_be_split, layout_gen_params),
	KUNIT_CASE_PARAM(translate_sets_a_and_d, layout_gen_params),
	KUNIT_CASE_PARAM(translate_finds_blocks, layout_gen_params),
	{}
};

static struct kunit_suite pgtable_suite = {
	.name		= "umbra_pgtable",
	.init		= pgtable_init,
	.exit		= pgtable_exit,
	.test_cases	= pgtable_cases,
};

kunit_test_suite(pgtable_suite);
