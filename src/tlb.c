// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated TLB of a vCPU, and gathering what must be flushed from TLBs.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "tlb.h"

void umbra_tlb_init(struct umbra_tlb *tlb)
{
	memset(tlb, 0, sizeof(*tlb));
	spin_lock_init(&tlb->lock);
}

static unsigned int tlb_set(gfn_t gfn, int level)
{
	return (gfn >> umbra_level_shift(level)) % UMBRA_TLB_SETS;
}

static struct umbra_tlb_entry *tlb_find(struct umbra_tlb *tlb, u32 tag,
					gfn_t gfn, int level)
{
	struct umbra_tlb_entry *set = tlb->entry[tlb_set(gfn, level)];
	gfn_t base = ALIGN_DOWN(gfn, umbra_level_span(level));
	unsigned int way;

	for (way = 0; way < UMBRA_TLB_WAYS; way++)
		if (set[way].leaf && set[way].tag == tag &&
		    set[way].gfn == base && set[way].level == level)
			return &set[way];
	return NULL;
}

int umbra_tlb_lookup(struct umbra_tlb *tlb, u32 tag, gfn_t gfn, u32 access,
		     umbra_leaf_t *page)
{
	umbra_leaf_t need = access == UMBRA_PTE_WRITE ?
			    UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY : access;
	const struct umbra_tlb_entry *e;
	unsigned int level, found = 0;

	lockdep_assert_held(&tlb->lock);

	for_each_set_bit(level, &tlb->levels, UMBRA_MAX_LEVELS) {
		e = tlb_find(tlb, tag, gfn, level);
		if (!e)
			continue;
		*page = e->leaf + PFN_PHYS(gfn - e->gfn);
		found++;
	}
	if (found > 1)
		return -ENOTUNIQ;
	return found && (*page & need) == need ? 0 : -ENOENT;
}

void umbra_tlb_fill(struct umbra_tlb *tlb, u32 tag, gfn_t gfn, int level,
		    umbra_leaf_t leaf)
{
	struct umbra_tlb_entry *e;

	lockdep_assert_held(&tlb->lock);

	e = tlb_find(tlb, tag, gfn, level);
	if (!e) {
		unsigned int set = tlb_set(gfn, level);

		e = &tlb->entry[set][tlb->victim[set]++ % UMBRA_TLB_WAYS];
	}
	e->gfn = ALIGN_DOWN(gfn, umbra_level_span(level));
	e->leaf = leaf;
	e->tag = tag;
	e->level = level;
	tlb->levels |= BIT(level);
}

/* Few leaves are looked up one by one, many by going through the whole TLB. */
static void flush_level(struct umbra_tlb *tlb, u32 tag, gfn_t start, gfn_t end,
			int level)
{
	gfn_t span = umbra_level_span(level);
	struct umbra_tlb_entry *e;
	unsigned int set, way;

	if (end - start <= UMBRA_TLB_SETS * span) {
		for (start = ALIGN_DOWN(start, span); start < end;
		     start += span) {
			e = tlb_find(tlb, tag, start, level);
			if (e)
				e->leaf = 0;
		}
		return;
	}
	for (set = 0; set < UMBRA_TLB_SETS; set++) {
		for (way = 0; way < UMBRA_TLB_WAYS; way++) {
			e = &tlb->entry[set][way];
			if (e->tag == tag && e->level == level &&
			    e->gfn < end && start < e->gfn + span)
				e->leaf = 0;
		}
	}
}

void umbra_tlb_flush(struct umbra_tlb *tlb, u32 tag, gfn_t start, gfn_t end,
		     unsigned long levels)
{
	unsigned int level;

	spin_lock(&tlb->lock);
	levels &= tlb->levels;
	for_each_set_bit(level, &levels, UMBRA_MAX_LEVELS)
		flush_level(tlb, tag, start, end, level);
	spin_unlock(&tlb->lock);
}

void umbra_gather_table(struct umbra_gather *g, void *table)
{
	list_add(&virt_to_page(table)->lru, &g->tables);
}

/* A page that waits for its grace period; @rcu_head shares space with @lru. */
static void table_free_rcu(struct rcu_head *head)
{
	struct page *page = container_of(head, struct page, rcu_head);
	const struct umbra_table_ops *ops = (void *)page_private(page);

	set_page_private(page, 0);
	ops->free(page_address(page), 0);
}

void umbra_gather_free(struct umbra_gather *g,
		       const struct umbra_table_ops *ops)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &g->tables, lru) {
		set_page_private(page, (unsigned long)ops);
		call_rcu(&page->rcu_head, table_free_rcu);
	}
	umbra_gather_init_tag(g, g->tag);
}
