// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random numbers that can be had again.
 */
#include <linux/module.h>
#include <linux/random.h>

#include "rng.h"

static uint seed;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "Seed of the random tests; 0: a new one for each");

void umbra_test_seed(struct kunit *test, struct rnd_state *rnd)
{
	u32 s = seed ?: get_random_u32();

	kunit_info(test, "replay with seed=%u\n", s);
	prandom_seed_state(rnd, s);
}

MODULE_DESCRIPTION("Unit tests of umbra, a secondary MMU");
MODULE_LICENSE("GPL");
