// SPDX-License-Identifier: GPL-2.0-only
/*
 * Testing and clearing young over a range of pages.
 */
#include <linux/bitmap.h>
#include <linux/math64.h>

#include "age.h"

struct age {
	struct umbra_vm *vm;
	const struct umbra_age_map *map;
	bool young;
};

static void age_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		     umbra_leaf_t new)
{
	struct age *age = ctx;
	const struct umbra_age_map *map = age->map;
	u64 first, last;

	if (!(old & UMBRA_PTE_YOUNG))
		return;
	age->young = true;
	if (map) {
		first = div64_u64(gfn - map->gfn, map->granule);
		last = div64_u64(gfn + nr - 1 - map->gfn, map->granule);
		bitmap_set(map->bits, first, last - first + 1);
	}
	if (!(new & UMBRA_PTE_YOUNG))
		umbra_stat_inc(age->vm, aged);
}

static const struct umbra_leaf_ops age_ops = { .leaf = age_leaf };

bool umbra_age(struct umbra_vm *vm, gfn_t start, gfn_t end, u32 flags,
	       const struct umbra_age_map *map, struct umbra_gather *gather)
{
	struct age age = { .vm = vm, .map = map };

	if (flags & UMBRA_AGE_CLEAR)
		umbra_pgtable_clear(&vm->pgt, start, end, UMBRA_PTE_YOUNG,
				    gather, &age_ops, &age);
	else
		umbra_pgtable_visit(&vm->pgt, &start, end, &age_ops, &age);
	return age.young;
}
