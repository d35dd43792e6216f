// SPDX-License-Identifier: GPL-2.0-only
/*
 * The primary MMU: reading the process's page table, and filling it.
 */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "compat.h"
#include "fmt.h"
#include "host_walk.h"

/* The host has the levels that leaves of a shadow table have. */
static_assert(PMD_SHIFT == PAGE_SHIFT + UMBRA_TABLE_BITS &&
	      PUD_SHIFT == PMD_SHIFT + UMBRA_TABLE_BITS);

struct host_walk {
	struct umbra_host_run *run;
	unsigned long addr;	/* next page */
	unsigned long end;
	unsigned int nr;	/* leaves found */
	bool write;
};

/* What an entry of the primary page table that can be read allows. */
static umbra_leaf_t host_attrs(bool writable)
{
	return UMBRA_PTE_READ | UMBRA_PTE_EXEC |
	       (writable ? UMBRA_PTE_WRITE : 0);
}

/*
 * memfd_secret() takes its pages out of the linear map, and they are not for
 * get_user_pages() either. Its files are told by their file system, which its
 * address space leads to; with interrupts off RCU keeps both.
 */
static bool is_secret(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	struct address_space *mapping = READ_ONCE(page->mapping);

	if (!mapping || (unsigned long)mapping & PAGE_MAPPING_FLAGS ||
	    PageCompound(page))
		return false;
	return mapping->host && mapping->host->i_sb->s_magic == SECRETMEM_MAGIC;
}

/* The bits of an entry that are the number of its page. */
static u64 pfn_bits(void)
{
	return pte_val(pfn_pte(PHYS_PFN(BIT_ULL(MAX_PHYSMEM_BITS) - 1),
			       __pgprot(0)));
}

/* What entries that differ in nothing but the page have in common. */
struct kind {
	u64 bits;
	umbra_leaf_t attrs;
	bool special;
};

/* Returns 0, or an error of umbra_host_walk(). */
static int find_kind(struct kind *kind, pte_t pte, u64 bits, bool write)
{
	if (!umbra_compat_readable(pte_val(pte)) ||
	    !pte_access_permitted(pte, write))
		return -ENOENT;
	if (pte_devmap(pte))
		return -EFAULT;
	kind->bits = bits;
	kind->attrs = host_attrs(write || pte_access_permitted(pte, true));
	kind->special = pte_special(pte);
	return 0;
}

/* Returns 1 when there is nothing more to read, or an error. */
static int walk_pte(struct host_walk *w, pmd_t pmd)
{
	unsigned long pfn, end = min(w->end, pmd_addr_end(w->addr, w->end));
	pte_t *ptep = pte_offset_kernel(&pmd, w->addr);
	umbra_leaf_t *leaves = w->run->leaves;
	u64 bits, mask = ~pfn_bits();
	struct kind kind = {};
	int ret;

	for (; w->addr < end; w->addr += PAGE_SIZE, ptep++) {
		pte_t pte = READ_ONCE(*ptep);

		bits = pte_val(pte) & mask;
		if (bits != kind.bits || !bits) {
			ret = find_kind(&kind, pte, bits, w->write);
			if (ret)
				return ret;
		}
		pfn = pte_pfn(pte);
		if (kind.special ? !is_zero_pfn(pfn) : is_secret(pfn))
			return -EFAULT;
		if (w->nr == w->run->nr_leaves)
			return 1;
		leaves[w->nr++] = PFN_PHYS(pfn) | kind.attrs;
	}
	return 0;
}

/* An entry of @level maps the page: a run of its own. */
static int walk_block(struct host_walk *w, unsigned long pfn, int level,
		      bool writable)
{
	unsigned long span = umbra_level_span(level) << PAGE_SHIFT;

	if (w->nr)
		return 1;
	pfn += PHYS_PFN(w->addr % span);
	w->run->leaves[w->nr++] = PFN_PHYS(pfn) | host_attrs(writable);
	w->run->level = level;
	w->addr = min(w->end, ALIGN_DOWN(w->addr, span) + span);
	return 1;
}

static int walk_pmd(struct host_walk *w, pud_t pud)
{
	pmd_t pmd = READ_ONCE(*pmd_offset(&pud, w->addr));

	if (!pmd_present(pmd))
		return -ENOENT;
	if (!pmd_leaf(pmd))
		return walk_pte(w, pmd);
	if (!umbra_compat_readable(pmd_val(pmd)) ||
	    !pmd_access_permitted(pmd, w->write))
		return -ENOENT;
	if (pmd_special(pmd) || pmd_devmap(pmd))
		return -EFAULT;
	return walk_block(w, pmd_pfn(pmd), 1, pmd_access_permitted(pmd, true));
}

static int walk_pud(struct host_walk *w, p4d_t p4d)
{
	pud_t pud = READ_ONCE(*umbra_pud_offset(&p4d, w->addr));

	if (!pud_present(pud))
		return -ENOENT;
	if (!pud_leaf(pud))
		return walk_pmd(w, pud);
	if (!umbra_compat_readable(pud_val(pud)) ||
	    !pud_access_permitted(pud, w->write))
		return -ENOENT;
	if (pud_special(pud) || pud_devmap(pud))
		return -EFAULT;
	return walk_block(w, pud_pfn(pud), 2, pud_access_permitted(pud, true));
}

/* Read a block, or a table of the lowest level. */
static int walk_pgd(struct host_walk *w, struct mm_struct *mm)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, w->addr));
	p4d_t p4d;

	if (pgd_none(pgd) || pgd_bad(pgd))
		return -ENOENT;
	p4d = READ_ONCE(*umbra_p4d_offset(&pgd, w->addr));
	if (p4d_none(p4d) || p4d_bad(p4d))
		return -ENOENT;
	return walk_pud(w, p4d);
}

int umbra_host_walk(struct mm_struct *mm, struct umbra_host_run *run,
		    bool write)
{
	struct host_walk w = {
		.run = run, .addr = run->hva,
		.end = run->hva + (run->nr << PAGE_SHIFT), .write = write,
	};
	unsigned long flags;
	int ret = 0;

	run->level = 0;
	local_irq_save(flags);
	while (w.addr < w.end && !ret)
		ret = walk_pgd(&w, mm);
	local_irq_restore(flags);
	run->nr = PHYS_PFN(w.addr - run->hva);
	return run->nr ? 0 : ret;
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

int umbra_host_fault_in(unsigned long hva, unsigned int nr, bool write,
			bool nowait)
{
	struct mm_struct *mm = current->mm;
	unsigned int flags = FOLL_HWPOISON | (write ? FOLL_WRITE : 0) |
			     UMBRA_FOLL_FAULT;
	long ret;

	if (nowait) {
		if (!mmap_read_trylock(mm))
			return -EAGAIN;
		ret = umbra_compat_fault_in_locked(hva, flags | FOLL_NOWAIT);
		mmap_read_unlock(mm);
		if (!ret)
			return -EAGAIN;
	} else {
		ret = get_user_pages_unlocked(hva, nr, NULL, flags);
	}
	if (ret == -EFAULT)
		return why_bad(mm, hva, write);
	return ret < 0 ? ret : 0;
}
