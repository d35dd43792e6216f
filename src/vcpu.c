// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU: an agent that translates. And the one flush that reaches all TLBs.
 */
#include <linux/rculist.h>
#include <linux/slab.h>

#include "vcpu.h"

static_assert(UMBRA_BATCH * sizeof(umbra_leaf_t) <= PAGE_SIZE);

int umbra_supplies_init(struct umbra_supplies *s)
{
	umbra_memcache_init(&s->mc, &umbra_table_ops);
	s->leaves = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	return s->leaves ? 0 : -ENOMEM;
}

void umbra_supplies_destroy(struct umbra_supplies *s)
{
	umbra_memcache_destroy(&s->mc);
	free_page((unsigned long)s->leaves);
}

static void vcpu_free(struct umbra_vcpu *vcpu)
{
	umbra_supplies_destroy(&vcpu->supplies);
	free_page((unsigned long)vcpu->bounce);
	umbra_ring_destroy(&vcpu->ring);
	kfree(vcpu);
}

static struct umbra_vcpu *vcpu_alloc(struct umbra_vm *vm, u32 ring_size)
{
	struct umbra_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);

	if (!vcpu)
		return NULL;
	mutex_init(&vcpu->lock);
	umbra_tlb_init(&vcpu->tlb);
	vcpu->mmio.gfn = UMBRA_NO_GFN;
	vcpu->bounce = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (umbra_supplies_init(&vcpu->supplies) || !vcpu->bounce ||
	    umbra_ring_init(&vcpu->ring, ring_size) ||
	    umbra_fail(&vm->hold, UMBRA_POINT_ALLOC)) {
		vcpu_free(vcpu);
		return NULL;
	}
	if (ring_size)
		vcpu->supplies.ring = &vcpu->ring;
	return vcpu;
}

struct umbra_vcpu *umbra_vcpu_create(struct umbra_vm *vm, u32 ring_size)
{
	struct umbra_vcpu *vcpu = vcpu_alloc(vm, ring_size);

	if (!vcpu)
		return ERR_PTR(-ENOMEM);

	mutex_lock(&vm->vcpus_lock);
	if (vm->nr_vcpus == UMBRA_MAX_VCPUS) {
		mutex_unlock(&vm->vcpus_lock);
		vcpu_free(vcpu);
		return ERR_PTR(-ENOSPC);
	}
	WRITE_ONCE(vm->nr_vcpus, vm->nr_vcpus + 1);
	umbra_vm_get(vm);
	vcpu->vm = vm;
	list_add_rcu(&vcpu->node, &vm->vcpus);
	mutex_unlock(&vm->vcpus_lock);

	/*
	 * On the list before the first walk of the table, so that whoever
	 * changes the table sees the vCPU or the vCPU sees the change. Pairs
	 * with the barrier in umbra_flush().
	 */
	smp_mb();
	return vcpu;
}

static void vcpu_free_rcu(struct rcu_head *rcu)
{
	vcpu_free(container_of(rcu, struct umbra_vcpu, rcu));
}

void umbra_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	struct umbra_vm *vm = vcpu->vm;

	mutex_lock(&vm->vcpus_lock);
	list_del_rcu(&vcpu->node);
	WRITE_ONCE(vm->nr_vcpus, vm->nr_vcpus - 1);
	mutex_unlock(&vm->vcpus_lock);

	call_rcu(&vcpu->rcu, vcpu_free_rcu);
	umbra_vm_put(vm);
}

void umbra_flush(struct umbra_vm *vm, struct umbra_gather *gather)
{
	struct umbra_vcpu *vcpu;

	if (gather->start < gather->end) {
		umbra_hold(&vm->hold, UMBRA_POINT_FLUSH_BEGIN, false);
		smp_mb();	/* pairs with umbra_vcpu_create() */
		rcu_read_lock();
		list_for_each_entry_rcu(vcpu, &vm->vcpus, node) {
			umbra_tlb_flush(&vcpu->tlb, gather->tag, gather->start,
					gather->end, gather->levels);
			umbra_hold(&vm->hold, UMBRA_POINT_FLUSH_TLB, false);
		}
		rcu_read_unlock();
		umbra_stat_inc(vm, flushes);
	}
	umbra_gather_free(gather, vm->pgt.ops);
}
