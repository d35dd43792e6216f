// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty ring, with a process at its other end that does as it likes.
 */
#include <kunit/test.h>
#include <linux/sched.h>

#include "dirty_ring.h"
#include "rng.h"
#include "thread.h"

#define SIZE	64
#define COLLECTED	(UMBRA_DIRTY_GFN_DIRTY | UMBRA_DIRTY_GFN_RESET)

static int ring_init(struct kunit *test)
{
	struct umbra_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);

	if (!ring)
		return -ENOMEM;
	test->priv = ring;
	return umbra_ring_init(ring, SIZE);
}

static void ring_exit(struct kunit *test)
{
	if (test->priv)
		umbra_ring_destroy(test->priv);
}

/* The process collects @nr entries from @from on. */
static void collect(struct umbra_ring *ring, u32 from, u32 nr)
{
	for (; nr--; from++)
		WRITE_ONCE(ring->gfns[from % SIZE].flags, COLLECTED);
}

static void starts_empty(struct kunit *test)
{
	struct umbra_ring *ring = test->priv, none = {};
	struct umbra_dirty_gfn out[SIZE];

	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE);
	KUNIT_EXPECT_FALSE(test, umbra_ring_nearly_full(ring));
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_init(&none, 0), 0);
	KUNIT_EXPECT_NULL(test, none.gfns);
	KUNIT_EXPECT_FALSE(test, umbra_ring_nearly_full(&none));
}

static void pushed_in_order(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;
	unsigned int i;

	umbra_ring_push(ring, 7, 100, 3);
	umbra_ring_push(ring, 8, BIT_ULL(31) - 1, 1);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, ring->gfns[i].flags,
				UMBRA_DIRTY_GFN_DIRTY);
		KUNIT_EXPECT_EQ(test, ring->gfns[i].slot, 7);
		KUNIT_EXPECT_EQ(test, ring->gfns[i].offset, 100 + i);
	}
	KUNIT_EXPECT_EQ(test, ring->gfns[3].slot, 8);
	KUNIT_EXPECT_EQ(test, ring->gfns[3].offset, BIT_ULL(31) - 1);
	KUNIT_EXPECT_EQ(test, ring->gfns[4].flags, 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE - 4);
}

/* Only what was collected, in order, and no more than asked for. */
static void collected_up_to_a_gap(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;
	struct umbra_dirty_gfn out[SIZE];

	umbra_ring_push(ring, 1, 0, 10);
	collect(ring, 0, 3);
	collect(ring, 4, 3);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, 2), 2);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 3);
	KUNIT_EXPECT_EQ(test, out[2].offset, 2);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE - 10);
	umbra_ring_empty(ring, 3);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE - 7);
	KUNIT_EXPECT_EQ(test, ring->gfns[2].flags, 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	collect(ring, 3, 1);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 4);
	KUNIT_EXPECT_EQ(test, out[3].offset, 6);
}

static void nearly_full_in_the_last_eighth(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;

	umbra_ring_push(ring, 1, 0, SIZE - SIZE / 8 - 1);
	KUNIT_EXPECT_FALSE(test, umbra_ring_nearly_full(ring));
	umbra_ring_push(ring, 1, 0, 1);
	KUNIT_EXPECT_TRUE(test, umbra_ring_nearly_full(ring));
	umbra_ring_push(ring, 1, 0, SIZE / 8);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), 0);
	collect(ring, 0, SIZE);
	umbra_ring_empty(ring, SIZE / 8 + 1);
	KUNIT_EXPECT_FALSE(test, umbra_ring_nearly_full(ring));
}

/* Flags where nothing was pushed, and entries overwritten. */
static void lies_are_harmless(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;
	struct umbra_dirty_gfn out[SIZE];

	memset(ring->gfns, 0xff, SIZE * sizeof(*ring->gfns));
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE);
	umbra_ring_push(ring, 1, 5, 2);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	memset(ring->gfns, 0xff, SIZE * sizeof(*ring->gfns));
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 2);
	umbra_ring_empty(ring, 2);
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE);

	/* A process that takes its word back. */
	umbra_ring_push(ring, 1, 5, 2);
	memset(ring->gfns, 0, SIZE * sizeof(*ring->gfns));
	KUNIT_EXPECT_EQ(test, umbra_ring_collected(ring, out, SIZE), 0);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE - 2);
}

/* Against positions as they are in a queue; they pass 2^32 on the way. */
static void agrees_with_model(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;
	struct umbra_dirty_gfn out[SIZE];
	u32 pushed = -1000, taken = -1000, emptied = -1000, i, n;
	struct rnd_state rnd;
	unsigned int step;

	ring->pushed = pushed;
	ring->reset = pushed;
	umbra_test_seed(test, &rnd);
	for (step = 0; step < 20000; step++) {
		switch (umbra_test_below(&rnd, 3)) {
		case 0:
			n = umbra_test_below(&rnd, umbra_ring_room(ring) + 1);
			umbra_ring_push(ring, 3, pushed, n);
			pushed += n;
			break;
		case 1:
			n = umbra_test_below(&rnd, pushed - taken + 1);
			collect(ring, taken, n);
			taken += n;
			break;
		case 2:
			n = umbra_ring_collected(ring, out, SIZE);
			KUNIT_ASSERT_EQ(test, n, taken - emptied);
			for (i = 0; i < n; i++)
				KUNIT_ASSERT_EQ(test, (u32)out[i].offset,
						emptied + i);
			n = umbra_test_below(&rnd, n + 1);
			umbra_ring_empty(ring, n);
			emptied += n;
			break;
		}
		KUNIT_ASSERT_EQ(test, umbra_ring_room(ring),
				SIZE - (pushed - emptied));
	}
	KUNIT_EXPECT_LT(test, pushed, 1000000);
}

/* struct writer - a process that writes noise to the ring all the time */
struct writer {
	struct umbra_test_thread thread;
	struct umbra_ring *ring;
	bool stop;
};

static void write_noise(void *arg)
{
	struct writer *w = arg;
	u32 *words = (u32 *)w->ring->gfns;
	u32 noise = 1, i;

	while (!READ_ONCE(w->stop)) {
		for (i = 0; i < SIZE * sizeof(*w->ring->gfns) / 4; i++) {
			noise = noise * 1664525 + 1013904223;
			WRITE_ONCE(words[i], noise >> 16);
		}
		cond_resched();
	}
}

/* What comes out is never more than what went in, whatever it says. */
static void noise_is_harmless(struct kunit *test)
{
	struct umbra_ring *ring = test->priv;
	struct umbra_dirty_gfn out[SIZE];
	struct writer w = { .ring = ring };
	unsigned long in = 0, emptied = 0;
	unsigned int round;
	u32 n;

	umbra_test_start(test, &w.thread, write_noise, &w);
	for (round = 0; round < 100000 && emptied < 10000; round++) {
		n = umbra_ring_room(ring) / 2;
		umbra_ring_push(ring, 1, in, n);
		in += n;
		n = umbra_ring_collected(ring, out, SIZE);
		umbra_ring_empty(ring, n);
		emptied += n;
		if (emptied > in || umbra_ring_room(ring) != SIZE - (in - emptied))
			break;
		cond_resched();
	}
	WRITE_ONCE(w.stop, true);
	umbra_test_join(&w.thread);
	KUNIT_EXPECT_LE(test, emptied, in);
	KUNIT_EXPECT_EQ(test, umbra_ring_room(ring), SIZE - (in - emptied));
	KUNIT_EXPECT_GT(test, emptied, 0);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(starts_empty),
	KUNIT_CASE(pushed_in_order),
	KUNIT_CASE(collected_up_to_a_gap),
	KUNIT_CASE(nearly_full_in_the_last_eighth),
	KUNIT_CASE(lies_are_harmless),
	KUNIT_CASE(agrees_with_model),
	KUNIT_CASE(noise_is_harmless),
	{}
};

static struct kunit_suite ring_suite = {
	.name		= "umbra_dirty_ring",
	.init		= ring_init,
	.exit		= ring_exit,
	.test_cases	= ring_cases,
};

kunit_test_suite(ring_suite);
