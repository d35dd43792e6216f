// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the primary MMU announces: hva -> memslots -> invalidate or age.
 *
 * The callbacks hold neither slots_lock nor mmap_lock and do not allocate. Those
 * for young come from reclaim, often, and take no lock at all but a TLB's.
 */
#include <linux/sched.h>

#include "age.h"
#include "compat.h"
#include "invalidate.h"
#include "notifier.h"

static struct umbra_vm *mn_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct umbra_vm, mn);
}

/*
 * Between enter() and leave() no other set becomes the active one (U9), and no
 * memslot of it is freed: they do what SRCU would do, from start to end, and
 * cost an invalidation that meets no memslot little more.
 */
static struct umbra_memslots *pinned_slots(struct umbra_vm *vm)
{
	return rcu_dereference_check(vm->slots, READ_ONCE(vm->active));
}

static void enter(struct umbra_vm *vm)
{
	spin_lock(&vm->active_lock);
	WRITE_ONCE(vm->active, vm->active + 1);
	spin_unlock(&vm->active_lock);
}

static void leave(struct umbra_vm *vm)
{
	bool last;

	spin_lock(&vm->active_lock);
	WRITE_ONCE(vm->active, vm->active - 1);
	last = !vm->active;
	spin_unlock(&vm->active_lock);
	if (last && wq_has_sleeper(&vm->active_wq))
		wake_up_all(&vm->active_wq);
}

/* Under the lock that invalidations enter with, so that none comes between. */
static bool try_publish(struct umbra_vm *vm, struct umbra_memslots *slots)
{
	bool quiet;

	spin_lock(&vm->active_lock);
	quiet = !vm->active;
	if (quiet)
		rcu_assign_pointer(vm->slots, slots);
	spin_unlock(&vm->active_lock);
	return quiet;
}

void umbra_publish_slots(struct umbra_vm *vm, struct umbra_memslots *slots)
{
	lockdep_assert_held(&vm->slots_lock);

	wait_event(vm->active_wq, try_publish(vm, slots));
	umbra_hold(&vm->hold, UMBRA_POINT_SLOTS_PUBLISHED, true);
	synchronize_srcu_expedited(&vm->srcu);
	wake_up_all(&vm->slots_wq);
}

/* A range of pages that covers all that [start, end) backs; false if nothing */
static bool hull(const struct umbra_memslots *slots, unsigned long start,
		 unsigned long end, struct umbra_range *range)
{
	struct umbra_hva_iter it;

	range->start = ~0ULL;
	range->end = 0;
	umbra_for_each_hva(&it, slots, start, end) {
		range->start = min(range->start, it.gfn);
		range->end = max(range->end, it.gfn_end);
	}
	return range->start < range->end;
}

static int invalidate_range_start(struct mmu_notifier *mn,
				  const struct mmu_notifier_range *range)
{
	struct umbra_vm *vm = mn_to_vm(mn);
	bool may_sleep = mmu_notifier_range_blockable(range);
	struct umbra_memslots *slots;
	struct umbra_hva_iter it;
	struct umbra_range gfns;
	umbra_leaf_t removed = 0;

	enter(vm);
	slots = pinned_slots(vm);
	if (hull(slots, range->start, range->end, &gfns)) {
		umbra_stat_inc(vm, invalidations);
		umbra_inv_begin(vm, gfns.start, gfns.end);
		umbra_hold(&vm->hold, UMBRA_POINT_INVALIDATE_BEGUN, may_sleep);
		umbra_for_each_hva(&it, slots, range->start, range->end)
			removed |= umbra_zap(vm, it.slot, it.gfn, it.gfn_end,
					     may_sleep);
		if (UMBRA_HAS_CHANGE_PTE && gfns.end - gfns.start == 1)
			WRITE_ONCE(vm->inv.removed, removed);
		umbra_hold(&vm->hold, UMBRA_POINT_INVALIDATE_ZAPPED, may_sleep);
	} else {
		umbra_stat_inc(vm, invalidations_missed);
	}
	/* Not even a range that may not block is refused: end must come (U17) */
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn,
				 const struct mmu_notifier_range *range)
{
	struct umbra_vm *vm = mn_to_vm(mn);
	struct umbra_range gfns;

	umbra_hold(&vm->hold, UMBRA_POINT_INVALIDATE_END,
		   mmu_notifier_range_blockable(range));
	/* If none is in progress this one has met no memslot, and does not. */
	if (READ_ONCE(vm->inv.in_progress) &&
	    hull(pinned_slots(vm), range->start, range->end, &gfns))
		umbra_inv_end(vm, gfns.start, gfns.end);
	leave(vm);
}

#if UMBRA_HAS_CHANGE_PTE
/*
 * What the new page may be used for: nothing that the old one could not be, and
 * never to write, which is for a fault to find out about (U19).
 */
static umbra_leaf_t replacement(struct umbra_vm *vm, pte_t pte)
{
	if (!pte_access_permitted(pte, false) || pte_special(pte) ||
	    pte_devmap(pte))
		return 0;
	return PFN_PHYS(pte_pfn(pte)) |
	       (READ_ONCE(vm->inv.removed) &
		~(umbra_leaf_t)(UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY));
}

/*
 * KSM and copy-on-write put another page into one that start has just zapped, and
 * end is still to come. Save the next access a fault if nothing else has been
 * invalidated meanwhile: what had begun before may have been here before, and
 * would leave the new leaf behind. What begins later finds it.
 *
 * Called under a lock of the primary page table: nothing is allocated.
 */
static void change_pte(struct mmu_notifier *mn, struct mm_struct *mm,
		       unsigned long address, pte_t pte)
{
	struct umbra_vm *vm = mn_to_vm(mn);
	struct umbra_hva_iter it;
	umbra_leaf_t leaf;

	if (!READ_ONCE(vm->inv.removed) ||
	    !umbra_hva_first(&it, pinned_slots(vm), address, address + 1))
		return;
	read_lock(&vm->mmu_lock);
	if (!vm->dead && umbra_inv_only(vm, it.gfn)) {
		leaf = replacement(vm, pte);
		if (leaf && umbra_pgtable_map(&vm->pgt, it.gfn, 0, &leaf, 1,
					      NULL) > 0)
			umbra_stat_inc(vm, mapped);
	}
	read_unlock(&vm->mmu_lock);
}
#endif

static bool age(struct mmu_notifier *mn, unsigned long start, unsigned long end,
		u32 flags, struct umbra_gather *gather)
{
	struct umbra_vm *vm = mn_to_vm(mn);
	struct umbra_hva_iter it;
	bool young = false;
	int idx;

	umbra_gather_init(gather);
	idx = srcu_read_lock(&vm->srcu);
	umbra_for_each_hva(&it, umbra_vm_slots(vm), start, end)
		young |= umbra_age_slot(vm, it.slot, it.gfn, it.gfn_end, flags,
					NULL, gather);
	srcu_read_unlock(&vm->srcu, idx);
	return young;
}

static int clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	struct umbra_gather gather;
	bool young = age(mn, start, end, UMBRA_AGE_CLEAR, &gather);

	umbra_hold(&mn_to_vm(mn)->hold, UMBRA_POINT_AGE_UNFLUSHED, false);
	umbra_flush(mn_to_vm(mn), &gather);
	return young;
}

/* By its contract without a flush: the next walk of the table counts. */
static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	struct umbra_gather unflushed;

	return age(mn, start, end, UMBRA_AGE_CLEAR, &unflushed);
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm,
		      unsigned long address)
{
	struct umbra_gather unused;

	return age(mn, address, address + 1, 0, &unused);
}

/* The mm dies, with or without an invalidation that has begun (U16). */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct umbra_vm *vm = mn_to_vm(mn);

	umbra_hold(&vm->hold, UMBRA_POINT_RELEASE, true);
	write_lock(&vm->mmu_lock);
	WRITE_ONCE(vm->dead, true);
	write_unlock(&vm->mmu_lock);
	umbra_hold(&vm->hold, UMBRA_POINT_RELEASE_DEAD, true);

	umbra_inv_begin(vm, 0, vm->gfn_limit);
	umbra_zap(vm, NULL, 0, vm->gfn_limit, true);
	umbra_inv_end(vm, 0, vm->gfn_limit);
}

const struct mmu_notifier_ops umbra_mn_ops = {
	.release		= release,
	.invalidate_range_start	= invalidate_range_start,
	.invalidate_range_end	= invalidate_range_end,
	.clear_flush_young	= clear_flush_young,
	.clear_young		= clear_young,
	.test_young		= test_young,
#if UMBRA_HAS_CHANGE_PTE
	.change_pte		= change_pte,
#endif
};
