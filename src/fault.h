/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fault: memslot -> hva -> page -> retry check -> shadow table.
 */
#ifndef UMBRA_FAULT_H
#define UMBRA_FAULT_H

#include "vcpu.h"

/**
 * umbra_fault() - make a range of pages usable by vCPUs
 * @vcpu: who asks; its lock is held
 * @gfn: first page; out: first page that is not done
 * @end: first page after the range, not above the VM's limit
 * @flags: UMBRA_FAULT_*
 *
 * Looks up to UMBRA_BATCH pages up at once and installs them under one hold of
 * mmu_lock. Waits, unless UMBRA_FAULT_NOWAIT, for memory, for invalidations
 * and for changes of the memslots. The caller lives in the VM's mm and is in no
 * SRCU section: none is held while sleeping, so that a userfaultfd that never
 * answers stops nobody else.
 *
 * Return: 0 when all is done; else *@gfn says how far it came: -ENOENT (no
 * memslot), -EACCES, -EFAULT, -EHWPOISON, -ENOMEM, -EAGAIN, -EINTR, -EIO,
 * -ESRCH.
 */
int umbra_fault(struct umbra_vcpu *vcpu, gfn_t *gfn, gfn_t end, u32 flags);

#endif /* UMBRA_FAULT_H */
