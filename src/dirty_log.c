// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bitmaps of a memslot's dirty pages, one for each reader.
 *
 * A word of the log is a word of the ABI: 64 bits, and umbra is for 64-bit
 * kernels only.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "dirty_log.h"

static_assert(BITS_PER_LONG == 64);

unsigned long *umbra_log_alloc(u64 nr_pages, bool all)
{
	unsigned long *log = kvcalloc(BITS_TO_LONGS(nr_pages), sizeof(long),
				      GFP_KERNEL_ACCOUNT);

	if (log && all)
		bitmap_set(log, 0, nr_pages);
	return log;
}

static void mark(unsigned long *log, unsigned long i, u64 nr)
{
	for (; nr--; i++)
		if (!test_bit(i, log))
			set_bit(i, log);
}

void umbra_log_mark(const struct umbra_memslot *slot, gfn_t gfn, u64 nr)
{
	unsigned int i;

	smp_mb__before_atomic();	/* the entries first */
	for (i = 0; i < UMBRA_LOG_READERS; i++)
		if (slot->dirty_bitmap[i])
			mark(slot->dirty_bitmap[i], gfn - slot->base_gfn, nr);
}

/* The word of the log that holds the bits from @first + @i on. */
static atomic_long_t *word(unsigned long *log, u64 first, u64 i)
{
	return (atomic_long_t *)(log + BIT_WORD(first + i));
}

/* The bits of that word that lie in [0, @nr). */
static u64 valid(u64 nr, u64 i)
{
	return nr - i < 64 ? BIT_ULL(nr - i) - 1 : ~0ULL;
}

void umbra_log_take(unsigned long *log, u64 first, u64 nr, const u64 *mask,
		    u64 *taken)
{
	u64 i;

	for (i = 0; i < nr; i += 64) {
		u64 bits = mask ? mask[i / 64] & valid(nr, i) : valid(nr, i);

		taken[i / 64] = bits & atomic_long_fetch_andnot(bits,
						word(log, first, i));
	}
}

void umbra_log_read(unsigned long *log, u64 first, u64 nr, u64 *bits)
{
	u64 i;

	for (i = 0; i < nr; i += 64)
		bits[i / 64] = atomic_long_read(word(log, first, i)) &
			       valid(nr, i);
}

void umbra_log_give_back(unsigned long *log, u64 first, u64 nr,
			 const u64 *bits)
{
	u64 i;

	for (i = 0; i < nr; i += 64)
		atomic_long_or(bits[i / 64], word(log, first, i));
}
