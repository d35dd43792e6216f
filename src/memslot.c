// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: which hva backs a gfn, and which gfns an hva backs.
 */
#include <linux/slab.h>

#include "memslot.h"

void umbra_memslot_free(struct umbra_memslot *slot)
{
	unsigned int i;

	for (i = 0; i < UMBRA_LOG_READERS; i++)
		kvfree(slot->dirty_bitmap[i]);
	kvfree(slot->idle);
	kfree(slot);
}

void umbra_memslots_init(struct umbra_memslots *slots, unsigned int index)
{
	slots->by_gfn = RB_ROOT_CACHED;
	slots->by_hva = RB_ROOT_CACHED;
	slots->generation = 0;
	slots->index = index;
}

void umbra_memslots_replace(struct umbra_memslots *slots,
			    struct umbra_memslot *old,
			    struct umbra_memslot *new)
{
	unsigned int i = slots->index;

	if (old) {
		interval_tree_remove(&old->node[i].gfn, &slots->by_gfn);
		interval_tree_remove(&old->node[i].hva, &slots->by_hva);
	}
	if (new) {
		new->node[i].gfn.start = new->base_gfn;
		new->node[i].gfn.last = umbra_memslot_end(new) - 1;
		interval_tree_insert(&new->node[i].gfn, &slots->by_gfn);

		new->node[i].hva.start = PHYS_PFN(new->hva);
		new->node[i].hva.last = PHYS_PFN(new->hva) + new->nr_pages - 1;
		interval_tree_insert(&new->node[i].hva, &slots->by_hva);
	}
}

/* The trees are only read; the library takes no pointer to const. */
static struct rb_root_cached *tree(const struct rb_root_cached *root)
{
	return (struct rb_root_cached *)root;
}

static struct umbra_memslot *slot_by_gfn(const struct umbra_memslots *slots,
					 struct interval_tree_node *node)
{
	return node ? container_of(node, struct umbra_memslot,
				   node[slots->index].gfn) : NULL;
}

struct umbra_memslot *umbra_memslots_first(const struct umbra_memslots *slots,
					   gfn_t start, gfn_t end)
{
	return slot_by_gfn(slots, interval_tree_iter_first(tree(&slots->by_gfn),
							   start, end - 1));
}

struct umbra_memslot *umbra_memslots_next(const struct umbra_memslots *slots,
					  struct umbra_memslot *slot,
					  gfn_t end)
{
	struct interval_tree_node *node = &slot->node[slots->index].gfn;

	return slot_by_gfn(slots, interval_tree_iter_next(node, node->last + 1,
							  end - 1));
}

/* Set what depends on @node. */
static bool hva_set(struct umbra_hva_iter *it)
{
	const struct interval_tree_node *node = it->node;
	struct umbra_memslot *slot;

	if (!node)
		return false;

	slot = container_of(node, struct umbra_memslot,
			    node[it->slots->index].hva);
	it->slot = slot;
	it->gfn = slot->base_gfn + max(it->first, node->start) - node->start;
	it->gfn_end = slot->base_gfn + min(it->last, node->last) + 1 -
		      node->start;
	return true;
}

bool umbra_hva_first(struct umbra_hva_iter *it,
		     const struct umbra_memslots *slots, unsigned long start,
		     unsigned long end)
{
	it->slots = slots;
	it->first = PHYS_PFN(start);
	it->last = PHYS_PFN(end - 1);
	it->node = interval_tree_iter_first(tree(&slots->by_hva), it->first,
					    it->last);
	return hva_set(it);
}

bool umbra_hva_next(struct umbra_hva_iter *it)
{
	it->node = interval_tree_iter_next(it->node, it->first, it->last);
	return hva_set(it);
}
