/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers that can be had again.
 */
#ifndef UMBRA_KUNIT_RNG_H
#define UMBRA_KUNIT_RNG_H

#include <kunit/test.h>
#include <linux/prandom.h>

/** umbra_test_seed() - seed @rnd, and print what replays the test */
void umbra_test_seed(struct kunit *test, struct rnd_state *rnd);

/** umbra_test_below() - a random number below @n */
static inline u32 umbra_test_below(struct rnd_state *rnd, u32 n)
{
	return prandom_u32_state(rnd) % n;
}

#endif /* UMBRA_KUNIT_RNG_H */
