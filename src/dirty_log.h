/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bitmaps of a memslot's dirty pages, one for each reader.
 *
 * Readers do not take bits from each other: a write marks the page for all of
 * them, and each takes from its own bitmap. What holds at any time by write
 * protection: a page that is writable in the table is marked for every reader,
 * or about to be. So a reader that takes a page protects it, whatever the
 * others have (U10).
 */
#ifndef UMBRA_DIRTY_LOG_H
#define UMBRA_DIRTY_LOG_H

#include "memslot.h"

/**
 * umbra_log_alloc() - a log for one reader
 * @nr_pages: of the memslot
 * @all: every page is dirty; else none
 *
 * May sleep.
 *
 * Return: the bitmap, or NULL: no memory.
 */
unsigned long *umbra_log_alloc(u64 nr_pages, bool all);

/** umbra_log_is_on() - does @slot keep a log? */
static inline bool umbra_log_is_on(const struct umbra_memslot *slot)
{
	return slot->flags & UMBRA_MEM_LOG_DIRTY;
}

/** umbra_log_by_d_bits() - are writes to @slot found by D bits? */
static inline bool umbra_log_by_d_bits(const struct umbra_memslot *slot)
{
	return slot->flags & UMBRA_MEM_LOG_D_BITS;
}

/** umbra_log_by_protection() - are writes to @slot found by write protection? */
static inline bool umbra_log_by_protection(const struct umbra_memslot *slot)
{
	return umbra_log_is_on(slot) &&
	       (!umbra_log_by_d_bits(slot) ||
		slot->flags & UMBRA_MEM_LOG_PROTECT);
}

/**
 * umbra_log_mark() - pages have been, or can now be, written
 * @slot: the memslot, which keeps a log
 * @gfn: first page
 * @nr: how many
 *
 * Any context. To be called after the entries were made writable (U10): a bit
 * that is taken before the entry is protected must find the entry writable.
 */
void umbra_log_mark(const struct umbra_memslot *slot, gfn_t gfn, u64 nr);

/**
 * umbra_log_take() - take bits from a log
 * @log: of a reader
 * @first: first page, counted from the memslot's first; a multiple of 64
 * @nr: how many pages
 * @mask: take only these bits, or all if NULL
 * @taken: out: one bit for each page; may be @mask
 */
void umbra_log_take(unsigned long *log, u64 first, u64 nr, const u64 *mask,
		    u64 *taken);

/**
 * umbra_log_read() - read bits of a log
 * @log: of a reader
 * @first: first page, a multiple of 64
 * @nr: how many pages
 * @bits: out: one bit for each page
 */
void umbra_log_read(unsigned long *log, u64 first, u64 nr, u64 *bits);

/**
 * umbra_log_give_back() - put bits back that were taken in vain
 * @log: of a reader
 * @first: first page, a multiple of 64
 * @nr: how many pages
 * @bits: from umbra_log_take()
 */
void umbra_log_give_back(unsigned long *log, u64 first, u64 nr,
			 const u64 *bits);

#endif /* UMBRA_DIRTY_LOG_H */
