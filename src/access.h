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
 * @op: the operation: UMBRA_OP_LOAD, _FETCH, _STORE or _CMPXCHG, of 1, 2, 4 or
 *	8 bytes, aligned to its length and below the VM's limit. @value is
 *	updated
 * @flags: UMBRA_ACCESS_*
 *
 * Sleeps if it has to fault.
 *
 * Return: 0; -ENXIO if there is no memslot: the access is for an emulator; or
 * another error of umbra_fault().
 */
int umbra_access_atomic(struct umbra_vcpu *vcpu, struct umbra_access_op *op,
			u32 flags);

/**
 * umbra_access_copy() - copy between @vcpu->bounce and guest memory
 * @vcpu: the vCPU; its lock is held
 * @gpa: guest physical address, below the VM's limit
 * @len: bytes; does not cross a page
 * @write: to guest memory; else from it
 * @flags: UMBRA_ACCESS_*
 *
 * Sleeps if it has to fault.
 *
 * Return: 0; -ENXIO if there is no memslot: the access is for an emulator; or
 * another error of umbra_fault().
 */
int umbra_access_copy(struct umbra_vcpu *vcpu, gpa_t gpa, unsigned int len,
		      bool write, u32 flags);

#endif /* UMBRA_ACCESS_H */
