// SPDX-License-Identifier: GPL-2.0-only
/*
 * AGE: which memory vCPUs have used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "util.h"

#define GUEST_PAGES	2048UL
#define LENGTH		(GUEST_PAGES * PAGE)
#define GIB		0x40000000UL

FIXTURE(age)
{
	struct guest g;
	uint64_t young;
};

/* Everything is mapped, and old. */
FIXTURE_SETUP(age)
{
	uint64_t done;

	ASSERT_EQ(0, guest_create(&self->g, GUEST_PAGES, 0));
	ASSERT_EQ(0, umbra_fault(self->g.vcpu, UMBRA_FAULT_WRITE, 0, LENGTH,
				 &done));
	srandom(1);
}

FIXTURE_TEARDOWN(age)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

/* Have the vCPU load from every page whose bit is set. */
static int use(const struct guest *g, const uint64_t *pages)
{
	uint64_t value;
	int ret = 0;

	for (uint64_t i = 0; i < GUEST_PAGES && !ret; i++)
		if (pages[i / 64] >> i % 64 & 1)
			ret = umbra_load(g->vcpu, i * PAGE, 8, &value);
	return ret;
}

/* One bit for each shift pages, set if one of theirs is. Returns how many. */
static uint64_t coarsen(const uint64_t *pages, uint64_t *bits,
			unsigned int shift)
{
	uint64_t count = 0;

	memset(bits, 0, GUEST_PAGES / 8);
	for (uint64_t i = 0; i < GUEST_PAGES; i++)
		if (pages[i / 64] >> i % 64 & 1)
			bits[(i >> shift) / 64] |= 1ULL << (i >> shift) % 64;
	for (uint64_t i = 0; i < GUEST_PAGES / 64; i++)
		count += __builtin_popcountll(bits[i]);
	return count;
}

/* About one page in every 16. */
static void random_pages(uint64_t *pages)
{
	memset(pages, 0, GUEST_PAGES / 8);
	for (uint64_t i = 0; i < GUEST_PAGES / 16; i++) {
		uint64_t page = random() % GUEST_PAGES;

		pages[page / 64] |= 1ULL << page % 64;
	}
}

TEST_F(age, exact_at_every_granule)
{
	static const unsigned int shifts[] = { 0, 4, 9 };
	const struct guest *g = &self->g;
	uint64_t pages[GUEST_PAGES / 64], want[GUEST_PAGES / 64];
	uint64_t got[GUEST_PAGES / 64];

	random_pages(pages);
	pages[8] = 0;
	memset(pages + GUEST_PAGES / 128, 0, sizeof(pages) / 2);
	ASSERT_EQ(0, use(g, pages));
	for (int i = 0; i < 3; i++) {
		unsigned int shift = shifts[i];
		uint64_t count = coarsen(pages, want, shift);
		uint64_t words = ((GUEST_PAGES >> shift) + 63) / 64;

		memset(got, 0xff, sizeof(got));
		ASSERT_EQ(0, umbra_age(g->vm, 0, 0, LENGTH, PAGE << shift, got,
				       &self->young));
		EXPECT_EQ(count, self->young);
		EXPECT_EQ(0, memcmp(want, got, words * 8));
		for (; words < GUEST_PAGES / 64; words++)
			EXPECT_EQ(~0ULL, got[words]);
	}
}

TEST_F(age, granule_of_a_gigabyte)
{
	const struct guest *g = &self->g;
	uint64_t value, bits = ~0ULL;

	ASSERT_EQ(0, umbra_set_memslot(g->vm, 1, 0, 3 * GIB, PAGE, g->mem));
	ASSERT_EQ(0, umbra_load(g->vcpu, 3 * GIB, 8, &value));
	ASSERT_EQ(0, umbra_age(g->vm, 0, 0, 8 * GIB, GIB, &bits,
			       &self->young));
	EXPECT_EQ(1, self->young);
	EXPECT_EQ(1 << 3, bits);
	ASSERT_EQ(0, umbra_load(g->vcpu, LENGTH - PAGE, 8, &value));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 0, 8 * GIB, GIB, &bits,
			       &self->young));
	EXPECT_EQ(1 << 3 | 1, bits);
	ASSERT_EQ(0, umbra_age(g->vm, 0, 0, 8 * GIB, GIB, &bits,
			       &self->young));
	EXPECT_EQ(0, bits);
}

TEST_F(age, faults_do_not_make_young)
{
	ASSERT_EQ(0, umbra_age(self->g.vm, 0, 0, LENGTH, PAGE, NULL,
			       &self->young));
	EXPECT_EQ(0, self->young);
}

TEST_F(age, clearing)
{
	const struct guest *g = &self->g;
	uint64_t pages[GUEST_PAGES / 64], got[GUEST_PAGES / 64];
	struct umbra_get_stats before, after;
	uint64_t count;

	/* Testing changes nothing. */
	random_pages(pages);
	count = coarsen(pages, got, 0);
	ASSERT_EQ(0, use(g, pages));
	before = guest_stats(g);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, umbra_age(g->vm, 0, 0, LENGTH, PAGE, NULL,
				       &self->young));
		EXPECT_EQ(count, self->young);
	}
	after = guest_stats(g);
	EXPECT_EQ(before.aged, after.aged);
	EXPECT_EQ(before.flushes, after.flushes);

	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 0, LENGTH, PAGE, got,
			       &self->young));
	EXPECT_EQ(0, memcmp(pages, got, sizeof(got)));
	after = guest_stats(g);
	EXPECT_EQ(before.aged + count, after.aged);
	ASSERT_EQ(0, umbra_age(g->vm, 0, 0, LENGTH, PAGE, NULL, &self->young));
	EXPECT_EQ(0, self->young);
	EXPECT_EQ(before.leaves, after.leaves);
}

/* A TLB that still had the page would use it without setting the bit. */
TEST_F(age, use_after_clearing_is_seen)
{
	const struct guest *g = &self->g;
	uint64_t value, bits[GUEST_PAGES / 64];

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, umbra_load(g->vcpu, 70 * PAGE, 8, &value));
		ASSERT_EQ(0, umbra_store(g->vcpu, 71 * PAGE, 8, 1));
		ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 0, LENGTH, PAGE,
				       bits, &self->young));
		EXPECT_EQ(2, self->young);
		EXPECT_EQ(3 << 6, bits[1]);
	}
	/* Old, but still dirty. */
	EXPECT_TRUE(guest_pte(g, 71 * PAGE) & UMBRA_PTE_DIRTY);
}

TEST_F(age, only_the_range)
{
	const struct guest *g = &self->g;
	uint64_t value, bits[2] = { ~0ULL, ~0ULL };

	ASSERT_EQ(0, umbra_load(g->vcpu, 9 * PAGE, 8, &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 10 * PAGE, 8, &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 12 * PAGE, 8, &value));
	ASSERT_EQ(0, umbra_load(g->vcpu, 13 * PAGE, 8, &value));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 10 * PAGE, 3 * PAGE,
			       PAGE, bits, &self->young));
	EXPECT_EQ(5, bits[0]);
	EXPECT_EQ(~0ULL, bits[1]);
	EXPECT_EQ(2, self->young);
	ASSERT_EQ(0, umbra_age(g->vm, 0, 0, 64 * PAGE, PAGE, bits,
			       &self->young));
	EXPECT_EQ(1 << 9 | 1 << 13, bits[0]);
}

/* The host's page of hva, or 0. */
static uint64_t host_pfn(const void *hva)
{
	int file = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	if (pread(file, &entry, 8, (uintptr_t)hva / PAGE * 8) != 8)
		entry = 0;
	close(file);
	return entry & ((1ULL << 55) - 1);
}

/*
 * Linux learns from the notifier that the vCPU has used a page, as here by idle
 * page tracking, and asks it to forget that.
 */
TEST_F(age, notifier_tells_the_host)
{
	const struct guest *g = &self->g;
	int file = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR);
	uint64_t pfns[2], word, value;

	if (file < 0)
		SKIP(return, "no idle page tracking");
	for (int i = 0; i < 2; i++) {
		pfns[i] = host_pfn(g->mem + (5 + i) * PAGE);
		ASSERT_NE(0, pfns[i]);
	}
	for (int i = 0; i < 2; i++) {
		word = 1ULL << pfns[i] % 64;
		ASSERT_EQ(8, pwrite(file, &word, 8, pfns[i] / 64 * 8));
	}
	ASSERT_EQ(0, umbra_load(g->vcpu, 5 * PAGE, 8, &value));
	EXPECT_TRUE(guest_pte(g, 5 * PAGE) & UMBRA_PTE_YOUNG);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(8, pread(file, &word, 8, pfns[i] / 64 * 8));
		EXPECT_EQ(i, word >> pfns[i] % 64 & 1);
	}
	EXPECT_FALSE(guest_pte(g, 5 * PAGE) & UMBRA_PTE_YOUNG);
	close(file);
}

/* ---------------------------------------------------------------- idle ages */

static int set_ages(const struct guest *g, uint32_t flags)
{
	return umbra_set_memslot(g->vm, 0, flags, 0, LENGTH, g->mem);
}

/* The bucket of an age, by division. */
static int bucket(unsigned int age)
{
	int n = 0;

	for (; age && n < UMBRA_IDLE_BUCKETS - 1; age /= 2)
		n++;
	return n;
}

/* Against ages that the test counts itself. */
TEST_F(age, idle_ages_are_exact)
{
	const struct guest *g = &self->g;
	uint64_t pages[GUEST_PAGES / 64], got[UMBRA_IDLE_BUCKETS];
	unsigned int ages[GUEST_PAGES];

	EXPECT_EQ(-ENOENT, umbra_scan_idle(g->vm, 0, got));
	ASSERT_EQ(0, set_ages(g, UMBRA_MEM_IDLE_AGES));
	memset(ages, 0, sizeof(ages));
	for (int scan = 0; scan < 40; scan++) {
		uint64_t want[UMBRA_IDLE_BUCKETS] = {};

		memset(pages, 0, sizeof(pages));
		if (scan % 3)
			random_pages(pages);
		ASSERT_EQ(0, use(g, pages));
		for (uint64_t i = 0; i < GUEST_PAGES; i++) {
			ages[i]++;
			if (pages[i / 64] >> i % 64 & 1)
				ages[i] = 0;
			want[bucket(ages[i])]++;
		}
		/* Ages are kept when something else of the memslot changes. */
		if (scan == 20)
			ASSERT_EQ(0, set_ages(g, UMBRA_MEM_IDLE_AGES |
						 UMBRA_MEM_LOG_DIRTY));
		ASSERT_EQ(0, umbra_scan_idle(g->vm, 0, got));
		ASSERT_EQ(0, memcmp(want, got, sizeof(got)));
	}
	ASSERT_EQ(0, set_ages(g, 0));
	EXPECT_EQ(-ENOENT, umbra_scan_idle(g->vm, 0, got));
}

/* What somebody else made old, or unmapped, was used nevertheless. */
TEST_F(age, idle_ages_miss_no_use)
{
	const struct guest *g = &self->g;
	uint64_t got[UMBRA_IDLE_BUCKETS], value;

	ASSERT_EQ(0, set_ages(g, UMBRA_MEM_IDLE_AGES));
	ASSERT_EQ(0, umbra_scan_idle(g->vm, 0, got));
	EXPECT_EQ(GUEST_PAGES, got[1]);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, umbra_load(g->vcpu, i * PAGE, 8, &value));
	ASSERT_EQ(0, umbra_age(g->vm, UMBRA_AGE_CLEAR, 0, PAGE, PAGE, NULL,
			       &self->young));
	EXPECT_EQ(1, self->young);
	ASSERT_EQ(0, madvise(g->mem + PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, umbra_unmap(g->vm, 2 * PAGE, PAGE));
	ASSERT_EQ(0, umbra_scan_idle(g->vm, 0, got));
	EXPECT_EQ(4, got[0]);
	EXPECT_EQ(GUEST_PAGES - 4, got[2]);
	ASSERT_EQ(0, umbra_scan_idle(g->vm, 0, got));
	EXPECT_EQ(4, got[1]);
	EXPECT_EQ(GUEST_PAGES - 4, got[2]);
}

TEST_HARNESS_MAIN
