/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fault: memslot -> hva -> page -> retry check -> shadow table.
 */
#ifndef UMBRA_FAULT_H
#define UMBRA_FAULT_H

#include "vcpu.h"

/*
 * With the UMBRA_FAULT_* of the ABI: the fault is an access. What is installed
 * is young and, for a write, dirty where no hardware is to say so.
 */
#define UMBRA_FAULT_ACCESS	BIT(31)

/**
 * umbra_fault() - make a range of pages usable by vCPUs
 * @vm: the VM
 * @supplies: of the caller, for nobody else meanwhile
 * @gfn: first page; out: first page that is not done
 * @end: first page after the range, not above the VM's limit
 * @flags: UMBRA_FAULT_*
 *
 * Looks up to UMBRA_BATCH pages, or one block of the primary MMU, up at once
 * and installs them under one hold of mmu_lock. A block becomes a block where
 * the memslot, its alignment and its log allow it; smaller leaves that are in
 * its way are collapsed. Waits, unless UMBRA_FAULT_NOWAIT, for memory, for
 * invalidations and for changes of the memslots. The caller lives in the VM's mm
 * and is in no SRCU section: none is held while sleeping, so that a userfaultfd
 * that never answers stops nobody else.
 *
 * Return: 0 when all is done; else *@gfn says how far it came: -ENOENT (no
 * memslot), -EACCES, -EFAULT, -EHWPOISON, -ENOMEM, -ENOSPC (the dirty ring is
 * full), -EAGAIN, -EINTR, -EIO, -ESRCH.
 */
int umbra_fault(struct umbra_vm *vm, struct umbra_supplies *supplies,
		gfn_t *gfn, gfn_t end, u32 flags);

/**
 * umbra_collapse_range() - have blocks wherever there can be blocks
 * @vm: the VM
 * @gfn: first page; out: first page that is not done
 * @end: first page after the range, not above the VM's limit
 *
 * Faults once in each block of the lowest size that has smaller leaves; what is
 * not mapped at all stays so. May sleep.
 *
 * Return: as umbra_fault(); pages that cannot be faulted any more are no error.
 */
int umbra_collapse_range(struct umbra_vm *vm, gfn_t *gfn, gfn_t end);

/**
 * umbra_split_range() - have no block larger than asked for
 * @vm: the VM
 * @gfn: first page; out: first page that is not done
 * @end: first page after the range, not above the VM's limit
 * @level: the highest level that leaves may stand at
 *
 * May sleep.
 *
 * Return: 0, -ENOMEM or -EINTR.
 */
int umbra_split_range(struct umbra_vm *vm, gfn_t *gfn, gfn_t end, int level);

#endif /* UMBRA_FAULT_H */
