// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated TLB, and gathering for its flush.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>

#include "attrs.h"
#include "pages.h"
#include "thread.h"
#include "tlb.h"

#define ALL_LEVELS	(BIT(UMBRA_MAX_LEVELS) - 1)
#define CAPACITY	(UMBRA_TLB_SETS * UMBRA_TLB_WAYS)

static int tlb_init(struct kunit *test)
{
	struct umbra_tlb *tlb = kunit_kmalloc(test, sizeof(*tlb), GFP_KERNEL);

	if (!tlb)
		return -ENOMEM;
	memset(tlb, 0xff, sizeof(*tlb));
	umbra_tlb_init(tlb);
	test->priv = tlb;
	return 0;
}

static int lookup(struct umbra_tlb *tlb, gfn_t gfn, u32 access,
		  umbra_leaf_t *page)
{
	int ret;

	spin_lock(&tlb->lock);
	ret = umbra_tlb_lookup(tlb, 0, gfn, access, page);
	spin_unlock(&tlb->lock);
	return ret;
}

static void fill(struct umbra_tlb *tlb, gfn_t gfn, int level, umbra_leaf_t leaf)
{
	spin_lock(&tlb->lock);
	umbra_tlb_fill(tlb, 0, gfn, level, leaf);
	spin_unlock(&tlb->lock);
}

/* What @gfn maps to, as far as these tests go; neighbours are neighbours. */
static umbra_leaf_t leaf_of(gfn_t gfn)
{
	return PFN_PHYS((gfn & GENMASK_ULL(30, 0)) + BIT_ULL(31)) | R | A;
}

static void fill_range(struct umbra_tlb *tlb, gfn_t start, gfn_t end)
{
	for (; start < end; start++)
		fill(tlb, start, 0, leaf_of(start));
}

/* The block of @level around @gfn, which may be any page in it. */
static void fill_block(struct umbra_tlb *tlb, gfn_t gfn, int level)
{
	fill(tlb, gfn, level, leaf_of(ALIGN_DOWN(gfn, umbra_level_span(level))));
}

/* Is @gfn there? It must be what was filled in, then. */
static bool hits(struct kunit *test, gfn_t gfn)
{
	umbra_leaf_t page;
	int ret = lookup(test->priv, gfn, R, &page);

	if (ret)
		KUNIT_EXPECT_EQ(test, ret, -ENOENT);
	else
		KUNIT_EXPECT_EQ(test, page, leaf_of(gfn));
	return !ret;
}

static void starts_empty(struct kunit *test)
{
	gfn_t gfn;

	for (gfn = 0; gfn < UMBRA_TLB_SETS; gfn++)
		KUNIT_EXPECT_FALSE(test, hits(test, gfn));
	KUNIT_EXPECT_FALSE(test, hits(test, ~0ULL));
}

static void lookup_minds_rights_and_dirty(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	umbra_leaf_t attrs, page;

	for (attrs = 0; attrs <= ATTRS; attrs += W) {
		umbra_leaf_t leaf = PFN_PHYS(5) | attrs | R;
		bool writes = attrs & W && attrs & D;

		fill(tlb, attrs, 0, leaf);
		KUNIT_EXPECT_EQ(test, lookup(tlb, attrs, R, &page), 0);
		KUNIT_EXPECT_EQ(test, page, leaf);
		KUNIT_EXPECT_EQ(test, lookup(tlb, attrs, W, &page),
				writes ? 0 : -ENOENT);
		if (writes)
			KUNIT_EXPECT_EQ(test, page, leaf);
	}
}

static void fill_replaces_the_same_page(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	umbra_leaf_t old = PFN_PHYS(1) | R, new = old | W | D, page;
	gfn_t other = 3 + UMBRA_TLB_SETS;
	unsigned int i;

	fill(tlb, other, 0, leaf_of(other));
	for (i = 0; i < 2 * UMBRA_TLB_WAYS; i++)
		fill(tlb, 3, 0, i % 2 ? new : old);
	KUNIT_EXPECT_EQ(test, lookup(tlb, 3, R, &page), 0);
	KUNIT_EXPECT_EQ(test, page, new);
	KUNIT_EXPECT_TRUE(test, hits(test, other));

	umbra_tlb_flush(tlb, 0, 3, 4, ALL_LEVELS);
	KUNIT_EXPECT_EQ(test, lookup(tlb, 3, R, &page), -ENOENT);
	KUNIT_EXPECT_TRUE(test, hits(test, other));
}

/* With leaves of any size. */
static void holds_as_much_as_it_should(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	gfn_t gfn, base = BIT_ULL(35) - 7;
	int level;

	for (level = 0; level < 3; level++) {
		gfn_t span = umbra_level_span(level);

		umbra_tlb_init(tlb);
		for (gfn = base; gfn < base + CAPACITY * span; gfn += span)
			fill_block(tlb, gfn, level);
		for (gfn = base; gfn < base + CAPACITY * span; gfn += span)
			KUNIT_EXPECT_TRUE(test, hits(test, gfn));
	}
}

/* Pages of one set push each other out, the oldest first, and no other. */
static void replaces_within_a_set(struct kunit *test)
{
	const unsigned int nr = 300;	/* more than a victim can count to */
	unsigned int i;

	fill_range(test->priv, 8, 9);
	for (i = 0; i < nr; i++) {
		gfn_t gfn = 9 + i * UMBRA_TLB_SETS;

		fill_range(test->priv, gfn, gfn + 1);
		KUNIT_EXPECT_TRUE(test, hits(test, gfn));
	}
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, hits(test, 9 + i * UMBRA_TLB_SETS),
				i >= nr - UMBRA_TLB_WAYS);
	KUNIT_EXPECT_TRUE(test, hits(test, 8));
}

static void blocks_hit_everywhere(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	gfn_t span = umbra_level_span(1), base = 5 * span, gfn;

	fill_block(tlb, base + 77, 1);
	for (gfn = base; gfn < base + span; gfn++)
		KUNIT_EXPECT_TRUE(test, hits(test, gfn));
	KUNIT_EXPECT_FALSE(test, hits(test, base - 1));
	KUNIT_EXPECT_FALSE(test, hits(test, base + span));

	fill_block(tlb, base, 1);	/* the same one */
	umbra_tlb_flush(tlb, 0, base + 5, base + 6, ALL_LEVELS);
	KUNIT_EXPECT_FALSE(test, hits(test, base));
}

/* U6: two translations for one address. */
static void two_sizes_conflict(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	gfn_t span = umbra_level_span(1), base = 3 * span;
	umbra_leaf_t page;

	fill_block(tlb, base, 1);
	fill_range(tlb, base + 7, base + 8);
	KUNIT_EXPECT_EQ(test, lookup(tlb, base + 7, R, &page), -ENOTUNIQ);
	KUNIT_EXPECT_EQ(test, lookup(tlb, base + 7, W, &page), -ENOTUNIQ);
	KUNIT_EXPECT_TRUE(test, hits(test, base + 6));
	KUNIT_EXPECT_TRUE(test, hits(test, base + 8));

	umbra_tlb_flush(tlb, 0, base + 7, base + 8, ALL_LEVELS);
	KUNIT_EXPECT_FALSE(test, hits(test, base + 7));
	KUNIT_EXPECT_FALSE(test, hits(test, base + 6));
}

static void flush_drops_just_the_range(struct kunit *test)
{
	static const unsigned int length[] = {
		0, 1, 2, UMBRA_TLB_SETS - 1, UMBRA_TLB_SETS, UMBRA_TLB_SETS + 1,
		CAPACITY - 20,
	};
	struct umbra_tlb *tlb = test->priv;
	gfn_t gfn, base = 1000, start = base + 10;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(length); i++) {
		umbra_tlb_init(tlb);
		fill_range(tlb, base, base + CAPACITY);
		umbra_tlb_flush(tlb, 0, start, start + length[i], ALL_LEVELS);
		for (gfn = base; gfn < base + CAPACITY; gfn++)
			KUNIT_EXPECT_EQ_MSG(test, hits(test, gfn),
					    gfn < start || gfn >= start + length[i],
					    "%u pages", length[i]);
	}
}

/* All that touch the range go, and no other. */
static void flush_drops_blocks(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	int level, i;

	for (level = 1; level < 3; level++) {
		gfn_t span = umbra_level_span(level), base = 9 * span;
		const struct {
			gfn_t start;
			gfn_t end;
			bool hit;
		} range[] = {
			{ base - 2, base, false },
			{ base - 1, base, false },
			{ base - 1, base + 1, true },
			{ base, base + 1, true },
			{ base + span / 2, base + span / 2 + 3, true },
			{ base + span - 1, base + span, true },
			{ base + span - 1, base + span + 1, true },
			{ base + span, base + span + 1, false },
			{ base + span, base + 9 * span, false },
			{ 0, ~0ULL, true },
		};

		for (i = 0; i < ARRAY_SIZE(range); i++) {
			fill_block(tlb, base, level);
			umbra_tlb_flush(tlb, 0, range[i].start, range[i].end,
					ALL_LEVELS);
			KUNIT_EXPECT_EQ_MSG(test, hits(test, base + 1), !range[i].hit,
					    "level %d, range %d", level, i);
		}
	}
}

/* What is of a size that is not asked for stays. */
static void flush_minds_the_levels(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	gfn_t span = umbra_level_span(1), page = span - 1, block = span;
	gfn_t length[] = { span + 1, ~0ULL };	/* looked up, gone through */
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(length); i++) {
		fill_range(tlb, page, page + 1);
		fill_block(tlb, block, 1);
		umbra_tlb_flush(tlb, 0, 0, length[i], BIT(2));
		KUNIT_EXPECT_TRUE(test, hits(test, page));
		KUNIT_EXPECT_TRUE(test, hits(test, block));
		umbra_tlb_flush(tlb, 0, 0, length[i], BIT(1));
		KUNIT_EXPECT_TRUE(test, hits(test, page));
		KUNIT_EXPECT_FALSE(test, hits(test, block));
		fill_block(tlb, block, 1);
		umbra_tlb_flush(tlb, 0, 0, length[i], BIT(0) | BIT(2));
		KUNIT_EXPECT_FALSE(test, hits(test, page));
		KUNIT_EXPECT_TRUE(test, hits(test, block));
	}
}

static void flush_of_everything_and_nothing(struct kunit *test)
{
	struct umbra_tlb *tlb = test->priv;
	gfn_t gfn[] = { 0, 77, BIT_ULL(36) - 1, BIT_ULL(47) - 1 };
	struct umbra_gather nothing;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gfn); i++)
		fill_range(tlb, gfn[i], gfn[i] + 1);

	umbra_gather_init(&nothing);
	umbra_tlb_flush(tlb, 0, nothing.start, nothing.end, ALL_LEVELS);
	for (i = 0; i < ARRAY_SIZE(gfn); i++)
		KUNIT_EXPECT_TRUE(test, hits(test, gfn[i]));

	umbra_tlb_flush(tlb, 0, 0, ~0ULL, ALL_LEVELS);
	for (i = 0; i < ARRAY_SIZE(gfn); i++)
		KUNIT_EXPECT_FALSE(test, hits(test, gfn[i]));
}

/* struct accessor - one that uses translations until told to stop */
struct accessor {
	struct umbra_test_thread thread;
	struct umbra_tlb *tlb;
	bool stop;
	unsigned int begun;
	unsigned int finished;
};

static void access_memory(void *arg)
{
	struct accessor *a = arg;

	while (!READ_ONCE(a->stop)) {
		spin_lock(&a->tlb->lock);
		WRITE_ONCE(a->begun, a->begun + 1);
		udelay(5);
		WRITE_ONCE(a->finished, a->finished + 1);
		spin_unlock(&a->tlb->lock);
		cond_resched();
	}
}

static void flush_waits_for_accesses(struct kunit *test)
{
	struct accessor a = { .tlb = test->priv };
	unsigned int i, begun, unfinished = 0;

	umbra_test_start(test, &a.thread, access_memory, &a);
	for (i = 0; i < 1000; i++) {
		begun = READ_ONCE(a.begun);
		umbra_tlb_flush(a.tlb, 0, 0, i, ALL_LEVELS);
		unfinished += READ_ONCE(a.finished) < begun;
		cond_resched();
	}
	WRITE_ONCE(a.stop, true);
	umbra_test_join(&a.thread);
	KUNIT_EXPECT_EQ(test, unfinished, 0);
}

static void gather_covers_all_ranges(struct kunit *test)
{
	struct umbra_gather g;

	umbra_gather_init(&g);
	KUNIT_EXPECT_GE(test, g.start, g.end);
	KUNIT_EXPECT_TRUE(test, list_empty(&g.tables));

	umbra_gather_range(&g, 100, 200, BIT(1));
	KUNIT_EXPECT_EQ(test, g.start, 100);
	KUNIT_EXPECT_EQ(test, g.end, 200);
	umbra_gather_range(&g, 120, 130, BIT(1));
	KUNIT_EXPECT_EQ(test, g.start, 100);
	KUNIT_EXPECT_EQ(test, g.end, 200);
	KUNIT_EXPECT_EQ(test, g.levels, BIT(1));
	umbra_gather_range(&g, 0, 1, BIT(0));
	KUNIT_EXPECT_EQ(test, g.start, 0);
	KUNIT_EXPECT_EQ(test, g.end, 200);
	umbra_gather_range(&g, 150, 300, BIT(2));
	KUNIT_EXPECT_EQ(test, g.start, 0);
	KUNIT_EXPECT_EQ(test, g.end, 300);
	KUNIT_EXPECT_EQ(test, g.levels, BIT(0) | BIT(1) | BIT(2));
}

static void gather_frees_after_a_grace_period(struct kunit *test)
{
	const unsigned int nr = 5;
	struct umbra_gather g;
	unsigned int i;

	umbra_gather_init(&g);
	umbra_gather_range(&g, 1, 2, BIT(0));
	for (i = 0; i < nr; i++) {
		void *table = umbra_test_page_ops.alloc(0);

		if (table)
			umbra_gather_table(&g, table);
	}

	rcu_read_lock();
	umbra_gather_free(&g, &umbra_test_page_ops);
	mdelay(2);
	i = umbra_test_pages();
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, i, nr);
	KUNIT_EXPECT_TRUE(test, list_empty(&g.tables));
	KUNIT_EXPECT_GE(test, g.start, g.end);

	rcu_barrier();
	KUNIT_EXPECT_EQ(test, umbra_test_pages(), 0);
}

static struct kunit_case tlb_cases[] = {
	KUNIT_CASE(starts_empty),
	KUNIT_CASE(lookup_minds_rights_and_dirty),
	KUNIT_CASE(fill_replaces_the_same_page),
	KUNIT_CASE(holds_as_much_as_it_should),
	KUNIT_CASE(replaces_within_a_set),
	KUNIT_CASE(blocks_hit_everywhere),
	KUNIT_CASE(two_sizes_conflict),
	KUNIT_CASE(flush_drops_just_the_range),
	KUNIT_CASE(flush_drops_blocks),
	KUNIT_CASE(flush_minds_the_levels),
	KUNIT_CASE(flush_of_everything_and_nothing),
	KUNIT_CASE(flush_waits_for_accesses),
	KUNIT_CASE(gather_covers_all_ranges),
	KUNIT_CASE(gather_frees_after_a_grace_period),
	{}
};

static struct kunit_suite tlb_suite = {
	.name		= "umbra_tlb",
	.init		= tlb_init,
	.test_cases	= tlb_cases,
};

kunit_test_suite(tlb_suite);
