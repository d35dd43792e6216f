// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated TLB of a vCPU, and gathering what must be flushed from TLBs.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "tlb.h"

void umbra_tlb_init(struct umbra_tlb *tlb)
{
	memset(tlb, 0, sizeof(*tlb));
	spin_lock_init(&tlb->lock);
}

static struct umbra_tlb_entry *tlb_find(struct umbra_tlb *tlb, gfn_t gfn)
{
	struct umbra_tlb_entry *set = tlb->entry[gfn % UMBRA_TLB_SETS];
	unsigned int way;

	for (way = 0; way < UMBRA_TLB_WAYS; way++)
		if (set[way].leaf && set[way].gfn == gfn)
			return &set[way];
	return NULL;
}

umbra_leaf_t umbra_tlb_lookup(struct umbra_tlb *tlb, gfn_t gfn, u32 access)
{
	umbra_leaf_t need = access == UMBRA_PTE_WRITE ?
			    UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY : access;
	const struct umbra_tlb_entry *e;

	lockdep_assert_held(&tlb->lock);

	e = tlb_find(tlb, gfn);
	return e && (e->leaf & need) == need ? e->leaf : 0;
}

void umbra_tlb_fill(struct umbra_tlb *tlb, gfn_t gfn, umbra_leaf_t leaf)
{
	struct umbra_tlb_entry *e;

	lockdep_assert_held(&tlb->lock);

	e = tlb_find(tlb, gfn);
	if (!e) {
		unsigned int set = gfn % UMBRA_TLB_SETS;

		e = &tlb->entry[set][tlb->victim[set]++ % UMBRA_TLB_WAYS];
	}
	e->gfn = gfn;
	e->leaf = leaf;
}

void umbra_tlb_flush(struct umbra_tlb *tlb, gfn_t start, gfn_t end)
{
	struct umbra_tlb_entry *e = &tlb->entry[0][0];

	spin_lock(&tlb->lock);
	if (end - start < UMBRA_TLB_SETS) {
		for (; start < end; start++) {
			e = tlb_find(tlb, start);
			if (e)
				e->leaf = 0;
		}
	} else {
		for (; e < &tlb->entry[UMBRA_TLB_SETS][0]; e++)
			if (start <= e->gfn && e->gfn < end)
				e->leaf = 0;
	}
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
	ops->free(page_address(page));
}

void umbra_gather_free(struct umbra_gather *g,
		       const struct umbra_table_ops *ops)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &g->tables, lru) {
		set_page_private(page, (unsigned long)ops);
		call_rcu(&page->rcu_head, table_free_rcu);
	}
	umbra_gather_init(g);
}
