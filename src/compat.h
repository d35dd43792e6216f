/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows kernel versions: 6.1 to 6.12.
 */
#ifndef UMBRA_COMPAT_H
#define UMBRA_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

/*
 * Fault a range of pages in without taking references. FOLL_HONOR_NUMA_FAULT
 * is what 6.1 does unasked. Waits for userfaultfd end with any signal where the
 * kernel can do that (6.2), with a fatal one elsewhere.
 */
static inline long umbra_compat_fault_in(struct mm_struct *mm,
					 unsigned long start, unsigned long nr,
					 unsigned int flags, int *locked)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return get_user_pages_remote(mm, start, nr,
				     flags | FOLL_HONOR_NUMA_FAULT |
				     (locked ? FOLL_INTERRUPTIBLE : 0),
				     NULL, locked);
#else
	return get_user_pages_remote(mm, start, nr, flags, NULL, NULL, locked);
#endif
}

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

#endif /* UMBRA_COMPAT_H */
