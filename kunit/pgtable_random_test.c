// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table beside a model of it, through random operations.
 *
 * After every operation both must agree on its result and about the range that
 * it touched; now and then about everything.
 */
#include "layouts.h"
#include "model.h"
#include "rng.h"
#include "table.h"

#define STEPS		1000	/* for each layout */
#define FULL_CHECK	500
#define MAX_MAP		16	/* leaves */

/*
 * struct pair - a table, its model, and one operation on both
 *
 * Callbacks cannot end the test: they leave what they find in @wrong.
 */
struct pair {
	struct umbra_test_table t;
	struct umbra_model m;
	enum umbra_ad ad;
	struct rnd_state rnd;
	gfn_t start;		/* the range of the operation */
	gfn_t end;
	umbra_leaf_t gone;	/* the bits that it clears */
	gfn_t flush;		/* what must be flushed then: first page */
	gfn_t flush_end;	/* and first page after */
	gfn_t cursor;		/* how far a comparison is */
	unsigned int wrong;	/* what the model did not expect */
};

static int pair_init(struct kunit *test)
{
	const struct umbra_test_layout *param = test->param_value;
	struct umbra_layout layout = umbra_test_layout(test);
	struct pair *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	if (!p || umbra_test_table_init(&p->t, &layout))
		return -ENOMEM;
	p->ad = param->ad;
	umbra_model_init(&p->m);
	umbra_test_seed(test, &p->rnd);
	test->priv = p;
	return 0;
}

static void pair_exit(struct kunit *test)
{
	struct pair *p = test->priv;

	if (!p)
		return;
	umbra_test_table_exit(test, &p->t);
	umbra_model_destroy(&p->m);
}

/* ----------------------------------------------------- what to operate on */

static umbra_leaf_t random_attrs(struct pair *p)
{
	return umbra_test_below(&p->rnd, 16) << 1;
}

/* A page in one of few tables, so that operations meet. */
static gfn_t random_gfn(struct pair *p)
{
	const struct umbra_layout *l = &p->t.pgt.layout;
	gfn_t gfn = umbra_test_below(&p->rnd, umbra_level_span(1));
	int level;

	for (level = 1; level < l->levels; level++) {
		u32 index[] = { 0, 1, umbra_table_entries(l, level) - 1 };

		gfn += index[umbra_test_below(&p->rnd, ARRAY_SIZE(index))] *
		       umbra_level_span(level);
	}
	return gfn;
}

/* Mostly 0. */
static int random_leaf_level(struct pair *p)
{
	int level = 0;

	while (!umbra_test_below(&p->rnd, 4) &&
	       umbra_test_has_leaves(&p->t.pgt, level + 1))
		level++;
	return level;
}

/* A range of any size, or all that one entry of some level spans. */
static void random_range(struct pair *p)
{
	int level = umbra_test_below(&p->rnd, p->t.pgt.layout.levels);
	gfn_t span = umbra_level_span(level);
	u64 any = (u64)prandom_u32_state(&p->rnd) << 32 |
		  prandom_u32_state(&p->rnd);

	p->start = random_gfn(p);
	if (umbra_test_below(&p->rnd, 4)) {
		p->end = min(p->start + 1 + any % span,
			     umbra_test_end(&p->t.pgt));
	} else {
		p->start = ALIGN_DOWN(p->start, span);
		p->end = p->start + span;
	}
}

/* ------------------------------------------------------------ comparisons */

static void same_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		      umbra_leaf_t new)
{
	struct umbra_model_leaf *want;
	struct pair *p = ctx;

	want = umbra_model_find(&p->m, p->cursor, p->end);
	p->wrong += !want || gfn != max(p->start, want->node.start) ||
		    gfn + nr != min(p->end, want->node.last + 1) ||
		    old != want->leaf + PFN_PHYS(gfn - want->node.start) ||
		    new != old;
	p->cursor = gfn + nr;
}

/* Of the range. */
static void compare(struct kunit *test, struct pair *p)
{
	static const struct umbra_leaf_ops ops = { .leaf = same_leaf };
	gfn_t next = p->start;

	p->cursor = p->start;
	KUNIT_ASSERT_TRUE(test, umbra_pgtable_visit(&p->t.pgt, &next, p->end,
						    &ops, p));
	KUNIT_ASSERT_EQ(test, p->wrong, 0);
	if (p->cursor < p->end)
		KUNIT_ASSERT_NULL(test, umbra_model_find(&p->m, p->cursor, p->end));
	KUNIT_ASSERT_EQ(test, atomic_long_read(&p->t.pgt.nr_leaves), p->m.nr);
}

/* What the model's leaves need, the root included. */
static long tables_needed(struct pair *p)
{
	const struct umbra_layout *l = &p->t.pgt.layout;
	gfn_t last[UMBRA_MAX_LEVELS] = { }, at = 0;
	long nr = 1 << umbra_root_order(l);
	struct umbra_model_leaf *leaf;
	int level;

	while ((leaf = umbra_model_find(&p->m, at, ~0ULL))) {
		at = leaf->node.last + 1;
		for (level = leaf->level; level < l->levels - 1; level++) {
			gfn_t end = ALIGN(at, umbra_level_span(level + 1));

			nr += end != last[level];
			last[level] = end;
		}
	}
	return nr;
}

static void compare_all(struct kunit *test, struct pair *p)
{
	p->start = 0;
	p->end = umbra_test_end(&p->t.pgt);
	compare(test, p);
	umbra_pgtable_prune(&p->t.pgt, 0, p->end, &p->t.gather);
	KUNIT_ASSERT_EQ(test, atomic_long_read(&p->t.pgt.nr_tables),
			tables_needed(p));
	umbra_test_table_settle(test, &p->t);
}

/* ------------------------------------------------------------- operations */

/* What the model still has after this, the operation has missed. */
static void cleared(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		    umbra_leaf_t new)
{
	struct umbra_model_leaf *leaf;
	struct pair *p = ctx;
	gfn_t start, end;

	leaf = umbra_model_find(&p->m, gfn, gfn + 1);
	if (!leaf) {
		p->wrong++;
		return;
	}
	start = leaf->node.start;
	end = leaf->node.last + 1;
	p->flush = min(p->flush, start);
	p->flush_end = max(p->flush_end, end);
	if (new) {	/* removed as a whole, or changed in part */
		start = max(start, p->start);
		end = min(end, p->end);
	}
	p->wrong += gfn != start || gfn + nr != end ||
		    old != leaf->leaf + PFN_PHYS(start - leaf->node.start) ||
		    !(old & p->gone) || new != (old & ~p->gone);
	leaf->leaf &= ~p->gone;
	if (!leaf->leaf)
		umbra_model_remove(&p->m, leaf);
}

static bool now_and_then(void *ctx)
{
	struct pair *p = ctx;

	return umbra_test_below(&p->rnd, 2);
}

static const struct umbra_leaf_ops clear_ops = { .leaf = cleared };
static const struct umbra_leaf_ops unmap_ops = {
	.leaf = cleared,
	.stop = now_and_then,
};

static void begin_clear(struct pair *p, umbra_leaf_t gone)
{
	p->gone = gone;
	p->flush = ~0ULL;
	p->flush_end = 0;
}

static void end_clear(struct kunit *test, struct pair *p)
{
	gfn_t at = p->start, first = p->flush, last = p->flush_end;
	const struct umbra_gather *g = &p->t.gather;
	struct umbra_model_leaf *leaf;

	KUNIT_ASSERT_EQ(test, p->wrong, 0);
	if (!list_empty(&g->tables)) {	/* flushed as well, and in the range */
		first = min(first, p->start);
		last = max(last, p->end);
	}
	KUNIT_ASSERT_GE(test, g->start, first);
	KUNIT_ASSERT_LE(test, g->start, p->flush);
	KUNIT_ASSERT_GE(test, g->end, p->flush_end);
	KUNIT_ASSERT_LE(test, g->end, last);
	umbra_gather_free(&p->t.gather, p->t.pgt.ops);

	while (at < p->end && (leaf = umbra_model_find(&p->m, at, p->end))) {
		KUNIT_ASSERT_EQ(test, leaf->leaf & p->gone, 0);
		at = leaf->node.last + 1;
	}
	p->start = min(p->start, p->flush);
	p->end = max(p->end, p->flush_end);
	compare(test, p);
}

static void unmap_range(struct kunit *test, struct pair *p)
{
	gfn_t next = p->start, before;
	bool done;

	begin_clear(p, ~0ULL);
	do {
		before = next;
		done = umbra_pgtable_unmap(&p->t.pgt, p->start, p->end, &next,
					   &p->t.gather, &unmap_ops, p);
		KUNIT_ASSERT_GT(test, next, before);
	} while (!done);
	end_clear(test, p);
}

static void unmap(struct kunit *test, struct pair *p)
{
	random_range(p);
	unmap_range(test, p);
}

static void clear(struct kunit *test, struct pair *p)
{
	umbra_leaf_t attrs = random_attrs(p) & ~(umbra_leaf_t)UMBRA_PTE_EXEC;

	random_range(p);
	begin_clear(p, attrs);
	umbra_pgtable_clear(&p->t.pgt, p->start, p->end, attrs, &p->t.gather,
			    &clear_ops, p);
	end_clear(test, p);
}

static void map(struct kunit *test, struct pair *p)
{
	const struct umbra_layout *l = &p->t.pgt.layout;
	int level = random_leaf_level(p), at, ret;
	gfn_t span = umbra_level_span(level);
	gfn_t gfn = ALIGN_DOWN(random_gfn(p), span);
	unsigned int i, nr = 1 + umbra_test_below(&p->rnd, MAX_MAP);
	umbra_leaf_t leaves[MAX_MAP], attrs = random_attrs(p);

	nr = level ? 1 : min(nr, umbra_table_entries(l, 0) -
				 umbra_table_index(l, gfn, 0));
	for (i = 0; i < nr; i++)
		leaves[i] = umbra_test_leaf(gfn + i, attrs);
	if (!umbra_test_below(&p->rnd, 8))
		leaves[umbra_test_below(&p->rnd, nr)] += UMBRA_TEST_OTHER_PAGE;

	p->start = gfn;
	p->end = gfn + nr * span;
	ret = umbra_test_map(test, &p->t, gfn, level, leaves, nr);
	if (ret == -EMLINK) {	/* a table, which may be empty */
		umbra_pgtable_lookup(&p->t.pgt, gfn, &at);
		KUNIT_ASSERT_LT(test, at, level);
		unmap_range(test, p);
		ret = umbra_test_map(test, &p->t, gfn, level, leaves, nr);
	}
	KUNIT_ASSERT_EQ(test, ret, umbra_model_map(&p->m, gfn, level, leaves, nr));
	compare(test, p);
}

static void split(struct kunit *test, struct pair *p)
{
	struct umbra_gather *g = &p->t.gather;
	struct umbra_model_leaf *block;
	umbra_leaf_t leaf;

	p->start = random_gfn(p);
	block = umbra_model_find(&p->m, p->start, p->start + 1);
	if (!block || !block->level) {
		KUNIT_ASSERT_EQ(test, 0, umbra_pgtable_break(&p->t.pgt, p->start,
							     1, g));
		return;
	}
	p->start = block->node.start;
	p->end = block->node.last + 1;
	leaf = umbra_pgtable_break(&p->t.pgt, p->start, block->level, g);
	KUNIT_ASSERT_EQ(test, leaf, block->leaf);
	KUNIT_ASSERT_EQ(test, g->start, p->start);
	KUNIT_ASSERT_EQ(test, g->end, p->end);
	umbra_gather_init(g);
	KUNIT_ASSERT_EQ(test, 0, umbra_memcache_topup(&p->t.mc));
	KUNIT_ASSERT_TRUE(test, umbra_pgtable_make(&p->t.pgt, p->start,
						   block->level, leaf,
						   umbra_memcache_get(&p->t.mc)));
	umbra_model_split(&p->m, block);
	compare(test, p);
}

/* The leaf of the page at the start of the range is what the model has. */
static void same_page(struct kunit *test, struct pair *p, umbra_leaf_t leaf,
		      int level)
{
	struct umbra_model_leaf *want = umbra_model_find(&p->m, p->start,
							 p->start + 1);

	KUNIT_ASSERT_EQ(test, leaf, want ? want->leaf : 0);
	if (want)
		KUNIT_ASSERT_EQ(test, level, want->level);
}

static void translate(struct kunit *test, struct pair *p)
{
	u32 access = BIT(umbra_test_below(&p->rnd, 3));
	umbra_leaf_t leaf;
	int level, ret;

	p->start = random_gfn(p);
	p->end = p->start + 1;
	ret = umbra_pgtable_translate(&p->t.pgt, p->start, access, &leaf, &level);
	KUNIT_ASSERT_EQ(test, ret, umbra_model_translate(&p->m, p->start, access,
							 p->ad));
	if (!ret)
		same_page(test, p, leaf, level);
	compare(test, p);
}

static void lookup(struct kunit *test, struct pair *p)
{
	umbra_leaf_t leaf;
	int level;

	p->start = random_gfn(p);
	leaf = umbra_pgtable_lookup(&p->t.pgt, p->start, &level);
	same_page(test, p, leaf, level);
}

/* As often as this. */
static void (*const operations[])(struct kunit *, struct pair *) = {
	[0 ... 23] = map,
	[24 ... 39] = translate,
	[40 ... 47] = lookup,
	[48 ... 57] = clear,
	[58 ... 62] = unmap,
	[63] = split,
};

static void agrees_with_model(struct kunit *test)
{
	struct pair *p = test->priv;
	unsigned int i;

	for (i = 1; i <= STEPS; i++) {
		operations[umbra_test_below(&p->rnd, ARRAY_SIZE(operations))](test, p);
		if (i % FULL_CHECK == 0)
			compare_all(test, p);
	}
}

static struct kunit_case pgtable_random_cases[] = {
	KUNIT_CASE_PARAM(agrees_with_model, layout_gen_params),
	{}
};

static struct kunit_suite pgtable_random_suite = {
	.name		= "umbra_pgtable_random",
	.init		= pair_init,
	.exit		= pair_exit,
	.test_cases	= pgtable_random_cases,
};

kunit_test_suite(pgtable_random_suite);
