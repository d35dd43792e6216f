/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM: one stage-2 address space bound to one mm. Its lifetime, and every
 * lock that is shared.
 *
 * Order of the locks: the lock of a vCPU or slots_lock or vcpus_lock, then
 * nested_lock, then mmap_lock, then zap_lock or mmu_lock, then those of rmap, then
 * the lock of a TLB. active_lock is a leaf. MMU notifiers take none of those before zap_lock.
 */
#ifndef UMBRA_VM_H
#define UMBRA_VM_H

#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "hold.h"
#include "memslot.h"
#include "nested.h"
#include "pgtable.h"
#include "rmap.h"
#include "stats.h"
#include "tlb.h"

/* Ended invalidations whose range is remembered; a power of two. */
#define UMBRA_INV_HISTORY	16

struct umbra_range {
	gfn_t start;
	gfn_t end;
};

/**
 * struct umbra_invalidation - the state of the retry protocol (invalidate.h)
 * @seq: invalidations that have ended. Written under the write side of
 *	mmu_lock
 * @in_progress: invalidations that have begun and not ended. Likewise
 * @mixed: if @in_progress, there was more than one since that was 0. Likewise
 * @removed: if there was but one, and of one page: the attributes of the leaf
 *	that it has zapped. Set by who has begun it, and cleared by umbra_inv_begin()
 * @range: if @in_progress, a range that covers them all. Likewise
 * @history: [n % UMBRA_INV_HISTORY]: the range of the invalidation whose end
 *	made @seq n + 1. Likewise
 * @wq: faults that wait for invalidations to end
 */
struct umbra_invalidation {
	u64 seq;
	u64 in_progress;
	bool mixed;
	umbra_leaf_t removed;
	struct umbra_range range;
	struct umbra_range history[UMBRA_INV_HISTORY];
	wait_queue_head_t wq;
};

/**
 * struct umbra_vm - a VM
 * @ref: held by its descriptor and by each vCPU
 * @mm: the address space it is bound to; valid as a pointer (mm_count) until
 *	the notifier is unregistered, usable only by who holds mm_users
 * @mn: the notifier registered on @mm
 * @gfn_limit: first page that the VM cannot have
 * @pgt: the stage-2 table
 *
 * @slots_lock: serialises changes of memslots and use of the dirty log
 * @srcu: readers of @slots
 * @slots: the active set: written under @slots_lock and @active_lock
 * @slotset: the two sets
 * @slot_by_id: all memslots by number; @slots_lock
 * @nr_slots: how many; written under @slots_lock
 * @slots_wq: woken when @slots has changed
 *
 * @active_lock: guards @active and the change of @slots against each other
 * @active: notifier calls between invalidate start and end (U9)
 * @active_wq: woken when @active becomes 0
 *
 * @mmu_lock: guards @inv and @dead. The read side is held to install leaves,
 *	which is done with cmpxchg; the write side only to publish that an
 *	invalidation has begun or ended, or that the mm is dead
 * @inv: the retry protocol
 * @dead: the mm is gone; nothing is installed any more (U16)
 * @broken: an invariant did not hold: every operation fails with EIO
 *
 * @zap_lock: held by whoever takes leaves out or takes rights away, until the
 *	TLBs are flushed and dirty bits have reached their pages. So whoever has
 *	had it since may believe that an absent leaf is gone for good (U12),
 *	and a present leaf's page stays allocated while it is held
 *
 * @nested_lock: serialises changes of @nested, and says who is inside
 * @nested: the nested contexts, each at the place that its number says; changed
 *	under @nested_lock and @zap_lock
 * @nr_nested: how many; written under @nested_lock
 * @nested_ids: from where numbers are taken; @nested_lock
 * @nested_lru: the contexts, the one used last at the end; @nested_lock
 * @nested_unflushed: those with something to flush; @zap_lock, and empty
 *	whenever nobody holds that
 * @rmap: where nested leaves are that map a page; with locks of its own
 *
 * @vcpus_lock: serialises changes of @vcpus
 * @vcpus: the vCPUs; readers use RCU
 * @nr_vcpus: how many; written under @vcpus_lock
 *
 * @stats: counters
 * @hold: hold points, for tests
 */
struct umbra_vm {
	struct kref ref;
	struct mm_struct *mm;
	struct mmu_notifier mn;
	gfn_t gfn_limit;
	struct umbra_pgtable pgt;

	struct mutex slots_lock; /* writers of slots */
	struct srcu_struct srcu;
	struct umbra_memslots __rcu *slots;
	struct umbra_memslots slotset[2];
	struct xarray slot_by_id;
	unsigned int nr_slots;
	wait_queue_head_t slots_wq;

	spinlock_t active_lock; /* active, and slots with it */
	unsigned long active;
	wait_queue_head_t active_wq;

	rwlock_t mmu_lock;
	struct umbra_invalidation inv;
	bool dead;
	bool broken;

	spinlock_t zap_lock; /* taking translations away */

	struct mutex nested_lock; /* nested contexts, and who is inside */
	struct umbra_nested *nested[UMBRA_MAX_NESTED];
	unsigned int nr_nested;
	u32 nested_ids;
	struct list_head nested_lru;
	struct list_head nested_unflushed;
	struct umbra_rmap rmap;

	struct mutex vcpus_lock; /* writers of vcpus */
	struct list_head vcpus;
	unsigned int nr_vcpus;

	struct umbra_stats __percpu *stats;
	struct umbra_hold hold;
};

/**
 * umbra_vm_create() - make a VM without memslots and vCPUs
 * @layout: of its table
 * @gpa_bits: size of a guest physical address, within the format's limits
 * @mn_ops: the notifier, which is registered on current->mm
 *
 * May sleep.
 *
 * Return: the VM with one reference, or an ERR_PTR: -ENOMEM, -EINTR.
 */
struct umbra_vm *umbra_vm_create(const struct umbra_layout *layout,
				 unsigned int gpa_bits,
				 const struct mmu_notifier_ops *mn_ops);

/** umbra_vm_get() - take a reference on a VM that has one */
static inline void umbra_vm_get(struct umbra_vm *vm)
{
	kref_get(&vm->ref);
}

/** umbra_vm_put() - drop a reference; the last one destroys. May sleep. */
void umbra_vm_put(struct umbra_vm *vm);

/**
 * umbra_vm_check() - may this thread operate on the VM?
 * @vm: the VM
 *
 * Return: 0, -ESRCH if the VM's mm is gone, -EIO if it is not the caller's or
 * the VM is broken.
 */
int umbra_vm_check(struct umbra_vm *vm);

/**
 * umbra_vm_break() - an invariant did not hold
 * @vm: the VM
 * @what: for the log, which is told once
 *
 * Return: -EIO, as every later operation will.
 */
int umbra_vm_break(struct umbra_vm *vm, const char *what);

/** umbra_vm_slots() - the active set, under SRCU or slots_lock */
static inline struct umbra_memslots *umbra_vm_slots(struct umbra_vm *vm)
{
	return srcu_dereference_check(vm->slots, &vm->srcu,
				      lockdep_is_held(&vm->slots_lock));
}

/** umbra_next_slot() - the first page in [@gfn, @end) with a memslot, or @end */
gfn_t umbra_next_slot(struct umbra_vm *vm, gfn_t gfn, gfn_t end);

/** umbra_vm_generation() - the generation of the active set; any context */
u64 umbra_vm_generation(struct umbra_vm *vm);

/**
 * umbra_wait_for_slots() - sleep until the memslots have changed
 * @vm: the VM
 * @generation: of the set that the caller has seen
 *
 * Return: 0, or -EINTR if a signal arrived.
 */
int umbra_wait_for_slots(struct umbra_vm *vm, u64 generation);

#endif /* UMBRA_VM_H */
