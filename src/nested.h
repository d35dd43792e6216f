/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A nested context: the shadow of one table of a guest.
 *
 * It collapses two dimensions: the guest's table translates a nested address to
 * a guest physical one, stage 2 translates that to memory. The shadow is a table
 * in the format of the VM, from nested addresses straight to memory.
 */
#ifndef UMBRA_NESTED_H
#define UMBRA_NESTED_H

#include "guest_walk.h"
#include "pgtable.h"
#include "tlb.h"

/* Contexts that a VM can have. */
#define UMBRA_MAX_NESTED	64

/**
 * struct umbra_nested - a nested context
 * @id: the number that user space and TLBs know it by; its place among those of
 *	the VM is the remainder by UMBRA_MAX_NESTED. Never 0
 * @vmid: the number that the guest's TLB invalidations know it by
 * @flags: UMBRA_NESTED_*, as created
 * @gfn_limit: first nested page that there cannot be
 * @guest: the guest's table
 * @pgt: the shadow. A and D are tracked by faults, whoever sets them in stage 2:
 *	a leaf is of use only as far as both dimensions have them, and has to be
 *	filled anew where they do not
 * @blocks: marks for the leaves of the guest's table that took several leaves
 *	of @pgt: first page | level
 *
 * @seq: grows with every change of @pgt that a guest's invalidation demands.
 *	Written under the write side of mmu_lock
 * @zapping: such changes under way. Likewise
 *
 * @gather: what has to be flushed. zap_lock
 * @unflushed: on &struct umbra_vm.nested_unflushed if there is any. Likewise
 *
 * @users: vCPUs inside. nested_lock
 * @lru: in &struct umbra_vm.nested_lru. Likewise
 */
struct umbra_nested {
	u32 id;
	u32 vmid;
	u32 flags;
	gfn_t gfn_limit;
	struct umbra_guest_table guest;
	struct umbra_pgtable pgt;
	struct xarray blocks;

	u64 seq;
	unsigned int zapping;

	struct umbra_gather gather;
	struct list_head unflushed;

	unsigned int users;
	struct list_head lru;
};

/**
 * umbra_nested_alloc() - make a context that nobody knows yet
 * @guest: the guest's table
 * @addr_bits: size of a nested address
 * @fmt: format of the VM
 *
 * May sleep.
 *
 * Return: the context; NULL if there is no memory.
 */
struct umbra_nested *umbra_nested_alloc(const struct umbra_guest_table *guest,
					unsigned int addr_bits,
					const struct umbra_fmt *fmt);

/** umbra_nested_free() - free a context that nobody knows any more, or NULL */
void umbra_nested_free(struct umbra_nested *n);

#endif /* UMBRA_NESTED_H */
