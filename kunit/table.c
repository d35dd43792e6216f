// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shadow table under test, and what belongs to it.
 */
#include <linux/rcupdate.h>

#include "pages.h"
#include "table.h"

int umbra_test_table_init(struct umbra_test_table *t,
			  const struct umbra_layout *layout)
{
	t->pgt.layout = *layout;
	umbra_memcache_init(&t->mc, &umbra_test_page_ops);
	umbra_gather_init(&t->gather);
	return umbra_pgtable_init(&t->pgt, &umbra_test_page_ops);
}

static void free_gathered(struct umbra_test_table *t)
{
	umbra_gather_free(&t->gather, &umbra_test_page_ops);
	rcu_barrier();
}

void umbra_test_table_exit(struct kunit *test, struct umbra_test_table *t)
{
	free_gathered(t);
	umbra_memcache_destroy(&t->mc);
	umbra_pgtable_destroy(&t->pgt);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), 0);
}

void umbra_test_table_settle(struct kunit *test, struct umbra_test_table *t)
{
	free_gathered(t);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(),
			atomic_long_read(&t->pgt.nr_tables) + t->mc.nr);
}

int umbra_test_map(struct kunit *test, struct umbra_test_table *t, gfn_t gfn,
		   int level, const umbra_leaf_t *leaves, unsigned int nr)
{
	KUNIT_ASSERT_EQ(test, umbra_memcache_topup(&t->mc), 0);
	return umbra_pgtable_map(&t->pgt, gfn, level, leaves, nr, &t->mc);
}
