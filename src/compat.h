/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows kernel versions: 6.1 and 6.12.
 */
#ifndef UMBRA_COMPAT_H
#define UMBRA_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

/*
 * Flags for get_user_pages() if the page is wanted for what the CPU would do
 * with it: to honour hinting faults of NUMA balancing, which 6.1 does unasked,
 * and to end a wait for userfaultfd with any signal, which it cannot.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define UMBRA_FOLL_FAULT	(FOLL_HONOR_NUMA_FAULT | FOLL_INTERRUPTIBLE)
#else
#define UMBRA_FOLL_FAULT	0
#endif

/* Make one page present without giving mmap_lock up. */
static inline long umbra_compat_fault_in_locked(unsigned long addr,
						unsigned int flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages(addr, 1, flags, NULL);
#else
	return get_user_pages(addr, 1, flags, NULL, NULL);
#endif
}

/*
 * Until 6.10 the primary MMU tells what a page is replaced by. All who do so do
 * it between start and end of an invalidation of that one page.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define UMBRA_HAS_CHANGE_PTE	1
#else
#define UMBRA_HAS_CHANGE_PTE	0
#endif

/* Huge mappings of what is not memory exist since 6.12, and are marked. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline bool pmd_special(pmd_t pmd)
{
	return false;
}

static inline bool pud_special(pud_t pud)
{
	return false;
}
#endif

/* RISC-V folds levels at run time and does not export what copes with that. */
#ifdef CONFIG_RISCV
static inline p4d_t *umbra_p4d_offset(pgd_t *pgd, unsigned long addr)
{
	return pgtable_l5_enabled ? pgd_pgtable(*pgd) + p4d_index(addr) :
				    (p4d_t *)pgd;
}

static inline pud_t *umbra_pud_offset(p4d_t *p4d, unsigned long addr)
{
	return pgtable_l4_enabled ? p4d_pgtable(*p4d) + pud_index(addr) :
				    (pud_t *)p4d;
}
#else
#define umbra_p4d_offset	p4d_offset
#define umbra_pud_offset	pud_offset
#endif

/*
 * Does an entry that is present let the process read? pte_access_permitted()
 * and its like say so, but those of RISC-V know PROT_NONE, and what can only be
 * executed, as readable.
 */
static inline bool umbra_compat_readable(u64 entry)
{
#ifdef CONFIG_RISCV
	u64 need = _PAGE_PRESENT | _PAGE_READ;

	return (entry & need) == need;
#else
	return true;
#endif
}

#endif /* UMBRA_COMPAT_H */
