// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bitmap of a memslot's dirty pages.
 *
 * A word of the log is a word of the ABI: 64 bits, and umbra is for 64-bit
 * kernels only.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "dirty_log.h"

static_assert(BITS_PER_LONG == 64);

unsigned long *umbra_log_alloc(u64 nr_pages)
{
	return kvcalloc(BITS_TO_LONGS(nr_pages), sizeof(long),
			GFP_KERNEL_ACCOUNT);
}

void umbra_log_mark(const struct umbra_memslot *slot, gfn_t gfn, u64 nr)
{
	unsigned long i = gfn - slot->base_gfn;

	smp_mb__before_atomic();	/* the entries first */
	for (; nr--; i++)
		if (!test_bit(i, slot->dirty_bitmap))
			set_bit(i, slot->dirty_bitmap);
}

/* The word of the log that holds the bits from @first + @i on. */
static atomic_long_t *word(const struct umbra_memslot *slot, u64 first, u64 i)
{
	return (atomic_long_t *)(slot->dirty_bitmap + BIT_WORD(first + i));
}

/* The bits of that word that lie in [0, @nr). */
static u64 valid(u64 nr, u64 i)
{
	return nr - i < 64 ? BIT_ULL(nr - i) - 1 : ~0ULL;
}

void umbra_log_take(const struct umbra_memslot *slot, u64 first, u64 nr,
		    const u64 *mask, u64 *taken)
{
	u64 i;

	for (i = 0; i < nr; i += 64) {
		u64 bits = mask ? mask[i / 64] & valid(nr, i) : valid(nr, i);
		atomic_long_t *log = word(slot, first, i);

		taken[i / 64] = atomic_long_fetch_andnot(bits, log) & bits;
	}
}

void umbra_log_read(const struct umbra_memslot *slot, u64 first, u64 nr,
		    u64 *bits)
{
	u64 i;

	for (i = 0; i < nr; i += 64)
		bits[i / 64] = atomic_long_read(word(slot, first, i)) &
			       valid(nr, i);
}

void umbra_log_give_back(const struct umbra_memslot *slot, u64 first, u64 nr,
			 const u64 *bits)
{
	u64 i;

	for (i = 0; i < nr; i += 64)
		atomic_long_or(bits[i / 64], word(slot, first, i));
}
