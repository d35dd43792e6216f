// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM: one stage-2 address space bound to one mm. Its lifetime.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "vm.h"

/* Everything of a VM but its notifier. */
static struct umbra_vm *vm_alloc(const struct umbra_layout *layout)
{
	struct umbra_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;

	kref_init(&vm->ref);
	mutex_init(&vm->slots_lock);
	umbra_memslots_init(&vm->slotset[0], 0);
	umbra_memslots_init(&vm->slotset[1], 1);
	RCU_INIT_POINTER(vm->slots, &vm->slotset[0]);
	xa_init_flags(&vm->slot_by_id, XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&vm->slots_wq);
	spin_lock_init(&vm->active_lock);
	init_waitqueue_head(&vm->active_wq);
	rwlock_init(&vm->mmu_lock);
	init_waitqueue_head(&vm->inv.wq);
	spin_lock_init(&vm->zap_lock);
	mutex_init(&vm->nested_lock);
	INIT_LIST_HEAD(&vm->nested_lru);
	INIT_LIST_HEAD(&vm->nested_unflushed);
	umbra_rmap_init(&vm->rmap);
	mutex_init(&vm->vcpus_lock);
	INIT_LIST_HEAD(&vm->vcpus);
	umbra_hold_init(&vm->hold);

	vm->stats = alloc_percpu_gfp(struct umbra_stats, GFP_KERNEL_ACCOUNT);
	if (!vm->stats)
		goto free_vm;
	if (init_srcu_struct(&vm->srcu))
		goto free_stats;
	vm->pgt.layout = *layout;
	if (umbra_pgtable_init(&vm->pgt, &umbra_table_ops))
		goto free_srcu;
	return vm;

free_srcu:
	cleanup_srcu_struct(&vm->srcu);
free_stats:
	free_percpu(vm->stats);
free_vm:
	kfree(vm);
	return NULL;
}

static void vm_free(struct umbra_vm *vm)
{
	struct umbra_memslot *slot;
	unsigned int i;
	unsigned long id;

	for (i = 0; i < UMBRA_MAX_NESTED; i++)
		umbra_nested_free(vm->nested[i]);
	umbra_rmap_destroy(&vm->rmap);
	umbra_pgtable_destroy(&vm->pgt);
	xa_for_each(&vm->slot_by_id, id, slot)
		umbra_memslot_free(slot);
	xa_destroy(&vm->slot_by_id);
	cleanup_srcu_struct(&vm->srcu);
	free_percpu(vm->stats);
	kfree(vm);
}

struct umbra_vm *umbra_vm_create(const struct umbra_layout *layout,
				 unsigned int gpa_bits,
				 const struct mmu_notifier_ops *mn_ops)
{
	struct umbra_vm *vm = vm_alloc(layout);
	int ret;

	if (!vm)
		return ERR_PTR(-ENOMEM);

	vm->mm = current->mm;
	vm->gfn_limit = 1ULL << (gpa_bits - PAGE_SHIFT);
	vm->mn.ops = mn_ops;
	ret = mmu_notifier_register(&vm->mn, vm->mm);
	if (ret) {
		vm_free(vm);
		return ERR_PTR(ret);
	}
	return vm;
}

static void vm_destroy(struct kref *ref)
{
	struct umbra_vm *vm = container_of(ref, struct umbra_vm, ref);

	/*
	 * Calls release if the mm has not. An invalidation that has begun may
	 * never be seen to end now (U16); nobody is left who would wait for it.
	 */
	mmu_notifier_unregister(&vm->mn, vm->mm);
	vm_free(vm);
}

void umbra_vm_put(struct umbra_vm *vm)
{
	kref_put(&vm->ref, vm_destroy);
}

int umbra_vm_check(struct umbra_vm *vm)
{
	if (READ_ONCE(vm->dead))
		return -ESRCH;
	if (current->mm != vm->mm || READ_ONCE(vm->broken))
		return -EIO;
	return 0;
}

int umbra_vm_break(struct umbra_vm *vm, const char *what)
{
	WARN_ONCE(1, "umbra: %s\n", what);
	WRITE_ONCE(vm->broken, true);
	return -EIO;
}

gfn_t umbra_next_slot(struct umbra_vm *vm, gfn_t gfn, gfn_t end)
{
	int idx = srcu_read_lock(&vm->srcu);
	struct umbra_memslot *slot = umbra_memslots_first(umbra_vm_slots(vm),
							  gfn, end);

	if (slot)
		end = max(gfn, slot->base_gfn);
	srcu_read_unlock(&vm->srcu, idx);
	return end;
}

u64 umbra_vm_generation(struct umbra_vm *vm)
{
	int idx = srcu_read_lock(&vm->srcu);
	u64 generation = READ_ONCE(umbra_vm_slots(vm)->generation);

	srcu_read_unlock(&vm->srcu, idx);
	return generation;
}

int umbra_wait_for_slots(struct umbra_vm *vm, u64 generation)
{
	return wait_event_interruptible(vm->slots_wq,
					umbra_vm_generation(vm) != generation) ?
	       -EINTR : 0;
}
