// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log, found by write protection and by D bits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "util.h"

/* The last word of a bitmap is not full. */
#define GUEST_PAGES	1000UL
#define LENGTH		(GUEST_PAGES * PAGE)
#define WORDS		((GUEST_PAGES + 63) / 64)

struct pages {
	uint64_t bits[WORDS];
};

static const struct pages none;

static bool has(const struct pages *set, uint64_t page)
{
	return set->bits[page / 64] >> page % 64 & 1;
}

static void add(struct pages *set, uint64_t page)
{
	set->bits[page / 64] |= 1ULL << page % 64;
}

static struct pages random_pages(void)
{
	struct pages set = none;

	for (int i = 0; i < 200; i++)
		add(&set, random() % GUEST_PAGES);
	return set;
}

static struct pages both(const struct pages *a, const struct pages *b)
{
	struct pages set;

	for (int i = 0; i < WORDS; i++)
		set.bits[i] = a->bits[i] | b->bits[i];
	return set;
}

static uint64_t count(const struct pages *set)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < WORDS; i++)
		sum += __builtin_popcountll(set->bits[i]);
	return sum;
}

FIXTURE(log)
{
	struct guest g;
	struct pages got;
	uint64_t dirty;
};

FIXTURE_VARIANT(log)
{
	uint32_t flags;
	uint32_t other;
};

FIXTURE_VARIANT_ADD(log, protection)
{
	.flags = UMBRA_MEM_LOG_DIRTY,
	.other = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
};

FIXTURE_VARIANT_ADD(log, d_bits)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
	.other = UMBRA_MEM_LOG_DIRTY,
};

FIXTURE_VARIANT_ADD(log, both)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS |
		 UMBRA_MEM_LOG_PROTECT,
	.other = UMBRA_MEM_LOG_DIRTY,
};

static int set_flags(const struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, LENGTH, g->mem);
}

/* The log begins when every page has been written, and is in the table. */
FIXTURE_SETUP(log)
{
	srandom(1);
	ASSERT_EQ(0, guest_create(&self->g, GUEST_PAGES, 0));
	memset(self->g.mem, 1, LENGTH);
	for (uint64_t gpa = 0; gpa < LENGTH; gpa += PAGE)
		ASSERT_EQ(0, umbra_store(self->g.vcpu, gpa, 1, 1));
	ASSERT_EQ(0, set_flags(&self->g, variant->flags));
}

FIXTURE_TEARDOWN(log)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

/* Write to the pages of the set, and read all others. */
static int use(const struct guest *g, const struct pages *set)
{
	uint64_t value;
	int ret = 0;

	for (uint64_t page = 0; page < GUEST_PAGES && !ret; page++)
		ret = has(set, page) ?
		      umbra_store(g->vcpu, page * PAGE, 8, page) :
		      umbra_load(g->vcpu, page * PAGE, 8, &value);
	return ret;
}

/* GET must give exactly the pages of a set. */
#define CHECK_LOG(flags, want) do {					\
	memset(&self->got, 0xff, sizeof(self->got));			\
	ASSERT_EQ(0, umbra_get_dirty_log(self->g.vm, flags, 0, 0,	\
					 GUEST_PAGES, self->got.bits,	\
					 &self->dirty));		\
	EXPECT_EQ(count(want), self->dirty);			\
	EXPECT_EQ(0, memcmp(want, &self->got, sizeof(self->got)));	\
} while (0)

TEST_F(log, starts_empty)
{
	ASSERT_EQ(0, use(&self->g, &none));
	self->g.mem[0] = 2;
	CHECK_LOG(0, &none);
}

TEST_F(log, exact_round_after_round)
{
	for (int round = 0; round < 4; round++) {
		struct pages set = random_pages();

		ASSERT_EQ(0, use(&self->g, &set));
		CHECK_LOG(0, &set);
		CHECK_LOG(0, &none);
	}
}

/* The same pages each time, so that it is their TLB entries that matter. */
TEST_F(log, written_again)
{
	struct pages set = none;

	for (uint64_t page = 0; page < 10; page++)
		add(&set, page * 64);
	for (int round = 0; round < 4; round++) {
		ASSERT_EQ(0, use(&self->g, &set));
		CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &set);
		ASSERT_EQ(0, use(&self->g, &set));
		CHECK_LOG(0, &set);
	}
	CHECK_LOG(0, &none);
}

/* A translation made for a read is not to let a write pass (U14). */
TEST_F(log, read_then_written)
{
	struct pages set = none;
	uint64_t value;

	ASSERT_EQ(0, umbra_unmap(self->g.vm, 0, GUEST_PAGES * PAGE));
	ASSERT_EQ(0, umbra_load(self->g.vcpu, 7 * PAGE, 1, &value));
	CHECK_LOG(0, &none);
	ASSERT_EQ(0, umbra_store(self->g.vcpu, 7 * PAGE, 1, 1));
	add(&set, 7);
	CHECK_LOG(0, &set);
}

TEST_F(log, every_kind_of_write)
{
	const struct guest *g = &self->g;
	struct pages set = none;
	uint64_t old;

	ASSERT_EQ(0, umbra_store(g->vcpu, 3 * PAGE, 1, 1));
	ASSERT_EQ(0, umbra_write(g->vcpu, 6 * PAGE - 1, "ab", 2));
	ASSERT_EQ(0, umbra_cmpxchg(g->vcpu, 8 * PAGE, 1, 1, 2, &old));
	add(&set, 3);
	add(&set, 5);
	add(&set, 6);
	add(&set, 8);
	CHECK_LOG(0, &set);
}

TEST_F(log, keep_then_clear)
{
	const struct guest *g = &self->g;
	struct pages first = random_pages(), second = random_pages();

	ASSERT_EQ(0, use(g, &first));
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &first);
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &first);
	ASSERT_EQ(0, umbra_clear_dirty_log(g->vm, 0, 0, GUEST_PAGES,
					   first.bits));
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &none);

	/*
	 * What is written meanwhile, and not in the bitmap, stays. What is in
	 * it may stay: CLEAR leaves D bits that no GET has harvested alone.
	 */
	ASSERT_EQ(0, use(g, &first));
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &first);
	ASSERT_EQ(0, use(g, &second));
	ASSERT_EQ(0, umbra_clear_dirty_log(g->vm, 0, 0, GUEST_PAGES,
					   first.bits));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 0, GUEST_PAGES,
					 self->got.bits, &self->dirty));
	for (int i = 0; i < WORDS; i++) {
		EXPECT_EQ(0, second.bits[i] & ~first.bits[i] &
			     ~self->got.bits[i]);
		EXPECT_EQ(0, self->got.bits[i] & ~second.bits[i]);
	}

	/* What is written after it is logged again. */
	ASSERT_EQ(0, use(g, &first));
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &first);
	ASSERT_EQ(0, umbra_clear_dirty_log(g->vm, 0, 0, GUEST_PAGES,
					   first.bits));
	ASSERT_EQ(0, use(g, &second));
	CHECK_LOG(0, &second);
}

TEST_F(log, only_the_range)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages(), left = set;

	ASSERT_EQ(0, use(g, &set));
	memset(&self->got, 0xff, sizeof(self->got));
	ASSERT_EQ(0, umbra_get_dirty_log(g->vm, 0, 0, 128, 192,
					 self->got.bits, &self->dirty));
	EXPECT_EQ(0, memcmp(set.bits + 2, self->got.bits, 3 * 8));
	EXPECT_EQ(~0ULL, self->got.bits[3]);
	memset(left.bits + 2, 0, 3 * 8);
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &left);

	ASSERT_EQ(0, umbra_clear_dirty_log(g->vm, 0, 960, GUEST_PAGES - 960,
					   left.bits + 15));
	left.bits[15] = 0;
	CHECK_LOG(0, &left);
	ASSERT_EQ(0, use(g, &set));
	CHECK_LOG(0, &set);
}

/* A bitmap that cannot be written, not even all of it. */
TEST_F(log, efault_loses_nothing)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages();
	uint8_t *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, munmap(two + PAGE, PAGE));
	ASSERT_EQ(0, use(g, &set));
	EXPECT_EQ(-EFAULT, umbra_get_dirty_log(g->vm, 0, 0, 0, GUEST_PAGES,
					       (void *)(two + PAGE - 64),
					       &self->dirty));
	EXPECT_EQ(-EFAULT, umbra_get_dirty_log(g->vm, 0, 0, 0, GUEST_PAGES,
					       NULL, &self->dirty));
	EXPECT_EQ(-EFAULT, umbra_clear_dirty_log(g->vm, 0, 0, GUEST_PAGES,
						 NULL));
	CHECK_LOG(0, &set);
	munmap(two, PAGE);
}

TEST_F(log, only_counted)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages();

	ASSERT_EQ(0, use(g, &set));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, umbra_get_dirty_log(g->vm, UMBRA_DIRTY_LOG_KEEP,
						 0, 0, GUEST_PAGES, NULL,
						 &self->dirty));
		EXPECT_EQ(count(&set), self->dirty);
	}
	CHECK_LOG(0, &set);
}

TEST_F(log, change_of_mode_keeps_it)
{
	const struct guest *g = &self->g;
	struct pages first = random_pages(), second = random_pages();
	struct pages third = random_pages(), all;

	ASSERT_EQ(0, use(g, &first));
	ASSERT_EQ(0, set_flags(g, variant->other));
	ASSERT_EQ(0, use(g, &second));
	all = both(&first, &second);
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &all);
	ASSERT_EQ(0, set_flags(g, variant->flags));
	ASSERT_EQ(0, use(g, &third));
	all = both(&all, &third);
	CHECK_LOG(0, &all);
	ASSERT_EQ(0, use(g, &first));
	CHECK_LOG(0, &first);
}

/* The log tells what vCPUs wrote; leaves come and go. */
TEST_F(log, survives_removal_of_leaves)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages();
	uint64_t young;

	ASSERT_EQ(0, use(g, &set));
	ASSERT_EQ(0, umbra_unmap(g->vm, 0, 300 * PAGE));
	ASSERT_EQ(0, madvise(g->mem + 300 * PAGE, 300 * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, mprotect(g->mem + 600 * PAGE, 200 * PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(g->mem + 600 * PAGE, 200 * PAGE,
			      PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 0, LENGTH, PAGE, NULL,
			       &young));
	EXPECT_GE(GUEST_PAGES - 800, guest_stats(g).leaves);
	ASSERT_EQ(0, use(g, &none));
	CHECK_LOG(0, &set);
}

TEST_F(log, off_drops_it)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages();

	ASSERT_EQ(0, use(g, &set));
	ASSERT_EQ(0, set_flags(g, 0));
	EXPECT_EQ(-ENOENT, umbra_get_dirty_log(g->vm, 0, 0, 0, GUEST_PAGES,
					       self->got.bits, &self->dirty));
	ASSERT_EQ(0, use(g, &set));
	ASSERT_EQ(0, set_flags(g, variant->flags));
	CHECK_LOG(0, &none);
	ASSERT_EQ(0, use(g, &set));
	CHECK_LOG(0, &set);
}

/* A move starts with an empty log, and one that works. */
TEST_F(log, move_drops_it)
{
	const struct guest *g = &self->g;
	struct pages set = random_pages();

	ASSERT_EQ(0, use(g, &set));
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, variant->flags, LENGTH,
				       LENGTH, g->mem));
	CHECK_LOG(UMBRA_DIRTY_LOG_KEEP, &none);
	ASSERT_EQ(0, umbra_set_memslot(g->vm, 0, variant->flags, 0, LENGTH,
				       g->mem));
	CHECK_LOG(0, &none);
	ASSERT_EQ(0, use(g, &set));
	CHECK_LOG(0, &set);
}

/* FAULT for writing lets writes go unseen by write protection. */
TEST_F(log, fault_for_writing)
{
	const struct guest *g = &self->g;
	bool protection = !(variant->flags & UMBRA_MEM_LOG_D_BITS);
	struct pages set = none;
	uint64_t done;

	for (uint64_t page = 100; page < 110; page++)
		add(&set, page);
	ASSERT_EQ(0, umbra_fault(g->vcpu, UMBRA_FAULT_WRITE, 100 * PAGE,
				 10 * PAGE, &done));
	CHECK_LOG(0, protection ? &set : &none);
	ASSERT_EQ(0, umbra_fault(g->vcpu, 0, 100 * PAGE, 10 * PAGE, &done));
	CHECK_LOG(0, &none);
}

/* Another memslot of the same memory has a log of its own, or none. */
TEST_F(log, of_an_alias)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, LENGTH, LENGTH, g->mem));
	ASSERT_EQ(0, umbra_store(g->vcpu, LENGTH + 5 * PAGE, 1, 1));
	CHECK_LOG(0, &none);
	EXPECT_EQ(-ENOENT, umbra_get_dirty_log(g->vm, 0, 1, 0, GUEST_PAGES,
					       self->got.bits, &self->dirty));
}

TEST_HARNESS_MAIN
