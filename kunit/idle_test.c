// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle ages, against a model that counts.
 */
#include <kunit/test.h>

#include "idle.h"
#include "rng.h"

#define NR	300

static void ages_from_the_beginning(struct kunit *test)
{
	struct umbra_idle *idle = umbra_idle_alloc(NR);
	u64 pages[UMBRA_IDLE_BUCKETS];
	unsigned int scan;

	KUNIT_ASSERT_NOT_NULL(test, idle);
	umbra_idle_used(NULL, 0, NR);
	/* Page 7 is used before every scan; past the end of the numbers. */
	for (scan = 1; scan < 1000; scan++) {
		umbra_idle_used(idle, 7, 1);
		umbra_idle_scan(idle, NR, pages);
		KUNIT_ASSERT_EQ(test, pages[0], 1);
		KUNIT_ASSERT_EQ(test, pages[fls(min(scan, 255u))], NR - 1);
	}
	umbra_idle_used(idle, 0, NR);
	umbra_idle_scan(idle, NR, pages);
	KUNIT_EXPECT_EQ(test, pages[0], NR);
	umbra_idle_scan(idle, NR, pages);
	KUNIT_EXPECT_EQ(test, pages[1], NR);
	kvfree(idle);
}

static void agrees_with_model(struct kunit *test)
{
	struct umbra_idle *idle = umbra_idle_alloc(NR);
	unsigned int *age = kunit_kcalloc(test, NR, sizeof(*age), GFP_KERNEL);
	u64 pages[UMBRA_IDLE_BUCKETS], want[UMBRA_IDLE_BUCKETS];
	unsigned int scan, i, n;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, idle);
	KUNIT_ASSERT_NOT_NULL(test, age);
	umbra_test_seed(test, &rnd);
	for (i = 0; i < NR; i++)
		age[i] = 1;
	for (scan = 0; scan < 2000; scan++) {
		for (n = umbra_test_below(&rnd, 4); n; n--) {
			i = umbra_test_below(&rnd, NR);
			umbra_idle_used(idle, i, 1);
			age[i] = 0;
		}
		memset(want, 0, sizeof(want));
		for (i = 0; i < NR; i++)
			want[fls(min(age[i]++, 255u))]++;
		umbra_idle_scan(idle, NR, pages);
		KUNIT_ASSERT_EQ(test, memcmp(want, pages, sizeof(want)), 0);
	}
	kvfree(idle);
}

static struct kunit_case idle_cases[] = {
	KUNIT_CASE(ages_from_the_beginning),
	KUNIT_CASE(agrees_with_model),
	{}
};

static struct kunit_suite idle_suite = {
	.name		= "umbra_idle",
	.test_cases	= idle_cases,
};

kunit_test_suite(idle_suite);
