// SPDX-License-Identifier: GPL-2.0-only
/*
 * The retry protocol, and taking translations away.
 */
#include <linux/bitmap.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/swap.h>

#include "dirty_log.h"
#include "idle.h"
#include "invalidate.h"
#include "nested_update.h"

static bool overlap(const struct umbra_range *r, gfn_t start, gfn_t end)
{
	return r->start < end && start < r->end;
}

void umbra_inv_begin(struct umbra_vm *vm, gfn_t start, gfn_t end)
{
	struct umbra_invalidation *inv = &vm->inv;

	write_lock(&vm->mmu_lock);
	if (!inv->in_progress) {
		WRITE_ONCE(inv->range.start, start);
		WRITE_ONCE(inv->range.end, end);
	} else {
		/*
		 * Never narrowed while any is in progress: what ended cannot
		 * be told from what has not (U2).
		 */
		WRITE_ONCE(inv->range.start, min(inv->range.start, start));
		WRITE_ONCE(inv->range.end, max(inv->range.end, end));
	}
	inv->mixed = inv->in_progress;
	WRITE_ONCE(inv->removed, 0);
	WRITE_ONCE(inv->in_progress, inv->in_progress + 1);
	write_unlock(&vm->mmu_lock);
}

void umbra_inv_end(struct umbra_vm *vm, gfn_t start, gfn_t end)
{
	struct umbra_invalidation *inv = &vm->inv;

	write_lock(&vm->mmu_lock);
	inv->history[inv->seq % UMBRA_INV_HISTORY] =
		(struct umbra_range){ start, end };
	/*
	 * What the primary MMU has written is visible to whoever reads the new
	 * number. Pairs with umbra_inv_sample().
	 */
	smp_store_release(&inv->seq, inv->seq + 1);
	/*
	 * The new number is visible to whoever sees that this one is no longer
	 * in progress. Pairs with umbra_inv_clip().
	 */
	smp_store_release(&inv->in_progress, inv->in_progress - 1);
	write_unlock(&vm->mmu_lock);

	if (wq_has_sleeper(&inv->wq))
		wake_up_all(&inv->wq);
}

bool umbra_inv_only(struct umbra_vm *vm, gfn_t gfn)
{
	const struct umbra_invalidation *inv = &vm->inv;

	lockdep_assert_held(&vm->mmu_lock);

	return inv->in_progress == 1 && !inv->mixed &&
	       inv->range.start == gfn && inv->range.end == gfn + 1;
}

gfn_t umbra_inv_clip(struct umbra_vm *vm, gfn_t start, gfn_t end)
{
	struct umbra_invalidation *inv = &vm->inv;
	struct umbra_range range;

	/* Pairs with the second release in umbra_inv_end(). */
	if (!smp_load_acquire(&inv->in_progress))
		return end;
	range.start = READ_ONCE(inv->range.start);
	range.end = READ_ONCE(inv->range.end);
	return overlap(&range, start, end) ? max(start, range.start) : end;
}

bool umbra_inv_retry(struct umbra_vm *vm, u64 seq, gfn_t start, gfn_t end)
{
	struct umbra_invalidation *inv = &vm->inv;

	lockdep_assert_held(&vm->mmu_lock);

	if (inv->in_progress && overlap(&inv->range, start, end))
		return true;
	if (inv->seq - seq > UMBRA_INV_HISTORY)
		return true;
	for (; seq != inv->seq; seq++)
		if (overlap(&inv->history[seq % UMBRA_INV_HISTORY], start, end))
			return true;
	return false;
}

int umbra_inv_wait(struct umbra_vm *vm, gfn_t gfn)
{
	return wait_event_interruptible(vm->inv.wq,
			umbra_inv_clip(vm, gfn, gfn + 1) > gfn) ? -EINTR : 0;
}

/* ------------------------------------------------------- taking things away */

struct zap {
	struct umbra_vm *vm;
	const struct umbra_memslot *slot;
	bool may_yield;
	umbra_leaf_t lost;	/* attributes that any removed leaf had */
};

/*
 * A leaf was removed or lost rights. What was accessed and written through it
 * belongs to the page (U11), and the page is still there (zap_lock, U15).
 *
 * The dirty flag alone is enough: a page of a file is not writable in the
 * primary MMU, and so not here, unless the file system knows it to be dirty.
 */
static void leaf_changed(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
			 umbra_leaf_t new)
{
	struct zap *zap = ctx;
	struct page *page = pfn_to_page(umbra_leaf_pfn(old));
	umbra_leaf_t gone = old & ~new;

	if (gone & UMBRA_PTE_DIRTY) {
		if (!PageReserved(page))
			SetPageDirty(page);
		if (zap->slot && umbra_log_is_on(zap->slot))
			umbra_log_mark(zap->slot, gfn, nr);
	}
	if (!new) {
		if (old & UMBRA_PTE_YOUNG && !PageReserved(page))
			folio_mark_accessed(page_folio(page));
		if (old & UMBRA_PTE_YOUNG && zap->slot)
			umbra_idle_used(zap->slot->idle,
					gfn - zap->slot->base_gfn, nr);
		zap->lost |= gone & UMBRA_LEAF_ATTRS;
		umbra_stat_inc(zap->vm, unmapped);
	} else {
		umbra_stat_inc(zap->vm, protected);
	}
	umbra_nested_follow(zap->vm, gfn, nr, old, new);
}

/*
 * To be called before anybody else can have zap_lock, and find nothing in the
 * table (U12).
 */
static void flush_all(struct umbra_vm *vm, struct umbra_gather *gather)
{
	umbra_flush(vm, gather);
	umbra_nested_flush(vm);
}

static bool should_yield(void *ctx)
{
	const struct zap *zap = ctx;
	struct umbra_vm *vm = zap->vm;

	return zap->may_yield &&
	       (need_resched() || spin_needbreak(&vm->zap_lock) ||
		umbra_hold_armed(&vm->hold, UMBRA_POINT_ZAP_YIELD));
}

static const struct umbra_leaf_ops zap_ops = {
	.leaf	= leaf_changed,
	.stop	= should_yield,
};

/*
 * The range with the blocks that stick out of it. No block can appear at its
 * ends any more, as the range is in progress; one that goes does no harm.
 */
static struct umbra_range with_blocks(struct umbra_vm *vm, gfn_t start,
				      gfn_t end)
{
	struct umbra_range r = { start, end };
	int level;

	if (umbra_pgtable_lookup(&vm->pgt, start, &level))
		r.start = ALIGN_DOWN(start, umbra_level_span(level));
	if (umbra_pgtable_lookup(&vm->pgt, end - 1, &level))
		r.end = ALIGN(end, umbra_level_span(level));
	return r;
}

umbra_leaf_t umbra_zap(struct umbra_vm *vm, const struct umbra_memslot *slot,
		       gfn_t start, gfn_t end, bool may_yield)
{
	struct zap zap = { .vm = vm, .slot = slot, .may_yield = may_yield };
	struct umbra_range wide = with_blocks(vm, start, end);
	bool wider = wide.start < start || wide.end > end;
	struct umbra_gather gather;
	gfn_t next = start;
	bool done;

	/* A block goes as a whole: nothing may come there unflushed (U6). */
	if (wider)
		umbra_inv_begin(vm, wide.start, wide.end);
	umbra_gather_init(&gather);
	do {
		spin_lock(&vm->zap_lock);
		done = umbra_pgtable_unmap(&vm->pgt, start, end, &next, &gather,
					   &zap_ops, &zap);
		umbra_hold(&vm->hold, UMBRA_POINT_ZAP_UNFLUSHED, false);
		flush_all(vm, &gather);
		spin_unlock(&vm->zap_lock);
		if (!done) {
			umbra_hold(&vm->hold, UMBRA_POINT_ZAP_YIELD, true);
			cond_resched();
		}
	} while (!done);
	if (wider)
		umbra_inv_end(vm, wide.start, wide.end);
	return zap.lost;
}

/* Pages that are protected under one hold of zap_lock. */
#define PROTECT_CHUNK	(SZ_128M >> PAGE_SHIFT)

/*
 * Rights are taken from leaves of a range, under zap_lock. If there may be nested
 * ones nobody makes one meanwhile of what is being taken (U4).
 */
static void protect_begin(struct umbra_vm *vm, const struct umbra_range *r,
			  bool nested, struct umbra_gather *gather)
	__acquires(&vm->zap_lock)
{
	if (nested)
		umbra_inv_begin(vm, r->start, r->end);
	umbra_gather_init(gather);
	spin_lock(&vm->zap_lock);
}

static void protect_end(struct umbra_vm *vm, const struct umbra_range *r,
			bool nested, struct umbra_gather *gather)
	__releases(&vm->zap_lock)
{
	flush_all(vm, gather);
	spin_unlock(&vm->zap_lock);
	if (nested)
		umbra_inv_end(vm, r->start, r->end);
}

void umbra_protect(struct umbra_vm *vm, const struct umbra_memslot *slot,
		   gfn_t gfn, u64 nr, const unsigned long *mask,
		   umbra_leaf_t attrs)
{
	struct zap zap = { .vm = vm, .slot = slot };
	struct umbra_gather gather;
	struct umbra_range chunk;
	gfn_t start, end, last = gfn + nr;
	int idx = srcu_read_lock(&vm->srcu);
	bool nested = umbra_nested_any(vm);

	for (chunk.start = gfn; chunk.start < last; chunk.start = chunk.end) {
		chunk.end = min(last, chunk.start + PROTECT_CHUNK);
		protect_begin(vm, &chunk, nested, &gather);
		for (start = chunk.start; start < chunk.end; start = end) {
			end = chunk.end;
			if (mask) {
				start = gfn + find_next_bit(mask, end - gfn,
							    start - gfn);
				end = gfn + find_next_zero_bit(mask, end - gfn,
							       start - gfn);
			}
			umbra_pgtable_clear(&vm->pgt, start, end, attrs,
					    &gather, &zap_ops, &zap);
		}
		protect_end(vm, &chunk, nested, &gather);
		cond_resched();
	}
	srcu_read_unlock(&vm->srcu, idx);
}

void umbra_protect_pages(struct umbra_vm *vm, const gfn_t *gfns,
			 unsigned int nr)
{
	struct umbra_range hull = { ~0ULL, 0 };
	struct zap zap = { .vm = vm };
	struct umbra_gather gather;
	unsigned int i, end;
	bool nested;
	int idx;

	for (i = 0; i < nr; i++) {
		hull.start = min(hull.start, gfns[i]);
		hull.end = max(hull.end, gfns[i] + 1);
	}
	if (!nr)
		return;
	idx = srcu_read_lock(&vm->srcu);
	nested = umbra_nested_any(vm);
	protect_begin(vm, &hull, nested, &gather);
	for (i = 0; i < nr; i = end) {
		for (end = i + 1; end < nr; end++)
			if (gfns[end] != gfns[end - 1] + 1)
				break;
		umbra_pgtable_clear(&vm->pgt, gfns[i], gfns[end - 1] + 1,
				    UMBRA_PTE_WRITE, &gather, &zap_ops, &zap);
	}
	protect_end(vm, &hull, nested, &gather);
	srcu_read_unlock(&vm->srcu, idx);
}

void umbra_unmap(struct umbra_vm *vm, gfn_t start, gfn_t end)
{
	struct umbra_memslots *slots;
	struct umbra_memslot *slot;
	int idx;

	umbra_inv_begin(vm, start, end);
	idx = srcu_read_lock(&vm->srcu);
	slots = umbra_vm_slots(vm);
	for (slot = umbra_memslots_first(slots, start, end); slot;
	     slot = umbra_memslots_next(slots, slot, end))
		umbra_zap(vm, slot, max(start, slot->base_gfn),
			  min(end, umbra_memslot_end(slot)), true);
	srcu_read_unlock(&vm->srcu, idx);
	umbra_inv_end(vm, start, end);
}

void umbra_prune(struct umbra_vm *vm, gfn_t start, gfn_t end)
{
	struct umbra_gather gather;

	umbra_inv_begin(vm, 0, vm->gfn_limit);
	umbra_gather_init(&gather);
	spin_lock(&vm->zap_lock);
	umbra_pgtable_prune(&vm->pgt, start, end, &gather);
	flush_all(vm, &gather);
	spin_unlock(&vm->zap_lock);
	umbra_inv_end(vm, 0, vm->gfn_limit);
}

umbra_leaf_t umbra_collapse(struct umbra_vm *vm,
			    const struct umbra_memslot *slot, gfn_t gfn,
			    int level)
{
	gfn_t end = gfn + umbra_level_span(level);
	umbra_leaf_t lost;

	umbra_inv_begin(vm, gfn, end);
	lost = umbra_zap(vm, slot, gfn, end, true);
	umbra_hold(&vm->hold, UMBRA_POINT_COLLAPSE_ZAPPED, true);
	umbra_inv_end(vm, gfn, end);
	umbra_stat_inc(vm, collapses);
	return lost & (UMBRA_PTE_YOUNG | UMBRA_PTE_DIRTY);
}

void umbra_split(struct umbra_vm *vm, struct umbra_memcache *mc, gfn_t gfn)
{
	struct umbra_gather gather;
	umbra_leaf_t block;
	gfn_t start, end;
	u64 *table;
	int level;

	if (!umbra_pgtable_lookup(&vm->pgt, gfn, &level) || !level)
		return;
	/* Before the block is gone. */
	table = umbra_memcache_get(mc);
	if (WARN_ON_ONCE(!table))
		return;
	start = ALIGN_DOWN(gfn, umbra_level_span(level));
	end = start + umbra_level_span(level);

	/* Nobody may install in the gap between break and make. */
	umbra_inv_begin(vm, start, end);
	umbra_gather_init(&gather);
	spin_lock(&vm->zap_lock);
	block = umbra_pgtable_break(&vm->pgt, start, level, &gather);
	if (block)
		umbra_nested_follow(vm, start, end - start, block, 0);
	flush_all(vm, &gather);
	umbra_hold(&vm->hold, UMBRA_POINT_SPLIT_BROKEN, false);
	if (!block) {
		umbra_memcache_put(mc, table);
	} else if (umbra_pgtable_make(&vm->pgt, start, level, block, table)) {
		umbra_stat_inc(vm, splits);
	} else {
		umbra_memcache_put(mc, table);
		umbra_vm_break(vm, "a leaf where a block is being split");
	}
	spin_unlock(&vm->zap_lock);
	umbra_inv_end(vm, start, end);
}
