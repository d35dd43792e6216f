/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads, stores and atomics as the hardware behind a vCPU would perform them.
 */
#ifndef UMBRA_ACCESS_H
#define UMBRA_ACCESS_H

#include "vcpu.h"

/**
 * umbra_access_atomic() - perform a load, fetch, store or cmpxchg
 * @vcpu: the vCPU; its lock is held
 * @n: the nested context that addresses belong to, entered; NULL: stage 2
 * @op: the operation: UMBRA_OP_LOAD, _FETCH, _STORE or _CMPXCHG, of 1, 2, 4 or
 *	8 bytes, aligned to its length and below the VM's limit. @value is
 *	updated
 * @flags: UMBRA_ACCESS_*
 *
 * Sleeps if it has to fault.
 *
 * Return: 0; -ENXIO if there is no memslot: the access is for an emulator; or
 * another error of umbra_fault() or umbra_access_fault().
 */
int umbra_access_atomic(struct umbra_vcpu *vcpu, struct umbra_nested *n,
			struct umbra_access_op *op, u32 flags);

/**
 * umbra_access_copy() - copy between @vcpu->bounce and guest memory
 * @vcpu: the vCPU; its lock is held
 * @n: as above
 * @gpa: guest physical address, below the VM's limit
 * @len: bytes; does not cross a page
 * @write: to guest memory; else from it
 * @flags: UMBRA_ACCESS_*
 *
 * Sleeps if it has to fault.
 *
 * Return: as umbra_access_atomic().
 */
int umbra_access_copy(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		      gpa_t gpa, unsigned int len, bool write, u32 flags);

/**
 * umbra_access_fault() - make a range of nested pages usable
 * @vcpu: the vCPU; its lock is held
 * @n: the nested context, entered
 * @gfn: first nested page; out: first page that is not done
 * @end: first page after the range, not above the context's limit
 * @flags: UMBRA_FAULT_*
 *
 * As accesses would, which is what A and D make of it. Sleeps.
 *
 * Return: 0; -EACCES if the guest's table refuses; or an error of umbra_fault().
 * @vcpu->guest_fault tells which, and more.
 */
int umbra_access_fault(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       gfn_t *gfn, gfn_t end, u32 flags);

#endif /* UMBRA_ACCESS_H */
