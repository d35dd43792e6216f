// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock of table pages, while allocations fail.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "memcache.h"
#include "pages.h"

#define FULL	(UMBRA_MAX_LEVELS - 1)

static int memcache_init(struct kunit *test)
{
	struct umbra_memcache *mc = kunit_kzalloc(test, sizeof(*mc), GFP_KERNEL);

	if (!mc)
		return -ENOMEM;
	umbra_memcache_init(mc, &umbra_test_page_ops);
	test->priv = mc;
	return 0;
}

static void memcache_exit(struct kunit *test)
{
	umbra_test_fail_alloc(0);
	if (test->priv)
		umbra_memcache_destroy(test->priv);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), 0);
}

static void topup_fills(struct kunit *test)
{
	struct umbra_memcache *mc = test->priv;

	KUNIT_EXPECT_EQ(test, umbra_memcache_topup(mc), 0);
	KUNIT_EXPECT_EQ(test, mc->nr, FULL);
	KUNIT_EXPECT_EQ(test, umbra_memcache_topup(mc), 0);
	KUNIT_EXPECT_EQ(test, mc->nr, FULL);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), FULL);
}

static void topup_fails_at_each_page(struct kunit *test)
{
	struct umbra_memcache *mc = test->priv;
	void *had[FULL];
	unsigned int k;

	for (k = 1; k <= FULL; k++) {
		umbra_test_fail_alloc(k);
		KUNIT_EXPECT_EQ(test, umbra_memcache_topup(mc), -ENOMEM);
		KUNIT_ASSERT_EQ(test, mc->nr, k - 1);
		KUNIT_EXPECT_EQ(test, umbra_test_pages(), k - 1);

		memcpy(had, mc->table, sizeof(had));
		KUNIT_EXPECT_EQ(test, umbra_memcache_topup(mc), 0);
		KUNIT_EXPECT_EQ(test, mc->nr, FULL);
		KUNIT_EXPECT_EQ(test, umbra_test_pages(), FULL);
		KUNIT_EXPECT_EQ(test, 0, memcmp(had, mc->table,
						(k - 1) * sizeof(had[0])));

		umbra_memcache_destroy(mc);
		KUNIT_EXPECT_EQ(test, mc->nr, 0);
		KUNIT_EXPECT_EQ(test, umbra_test_pages(), 0);
	}
}

static void get_takes_each_page_once(struct kunit *test)
{
	struct umbra_memcache *mc = test->priv;
	void *table[FULL];
	unsigned int i, j;

	KUNIT_ASSERT_EQ(test, umbra_memcache_topup(mc), 0);
	for (i = 0; i < FULL; i++) {
		table[i] = umbra_memcache_get(mc);
		KUNIT_ASSERT_NOT_NULL(test, table[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(table[i], 0, PAGE_SIZE));
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, table[i], table[j]);
	}
	KUNIT_EXPECT_EQ(test, mc->nr, 0);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), FULL);

	for (i = 0; i < FULL; i++)
		umbra_memcache_put(mc, table[i]);
	KUNIT_EXPECT_EQ(test, mc->nr, FULL);
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), FULL);
}

/* A CPU keeps up to S8_MAX pages of a counter to itself. */
static void pages_are_zeroed_and_accounted(struct kunit *test)
{
	const unsigned int order = 2, size = PAGE_SIZE << order;
	unsigned long slack = S8_MAX * num_possible_cpus(), nr = slack, i;
	long before = global_node_page_state(NR_SECONDARY_PAGETABLE);
	void **table = kunit_kcalloc(test, nr, sizeof(*table), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, table);
	for (i = 0; i < nr; i++) {
		table[i] = umbra_table_ops.alloc(order);
		if (!table[i])
			break;
		KUNIT_EXPECT_NULL(test, memchr_inv(table[i], 0, size));
		memset(table[i], 0xff, size);
	}
	KUNIT_EXPECT_EQ(test, i, nr);
	KUNIT_EXPECT_GE(test, global_node_page_state(NR_SECONDARY_PAGETABLE),
			before + (i << order) - slack);
	while (i--)
		umbra_table_ops.free(table[i], order);
	KUNIT_EXPECT_LE(test, global_node_page_state(NR_SECONDARY_PAGETABLE),
			before + slack);
}

static struct kunit_case memcache_cases[] = {
	KUNIT_CASE(topup_fills),
	KUNIT_CASE(topup_fails_at_each_page),
	KUNIT_CASE(get_takes_each_page_once),
	KUNIT_CASE(pages_are_zeroed_and_accounted),
	{}
};

static struct kunit_suite memcache_suite = {
	.name		= "umbra_memcache",
	.init		= memcache_init,
	.exit		= memcache_exit,
	.test_cases	= memcache_cases,
};

kunit_test_suite(memcache_suite);
