// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several readers of one dirty log: none takes a page from another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "util.h"

#define GUEST_PAGES	1000UL
#define LENGTH		(GUEST_PAGES * PAGE)
#define WORDS		((GUEST_PAGES + 63) / 64)
#define READERS		4

FIXTURE(readers)
{
	struct guest g;
	uint64_t want[READERS][WORDS];
	uint64_t got[WORDS];
	uint64_t dirty;
};

FIXTURE_VARIANT(readers)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(readers, protection)
{
	.flags = UMBRA_MEM_LOG_DIRTY,
};

FIXTURE_VARIANT_ADD(readers, d_bits)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS,
};

FIXTURE_VARIANT_ADD(readers, both)
{
	.flags = UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS |
		 UMBRA_MEM_LOG_PROTECT,
};

static int set_readers(const struct guest *g, uint32_t flags, uint32_t readers)
{
	return umbra_set_logged(g->vm, 0, flags, readers, 0, LENGTH, g->mem);
}

/* Every page has been written before the log begins. */
FIXTURE_SETUP(readers)
{
	srandom(1);
	ASSERT_EQ(0, guest_create(&self->g, GUEST_PAGES, 0));
	for (uint64_t gpa = 0; gpa < LENGTH; gpa += PAGE)
		ASSERT_EQ(0, umbra_store(self->g.vcpu, gpa, 1, 1));
	memset(self->want, 0, sizeof(self->want));
}

FIXTURE_TEARDOWN(readers)
{
	EXPECT_TRUE(guest_quiet(&self->g));
	guest_destroy(&self->g);
}

static void fill(uint64_t *bits)
{
	memset(bits, 0xff, WORDS * 8);
	bits[WORDS - 1] = (1ULL << GUEST_PAGES % 64) - 1;
}

/* Write to some pages; all readers are to learn of them. */
static int write_some(const struct guest *g, uint64_t (*want)[WORDS])
{
	int ret = 0;

	for (int i = random() % 64; i && !ret; i--) {
		uint64_t page = random() % GUEST_PAGES;

		ret = umbra_store(g->vcpu, page * PAGE, 1, i);
		for (int r = 0; r < READERS; r++)
			want[r][page / 64] |= 1ULL << page % 64;
	}
	return ret;
}

/* Have a reader take pages, words a to b; they must be what it is to have. */
#define TAKE(flags, reader, a, b) do {					\
	uint64_t *__want = self->want[reader] + (a);			\
	size_t __bytes = ((b) - (a)) * 8;				\
	uint64_t __end = (b) == WORDS ? GUEST_PAGES : (b) * 64;		\
									\
	ASSERT_EQ(0, umbra_get_reader_log(self->g.vm, flags, 0, reader,	\
					  (a) * 64, __end - (a) * 64,	\
					  self->got, &self->dirty));	\
	ASSERT_EQ(0, memcmp(__want, self->got, __bytes));		\
	if (!((flags) & UMBRA_DIRTY_LOG_KEEP))				\
		memset(__want, 0, __bytes);				\
} while (0)

TEST_F(readers, each_learns_of_every_write)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, set_readers(g, variant->flags, (1 << READERS) - 1));
	for (int round = 0; round < 300; round++) {
		int reader = random() % READERS;
		int a = random() % WORDS, b = a + 1 + random() % (WORDS - a);

		ASSERT_EQ(0, write_some(g, self->want));
		switch (random() % 3) {
		case 0:
			TAKE(0, reader, a, b);
			break;
		case 1:
			TAKE(UMBRA_DIRTY_LOG_KEEP, reader, a, b);
			break;
		case 2:
			TAKE(UMBRA_DIRTY_LOG_KEEP, reader, 0, WORDS);
			ASSERT_EQ(0, umbra_clear_reader_log(g->vm, 0, reader,
							    0, GUEST_PAGES,
							    self->got));
			memset(self->want[reader], 0, sizeof(self->got));
			break;
		}
	}
	for (int reader = 0; reader < READERS; reader++)
		TAKE(0, reader, 0, WORDS);
}

/* One comes when another has already taken what was written. */
TEST_F(readers, come_and_go)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, set_readers(g, variant->flags, 1 << 2));
	EXPECT_EQ(-ENOENT, umbra_get_reader_log(g->vm, 0, 0, 0, 0, GUEST_PAGES,
						self->got, &self->dirty));
	EXPECT_EQ(-ENOENT, umbra_clear_reader_log(g->vm, 0, 1, 0, GUEST_PAGES,
						  self->got));
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 2, 0, WORDS / 2);

	/* It begins with nothing, and the other has what it had. */
	ASSERT_EQ(0, set_readers(g, variant->flags, 1 << 2 | 1 << 1));
	memset(self->want[1], 0, sizeof(self->want[1]));
	TAKE(UMBRA_DIRTY_LOG_KEEP, 1, 0, WORDS);
	TAKE(UMBRA_DIRTY_LOG_KEEP, 2, 0, WORDS);
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 1, 0, WORDS);
	ASSERT_EQ(0, write_some(g, self->want));

	ASSERT_EQ(0, set_readers(g, variant->flags, 1 << 1));
	EXPECT_EQ(-ENOENT, umbra_get_reader_log(g->vm, 0, 0, 2, 0, GUEST_PAGES,
						self->got, &self->dirty));
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 1, 0, WORDS);

	ASSERT_EQ(0, set_readers(g, variant->flags, 0));
	memset(self->want[0], 0, sizeof(self->want[0]));
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 0, WORDS);
}

/* A log that begins with all pages, and works afterwards. */
TEST_F(readers, all_set)
{
	const struct guest *g = &self->g;
	uint32_t flags = variant->flags | UMBRA_MEM_LOG_ALL_SET;
	struct umbra_get_stats before = guest_stats(g);

	ASSERT_EQ(0, set_readers(g, flags, 0));
	/* By protection alone nothing had to be protected yet. */
	if (!(flags & UMBRA_MEM_LOG_D_BITS))
		EXPECT_EQ(before.protected, guest_stats(g).protected);
	fill(self->want[0]);
	TAKE(UMBRA_DIRTY_LOG_KEEP, 0, 0, WORDS);
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 3, WORDS - 1);
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 0, WORDS);

	/* A second one begins with all; the first is left alone. */
	ASSERT_EQ(0, write_some(g, self->want));
	ASSERT_EQ(0, set_readers(g, flags, 1 << 3 | 1));
	fill(self->want[3]);
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 0, WORDS);
	TAKE(0, 3, 5, WORDS);
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 0, WORDS);
	TAKE(0, 3, 0, WORDS);
}

/* A copy that fails gives back to the reader it was for, and to no other. */
TEST_F(readers, efault_gives_back)
{
	const struct guest *g = &self->g;

	ASSERT_EQ(0, set_readers(g, variant->flags, 3));
	ASSERT_EQ(0, write_some(g, self->want));
	TAKE(0, 0, 0, WORDS);
	EXPECT_EQ(-EFAULT, umbra_get_reader_log(g->vm, 0, 0, 1, 0, GUEST_PAGES,
						NULL, &self->dirty));
	TAKE(0, 0, 0, WORDS);
	TAKE(0, 1, 0, WORDS);
}

TEST_HARNESS_MAIN
