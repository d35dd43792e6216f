// SPDX-License-Identifier: GPL-2.0-only
/*
 * Testing and clearing young over a range of pages.
 */
#include <linux/bitops.h>

#include "age.h"

struct age {
	struct umbra_vm *vm;
	gfn_t start;
	u64 granule;
	unsigned long *bitmap;
	bool young;
};

static void age_leaf(void *ctx, gfn_t gfn, int level, umbra_leaf_t old,
		     umbra_leaf_t new)
{
	struct age *age = ctx;

	if (!(old & UMBRA_PTE_YOUNG))
		return;
	age->young = true;
	if (age->bitmap)
		__set_bit((gfn - age->start) / age->granule, age->bitmap);
	if (!(new & UMBRA_PTE_YOUNG))
		umbra_stat_inc(age->vm, aged);
}

static const struct umbra_leaf_ops age_ops = { .leaf = age_leaf };

bool umbra_age(struct umbra_vm *vm, gfn_t start, gfn_t end, u32 flags,
	       u64 granule, unsigned long *bitmap, struct umbra_gather *gather)
{
	struct age age = {
		.vm = vm, .start = start, .granule = granule, .bitmap = bitmap,
	};

	if (flags & UMBRA_AGE_CLEAR)
		umbra_pgtable_clear(&vm->pgt, start, end, UMBRA_PTE_YOUNG,
				    gather, &age_ops, &age);
	else
		umbra_pgtable_for_each_leaf(&vm->pgt, &start, end, &age_ops,
					    &age);
	return age.young;
}
