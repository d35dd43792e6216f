/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A shadow table under test, and what belongs to it.
 */
#ifndef UMBRA_KUNIT_TABLE_H
#define UMBRA_KUNIT_TABLE_H

#include <kunit/test.h>

#include "pgtable.h"
#include "tlb.h"

/**
 * struct umbra_test_table - a shadow table under test
 * @pgt: the table, of counted pages
 * @mc: for mapping, from one thread
 * @gather: for all that is removed or cleared
 */
struct umbra_test_table {
	struct umbra_pgtable pgt;
	struct umbra_memcache mc;
	struct umbra_gather gather;
};

/** umbra_test_table_init() - make an empty table; 0 or -ENOMEM */
int umbra_test_table_init(struct umbra_test_table *t,
			  const struct umbra_layout *layout);

/** umbra_test_table_exit() - free it; all pages must have come back */
void umbra_test_table_exit(struct kunit *test, struct umbra_test_table *t);

/** umbra_test_table_settle() - free what was gathered; no page may be lost */
void umbra_test_table_settle(struct kunit *test, struct umbra_test_table *t);

/** umbra_test_map() - umbra_pgtable_map(), topped up */
int umbra_test_map(struct kunit *test, struct umbra_test_table *t, gfn_t gfn,
		   int level, const umbra_leaf_t *leaves, unsigned int nr);

/** umbra_test_map_one() - the same for one leaf */
static inline int umbra_test_map_one(struct kunit *test,
				     struct umbra_test_table *t, gfn_t gfn,
				     int level, umbra_leaf_t leaf)
{
	return umbra_test_map(test, t, gfn, level, &leaf, 1);
}

/** umbra_test_end() - the first page after all that the table can map */
static inline gfn_t umbra_test_end(const struct umbra_pgtable *pgt)
{
	const struct umbra_layout *l = &pgt->layout;

	return umbra_table_entries(l, l->levels - 1) *
	       umbra_level_span(l->levels - 1);
}

/** umbra_test_has_leaves() - may a leaf stand at @level? */
static inline bool umbra_test_has_leaves(const struct umbra_pgtable *pgt,
					 int level)
{
	return level < pgt->layout.levels &&
	       pgt->layout.fmt->leaf_levels & BIT(level);
}

/*
 * Each gfn has a page of its own, up to 2^24, and another one. Neighbours are
 * neighbours, so that they could be in one block.
 */
#define UMBRA_TEST_OTHER_PAGE	PFN_PHYS(BIT_ULL(25))

/** umbra_test_leaf() - a leaf for the page of @gfn, with @attrs */
static inline umbra_leaf_t umbra_test_leaf(gfn_t gfn, umbra_leaf_t attrs)
{
	return PFN_PHYS((gfn & GENMASK_ULL(23, 0)) | BIT_ULL(24)) |
	       UMBRA_PTE_READ | attrs;
}

#endif /* UMBRA_KUNIT_TABLE_H */
