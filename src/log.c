// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and clearing the dirty log while it is being written.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

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

/* ------------------------------------------------------------------ rings */

/* Entries between two flushes. */
#define RESET_BATCH	256

struct reset_batch {
	struct umbra_dirty_gfn entries[RESET_BATCH];
	gfn_t gfns[RESET_BATCH];
};

/* Where the pages are that the process has left in the first @nr entries. */
static unsigned int locate_entries(struct umbra_vm *vm,
				   struct reset_batch *batch, unsigned int nr)
{
	unsigned int i, found = 0;

	for (i = 0; i < nr; i++) {
		const struct umbra_dirty_gfn *gfn = &batch->entries[i];
		struct umbra_memslot *slot = xa_load(&vm->slot_by_id,
						     gfn->slot);

		/* It may have gone since, or never been there. */
		if (slot && umbra_log_by_protection(slot) &&
		    gfn->offset < slot->nr_pages)
			batch->gfns[found++] = slot->base_gfn + gfn->offset;
	}
	return found;
}

/* At most once around: the process may be quicker than this. */
static int reset_ring(struct umbra_vm *vm, struct umbra_ring *ring,
		      struct reset_batch *batch, u64 *done)
{
	u32 left, nr;

	for (left = ring->size; left; left -= nr) {
		nr = umbra_ring_collected(ring, batch->entries,
					  min_t(u32, left, RESET_BATCH));
		if (!nr)
			break;
		if (signal_pending(current))
			return -EINTR;
		/* Protected before they can be pushed, and told, again. */
		umbra_protect_pages(vm, batch->gfns,
				    locate_entries(vm, batch, nr));
		umbra_hold(&vm->hold, UMBRA_POINT_RING_PROTECTED, true);
		umbra_ring_empty(ring, nr);
		*done += nr;
		cond_resched();
	}
	return 0;
}

int umbra_log_reset_rings(struct umbra_vm *vm, u64 *done)
{
	struct reset_batch *batch;
	struct umbra_vcpu *vcpu;
	int ret = -ENOENT;

	lockdep_assert_held(&vm->slots_lock);

	*done = 0;
	batch = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? NULL :
		kmalloc(sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	mutex_lock(&vm->vcpus_lock);
	list_for_each_entry(vcpu, &vm->vcpus, node) {
		if (!vcpu->ring.gfns)
			continue;
		ret = reset_ring(vm, &vcpu->ring, batch, done);
		if (ret)
			break;
	}
	mutex_unlock(&vm->vcpus_lock);
	kfree(batch);
	return ret;
}
