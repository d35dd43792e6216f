// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and clearing the dirty log while it is being written.
 */
#include <linux/bitmap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dirty_log.h"
#include "invalidate.h"
#include "log.h"

/* Pages dealt with under one hold of zap_lock: a page of bits. */
#define LOG_CHUNK	(8 * PAGE_SIZE)

static struct umbra_memslot *locate(struct umbra_vm *vm,
				    const struct umbra_log_range *range)
{
	struct umbra_memslot *slot = xa_load(&vm->slot_by_id, range->id);

	lockdep_assert_held(&vm->slots_lock);

	if (!slot || !slot->dirty_bitmap)
		return ERR_PTR(-ENOENT);
	if (range->first % 64 || !range->nr ||
	    range->first >= slot->nr_pages ||
	    range->nr > slot->nr_pages - range->first ||
	    (range->nr % 64 && range->first + range->nr != slot->nr_pages))
		return ERR_PTR(-EINVAL);
	return slot;
}

/* Move D bits of the table to the log. */
static void harvest(struct umbra_vm *vm, const struct umbra_memslot *slot,
		    u64 first, u64 nr)
{
	gfn_t gfn = slot->base_gfn + first;
	struct umbra_gather gather;

	umbra_gather_init(&gather);
	spin_lock(&vm->zap_lock);
	umbra_protect(vm, slot, gfn, gfn + nr, UMBRA_PTE_DIRTY, &gather);
	umbra_flush(vm, &gather);
	spin_unlock(&vm->zap_lock);
}

/*
 * Have the next write to the pages in @bits fault. Their dirty bits go as well:
 * a leaf that is dirty later has been written since.
 */
static void protect(struct umbra_vm *vm, const struct umbra_memslot *slot,
		    u64 first, u64 nr, const u64 *bits)
{
	gfn_t gfn = slot->base_gfn + first;
	unsigned long start, end;
	struct umbra_gather gather;

	umbra_gather_init(&gather);
	spin_lock(&vm->zap_lock);
	for_each_set_bitrange(start, end, (const unsigned long *)bits, nr)
		umbra_protect(vm, NULL, gfn + start, gfn + end,
			      UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY, &gather);
	umbra_flush(vm, &gather);
	spin_unlock(&vm->zap_lock);
}

int umbra_log_get(struct umbra_vm *vm, const struct umbra_log_range *range,
		  bool keep, u64 *bits)
{
	const struct umbra_memslot *slot = locate(vm, range);
	u64 i, nr;

	if (IS_ERR(slot))
		return PTR_ERR(slot);

	for (i = 0; i < range->nr; i += nr, bits += nr / 64) {
		u64 first = range->first + i;

		nr = min_t(u64, range->nr - i, LOG_CHUNK);
		if (umbra_log_by_d_bits(slot))
			harvest(vm, slot, first, nr);
		if (keep) {
			umbra_log_read(slot, first, nr, bits);
		} else {
			umbra_log_take(slot, first, nr, NULL, bits);
			umbra_hold(&vm->hold, UMBRA_POINT_LOG_TAKEN, true);
			if (umbra_log_by_protection(slot))
				protect(vm, slot, first, nr, bits);
		}
		cond_resched();
	}
	return 0;
}

int umbra_log_clear(struct umbra_vm *vm, const struct umbra_log_range *range,
		    const u64 *bits)
{
	const struct umbra_memslot *slot = locate(vm, range);
	u64 i, nr, *taken;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	taken = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!taken)
		return -ENOMEM;

	for (i = 0; i < range->nr; i += nr, bits += nr / 64) {
		u64 first = range->first + i;

		nr = min_t(u64, range->nr - i, LOG_CHUNK);
		umbra_log_take(slot, first, nr, bits, taken);
		umbra_hold(&vm->hold, UMBRA_POINT_LOG_TAKEN, true);
		if (umbra_log_by_protection(slot))
			protect(vm, slot, first, nr, taken);
		cond_resched();
	}
	free_page((unsigned long)taken);
	return 0;
}

void umbra_log_undo(struct umbra_vm *vm, const struct umbra_log_range *range,
		    const u64 *bits)
{
	const struct umbra_memslot *slot = locate(vm, range);

	if (!IS_ERR(slot))
		umbra_log_give_back(slot, range->first, range->nr, bits);
}
