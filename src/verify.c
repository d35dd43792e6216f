// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle: do the shadow table and the primary MMU agree?
 *
 * While mmu_lock is held for reading no invalidation can begin. So the primary
 * MMU can neither drop a page nor take a right away that a leaf relies on
 * unless that has been announced before, and what is not announced can be
 * compared at leisure.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "host_walk.h"
#include "invalidate.h"
#include "mmio.h"
#include "verify.h"

/* Pages of a block that are compared under one hold of mmu_lock. */
#define VERIFY_PAGES	(SZ_16M >> PAGE_SHIFT)

#define NOWHERE		(~0ULL)

struct verify {
	struct umbra_vm *vm;
	const struct umbra_memslots *slots;
	struct umbra_verify *out;
	gfn_t from;	/* where a block that has been begun goes on, or NOWHERE */
	gfn_t rest;	/* the same, for the next time */
};

/* Does the primary MMU map the page of @leaf, for all that @leaf allows? */
static bool backed(struct mm_struct *mm, unsigned long hva, umbra_leaf_t leaf)
{
	bool write = leaf & UMBRA_PTE_WRITE;
	umbra_leaf_t entry;
	struct umbra_host_run run = {
		.hva = hva, .nr = 1, .leaves = &entry, .nr_leaves = 1,
	};
	unsigned int tries;
	struct page *page;
	bool same;

	/* There is no reference on the zero page to be had. */
	if (is_zero_pfn(umbra_leaf_pfn(leaf)))
		return !write && !umbra_host_walk(mm, &run, false) &&
		       umbra_leaf_pfn(entry) == umbra_leaf_pfn(leaf);

	/* It gives up if an entry changes under its eyes, as A and D may. */
	for (tries = 0; tries < 3; tries++)
		if (get_user_pages_fast_only(hva, 1, write ? FOLL_WRITE : 0,
					     &page) == 1)
			break;
	if (tries == 3)
		return false;
	same = page_to_pfn(page) == umbra_leaf_pfn(leaf);
	put_page(page);
	return same;
}

static bool page_ok(const struct verify *v, gfn_t gfn, umbra_leaf_t leaf)
{
	const struct umbra_memslot *slot = umbra_memslots_first(v->slots, gfn,
								gfn + 1);

	if (!slot ||
	    (slot->flags & UMBRA_MEM_READONLY && leaf & UMBRA_PTE_WRITE) ||
	    !(slot->flags & UMBRA_MEM_NOEXEC) != !!(leaf & UMBRA_PTE_EXEC))
		return false;
	return backed(v->vm->mm, umbra_memslot_hva(slot, gfn), leaf);
}

static void verify_leaf(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t leaf,
			umbra_leaf_t same)
{
	gfn_t end = gfn + min_t(u64, nr, VERIFY_PAGES);
	struct verify *v = ctx;

	if (gfn != v->from)
		v->out->leaves++;
	if (nr > VERIFY_PAGES)
		v->rest = end;
	for (; gfn < end && page_ok(v, gfn, leaf); gfn++)
		leaf += PAGE_SIZE;
	if (gfn == end)
		return;
	v->rest = NOWHERE;	/* a leaf is wrong once */
	if (!v->out->mismatches++)
		v->out->first_bad = gfn << PAGE_SHIFT;
}

/* An MMIO entry that counts says that there is no memslot. */
static void verify_mmio(void *ctx, gfn_t gfn, u64 nr, u32 tag)
{
	const struct verify *v = ctx;

	if (umbra_mmio_current(v->slots, tag) &&
	    umbra_memslots_first(v->slots, gfn, gfn + nr) &&
	    !v->out->mismatches++)
		v->out->first_bad = gfn << PAGE_SHIFT;
}

static bool verify_stop(void *ctx)
{
	const struct verify *v = ctx;

	return v->rest != NOWHERE || need_resched() ||
	       rwlock_needbreak(&v->vm->mmu_lock);
}

static const struct umbra_leaf_ops verify_ops = {
	.leaf	= verify_leaf,
	.mmio	= verify_mmio,
	.stop	= verify_stop,
};

/*
 * Compare up to where an invalidation is in progress, or someone waits, or some
 * way into a large block.
 */
static void verify_some(struct verify *v, gfn_t *gfn, gfn_t end)
{
	struct umbra_vm *vm = v->vm;
	int idx = srcu_read_lock(&vm->srcu);

	v->slots = umbra_vm_slots(vm);
	v->from = v->rest;
	v->rest = NOWHERE;
	read_lock(&vm->mmu_lock);
	umbra_pgtable_visit(&vm->pgt, gfn, umbra_inv_clip(vm, *gfn, end),
			    &verify_ops, v);
	read_unlock(&vm->mmu_lock);
	srcu_read_unlock(&vm->srcu, idx);
	if (v->rest != NOWHERE)
		*gfn = v->rest;
}

int umbra_verify(struct umbra_vm *vm, gfn_t *gfn, gfn_t end,
		 struct umbra_verify *out)
{
	struct verify v = { .vm = vm, .out = out, .rest = NOWHERE };

	while (*gfn < end) {
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		if (umbra_inv_wait(vm, *gfn))
			return -EINTR;
		verify_some(&v, gfn, end);
	}
	return 0;
}
