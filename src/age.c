// SPDX-License-Identifier: GPL-2.0-only
/*
 * Testing and clearing young over a range of pages.
 */
#include <linux/bitmap.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "age.h"
#include "idle.h"
#include "invalidate.h"
#include "nested_update.h"

struct age {
	struct umbra_vm *vm;
	const struct umbra_memslot *slot;	/* NULL: of a nested context */
	const struct umbra_age_map *map;
	bool young;
};

static void note_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
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
	if (!(new & UMBRA_PTE_YOUNG)) {
		if (age->slot)
			umbra_idle_used(age->slot->idle,
					gfn - age->slot->base_gfn, nr);
		umbra_stat_inc(age->vm, aged);
	}
}

static void age_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		     umbra_leaf_t new)
{
	const struct age *age = ctx;

	note_leaf(ctx, gfn, nr, old, new);
	if (new != old)
		umbra_nested_follow(age->vm, gfn, nr, old, new);
}

static const struct umbra_leaf_ops note_ops = { .leaf = note_leaf };
static const struct umbra_leaf_ops age_ops = { .leaf = age_leaf };

/* With nested leaves, which go old with those of stage 2, and at once (U4). */
static void make_old_nested(struct age *age, gfn_t start, gfn_t end,
			    struct umbra_gather *gather)
{
	struct umbra_vm *vm = age->vm;

	umbra_inv_begin(vm, start, end);
	spin_lock(&vm->zap_lock);
	umbra_pgtable_clear(&vm->pgt, start, end, UMBRA_PTE_YOUNG, gather,
			    &age_ops, age);
	umbra_nested_flush(vm);
	spin_unlock(&vm->zap_lock);
	umbra_inv_end(vm, start, end);
}

bool umbra_age_slot(struct umbra_vm *vm, const struct umbra_memslot *slot,
		    gfn_t start, gfn_t end, u32 flags,
		    const struct umbra_age_map *map,
		    struct umbra_gather *gather)
{
	struct age age = { .vm = vm, .slot = slot, .map = map };
	int idx;

	if (!(flags & UMBRA_AGE_CLEAR)) {
		umbra_pgtable_visit(&vm->pgt, &start, end, &age_ops, &age);
		return age.young;
	}
	idx = srcu_read_lock(&vm->srcu);
	if (umbra_nested_any(vm))
		make_old_nested(&age, start, end, gather);
	else
		umbra_pgtable_clear(&vm->pgt, start, end, UMBRA_PTE_YOUNG,
				    gather, &age_ops, &age);
	srcu_read_unlock(&vm->srcu, idx);
	return age.young;
}

/* Pages that are aged between two flushes. */
#define AGE_CHUNK	(SZ_1G >> PAGE_SHIFT)

static void age_and_flush(struct umbra_vm *vm, const struct umbra_memslot *slot,
			  gfn_t gfn, gfn_t end, u32 flags,
			  const struct umbra_age_map *map)
{
	struct umbra_gather gather;
	gfn_t next;

	for (; gfn < end; gfn = next) {
		next = min(end, gfn + AGE_CHUNK);
		umbra_gather_init(&gather);
		umbra_age_slot(vm, slot, gfn, next, flags, map, &gather);
		umbra_hold(&vm->hold, UMBRA_POINT_AGE_UNFLUSHED, false);
		umbra_flush(vm, &gather);
		cond_resched();
	}
}

void umbra_age(struct umbra_vm *vm, gfn_t start, gfn_t end, u32 flags,
	       const struct umbra_age_map *map)
{
	const struct umbra_memslots *slots;
	struct umbra_memslot *slot;
	int idx = srcu_read_lock(&vm->srcu);

	slots = umbra_vm_slots(vm);
	for (slot = umbra_memslots_first(slots, start, end); slot;
	     slot = umbra_memslots_next(slots, slot, end))
		age_and_flush(vm, slot, max(start, slot->base_gfn),
			      min(end, umbra_memslot_end(slot)), flags, map);
	srcu_read_unlock(&vm->srcu, idx);
}

int umbra_age_scan(struct umbra_vm *vm, u32 id,
		   u64 pages[UMBRA_IDLE_BUCKETS])
{
	const struct umbra_memslot *slot;
	int ret = -ENOENT;

	if (mutex_lock_interruptible(&vm->slots_lock))
		return -EINTR;
	slot = xa_load(&vm->slot_by_id, id);
	if (slot && slot->idle) {
		age_and_flush(vm, slot, slot->base_gfn, umbra_memslot_end(slot),
			      UMBRA_AGE_CLEAR, NULL);
		umbra_idle_scan(slot->idle, slot->nr_pages, pages);
		ret = 0;
	}
	mutex_unlock(&vm->slots_lock);
	return ret;
}

void umbra_age_nested(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		      gfn_t end, u32 flags, const struct umbra_age_map *map)
{
	struct age age = { .vm = vm, .map = map };
	struct umbra_gather gather;
	gfn_t next;

	for (; start < end; start = next) {
		next = min(end, start + AGE_CHUNK);
		umbra_gather_init_tag(&gather, n->id);
		if (flags & UMBRA_AGE_CLEAR)
			umbra_pgtable_clear(&n->pgt, start, next,
					    UMBRA_PTE_YOUNG, &gather, &note_ops,
					    &age);
		else
			umbra_pgtable_visit(&n->pgt, &start, next, &note_ops,
					    &age);
		umbra_flush(vm, &gather);
		cond_resched();
	}
}
