// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bitmaps of dirty pages.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/sched.h>

#include "dirty_log.h"
#include "rng.h"
#include "thread.h"

#define BASE	1000	/* the memslot's first page */
#define NR	200	/* its length: three words, and a tail of eight bits */
#define WORDS	4

/* Three words, and a tail. */
static_assert(DIV_ROUND_UP(NR, 64) == WORDS && NR % 64);

static const u64 all[WORDS] = { ~0ULL, ~0ULL, ~0ULL, ~0ULL };

static int log_init(struct kunit *test)
{
	struct umbra_memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL);

	if (!slot)
		return -ENOMEM;
	slot->base_gfn = BASE;
	slot->nr_pages = NR;
	slot->dirty_bitmap[0] = umbra_log_alloc(NR, false);
	test->priv = slot;
	return slot->dirty_bitmap[0] ? 0 : -ENOMEM;
}

static void log_exit(struct kunit *test)
{
	if (test->priv)
		umbra_memslot_free(test->priv);
}

static void mark(struct umbra_memslot *slot, u64 page, u64 nr)
{
	umbra_log_mark(slot, slot->base_gfn + page, nr);
}

static unsigned long *log_of(struct umbra_memslot *slot)
{
	return slot->dirty_bitmap[0];
}

static void expect_log(struct kunit *test, u64 w0, u64 w1, u64 w2, u64 w3)
{
	u64 bits[WORDS], want[] = { w0, w1, w2, w3 };
	unsigned int i;

	umbra_log_read(log_of(test->priv), 0, NR, bits);
	for (i = 0; i < WORDS; i++)
		KUNIT_EXPECT_EQ_MSG(test, bits[i], want[i], "word %u", i);
}

static void starts_clean(struct kunit *test)
{
	static const u64 nr[] = { 1, 63, 64, 65, BIT_ULL(20) };
	struct umbra_memslot *slot;
	unsigned int i;

	expect_log(test, 0, 0, 0, 0);
	for (i = 0; i < ARRAY_SIZE(nr); i++) {
		slot = kzalloc(sizeof(*slot), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, slot);
		slot->dirty_bitmap[0] = umbra_log_alloc(nr[i], false);
		KUNIT_EXPECT_NOT_NULL(test, log_of(slot));
		if (log_of(slot)) {
			KUNIT_EXPECT_TRUE(test, bitmap_empty(log_of(slot),
							     nr[i]));
			mark(slot, nr[i] - 1, 1);
		}
		umbra_memslot_free(slot);
	}
}

static void mark_sets_just_these(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;

	mark(slot, 0, 1);
	mark(slot, 62, 4);
	mark(slot, 130, 0);
	mark(slot, 199, 1);
	expect_log(test, 0xc000000000000001, 0x3, 0, 0x80);
	mark(slot, 60, 70);
	expect_log(test, 0xf000000000000001, ~0ULL, 0x3, 0x80);
}

static void take_takes_all(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u64 taken[WORDS];

	mark(slot, 5, 190);
	umbra_log_take(log_of(slot), 0, NR, NULL, taken);
	KUNIT_EXPECT_EQ(test, taken[0], ~0x1fULL);
	KUNIT_EXPECT_EQ(test, taken[1], ~0ULL);
	KUNIT_EXPECT_EQ(test, taken[2], ~0ULL);
	KUNIT_EXPECT_EQ(test, taken[3], 0x7);
	expect_log(test, 0, 0, 0, 0);
	umbra_log_take(log_of(slot), 0, NR, NULL, taken);
	KUNIT_EXPECT_NULL(test, memchr_inv(taken, 0, sizeof(taken)));
}

static void take_obeys_the_mask(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u64 mask[WORDS] = { 0xff00, 0, ~0ULL, ~0ULL };

	mark(slot, 4, 8);
	mark(slot, 64, 2);
	mark(slot, 130, 1);
	umbra_log_take(log_of(slot), 0, NR, mask, mask);
	KUNIT_EXPECT_EQ(test, mask[0], 0xf00);
	KUNIT_EXPECT_EQ(test, mask[1], 0);
	KUNIT_EXPECT_EQ(test, mask[2], 0x4);
	KUNIT_EXPECT_EQ(test, mask[3], 0);
	expect_log(test, 0xf0, 0x3, 0, 0);
}

/* 70 pages from the second word on: what is before and after does not count. */
static void parts_have_a_tail(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u64 bits[2];

	mark(slot, 0, NR);
	umbra_log_read(log_of(slot), 64, 70, bits);
	KUNIT_EXPECT_EQ(test, bits[0], ~0ULL);
	KUNIT_EXPECT_EQ(test, bits[1], 0x3f);
	umbra_log_take(log_of(slot), 64, 70, NULL, bits);
	KUNIT_EXPECT_EQ(test, bits[0], ~0ULL);
	KUNIT_EXPECT_EQ(test, bits[1], 0x3f);
	expect_log(test, ~0ULL, 0, ~0x3fULL, 0xff);
	umbra_log_take(log_of(slot), 128, 8, all, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0xc0);
	expect_log(test, ~0ULL, 0, ~0xffULL, 0xff);
}

static void give_back_adds(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u64 taken[2];

	mark(slot, 64, 4);
	mark(slot, 130, 1);
	umbra_log_take(log_of(slot), 64, 70, NULL, taken);
	mark(slot, 70, 1);
	mark(slot, 0, 1);
	umbra_log_give_back(log_of(slot), 64, 70, taken);
	expect_log(test, 0x1, 0x4f, 0x4, 0);
}

static void flags_tell_the_method(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;

	slot->flags = UMBRA_MEM_READONLY;
	KUNIT_EXPECT_FALSE(test, umbra_log_by_protection(slot));
	KUNIT_EXPECT_FALSE(test, umbra_log_by_d_bits(slot));
	slot->flags = UMBRA_MEM_LOG_DIRTY;
	KUNIT_EXPECT_TRUE(test, umbra_log_by_protection(slot));
	KUNIT_EXPECT_FALSE(test, umbra_log_by_d_bits(slot));
	slot->flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS;
	KUNIT_EXPECT_FALSE(test, umbra_log_by_protection(slot));
	KUNIT_EXPECT_TRUE(test, umbra_log_by_d_bits(slot));
	slot->flags |= UMBRA_MEM_LOG_PROTECT;
	KUNIT_EXPECT_TRUE(test, umbra_log_by_protection(slot));
	KUNIT_EXPECT_TRUE(test, umbra_log_by_d_bits(slot));
}

/* All pages, and no bit after them. */
static void begins_with_all(struct kunit *test)
{
	unsigned long *log = umbra_log_alloc(NR, true);

	KUNIT_ASSERT_NOT_NULL(test, log);
	KUNIT_EXPECT_TRUE(test, bitmap_full(log, NR));
	KUNIT_EXPECT_EQ(test, log[WORDS - 1], 0xff);
	kvfree(log);
}

/* Three readers take different pages, at different times, of the same writes. */
static void readers_do_not_meet(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u64 mask[WORDS] = { 0xf }, bits[WORDS];
	unsigned int i;

	for (i = 1; i < 3; i++) {
		slot->dirty_bitmap[i] = umbra_log_alloc(NR, false);
		KUNIT_ASSERT_NOT_NULL(test, slot->dirty_bitmap[i]);
	}
	mark(slot, 2, 4);
	umbra_log_take(slot->dirty_bitmap[0], 0, NR, NULL, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0x3c);
	umbra_log_take(slot->dirty_bitmap[1], 0, NR, mask, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0xc);
	mark(slot, 3, 1);
	mark(slot, 64, 1);

	umbra_log_read(slot->dirty_bitmap[0], 0, NR, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0x8);
	KUNIT_EXPECT_EQ(test, bits[1], 1);
	umbra_log_read(slot->dirty_bitmap[1], 0, NR, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0x38);
	KUNIT_EXPECT_EQ(test, bits[1], 1);
	umbra_log_read(slot->dirty_bitmap[2], 0, NR, bits);
	KUNIT_EXPECT_EQ(test, bits[0], 0x3c);
	KUNIT_EXPECT_EQ(test, bits[1], 1);
}

/* A byte a page for a model. */
static void agrees_with_model(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	u8 dirty[NR] = { };
	struct rnd_state rnd;
	unsigned int step, i;

	umbra_test_seed(test, &rnd);
	for (step = 0; step < 2000; step++) {
		unsigned int first = umbra_test_below(&rnd, WORDS) * 64;
		unsigned int nr = 1 + umbra_test_below(&rnd, NR - first);
		unsigned int from = umbra_test_below(&rnd, NR);
		unsigned int to = from + umbra_test_below(&rnd, NR - from + 1);
		u64 mask[WORDS], bits[WORDS];

		mark(slot, from, to - from);
		memset(dirty + from, 1, to - from);

		prandom_bytes_state(&rnd, mask, sizeof(mask));
		umbra_log_take(log_of(slot), first, nr, step % 4 ? mask : NULL, bits);
		for (i = 0; i < nr; i++) {
			bool wanted = step % 4 == 0 || mask[i / 64] >> i % 64 & 1;

			KUNIT_ASSERT_EQ(test, bits[i / 64] >> i % 64 & 1,
					wanted && dirty[first + i]);
			dirty[first + i] &= !wanted;
		}

		/* Give some back. */
		for (i = 0; i < nr; i++)
			dirty[first + i] |= bits[i / 64] >> i % 64 & i & 1;
		for (i = 0; i < WORDS; i++)
			bits[i] &= 0xaaaaaaaaaaaaaaaa;
		umbra_log_give_back(log_of(slot), first, nr, bits);

		umbra_log_read(log_of(slot), 0, NR, bits);
		for (i = 0; i < NR; i++)
			KUNIT_ASSERT_EQ(test, bits[i / 64] >> i % 64 & 1, dirty[i]);
	}
}

#define ROUNDS		3000	/* at least, */
#define MAX_ROUNDS	300000	/* until both threads have got anywhere */
#define ENOUGH		100	/* marks of one page */

/*
 * struct marker - a thread that marks every third page when it finds it clean
 *
 * There are two, and pages that nobody marks but that are always given back.
 * As nobody else marks its pages, each mark must be taken once.
 */
struct marker {
	struct umbra_test_thread thread;
	const struct umbra_memslot *slot;
	unsigned int first;
	bool stop;
	unsigned long marked[NR];
};

static void mark_clean_pages(void *arg)
{
	struct marker *m = arg;
	unsigned int i;

	while (!READ_ONCE(m->stop)) {
		for (i = m->first; i < NR; i += 3)
			if (!test_bit(i, m->slot->dirty_bitmap[0])) {
				umbra_log_mark(m->slot, BASE + i, 1);
				WRITE_ONCE(m->marked[i], m->marked[i] + 1);
			}
		cond_resched();
	}
}

static bool enough(struct marker *m)
{
	return READ_ONCE(m->marked[m->first]) >= ENOUGH;
}

static void no_mark_is_lost(struct kunit *test)
{
	struct umbra_memslot *slot = test->priv;
	struct marker *m = kunit_kcalloc(test, 2, sizeof(*m), GFP_KERNEL);
	unsigned long *taken = kunit_kcalloc(test, NR, sizeof(*taken), GFP_KERNEL);
	unsigned int i, round;
	u64 bits[WORDS];

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_NOT_NULL(test, taken);
	for (i = 2; i < NR; i += 3)
		mark(slot, i, 1);
	for (i = 0; i < 2; i++) {
		m[i].slot = slot;
		m[i].first = i;
		umbra_test_start(test, &m[i].thread, mark_clean_pages, &m[i]);
	}
	for (round = 0; round < ROUNDS ||
	     (round < MAX_ROUNDS && !(enough(&m[0]) && enough(&m[1]))); round++) {
		umbra_log_take(log_of(slot), 0, NR, round % 2 ? all : NULL, bits);
		for (i = 0; i < NR; i++)
			if (bits[i / 64] & BIT_ULL(i % 64) && i % 3 != 2) {
				bits[i / 64] &= ~BIT_ULL(i % 64);
				taken[i]++;
			}
		umbra_log_give_back(log_of(slot), 0, NR, bits);
		cond_resched();
	}
	for (i = 0; i < 2; i++) {
		WRITE_ONCE(m[i].stop, true);
		umbra_test_join(&m[i].thread);
	}

	umbra_log_take(log_of(slot), 0, NR, NULL, bits);
	for (i = 0; i < NR; i++) {
		taken[i] += !!(bits[i / 64] & BIT_ULL(i % 64));
		KUNIT_EXPECT_EQ(test, taken[i],
				i % 3 == 2 ? 1 : m[i % 3].marked[i]);
	}
	KUNIT_EXPECT_TRUE(test, enough(&m[0]) && enough(&m[1]));
}

static struct kunit_case log_cases[] = {
	KUNIT_CASE(starts_clean),
	KUNIT_CASE(mark_sets_just_these),
	KUNIT_CASE(take_takes_all),
	KUNIT_CASE(take_obeys_the_mask),
	KUNIT_CASE(parts_have_a_tail),
	KUNIT_CASE(give_back_adds),
	KUNIT_CASE(flags_tell_the_method),
	KUNIT_CASE(begins_with_all),
	KUNIT_CASE(readers_do_not_meet),
	KUNIT_CASE(agrees_with_model),
	KUNIT_CASE(no_mark_is_lost),
	{}
};

static struct kunit_suite log_suite = {
	.name		= "umbra_dirty_log",
	.init		= log_init,
	.exit		= log_exit,
	.test_cases	= log_cases,
};

kunit_test_suite(log_suite);
