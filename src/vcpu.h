/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU: an agent that translates. And the one flush that reaches all TLBs.
 */
#ifndef UMBRA_VCPU_H
#define UMBRA_VCPU_H

#include "dirty_ring.h"
#include "vm.h"

/* Pages that one look-up and one hold of mmu_lock deal with. */
#define UMBRA_BATCH	512

/**
 * struct umbra_supplies - what a fault needs before it takes a lock
 * @mc: table pages
 * @leaves: room for UMBRA_BATCH leaves
 * @ring: takes the pages that the fault makes writable, or NULL
 */
struct umbra_supplies {
	struct umbra_memcache mc;
	umbra_leaf_t *leaves;
	struct umbra_ring *ring;
};

/**
 * umbra_supplies_init() - get room for faults
 * @s: the supplies
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_supplies_init(struct umbra_supplies *s);

/** umbra_supplies_destroy() - the opposite, also of one that is all zero */
void umbra_supplies_destroy(struct umbra_supplies *s);

/**
 * struct umbra_mmio_cache - the page without a memslot that was met last
 * @gfn: the page, or UMBRA_NO_GFN
 * @generation: of the memslots then
 */
struct umbra_mmio_cache {
	gfn_t gfn;
	u64 generation;
};

#define UMBRA_NO_GFN	(~0ULL)

/**
 * struct umbra_guest_fault - why a nested fault has failed
 * @kind: UMBRA_NESTED_*: the guest's table refuses; 0: stage 2 does
 * @level: of the entry that refuses
 * @entry: guest physical address of that entry
 * @gfn: if it is stage 2 that fails: the page that the guest's table led to
 */
struct umbra_guest_fault {
	u32 kind;
	u32 level;
	gpa_t entry;
	gfn_t gfn;
};

/**
 * struct umbra_vcpu - a vCPU
 * @vm: its VM, on which it holds a reference
 * @node: in @vm->vcpus
 * @lock: serialises operations; guards @supplies, @bounce, @mmio and
 *	@guest_fault, and pushing to @ring. Resets of the ring are under slots_lock
 * @supplies: for its faults
 * @guest_fault: of the last nested fault
 * @bounce: a page through which bulk accesses are copied
 * @mmio: what it knows of gfns without a memslot (mmio.h)
 * @ring: its dirty ring, if it has one
 * @tlb: its TLB, with a lock of its own
 * @rcu: umbra_flush() may be at @tlb a while after the vCPU has gone
 */
struct umbra_vcpu {
	struct umbra_vm *vm;
	struct list_head node;
	struct mutex lock; /* one operation at a time */
	struct umbra_supplies supplies;
	struct umbra_guest_fault guest_fault;
	void *bounce;
	struct umbra_mmio_cache mmio;
	struct umbra_ring ring;
	struct umbra_tlb tlb;
	struct rcu_head rcu;
};

/**
 * umbra_vcpu_create() - make a vCPU
 * @vm: its VM
 * @ring_size: entries of its dirty ring, a power of two; 0: no ring
 *
 * May sleep.
 *
 * Return: the vCPU, or an ERR_PTR: -ENOMEM, -ENOSPC.
 */
struct umbra_vcpu *umbra_vcpu_create(struct umbra_vm *vm, u32 ring_size);

/**
 * umbra_vcpu_destroy() - the opposite
 * @vcpu: the vCPU; nobody operates on it
 *
 * May sleep, and may destroy the VM.
 */
void umbra_vcpu_destroy(struct umbra_vcpu *vcpu);

/**
 * umbra_flush() - settle what a change of the table owes
 * @vm: the VM
 * @gather: from the change; empty afterwards
 *
 * When it returns no vCPU uses a translation of the range from before the
 * change, and the tables are on their way to be freed. Does not sleep.
 */
void umbra_flush(struct umbra_vm *vm, struct umbra_gather *gather);

#endif /* UMBRA_VCPU_H */
