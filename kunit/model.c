// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a shadow table should say: slow and obvious.
 */
#include <linux/slab.h>

#include "model.h"

void umbra_model_init(struct umbra_model *m)
{
	m->leaves = RB_ROOT_CACHED;
	m->nr = 0;
	INIT_LIST_HEAD(&m->spare);
}

void umbra_model_destroy(struct umbra_model *m)
{
	struct umbra_model_leaf *leaf, *next;

	while ((leaf = umbra_model_find(m, 0, ~0ULL)))
		umbra_model_remove(m, leaf);
	list_for_each_entry_safe(leaf, next, &m->spare, spare)
		kfree(leaf);
}

struct umbra_model_leaf *umbra_model_find(struct umbra_model *m, gfn_t start,
					  gfn_t end)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&m->leaves, start, end - 1);
	return node ? container_of(node, struct umbra_model_leaf, node) : NULL;
}

static void insert(struct umbra_model *m, gfn_t gfn, int level,
		   umbra_leaf_t leaf)
{
	struct umbra_model_leaf *new;

	new = list_first_entry_or_null(&m->spare, struct umbra_model_leaf, spare);
	if (new)
		list_del(&new->spare);
	else
		new = kmalloc(sizeof(*new), GFP_KERNEL | __GFP_NOFAIL);
	new->node.start = gfn;
	new->node.last = gfn + umbra_level_span(level) - 1;
	new->level = level;
	new->leaf = leaf;
	interval_tree_insert(&new->node, &m->leaves);
	m->nr++;
}

void umbra_model_remove(struct umbra_model *m, struct umbra_model_leaf *leaf)
{
	interval_tree_remove(&leaf->node, &m->leaves);
	list_add(&leaf->spare, &m->spare);
	m->nr--;
}

int umbra_model_map(struct umbra_model *m, gfn_t gfn, int level,
		    const umbra_leaf_t *leaves, unsigned int nr)
{
	gfn_t span = umbra_level_span(level);
	struct umbra_model_leaf *old;
	int changed = 0;

	for (; nr--; leaves++, gfn += span) {
		old = umbra_model_find(m, gfn, gfn + span);
		if (!old) {
			insert(m, gfn, level, *leaves);
			changed++;
			continue;
		}
		if (old->level < level)
			return -EMLINK;
		if (umbra_leaf_pa(*leaves) !=
		    umbra_leaf_pa(old->leaf) + PFN_PHYS(gfn - old->node.start))
			return -EEXIST;
		if (!(*leaves & ~old->leaf & UMBRA_LEAF_ATTRS))
			continue;
		if (old->level > level)
			return -E2BIG;
		old->leaf |= *leaves;
		changed++;
	}
	return changed;
}

int umbra_model_translate(struct umbra_model *m, gfn_t gfn, u32 access,
			  enum umbra_ad ad)
{
	struct umbra_model_leaf *old = umbra_model_find(m, gfn, gfn + 1);
	umbra_leaf_t used = UMBRA_PTE_YOUNG;

	if (access == UMBRA_PTE_WRITE)
		used |= UMBRA_PTE_DIRTY;
	if (!old)
		return -ENOENT;
	if (!(old->leaf & access))
		return -EACCES;
	if (ad == UMBRA_AD_SW && used & ~old->leaf)
		return -EACCES;
	old->leaf |= used;
	return 0;
}

void umbra_model_split(struct umbra_model *m, struct umbra_model_leaf *block)
{
	gfn_t gfn = block->node.start, last = block->node.last;
	gfn_t span = umbra_level_span(block->level - 1);
	umbra_leaf_t leaf = block->leaf;
	int level = block->level - 1;

	umbra_model_remove(m, block);
	for (; gfn <= last; gfn += span, leaf += PFN_PHYS(span))
		insert(m, gfn, level, leaf);
}
