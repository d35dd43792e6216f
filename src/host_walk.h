/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The primary MMU: reading the process's page table, and filling it.
 */
#ifndef UMBRA_HOST_WALK_H
#define UMBRA_HOST_WALK_H

#include "types.h"

/**
 * struct umbra_host_run - neighbouring pages of the primary page table
 * @hva: in: the address of the first one
 * @nr: in: pages wanted, not 0; out: pages found
 * @nr_leaves: in: how many fit into @leaves
 * @leaves: out: page, and UMBRA_PTE_READ, _EXEC and, where the host mapping is
 *	writable, _WRITE. Of a block only for its first page that is wanted
 * @level: out: level of the entry that maps the first page. If it is not 0,
 *	all that was found is the rest of that block
 */
struct umbra_host_run {
	unsigned long hva;
	u64 nr;
	unsigned int nr_leaves;
	umbra_leaf_t *leaves;
	int level;
};

/**
 * umbra_host_walk() - read neighbouring entries of the primary page table
 * @mm: the address space; the caller holds mm_users
 * @run: which, and what was found
 * @write: stop at what is not writable
 *
 * Takes no lock and no reference, and sets no accessed bit: interrupts are off,
 * which keeps the tables from being freed, and every entry is read once. So
 * what it finds is true only under the retry protocol (U1, U5).
 *
 * Return: 0 if at least one page was found; else -ENOENT when
 * umbra_host_fault_in() may help and -EFAULT when it cannot: the address maps
 * something that is not memory.
 */
int umbra_host_walk(struct mm_struct *mm, struct umbra_host_run *run,
		    bool write);

/**
 * umbra_host_fault_in() - have the primary MMU map a range of current->mm
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
int umbra_host_fault_in(unsigned long hva, unsigned int nr, bool write,
			bool nowait);

#endif /* UMBRA_HOST_WALK_H */
