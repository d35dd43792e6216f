// SPDX-License-Identifier: GPL-2.0-only
/*
 * The primary MMU: reading the process's page table, and filling it.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "compat.h"
#include "host_walk.h"

struct host_walk {
	unsigned long addr;	/* next page */
	unsigned long end;
	bool write;
	umbra_leaf_t *leaf;	/* where its leaf goes */
};

/* Take the pages from @w->addr on that lie in an entry of size @span. */
static int take(struct host_walk *w, unsigned long pfn, unsigned long span,
		bool writable)
{
	unsigned long end = min(w->end, ALIGN_DOWN(w->addr, span) + span);
	umbra_leaf_t attrs = UMBRA_PTE_READ | UMBRA_PTE_EXEC |
			     (writable ? UMBRA_PTE_WRITE : 0);

	if (w->write && !writable)
		return -ENOENT;
	for (pfn += (w->addr % span) >> PAGE_SHIFT; w->addr < end;
	     w->addr += PAGE_SIZE)
		*w->leaf++ = PFN_PHYS(pfn++) | attrs;
	return 0;
}

static int walk_pte(struct host_walk *w, pmd_t pmd)
{
	unsigned long end = min(w->end, pmd_addr_end(w->addr, w->end));
	pte_t *ptep = pte_offset_kernel(&pmd, w->addr);
	int ret = 0;

	for (; w->addr < end && !ret; ptep++) {
		pte_t pte = READ_ONCE(*ptep);

		if (!pte_present(pte) || pte_protnone(pte))
			return -ENOENT;
		if ((pte_special(pte) && !is_zero_pfn(pte_pfn(pte))) ||
		    pte_devmap(pte))
			return -EFAULT;
		ret = take(w, pte_pfn(pte), PAGE_SIZE, pte_write(pte));
	}
	return ret;
}

static int walk_pmd(struct host_walk *w, pud_t pud)
{
	pmd_t pmd = READ_ONCE(*pmd_offset_lockless(&pud, pud, w->addr));

	if (!pmd_present(pmd))
		return -ENOENT;
	if (pmd_leaf(pmd)) {
		if (pmd_protnone(pmd))
			return -ENOENT;
		if (pmd_special(pmd) || pmd_devmap(pmd))
			return -EFAULT;
		return take(w, pmd_pfn(pmd), PMD_SIZE, pmd_write(pmd));
	}
	return walk_pte(w, pmd);
}

static int walk_pud(struct host_walk *w, p4d_t p4d)
{
	pud_t pud = READ_ONCE(*pud_offset_lockless(&p4d, p4d, w->addr));

	if (!pud_present(pud))
		return -ENOENT;
	if (pud_leaf(pud)) {
		if (pud_special(pud) || pud_devmap(pud))
			return -EFAULT;
		return take(w, pud_pfn(pud), PUD_SIZE, pud_write(pud));
	}
	return walk_pmd(w, pud);
}

/* Take the pages of one entry, or of one table of the lowest level. */
static int walk_pgd(struct host_walk *w, struct mm_struct *mm)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, w->addr));
	p4d_t p4d;

	if (pgd_none(pgd) || pgd_bad(pgd))
		return -ENOENT;
	p4d = READ_ONCE(*p4d_offset_lockless(&pgd, pgd, w->addr));
	if (p4d_none(p4d) || p4d_bad(p4d))
		return -ENOENT;
	return walk_pud(w, p4d);
}

int umbra_host_walk(struct mm_struct *mm, unsigned long hva, unsigned int nr,
		    bool write, umbra_leaf_t *leaves)
{
	struct host_walk w = {
		.addr = hva, .end = hva + ((unsigned long)nr << PAGE_SHIFT),
		.write = write, .leaf = leaves,
	};
	unsigned long flags;
	int ret = 0;

	local_irq_save(flags);
	while (w.addr < w.end && !ret)
		ret = walk_pgd(&w, mm);
	local_irq_restore(flags);
	return w.leaf > leaves ? w.leaf - leaves : ret;
}

/* Tell a mapping that forbids the access from one that is not there. */
static int why_bad(struct mm_struct *mm, unsigned long hva, bool write)
{
	struct vm_area_struct *vma;
	int ret = -EFAULT;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, hva);
	if (vma && !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		ret = -EACCES;
	mmap_read_unlock(mm);
	return ret;
}

int umbra_host_fault_in(struct mm_struct *mm, unsigned long hva,
			unsigned int nr, bool write, bool nowait)
{
	unsigned int flags = FOLL_HWPOISON | (write ? FOLL_WRITE : 0);
	int locked = 1;
	long ret;

	if (nowait) {
		if (!mmap_read_trylock(mm))
			return -EAGAIN;
		ret = umbra_compat_fault_in(mm, hva, 1, flags | FOLL_NOWAIT,
					    NULL);
		if (!ret)
			ret = -EAGAIN;
	} else {
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		ret = umbra_compat_fault_in(mm, hva, nr, flags, &locked);
	}
	if (locked)
		mmap_read_unlock(mm);
	if (ret == -EFAULT)
		return why_bad(mm, hva, write);
	return ret < 0 ? ret : 0;
}
