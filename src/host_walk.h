/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The primary MMU: reading the process's page table, and filling it.
 */
#ifndef UMBRA_HOST_WALK_H
#define UMBRA_HOST_WALK_H

#include "types.h"

/**
 * umbra_host_walk() - read neighbouring entries of the primary page table
 * @mm: the address space; the caller holds mm_users
 * @hva: first address, a multiple of the page size
 * @nr: pages wanted, not 0
 * @write: stop at what is not writable
 * @leaves: out: page, and UMBRA_PTE_READ, _EXEC and, where the host mapping is
 *	writable, _WRITE
 *
 * Takes no lock and no reference, and sets no accessed bit: interrupts are off,
 * which keeps the tables from being freed, and every entry is read once. So
 * what it finds is true only under the retry protocol (U1, U5).
 *
 * Return: how many pages from @hva on were found, or, if it is none, -ENOENT
 * when umbra_host_fault_in() may help and -EFAULT when it cannot: the address
 * maps something that is not memory.
 */
int umbra_host_walk(struct mm_struct *mm, unsigned long hva, unsigned int nr,
		    bool write, umbra_leaf_t *leaves);

/**
 * umbra_host_fault_in() - have the primary MMU map a range
 * @mm: the address space; the caller holds mm_users
 * @hva: first address
 * @nr: pages
 * @write: for writing
 * @nowait: do not sleep for memory
 *
 * May sleep, may invalidate; the caller is in no SRCU section.
 *
 * Return: 0 if at least the first page was mapped; -EACCES if the process's
 * mapping forbids the access, -EFAULT if there is none or it has no memory,
 * -EHWPOISON, -ENOMEM, -EAGAIN with @nowait, -EINTR.
 */
int umbra_host_fault_in(struct mm_struct *mm, unsigned long hva,
			unsigned int nr, bool write, bool nowait);

#endif /* UMBRA_HOST_WALK_H */
