// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table used by several threads at once.
 */
#include <linux/sched.h>

#include "pages.h"
#include "rng.h"
#include "table.h"
#include "thread.h"

static const struct race_param {
	const struct umbra_fmt *fmt;
	int level;		/* of the leaves */
	enum umbra_ad ad;
} race_params[] = {
	{ &umbra_fmt_x86_npt, 0, UMBRA_AD_HW },
	{ &umbra_fmt_x86_npt, 1, UMBRA_AD_HW },
	{ &umbra_fmt_x86_ept, 0, UMBRA_AD_HW },
	{ &umbra_fmt_x86_ept, 1, UMBRA_AD_HW },
	{ &umbra_fmt_arm64_s2, 0, UMBRA_AD_HW },
	{ &umbra_fmt_arm64_s2, 1, UMBRA_AD_HW },
	{ &umbra_fmt_riscv_g, 0, UMBRA_AD_HW },
	{ &umbra_fmt_riscv_g, 1, UMBRA_AD_HW },
	{ &umbra_fmt_power_radix, 0, UMBRA_AD_HW },
	{ &umbra_fmt_power_radix, 1, UMBRA_AD_HW },
	{ &umbra_fmt_mips_vz, 0, UMBRA_AD_SW },
	{ &umbra_fmt_mips_vz, 1, UMBRA_AD_SW },
};

static void race_desc(const struct race_param *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, level %d", param->fmt->name,
		 param->level);
}

KUNIT_ARRAY_PARAM(race, race_params, race_desc);

/* Those where translating sets A and D. */
static const void *hw_race_gen_params(const void *prev, char *desc)
{
	const struct race_param *param = prev;

	do {
		param = race_gen_params(param, desc);
	} while (param && param->ad != UMBRA_AD_HW);
	return param;
}

static void race_table_init(struct kunit *test, struct umbra_test_table *t)
{
	const struct race_param *param = test->param_value;
	struct umbra_layout l;

	KUNIT_ASSERT_EQ(test, 0, umbra_layout_init(&l, param->fmt, 48, param->ad));
	KUNIT_ASSERT_EQ(test, 0, umbra_test_table_init(t, &l));
}

/* -------------------------------------------- A and D are never lost (U11) */

#define ROUNDS		1000	/* at least, */
#define MAX_ROUNDS	200000	/* until both threads have got anywhere */
#define ENOUGH		100	/* bits */
#define WRITTEN		4	/* leaves that are read and written */
#define LEAVES		8	/* all; the rest is only read */

/*
 * struct ad_test - a table whose leaves change while threads translate
 *
 * Only one thread writes, so each D bit that it sets where it saw none must come
 * out once. The same goes for A, of leaves that are only read.
 */
struct ad_test {
	struct umbra_test_table t;
	int level;
	struct umbra_test_thread writer;
	struct umbra_test_thread reader;
	bool stop;
	unsigned long d_in[LEAVES];	/* the writer's */
	unsigned long a_in[LEAVES];	/* the reader's */
	unsigned long d_out[LEAVES];
	unsigned long a_out[LEAVES];
};

static gfn_t nth(const struct ad_test *ad, unsigned int i)
{
	return i * umbra_level_span(ad->level);
}

/* Set @bit in the first @nr leaves wherever it is clear, and count. */
static void set_and_count(struct ad_test *ad, u32 access, umbra_leaf_t bit,
			  unsigned int nr, unsigned long *count)
{
	struct umbra_pgtable *pgt = &ad->t.pgt;
	umbra_leaf_t leaf;
	unsigned int i;
	int level;

	while (!READ_ONCE(ad->stop)) {
		for (i = 0; i < nr; i++)
			if (!(umbra_pgtable_lookup(pgt, nth(ad, i), &level) & bit) &&
			    !umbra_pgtable_translate(pgt, nth(ad, i), access,
						     &leaf, &level))
				WRITE_ONCE(count[i], count[i] + 1);
		cond_resched();
	}
}

static void write_leaves(void *arg)
{
	struct ad_test *ad = arg;

	set_and_count(ad, UMBRA_PTE_WRITE, UMBRA_PTE_DIRTY, WRITTEN, ad->d_in);
}

static void read_leaves(void *arg)
{
	struct ad_test *ad = arg;

	set_and_count(ad, UMBRA_PTE_READ, UMBRA_PTE_YOUNG, LEAVES, ad->a_in);
}

static void count_out(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		      umbra_leaf_t new)
{
	struct ad_test *ad = ctx;

	ad->d_out[gfn / nr] += !!(old & ~new & UMBRA_PTE_DIRTY);
	ad->a_out[gfn / nr] += !!(old & ~new & UMBRA_PTE_YOUNG);
}

static const struct umbra_leaf_ops count_ops = { .leaf = count_out };

static void unmap(struct ad_test *ad, gfn_t end)
{
	gfn_t next = 0;

	umbra_pgtable_unmap(&ad->t.pgt, 0, end, &next, &ad->t.gather,
			    &count_ops, ad);
}

static void break_leaf(struct ad_test *ad, unsigned int i)
{
	umbra_leaf_t leaf = umbra_pgtable_break(&ad->t.pgt, nth(ad, i), ad->level,
						&ad->t.gather);

	count_out(ad, i, 1, leaf, 0);
}

static void change_leaves(struct ad_test *ad, struct rnd_state *rnd)
{
	gfn_t end = nth(ad, LEAVES);

	switch (umbra_test_below(rnd, 5)) {
	case 0:
		unmap(ad, end);
		break;
	case 1:		/* with the table */
		unmap(ad, umbra_level_span(ad->level + 1));
		break;
	case 2:
		break_leaf(ad, umbra_test_below(rnd, LEAVES));
		break;
	case 3:
		umbra_pgtable_clear(&ad->t.pgt, 0, end, UMBRA_PTE_WRITE,
				    &ad->t.gather, &count_ops, ad);
		break;
	case 4:
		umbra_pgtable_clear(&ad->t.pgt, 0, end,
				    UMBRA_PTE_YOUNG << umbra_test_below(rnd, 2),
				    &ad->t.gather, &count_ops, ad);
		break;
	}
	umbra_gather_free(&ad->t.gather, ad->t.pgt.ops);
}

static bool enough(struct ad_test *ad)
{
	return READ_ONCE(ad->d_in[0]) >= ENOUGH &&
	       READ_ONCE(ad->a_in[LEAVES - 1]) >= ENOUGH;
}

static void a_and_d_are_never_lost(struct kunit *test)
{
	const struct race_param *param = test->param_value;
	struct ad_test *ad = kunit_kzalloc(test, sizeof(*ad), GFP_KERNEL);
	umbra_leaf_t leaves[LEAVES];
	struct rnd_state rnd;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, ad);
	race_table_init(test, &ad->t);
	ad->level = param->level;
	umbra_test_seed(test, &rnd);
	for (i = 0; i < LEAVES; i++)
		leaves[i] = umbra_test_leaf(nth(ad, i), UMBRA_PTE_WRITE);

	umbra_test_start(test, &ad->writer, write_leaves, ad);
	umbra_test_start(test, &ad->reader, read_leaves, ad);
	for (i = 0; i < ROUNDS || (i < MAX_ROUNDS && !enough(ad)); i++) {
		if (umbra_memcache_topup(&ad->t.mc))
			break;
		umbra_pgtable_map(&ad->t.pgt, 0, ad->level, leaves, LEAVES,
				  &ad->t.mc);
		change_leaves(ad, &rnd);
		cond_resched();
	}
	WRITE_ONCE(ad->stop, true);
	umbra_test_join(&ad->writer);
	umbra_test_join(&ad->reader);

	unmap(ad, nth(ad, LEAVES));
	for (i = 0; i < LEAVES; i++)
		KUNIT_EXPECT_EQ(test, ad->d_out[i], ad->d_in[i]);
	for (i = WRITTEN; i < LEAVES; i++)
		KUNIT_EXPECT_EQ(test, ad->a_out[i], ad->a_in[i]);
	KUNIT_EXPECT_TRUE(test, enough(ad));
	umbra_test_table_exit(test, &ad->t);
}

/* ------------------------------------------------ two map the same leaves */

#define TABLES		256
#define BATCH		8	/* leaves in each */

/*
 * struct map_test - a table that two fill, each with a right of its own
 */
struct map_test {
	struct umbra_test_table t;
	int level;
	atomic_t arrived;
	struct mapper {
		struct umbra_test_thread thread;
		struct map_test *shared;
		struct umbra_memcache mc;
		umbra_leaf_t right;
		unsigned int changed;
	} mapper[2];
};

static void fill_tables(void *arg)
{
	struct mapper *mapper = arg;
	struct map_test *mt = mapper->shared;
	umbra_leaf_t leaves[BATCH];
	unsigned int i, j;

	for (i = 0; i < TABLES && !umbra_memcache_topup(&mapper->mc); i++) {
		gfn_t gfn = i * umbra_level_span(mt->level + 1);

		for (j = 0; j < BATCH; j++)
			leaves[j] = umbra_test_leaf(gfn + j * umbra_level_span(mt->level),
						    mapper->right);
		/* Both at once. */
		atomic_inc(&mt->arrived);
		while (atomic_read(&mt->arrived) < 2 * (i + 1))
			cond_resched();
		mapper->changed += umbra_pgtable_map(&mt->t.pgt, gfn, mt->level,
						     leaves, BATCH, &mapper->mc);
	}
	atomic_add(2 * TABLES, &mt->arrived);	/* let the other one go on */
}

static void maps_do_not_collide(struct kunit *test)
{
	static const umbra_leaf_t right[] = { UMBRA_PTE_WRITE, UMBRA_PTE_EXEC };
	const struct race_param *param = test->param_value;
	struct map_test *mt = kunit_kzalloc(test, sizeof(*mt), GFP_KERNEL);
	unsigned int i, j;
	int level;

	KUNIT_ASSERT_NOT_NULL(test, mt);
	race_table_init(test, &mt->t);
	mt->level = param->level;
	for (i = 0; i < 2; i++) {
		struct mapper *mapper = &mt->mapper[i];

		mapper->shared = mt;
		mapper->right = right[i];
		umbra_memcache_init(&mapper->mc, &umbra_test_page_ops);
		if (!umbra_test_start(test, &mapper->thread, fill_tables, mapper))
			atomic_add(2 * TABLES, &mt->arrived);
	}
	for (i = 0; i < 2; i++) {
		umbra_test_join(&mt->mapper[i].thread);
		umbra_memcache_destroy(&mt->mapper[i].mc);
		KUNIT_EXPECT_EQ(test, mt->mapper[i].changed, TABLES * BATCH);
	}
	for (i = 0; i < TABLES; i++)
		for (j = 0; j < BATCH; j++) {
			gfn_t gfn = i * umbra_level_span(mt->level + 1) +
				    j * umbra_level_span(mt->level);

			KUNIT_EXPECT_EQ(test, umbra_test_leaf(gfn, right[0] | right[1]),
					umbra_pgtable_lookup(&mt->t.pgt, gfn,
							     &level));
		}
	KUNIT_EXPECT_EQ(test, atomic_long_read(&mt->t.pgt.nr_leaves),
			TABLES * BATCH);
	umbra_test_table_settle(test, &mt->t);
	umbra_test_table_exit(test, &mt->t);
}

static struct kunit_case pgtable_race_cases[] = {
	KUNIT_CASE_PARAM(a_and_d_are_never_lost, hw_race_gen_params),
	KUNIT_CASE_PARAM(maps_do_not_collide, race_gen_params),
	{}
};

static struct kunit_suite pgtable_race_suite = {
	.name		= "umbra_pgtable_race",
	.test_cases	= pgtable_race_cases,
};

kunit_test_suite(pgtable_race_suite);
