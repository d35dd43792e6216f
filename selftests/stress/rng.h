/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers: one generator for each actor, so that what an actor does follows
 * from the seed, whatever the others do.
 */
#ifndef RNG_H
#define RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Spread over all bits, one to one: the last step of SplitMix64. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* The reverse: what the two factors undo are their inverses modulo 2^64. */
static inline uint64_t unmix64(uint64_t x)
{
	x = (x ^ x >> 31 ^ x >> 62) * 0x319642b2d24d8ec3;
	x = (x ^ x >> 27 ^ x >> 54) * 0x96de1b173f119089;
	return x ^ x >> 30 ^ x >> 60;
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state += 0x9e3779b97f4a7c15;
	return mix64(rng->state);
}

static inline void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream)
{
	rng->state = mix64(seed) ^ mix64(~stream);
}

/* Below n, which is not 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

static inline bool rng_one_in(struct rng *rng, uint64_t n)
{
	return !rng_below(rng, n);
}

#endif /* RNG_H */
