// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and clearing the dirty log while it is being written.
 */
#include "dirty_log.h"
#include "invalidate.h"
#include "log.h"

static struct umbra_memslot *locate(struct umbra_vm *vm,
				    const struct umbra_log_range *range)
{
	struct umbra_memslot *slot = xa_load(&vm->slot_by_id, range->id);

	lockdep_assert_held(&vm->slots_lock);

	if (!slot || range->reader >= UMBRA_LOG_READERS ||
	    !slot->dirty_bitmap[range->reader])
		return ERR_PTR(-ENOENT);
	if (range->first % 64 || !range->nr ||
	    range->first >= slot->nr_pages ||
	    range->nr > slot->nr_pages - range->first ||
	    (range->nr % 64 && range->first + range->nr != slot->nr_pages))
		return ERR_PTR(-EINVAL);
	return slot;
}

/*
 * Take pages from a reader's log, those in @mask or all, and have the next
 * write to them fault. The one place that knows the order (U10): a write before
 * the pages are protected is in what is handed out, one after it is logged.
 *
 * Dirty bits go as well: a leaf that is dirty later has been written since. If
 * it is dirty bits that tell of writes, the other readers are to know.
 */
static void take(struct umbra_vm *vm, const struct umbra_memslot *slot,
		 const struct umbra_log_range *range, const u64 *mask,
		 u64 *taken)
{
	umbra_log_take(slot->dirty_bitmap[range->reader], range->first,
		       range->nr, mask, taken);
	umbra_hold(&vm->hold, UMBRA_POINT_LOG_TAKEN, true);
	if (umbra_log_by_protection(slot))
		umbra_protect(vm, umbra_log_by_d_bits(slot) ? slot : NULL,
			      slot->base_gfn + range->first, range->nr,
			      (const unsigned long *)taken,
			      UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY);
	umbra_hold(&vm->hold, UMBRA_POINT_LOG_PROTECTED, true);
}

int umbra_log_get(struct umbra_vm *vm, const struct umbra_log_range *range,
		  bool keep, u64 *bits)
{
	const struct umbra_memslot *slot = locate(vm, range);

	if (IS_ERR(slot))
		return PTR_ERR(slot);

	if (umbra_log_by_d_bits(slot))
		umbra_protect(vm, slot, slot->base_gfn + range->first,
			      range->nr, NULL, UMBRA_PTE_DIRTY);
	if (keep)
		umbra_log_read(slot->dirty_bitmap[range->reader], range->first,
			       range->nr, bits);
	else
		take(vm, slot, range, NULL, bits);
	return 0;
}

int umbra_log_clear(struct umbra_vm *vm, const struct umbra_log_range *range,
		    u64 *bits)
{
	const struct umbra_memslot *slot = locate(vm, range);

	if (IS_ERR(slot))
		return PTR_ERR(slot);

	take(vm, slot, range, bits, bits);
	return 0;
}

void umbra_log_undo(struct umbra_vm *vm, const struct umbra_log_range *range,
		    const u64 *bits)
{
	const struct umbra_memslot *slot;

	mutex_lock(&vm->slots_lock);
	slot = locate(vm, range);
	if (!IS_ERR(slot))
		umbra_log_give_back(slot->dirty_bitmap[range->reader],
				    range->first, range->nr, bits);
	mutex_unlock(&vm->slots_lock);
}
