// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault: memslot -> hva -> page -> retry check -> shadow table.
 *
 * The primary page table is read without a lock. What is not there is faulted
 * in first, by itself, and then read like the rest, so that only one way leads
 * into the shadow table.
 */
#include <linux/sched/signal.h>

#include "dirty_log.h"
#include "fault.h"
#include "host_walk.h"
#include "invalidate.h"

/*
 * One run of pages: neighbours in one memslot and in one table of the lowest
 * level.
 */
struct run {
	/* what is asked */
	struct umbra_vcpu *vcpu;
	gfn_t gfn;
	gfn_t end;
	u32 flags;
	/* found in the memslots */
	const struct umbra_memslot *slot;
	unsigned long hva;
	u64 generation;
	/* found in the primary page table */
	u64 seq;
	unsigned int nr;
};

/* What stands in the way of a run, and is overcome outside of SRCU. */
enum obstacle {
	NONE,
	STALE,		/* an invalidation came between: look up again */
	INVALIDATION,	/* one is in progress */
	SLOT_UPDATE,	/* the memslot is being deleted or moved (U8) */
	ABSENT,		/* the primary MMU does not map the page */
};

/* Cut the run to its memslot and table. Returns 0, -ENOENT or -EACCES. */
static int find_slot(struct run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	const struct umbra_memslots *slots = umbra_vm_slots(vm);

	r->slot = umbra_memslots_first(slots, r->gfn, r->gfn + 1);
	if (!r->slot)
		return -ENOENT;
	if (r->flags & UMBRA_FAULT_WRITE && r->slot->flags & UMBRA_MEM_READONLY)
		return -EACCES;
	r->generation = slots->generation;
	r->hva = umbra_memslot_hva(r->slot, r->gfn);
	r->end = min3(r->end, umbra_memslot_end(r->slot),
		      ALIGN(r->gfn + 1, UMBRA_BATCH));
	return 0;
}

/*
 * Read the primary page table. Returns the number of pages, or an error of
 * umbra_host_walk().
 */
static int look_up(struct run *r)
{
	struct umbra_vcpu *vcpu = r->vcpu;
	bool write = r->flags & UMBRA_FAULT_WRITE;
	int i, nr;

	umbra_stat_inc(vcpu->vm, faults);
	r->seq = umbra_inv_sample(vcpu->vm);	/* before the look-up: U1 */
	nr = umbra_host_walk(vcpu->vm->mm, r->hva, r->end - r->gfn, write,
			     vcpu->batch);
	if (nr <= 0)
		return nr;
	r->nr = nr;

	/* What the memslot does not give; each for its own reason (U14). */
	if (r->slot->flags & UMBRA_MEM_READONLY ||
	    (umbra_log_by_protection(r->slot) && !write))
		for (i = 0; i < nr; i++)
			vcpu->batch[i] &= ~(umbra_leaf_t)UMBRA_PTE_WRITE;
	return nr;
}

/* Returns what stands in the way, or -errno. */
static int install(struct run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	int ret = NONE, changed = 0;

	read_lock(&vm->mmu_lock);
	if (vm->dead)
		ret = -ESRCH;
	else if (umbra_inv_retry(vm, r->seq, r->gfn, r->gfn + r->nr))
		ret = STALE;
	else
		changed = umbra_pgtable_map(&vm->pgt, r->gfn, r->vcpu->batch,
					    r->nr, &r->vcpu->mc);
	umbra_hold(&vm->hold, UMBRA_POINT_FAULT_INSTALLED, false);
	/* Writable first, then logged (U10). */
	if (changed > 0 && r->flags & UMBRA_FAULT_WRITE &&
	    umbra_log_by_protection(r->slot))
		umbra_log_mark(r->slot, r->gfn, r->nr);
	read_unlock(&vm->mmu_lock);

	if (changed < 0)
		return umbra_vm_break(vm, "a leaf outlived its page");
	umbra_stat_add(vm, mapped, changed);
	if (ret == STALE)
		umbra_stat_inc(vm, retries);
	return ret;
}

/* Try the run once. Returns what stands in the way, or -errno. */
static int try_run(struct run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	int ret, idx;

	idx = srcu_read_lock(&vm->srcu);
	ret = find_slot(r);
	if (ret)
		goto out;
	if (r->slot->flags & UMBRA_MEM_INVALID) {
		ret = SLOT_UPDATE;
		goto out;
	}
	r->end = umbra_inv_clip(vm, r->gfn, r->end);
	if (r->end == r->gfn) {
		ret = INVALIDATION;
		goto out;
	}
	ret = look_up(r);
	if (ret <= 0) {
		ret = ret == -ENOENT ? ABSENT : -EFAULT;
		goto out;
	}
	umbra_hold(&vm->hold, UMBRA_POINT_FAULT_LOOKED_UP, true);
	ret = install(r);
out:
	srcu_read_unlock(&vm->srcu, idx);
	return ret;
}

/* Sleep until an obstacle may have gone. */
static int overcome(const struct run *r, enum obstacle obstacle)
{
	struct umbra_vm *vm = r->vcpu->vm;
	bool nowait = r->flags & UMBRA_FAULT_NOWAIT;

	if (obstacle == STALE)
		return 0;
	if (obstacle == ABSENT) {
		umbra_stat_inc(vm, faultins);
		return umbra_host_fault_in(vm->mm, r->hva, r->end - r->gfn,
					   r->flags & UMBRA_FAULT_WRITE,
					   nowait);
	}
	if (nowait)
		return -EAGAIN;
	umbra_stat_inc(vm, waits);
	if (obstacle == SLOT_UPDATE)
		return umbra_wait_for_slots(vm, r->generation);
	return umbra_inv_wait(vm, r->gfn);
}

int umbra_fault(struct umbra_vcpu *vcpu, gfn_t *gfn, gfn_t end, u32 flags)
{
	int ret;

	lockdep_assert_held(&vcpu->lock);

	while (*gfn < end) {
		struct run r = {
			.vcpu = vcpu, .gfn = *gfn, .end = end, .flags = flags,
		};

		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = umbra_memcache_topup(&vcpu->mc);
		if (ret)
			return ret;

		ret = try_run(&r);
		if (ret == NONE)
			*gfn += r.nr;
		else if (ret > 0)
			ret = overcome(&r, ret);
		if (ret < 0)
			return ret;
	}
	return 0;
}
