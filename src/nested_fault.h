/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A nested fault: guest's table -> stage 2 -> the least of both -> shadow.
 */
#ifndef UMBRA_NESTED_FAULT_H
#define UMBRA_NESTED_FAULT_H

#include "vcpu.h"

/**
 * umbra_nested_fault() - make a nested page usable by vCPUs
 * @vcpu: the vCPU; its lock is held
 * @n: the context, entered
 * @gfn: the nested page, below the context's limit; out: the first page after
 *	the leaf that was made or found
 * @access: UMBRA_PTE_READ, _WRITE or _EXEC
 * @nowait: do not sleep for memory or invalidations
 * @mem: how to reach the memory that the guest's table lies in
 * @ctx: for @mem
 * @w: out: what the guest's table said
 *
 * It is an access: A and D are set in the guest's table, in stage 2 and in the
 * shadow, in this order. The caller lives in the VM's mm and is in no SRCU
 * section. Sleeps.
 *
 * Return: 0; -EACCES with @w->fault if the guest's table is at fault; else an
 * error of umbra_fault(), for the page that the guest's table names if @w->fault
 * is 0 and @w->pte is not.
 */
int umbra_nested_fault(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       gfn_t *gfn, u32 access, bool nowait,
		       const struct umbra_guest_mem *mem, void *ctx,
		       struct umbra_guest_walk *w);

#endif /* UMBRA_NESTED_FAULT_H */
