/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated TLB of a vCPU, and gathering what must be flushed from TLBs.
 *
 * Without a TLB a missing flush could not be seen. This one is set-associative
 * and keeps a translation until it is replaced or flushed, as hardware may.
 */
#ifndef UMBRA_TLB_H
#define UMBRA_TLB_H

#include <linux/list.h>
#include <linux/spinlock.h>

#include "fmt.h"
#include "memcache.h"

#define UMBRA_TLB_SETS	64
#define UMBRA_TLB_WAYS	4

/**
 * struct umbra_tlb_entry - one translation
 * @tag: of the nested context that it belongs to; 0: stage 2
 * @gfn: first page that it maps
 * @leaf: as read from the table; 0: unused
 * @level: of the leaf
 */
struct umbra_tlb_entry {
	gfn_t gfn;
	umbra_leaf_t leaf;
	u32 tag;
	u8 level;
};

/**
 * struct umbra_tlb - the TLB of one vCPU
 * @lock: held by the vCPU from looking a translation up until it has finished
 *	touching the memory, and by a flush: a flush that has had the lock has
 *	waited for every use of what it drops. A spinlock, since invalidations
 *	flush where they may not sleep. Guards all fields.
 * @entry: the translations; the number of a leaf among those of its size,
 *	modulo the number of sets, is its set
 * @victim: next way to replace, for each set
 * @levels: bit n is set if a leaf of level n has ever been here
 */
struct umbra_tlb {
	spinlock_t lock; /* from look-up to end of access */
	struct umbra_tlb_entry entry[UMBRA_TLB_SETS][UMBRA_TLB_WAYS];
	u8 victim[UMBRA_TLB_SETS];
	unsigned long levels;
};

/** umbra_tlb_init() - make @tlb empty */
void umbra_tlb_init(struct umbra_tlb *tlb);

/**
 * umbra_tlb_lookup() - find a translation good enough for an access
 * @tlb: the TLB; @tlb->lock is held
 * @tag: of the context
 * @gfn: the page
 * @access: UMBRA_PTE_READ, UMBRA_PTE_WRITE or UMBRA_PTE_EXEC. A write hits only
 *	what is dirty already: hardware walks the table to set the dirty bit
 * @page: out: the page with the attributes of its leaf
 *
 * Return: 0; -ENOENT if there is none; -ENOTUNIQ if there are two: an
 * invalidation of a whole span has been forgotten (U6), and hardware would
 * raise a TLB conflict abort or use either.
 */
int umbra_tlb_lookup(struct umbra_tlb *tlb, u32 tag, gfn_t gfn, u32 access,
		     umbra_leaf_t *page);

/**
 * umbra_tlb_fill() - remember a translation just read from the table
 * @tlb: the TLB; @tlb->lock has been held since before the table was read
 * @tag: of the context
 * @gfn: the page
 * @level: the level of its leaf
 * @leaf: the leaf
 *
 * Replaces a translation of the same size for the same page.
 */
void umbra_tlb_fill(struct umbra_tlb *tlb, u32 tag, gfn_t gfn, int level,
		    umbra_leaf_t leaf);

/**
 * umbra_tlb_flush() - drop all translations of a context that touch a range
 * @tlb: the TLB
 * @tag: of the context
 * @start: first page of the range
 * @end: first page after it
 * @levels: bit n is set if leaves of level n may be there; others are not
 *	looked for
 *
 * Takes @tlb->lock. When it returns no access through an old translation is
 * under way.
 */
void umbra_tlb_flush(struct umbra_tlb *tlb, u32 tag, gfn_t start, gfn_t end,
		     unsigned long levels);

/**
 * struct umbra_gather - what a change of a table still owes
 * @tag: of the context that the table belongs to; 0: stage 2
 * @start: first page to flush
 * @end: first page after; the range is empty if nothing has to be flushed
 * @levels: bit n is set if leaves of level n have to be
 * @tables: table pages taken out, to be freed after the flush and a grace
 *	period of RCU
 */
struct umbra_gather {
	u32 tag;
	gfn_t start;
	gfn_t end;
	unsigned long levels;
	struct list_head tables;
};

/** umbra_gather_init_tag() - begin to gather for a nested context */
static inline void umbra_gather_init_tag(struct umbra_gather *g, u32 tag)
{
	g->tag = tag;
	g->start = ~0ULL;
	g->end = 0;
	g->levels = 0;
	INIT_LIST_HEAD(&g->tables);
}

/** umbra_gather_init() - begin to gather for stage 2 */
static inline void umbra_gather_init(struct umbra_gather *g)
{
	umbra_gather_init_tag(g, 0);
}

static inline void umbra_gather_range(struct umbra_gather *g, gfn_t start,
				      gfn_t end, unsigned long levels)
{
	g->start = min(g->start, start);
	g->end = max(g->end, end);
	g->levels |= levels;
}

/** umbra_gather_table() - have @table freed; readers may still walk it */
void umbra_gather_table(struct umbra_gather *g, void *table);

/**
 * umbra_gather_free() - free the gathered tables after a grace period
 * @g: the gather, flushed; empty afterwards
 * @ops: where the tables came from; @ops->free is called from RCU, so a module
 *	waits with rcu_barrier() before it goes
 */
void umbra_gather_free(struct umbra_gather *g,
		       const struct umbra_table_ops *ops);

#endif /* UMBRA_TLB_H */
