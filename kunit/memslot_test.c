// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two sets of memslots, by gfn and by hva.
 */
#include <kunit/test.h>

#include "memslot.h"
#include "rng.h"

#define MANY	1000

/* struct memslot_test - two sets, and the memslots that may be in them */
struct memslot_test {
	struct umbra_memslots set[2];
	struct umbra_memslot slot[MANY];
	bool in[2][MANY];
};

static int memslot_init(struct kunit *test)
{
	struct memslot_test *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	umbra_memslots_init(&m->set[0], 0);
	umbra_memslots_init(&m->set[1], 1);
	test->priv = m;
	return 0;
}

/* Memslot @i: [@gfn, @gfn + @nr) at page number @page of the address space. */
static struct umbra_memslot *define(struct memslot_test *m, unsigned int i,
				    gfn_t gfn, u64 nr, unsigned long page)
{
	struct umbra_memslot *slot = &m->slot[i];

	slot->id = i;
	slot->base_gfn = gfn;
	slot->nr_pages = nr;
	slot->hva = page << PAGE_SHIFT;
	return slot;
}

static void starts_empty(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_hva_iter it;
	unsigned int s;

	for (s = 0; s < 2; s++) {
		KUNIT_EXPECT_EQ(test, m->set[s].generation, 0);
		KUNIT_EXPECT_EQ(test, m->set[s].index, s);
		umbra_memslots_replace(&m->set[s], NULL, NULL);
		KUNIT_EXPECT_NULL(test, umbra_memslots_first(&m->set[s], 0, ~0ULL));
		KUNIT_EXPECT_FALSE(test, umbra_hva_first(&it, &m->set[s], 0,
							 ULONG_MAX));
	}
}

static void replace_adds_moves_and_removes(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslots *set = &m->set[0];
	struct umbra_memslot *old = define(m, 0, 100, 10, 500);
	struct umbra_memslot *new = define(m, 1, 200, 10, 600);
	struct umbra_hva_iter it;

	umbra_memslots_replace(set, NULL, old);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 0, ~0ULL), old);
	umbra_memslots_replace(set, old, new);
	KUNIT_EXPECT_NULL(test, umbra_memslots_first(set, 100, 110));
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 200, 210), new);
	KUNIT_EXPECT_NULL(test, umbra_memslots_next(set, new, ~0ULL));
	KUNIT_ASSERT_TRUE(test, umbra_hva_first(&it, set, 0, ULONG_MAX));
	KUNIT_EXPECT_PTR_EQ(test, it.slot, new);
	KUNIT_EXPECT_FALSE(test, umbra_hva_next(&it));
	umbra_memslots_replace(set, new, NULL);
	KUNIT_EXPECT_NULL(test, umbra_memslots_first(set, 0, ~0ULL));
	KUNIT_EXPECT_FALSE(test, umbra_hva_first(&it, set, 0, ULONG_MAX));
}

static void first_minds_the_edges(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslots *set = &m->set[1];
	struct umbra_memslot *slot = define(m, 0, 100, 10, 500);

	umbra_memslots_replace(set, NULL, slot);
	KUNIT_EXPECT_EQ(test, umbra_memslot_end(slot), 110);
	KUNIT_EXPECT_EQ(test, umbra_memslot_hva(slot, 100), 500 << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, umbra_memslot_hva(slot, 109), 509 << PAGE_SHIFT);

	KUNIT_EXPECT_NULL(test, umbra_memslots_first(set, 0, 100));
	KUNIT_EXPECT_NULL(test, umbra_memslots_first(set, 110, ~0ULL));
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 99, 101), slot);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 100, 101), slot);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 104, 105), slot);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 109, 110), slot);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 0, ~0ULL), slot);
}

static void next_goes_on_in_order(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslots *set = &m->set[0];
	struct umbra_memslot *a = define(m, 0, 0, 10, 900);
	struct umbra_memslot *b = define(m, 1, 10, 1, 800);
	struct umbra_memslot *c = define(m, 2, 50, 5, 700);

	umbra_memslots_replace(set, NULL, c);
	umbra_memslots_replace(set, NULL, a);
	umbra_memslots_replace(set, NULL, b);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(set, 9, 51), a);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_next(set, a, 51), b);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_next(set, b, 51), c);
	KUNIT_EXPECT_NULL(test, umbra_memslots_next(set, c, 51));
	KUNIT_EXPECT_NULL(test, umbra_memslots_next(set, b, 50));
	KUNIT_EXPECT_NULL(test, umbra_memslots_next(set, a, 10));
}

/* [@start, @end) in bytes backs just [@gfn, @gfn_end) of @slot, if any. */
static void expect_hva(struct kunit *test, unsigned long start,
		       unsigned long end, struct umbra_memslot *slot,
		       gfn_t gfn, gfn_t gfn_end)
{
	struct memslot_test *m = test->priv;
	struct umbra_hva_iter it;

	KUNIT_ASSERT_EQ(test, umbra_hva_first(&it, &m->set[0], start, end),
			!!slot);
	if (!slot)
		return;
	KUNIT_EXPECT_PTR_EQ(test, it.slot, slot);
	KUNIT_EXPECT_EQ(test, it.gfn, gfn);
	KUNIT_EXPECT_EQ(test, it.gfn_end, gfn_end);
	KUNIT_EXPECT_FALSE(test, umbra_hva_next(&it));
}

static void hva_clips_at_both_ends(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslot *slot = define(m, 0, 100, 10, 500);
	struct umbra_memslot *top = define(m, 1, 200, 4, (ULONG_MAX >> PAGE_SHIFT) - 3);
	unsigned long hva = slot->hva;

	umbra_memslots_replace(&m->set[0], NULL, slot);
	umbra_memslots_replace(&m->set[0], NULL, top);

	expect_hva(test, 0, hva, NULL, 0, 0);
	expect_hva(test, hva + 10 * PAGE_SIZE, top->hva, NULL, 0, 0);
	expect_hva(test, 0, top->hva, slot, 100, 110);
	expect_hva(test, 0, hva + PAGE_SIZE, slot, 100, 101);
	expect_hva(test, hva + 9 * PAGE_SIZE, top->hva, slot, 109, 110);
	expect_hva(test, hva + 3 * PAGE_SIZE, hva + 5 * PAGE_SIZE, slot, 103, 105);
	/* A page that is touched counts. */
	expect_hva(test, 0, hva + 1, slot, 100, 101);
	expect_hva(test, hva + 4 * PAGE_SIZE - 1, hva + 4 * PAGE_SIZE, slot, 103, 104);

	expect_hva(test, hva + 10 * PAGE_SIZE, ULONG_MAX, top, 200, 204);
	expect_hva(test, top->hva + PAGE_SIZE, ULONG_MAX, top, 201, 204);
}

static void hva_finds_all_aliases(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_hva_iter it;
	unsigned int i, found = 0;

	define(m, 0, 100, 10, 500);
	define(m, 1, 300, 10, 500);
	define(m, 2, 200, 10, 505);
	define(m, 3, 400, 10, 507);
	for (i = 0; i < 4; i++)
		umbra_memslots_replace(&m->set[0], NULL, &m->slot[i]);

	umbra_for_each_hva(&it, &m->set[0], 505 << PAGE_SHIFT, 507 << PAGE_SHIFT) {
		found |= BIT(it.slot->id);
		KUNIT_EXPECT_EQ(test, it.gfn_end, it.gfn + 2);
		KUNIT_EXPECT_EQ(test, umbra_memslot_hva(it.slot, it.gfn),
				505 << PAGE_SHIFT);
	}
	KUNIT_EXPECT_EQ(test, found, BIT(0) | BIT(1) | BIT(2));
}

static void sets_are_independent(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslot *a = define(m, 0, 100, 10, 500);
	struct umbra_memslot *b = define(m, 1, 100, 10, 900);
	struct umbra_hva_iter it;

	umbra_memslots_replace(&m->set[0], NULL, a);
	umbra_memslots_replace(&m->set[1], NULL, a);
	umbra_memslots_replace(&m->set[1], a, b);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(&m->set[0], 0, ~0ULL), a);
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(&m->set[1], 0, ~0ULL), b);
	KUNIT_EXPECT_TRUE(test, umbra_hva_first(&it, &m->set[0], a->hva,
						a->hva + 1));
	KUNIT_EXPECT_FALSE(test, umbra_hva_first(&it, &m->set[1], a->hva,
						 a->hva + 1));
	umbra_memslots_replace(&m->set[0], a, NULL);
	KUNIT_EXPECT_NULL(test, umbra_memslots_first(&m->set[0], 0, ~0ULL));
	KUNIT_EXPECT_PTR_EQ(test, umbra_memslots_first(&m->set[1], 0, ~0ULL), b);
}

/* ------------------------------------------ many, against looking at each */

#define HVA_PAGES	4096	/* where the memslots lie, on top of each other */

/* Ascending by gfn, with gaps or without. */
static gfn_t define_many(struct memslot_test *m, struct rnd_state *rnd)
{
	gfn_t gfn = 0;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (umbra_test_below(rnd, 2))
			gfn += umbra_test_below(rnd, 40);
		define(m, i, gfn, 1 + umbra_test_below(rnd, 40),
		       umbra_test_below(rnd, HVA_PAGES));
		gfn = umbra_memslot_end(&m->slot[i]);
	}
	return gfn;
}

/* Put a random memslot in, take it out, or let it take the place of another. */
static void change(struct memslot_test *m, unsigned int s, struct rnd_state *rnd)
{
	unsigned int i = umbra_test_below(rnd, MANY);
	unsigned int j = umbra_test_below(rnd, MANY);
	struct umbra_memslot *old = m->in[s][i] ? &m->slot[i] : NULL;
	struct umbra_memslot *new = m->in[s][j] ? NULL : &m->slot[j];

	umbra_memslots_replace(&m->set[s], old, new);
	m->in[s][i] = false;
	m->in[s][j] |= !!new;
}

static void check_gfns(struct kunit *test, unsigned int s, gfn_t start,
		       gfn_t end)
{
	struct memslot_test *m = test->priv;
	struct umbra_memslot *slot = umbra_memslots_first(&m->set[s], start, end);
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (!m->in[s][i] || m->slot[i].base_gfn >= end ||
		    umbra_memslot_end(&m->slot[i]) <= start)
			continue;
		KUNIT_ASSERT_PTR_EQ(test, slot, &m->slot[i]);
		slot = umbra_memslots_next(&m->set[s], slot, end);
	}
	KUNIT_ASSERT_NULL(test, slot);
}

/* In pages, [@first, @end). */
static void check_hvas(struct kunit *test, unsigned int s, unsigned long first,
		       unsigned long end)
{
	struct memslot_test *m = test->priv;
	unsigned int i, backed = 0;
	struct umbra_hva_iter it;

	for (i = 0; i < MANY; i++) {
		unsigned long page = PHYS_PFN(m->slot[i].hva);

		backed += m->in[s][i] && page < end &&
			  first < page + m->slot[i].nr_pages;
	}
	umbra_for_each_hva(&it, &m->set[s], first << PAGE_SHIFT, end << PAGE_SHIFT) {
		const struct umbra_memslot *slot = it.slot;
		unsigned long page = PHYS_PFN(slot->hva);

		KUNIT_ASSERT_TRUE(test, m->in[s][slot->id]);
		KUNIT_ASSERT_LT(test, it.gfn, it.gfn_end);
		KUNIT_ASSERT_EQ(test, it.gfn,
				slot->base_gfn + (first > page ? first - page : 0));
		KUNIT_ASSERT_EQ(test, it.gfn_end,
				min_t(gfn_t, umbra_memslot_end(slot),
				      slot->base_gfn + end - page));
		backed--;
	}
	KUNIT_ASSERT_EQ(test, backed, 0);
}

static void many_agree_with_looking_at_each(struct kunit *test)
{
	struct memslot_test *m = test->priv;
	struct rnd_state rnd;
	unsigned int i, j;
	gfn_t end;

	umbra_test_seed(test, &rnd);
	end = define_many(m, &rnd);
	for (i = 0; i < 2 * MANY; i++) {
		unsigned int s = umbra_test_below(&rnd, 2);
		unsigned int length = 1 << umbra_test_below(&rnd, 12);
		gfn_t gfn = umbra_test_below(&rnd, end);
		unsigned long page = umbra_test_below(&rnd, HVA_PAGES);

		for (j = 0; j < 4; j++)
			change(m, s, &rnd);
		check_gfns(test, s, gfn, gfn + length);
		check_hvas(test, s, page, page + length);
	}
}

static struct kunit_case memslot_cases[] = {
	KUNIT_CASE(starts_empty),
	KUNIT_CASE(replace_adds_moves_and_removes),
	KUNIT_CASE(first_minds_the_edges),
	KUNIT_CASE(next_goes_on_in_order),
	KUNIT_CASE(hva_clips_at_both_ends),
	KUNIT_CASE(hva_finds_all_aliases),
	KUNIT_CASE(sets_are_independent),
	KUNIT_CASE(many_agree_with_looking_at_each),
	{}
};

static struct kunit_suite memslot_suite = {
	.name		= "umbra_memslot",
	.init		= memslot_init,
	.test_cases	= memslot_cases,
};

kunit_test_suite(memslot_suite);
