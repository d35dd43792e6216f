/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memslots: which hva backs a gfn, and which gfns an hva backs.
 *
 * There are two sets. Readers use the active one under SRCU; the writer edits
 * the other one, makes it the active one, waits for the readers of the old
 * one, and repeats the edit there. A memslot that does not change is in both
 * sets at once, with a node for each.
 */
#ifndef UMBRA_MEMSLOT_H
#define UMBRA_MEMSLOT_H

#include <linux/interval_tree.h>

#include "types.h"

struct umbra_idle;

/* In &struct umbra_memslot.flags: being deleted or moved; U8. */
#define UMBRA_MEM_INVALID	BIT(31)

/**
 * struct umbra_memslot - a range of gfns backed by a range of hvas
 * @node: its places in the trees of set 0 and set 1
 * @id: the number user space knows it by
 * @flags: UMBRA_MEM_*
 * @base_gfn: first page
 * @nr_pages: length in pages
 * @hva: the address that backs @base_gfn
 * @log_readers: bit n is set if reader n has a log
 * @dirty_bitmap: of each reader: a bit for each page, or NULL if it has no log.
 *	Handed from a memslot to the one that takes its place
 * @idle: idle ages of its pages, or NULL. Likewise
 *
 * Immutable once published, but for the bits.
 */
struct umbra_memslot {
	struct {
		struct interval_tree_node gfn;	/* by page */
		struct interval_tree_node hva;	/* by address in pages */
	} node[2];
	u32 id;
	u32 flags;
	gfn_t base_gfn;
	u64 nr_pages;
	unsigned long hva;
	u32 log_readers;
	unsigned long *dirty_bitmap[UMBRA_LOG_READERS];
	struct umbra_idle *idle;
};

/**
 * struct umbra_memslots - one set of memslots
 * @by_gfn: the memslots, by page; they do not overlap
 * @by_hva: the memslots, by address; they may
 * @generation: grows by two with every update; odd until the readers of the
 *	set before this one have gone (U7). 64 bits do not wrap
 * @index: which of the nodes of a memslot are in this set
 */
struct umbra_memslots {
	struct rb_root_cached by_gfn;
	struct rb_root_cached by_hva;
	u64 generation;
	unsigned int index;
};

/** umbra_memslot_end() - the first page after a memslot */
static inline gfn_t umbra_memslot_end(const struct umbra_memslot *slot)
{
	return slot->base_gfn + slot->nr_pages;
}

/** umbra_memslot_hva() - the address that backs a page of a memslot */
static inline unsigned long umbra_memslot_hva(const struct umbra_memslot *slot,
					      gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

/** umbra_memslot_free() - free a memslot in no set, and all it has; may sleep */
void umbra_memslot_free(struct umbra_memslot *slot);

/**
 * umbra_memslots_init() - make an empty set
 * @slots: the set
 * @index: 0 or 1
 */
void umbra_memslots_init(struct umbra_memslots *slots, unsigned int index);

/**
 * umbra_memslots_replace() - take one memslot out of a set, put one in
 * @slots: the set; nobody reads it
 * @old: to be removed, or NULL
 * @new: to be inserted, or NULL
 */
void umbra_memslots_replace(struct umbra_memslots *slots,
			    struct umbra_memslot *old,
			    struct umbra_memslot *new);

/**
 * umbra_memslots_first() - the first memslot that touches a range of pages
 * @slots: the set
 * @start: first page
 * @end: first page after the range; greater than @start
 *
 * Takes time logarithmic in the number of memslots.
 *
 * Return: the memslot, or NULL.
 */
struct umbra_memslot *umbra_memslots_first(const struct umbra_memslots *slots,
					   gfn_t start, gfn_t end);

/**
 * umbra_memslots_next() - the next one in the same range
 * @slots: the set
 * @slot: what umbra_memslots_first() or this function returned
 * @end: as before
 *
 * Return: the memslot with the next higher gfns, or NULL.
 */
struct umbra_memslot *umbra_memslots_next(const struct umbra_memslots *slots,
					  struct umbra_memslot *slot,
					  gfn_t end);

/**
 * struct umbra_hva_iter - the parts of memslots that a range of hvas backs
 * @slots: the set
 * @first: number of the first page of addresses
 * @last: number of the last one
 * @node: the current node
 * @slot: the current memslot
 * @gfn: first page of @slot that the range backs
 * @gfn_end: first page after
 */
struct umbra_hva_iter {
	const struct umbra_memslots *slots;
	unsigned long first;
	unsigned long last;
	struct interval_tree_node *node;
	struct umbra_memslot *slot;
	gfn_t gfn;
	gfn_t gfn_end;
};

/** umbra_hva_first() - start at [@start, @end); false if it backs nothing */
bool umbra_hva_first(struct umbra_hva_iter *it,
		     const struct umbra_memslots *slots, unsigned long start,
		     unsigned long end);
/** umbra_hva_next() - go on to the next memslot; false at the end */
bool umbra_hva_next(struct umbra_hva_iter *it);

#define umbra_for_each_hva(it, slots, start, end)			\
	for (bool __more = umbra_hva_first(it, slots, start, end);	\
	     __more; __more = umbra_hva_next(it))

#endif /* UMBRA_MEMSLOT_H */
