// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VM takes of the kernel's memory. Counted when asked for, so that nobody
 * else has to.
 */
#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/rculist.h>
#include <linux/umbra.h>

#include "footprint.h"
#include "vcpu.h"

static u64 slots_bytes(struct umbra_vm *vm)
{
	int idx = srcu_read_lock(&vm->srcu);
	struct umbra_memslots *slots = umbra_vm_slots(vm);
	struct umbra_memslot *slot;
	u64 log, bytes = 0;

	for (slot = umbra_memslots_first(slots, 0, vm->gfn_limit); slot;
	     slot = umbra_memslots_next(slots, slot, vm->gfn_limit)) {
		log = BITS_TO_LONGS(slot->nr_pages) * sizeof(long);
		bytes += sizeof(*slot) + hweight32(slot->log_readers) * log;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return bytes;
}

static u64 vcpus_bytes(struct umbra_vm *vm)
{
	struct umbra_vcpu *vcpu;
	u64 pages, bytes = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(vcpu, &vm->vcpus, node) {
		/* The bounce page and that of leaves. */
		pages = 2 + READ_ONCE(vcpu->supplies.mc.nr);
		bytes += sizeof(*vcpu) + PFN_PHYS(pages) +
			 vcpu->ring.size * sizeof(struct umbra_dirty_gfn);
	}
	rcu_read_unlock();
	return bytes;
}

u64 umbra_footprint(struct umbra_vm *vm)
{
	return sizeof(*vm) + num_possible_cpus() * sizeof(*vm->stats) +
	       slots_bytes(vm) + vcpus_bytes(vm);
}
