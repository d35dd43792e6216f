/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a shadow table should say: slow and obvious.
 */
#ifndef UMBRA_KUNIT_MODEL_H
#define UMBRA_KUNIT_MODEL_H

#include <linux/interval_tree.h>
#include <linux/list.h>

#include "fmt.h"

/**
 * struct umbra_model - the leaves of a shadow table, without tables
 * @leaves: struct umbra_model_leaf, by the pages that they map
 * @nr: how many
 * @spare: more of them; a debug kernel takes its time to allocate
 */
struct umbra_model {
	struct rb_root_cached leaves;
	long nr;
	struct list_head spare;
};

/**
 * struct umbra_model_leaf - one of them
 * @node: first and last page
 * @spare: in &struct umbra_model.spare, if it is none any more
 * @level: where it stands
 * @leaf: address and attributes; may be changed at will
 */
struct umbra_model_leaf {
	union {
		struct interval_tree_node node;
		struct list_head spare;
	};
	int level;
	umbra_leaf_t leaf;
};

/** umbra_model_init() - make it empty */
void umbra_model_init(struct umbra_model *m);
/** umbra_model_destroy() - free it */
void umbra_model_destroy(struct umbra_model *m);

/** umbra_model_find() - the first leaf that touches [@start, @end), or NULL */
struct umbra_model_leaf *umbra_model_find(struct umbra_model *m, gfn_t start,
					  gfn_t end);
/** umbra_model_remove() - remove a leaf */
void umbra_model_remove(struct umbra_model *m, struct umbra_model_leaf *leaf);

/** umbra_model_map() - as umbra_pgtable_map() */
int umbra_model_map(struct umbra_model *m, gfn_t gfn, int level,
		    const umbra_leaf_t *leaves, unsigned int nr);
/** umbra_model_translate() - as umbra_pgtable_translate() */
int umbra_model_translate(struct umbra_model *m, gfn_t gfn, u32 access,
			  enum umbra_ad ad);
/** umbra_model_split() - have smaller leaves in the place of a block */
void umbra_model_split(struct umbra_model *m, struct umbra_model_leaf *block);

#endif /* UMBRA_KUNIT_MODEL_H */
