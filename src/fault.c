// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault: memslot -> hva -> page -> retry check -> shadow table.
 *
 * The primary page table is read without a lock. What is not there is faulted
 * in first, by itself, and then read like the rest, so that only one way leads
 * into the shadow table.
 */
#include <linux/sched/signal.h>

#include "dirty_log.h"
#include "fault.h"
#include "host_walk.h"
#include "invalidate.h"
#include "mmio.h"

/*
 * One run of pages: neighbours in one memslot, and in one table of the lowest
 * level or in one block of the primary MMU.
 */
struct run {
	/* what is asked */
	struct umbra_vm *vm;
	struct umbra_supplies *supplies;
	gfn_t gfn;
	gfn_t end;
	u32 flags;
	umbra_leaf_t extra;	/* A and D of what was collapsed */
	/* found in the memslots */
	const struct umbra_memslot *slot;
	u64 generation;
	/* found in the primary page table */
	u64 seq;
	struct umbra_host_run host;
	/* what is installed: leaves from @base on */
	gfn_t base;
	int level;
	unsigned int nr;
};

/*
 * What stands in the way of a run. All but TABLE, which needs the memslot, are
 * overcome outside of SRCU.
 */
enum obstacle {
	NONE,
	STALE,		/* an invalidation came between: look up again */
	INVALIDATION,	/* one is in progress */
	SLOT_UPDATE,	/* the memslot is being deleted or moved (U8) */
	ABSENT,		/* the primary MMU does not map the page */
	BLOCK,		/* a block has to be split first */
	TABLE,		/* smaller leaves are where a block is to be */
};

static bool is_write(const struct run *r)
{
	return r->flags & UMBRA_FAULT_WRITE;
}

/* Does the memslot allow what is asked for? */
static bool allowed(const struct run *r)
{
	u32 denied = (r->slot->flags & UMBRA_MEM_READONLY ?
		      UMBRA_FAULT_WRITE : 0) |
		     (r->slot->flags & UMBRA_MEM_NOEXEC ?
		      UMBRA_FAULT_EXEC : 0);

	return !(r->flags & denied);
}

/* The ring that takes the pages that become writable, or NULL. */
static struct umbra_ring *ring_of(const struct run *r)
{
	return is_write(r) && umbra_log_by_protection(r->slot) ?
	       r->supplies->ring : NULL;
}

/*
 * Cut the run to its memslot, and to what the ring has room for. Nobody else
 * pushes to that, so what there is room for now can be pushed later.
 *
 * Returns what stands in the way, or -errno.
 */
static int find_slot(struct run *r)
{
	const struct umbra_memslots *slots = umbra_vm_slots(r->vm);
	struct umbra_ring *ring;

	r->slot = umbra_memslots_first(slots, r->gfn, r->gfn + 1);
	if (!r->slot) {
		if (r->flags & UMBRA_FAULT_ACCESS)
			umbra_mmio_remember(r->vm, slots, r->gfn,
					    &r->supplies->mc);
		return -ENOENT;
	}
	r->generation = READ_ONCE(slots->generation);
	r->end = min(r->end, umbra_memslot_end(r->slot));
	if (r->slot->flags & UMBRA_MEM_INVALID)
		return SLOT_UPDATE;
	if (!allowed(r))
		return -EACCES;
	ring = ring_of(r);
	if (ring) {
		r->end = min(r->end, r->gfn + umbra_ring_room(ring));
		if (r->end == r->gfn)
			return -ENOSPC;
	}
	r->host.hva = umbra_memslot_hva(r->slot, r->gfn);
	r->end = umbra_inv_clip(r->vm, r->gfn, r->end);
	return r->end > r->gfn ? NONE : INVALIDATION;
}

/*
 * May a block of @level that maps the first page stand in the table? It has to
 * lie in the memslot, gfns and hvas must be aligned alike, and a log needs to
 * tell pages apart. Next to an invalidation in progress leaves stay small, or
 * the fault would have to wait for what it was not asked for.
 */
static bool block_fits(const struct run *r, int level)
{
	const struct umbra_memslot *slot = r->slot;
	gfn_t span = umbra_level_span(level);
	gfn_t base = ALIGN_DOWN(r->gfn, span);

	return r->vm->pgt.layout.fmt->leaf_levels & BIT(level) &&
	       level < r->vm->pgt.layout.levels &&
	       !umbra_log_is_on(slot) &&
	       base >= slot->base_gfn &&
	       base + span <= umbra_memslot_end(slot) &&
	       !((PHYS_PFN(slot->hva) - slot->base_gfn) % span) &&
	       umbra_inv_clip(r->vm, base, base + span) == base + span;
}

/* Attributes that leaves are not to have, and those that they have to have. */
static void adjustment(const struct run *r, umbra_leaf_t *clear,
		       umbra_leaf_t *set)
{
	const struct umbra_layout *l = &r->vm->pgt.layout;

	*clear = 0;
	*set = 0;
	/* Each for its own reason (U14). */
	if (r->slot->flags & UMBRA_MEM_READONLY ||
	    (umbra_log_by_protection(r->slot) && !is_write(r)))
		*clear = UMBRA_PTE_WRITE;
	if (r->slot->flags & UMBRA_MEM_NOEXEC)
		*clear |= UMBRA_PTE_EXEC;
	if (r->flags & UMBRA_FAULT_ACCESS &&
	    l->bits == &l->fmt->bits[UMBRA_AD_SW])
		*set = UMBRA_PTE_YOUNG | (is_write(r) ? UMBRA_PTE_DIRTY : 0);
}

/* Decide what to install. */
static void plan(struct run *r)
{
	umbra_leaf_t *leaves = r->host.leaves;
	umbra_leaf_t clear, set;
	unsigned int i;

	for (r->level = r->host.level; r->level; r->level--)
		if (block_fits(r, r->level))
			break;

	if (r->level) {
		r->base = ALIGN_DOWN(r->gfn, umbra_level_span(r->level));
		leaves[0] -= PFN_PHYS(r->gfn - r->base);
		leaves[0] |= r->extra;
		r->nr = 1;
		/* A block smaller than the primary MMU's does not map all. */
		r->end = min(r->gfn + r->host.nr,
			     r->base + umbra_level_span(r->level));
	} else {
		r->base = r->gfn;
		r->nr = min_t(u64, r->host.nr, r->host.nr_leaves);
		r->end = r->gfn + r->nr;
		if (r->host.level)
			for (i = 1; i < r->nr; i++)
				leaves[i] = leaves[i - 1] + PAGE_SIZE;
	}

	adjustment(r, &clear, &set);
	if (clear | set)
		for (i = 0; i < r->nr; i++)
			leaves[i] = (leaves[i] & ~clear) | set;
}

/*
 * Is nothing to be done for the first pages? Leaves that are there and give what
 * is asked for are as good as new ones, unless they could become larger.
 */
static bool is_done(struct run *r)
{
	umbra_leaf_t need = UMBRA_PTE_READ;
	struct umbra_host_run one = { .hva = r->host.hva, .nr = 1,
				      .leaves = r->supplies->leaves,
				      .nr_leaves = 1 };
	gfn_t end;
	int level;

	/* An access has been tried before it became a fault. */
	if (r->flags & UMBRA_FAULT_ACCESS)
		return false;
	if (is_write(r))
		need |= UMBRA_PTE_WRITE;
	if (r->flags & UMBRA_FAULT_EXEC)
		need |= UMBRA_PTE_EXEC;
	end = umbra_pgtable_mapped(&r->vm->pgt, r->gfn, r->end, need, &level);
	if (end == r->gfn)
		return false;
	if (block_fits(r, level + 1) &&
	    (umbra_host_walk(r->vm->mm, &one, is_write(r)) ||
	     one.level > level))
		return false;
	r->end = end;
	return true;
}

/* Read the primary page table. Returns what stands in the way, or -errno. */
static int look_up(struct run *r)
{
	int ret;

	umbra_stat_inc(r->vm, faults);
	r->host.nr = r->end - r->gfn;
	r->host.nr_leaves = UMBRA_BATCH - r->gfn % UMBRA_BATCH;
	r->host.leaves = r->supplies->leaves;
	r->seq = umbra_inv_sample(r->vm);	/* before the look-up: U1 */
	if (umbra_fail(&r->vm->hold, UMBRA_POINT_LOOK_UP))
		return ABSENT;
	ret = umbra_host_walk(r->vm->mm, &r->host, is_write(r));
	if (ret)
		return ret == -ENOENT ? ABSENT : ret;
	plan(r);
	return NONE;
}

/*
 * Does the log take what becomes writable for written? Not where dirty bits
 * will tell, unless this is the write itself.
 */
static bool logs_writes(const struct run *r)
{
	return is_write(r) && umbra_log_by_protection(r->slot) &&
	       (!umbra_log_by_d_bits(r->slot) ||
		r->flags & UMBRA_FAULT_ACCESS);
}

/* Returns what stands in the way, or -errno. */
static int install(struct run *r)
{
	struct umbra_ring *ring = ring_of(r);
	struct umbra_vm *vm = r->vm;
	int changed;

	lockdep_assert_held(&vm->mmu_lock);

	if (vm->dead)
		return -ESRCH;
	if (umbra_inv_retry(vm, r->seq, r->base,
			    r->base + r->nr * umbra_level_span(r->level))) {
		umbra_stat_inc(vm, retries);
		return STALE;
	}
	changed = umbra_pgtable_map(&vm->pgt, r->base, r->level,
				    r->host.leaves, r->nr, &r->supplies->mc);
	if (changed == -E2BIG)
		return BLOCK;
	if (changed == -EMLINK)
		return TABLE;
	if (changed < 0)
		return umbra_vm_break(vm, "a leaf outlived its page");
	umbra_stat_add(vm, mapped, changed);

	umbra_hold(&vm->hold, UMBRA_POINT_FAULT_INSTALLED, false);
	/* Writable first, then logged (U10). */
	if (logs_writes(r))
		umbra_log_mark(r->slot, r->base, r->nr);
	if (ring && changed)
		umbra_ring_push(ring, r->slot->id,
				r->base - r->slot->base_gfn, r->nr);
	return NONE;
}

/* Try the run once. Returns what stands in the way, or -errno. */
static int try_run(struct run *r)
{
	int ret, idx;

	idx = srcu_read_lock(&r->vm->srcu);
	ret = find_slot(r);
	if (!ret && is_done(r))
		goto unlock;
	if (!ret)
		ret = look_up(r);
	if (!ret) {
		umbra_hold(&r->vm->hold, UMBRA_POINT_FAULT_LOOKED_UP, true);
		read_lock(&r->vm->mmu_lock);
		ret = install(r);
		read_unlock(&r->vm->mmu_lock);
	}
	if (ret == TABLE)
		r->extra = umbra_collapse(r->vm, r->slot, r->base, r->level);
unlock:
	srcu_read_unlock(&r->vm->srcu, idx);
	return ret;
}

/* Stock table pages up, which may sleep. */
static int topup(struct umbra_vm *vm, struct umbra_memcache *mc)
{
	if (mc->nr < ARRAY_SIZE(mc->table) &&
	    umbra_fail(&vm->hold, UMBRA_POINT_ALLOC))
		return -ENOMEM;
	return umbra_memcache_topup(mc);
}

/* Sleep until an obstacle may have gone. */
static int overcome(const struct run *r, enum obstacle obstacle)
{
	struct umbra_vm *vm = r->vm;
	bool nowait = r->flags & UMBRA_FAULT_NOWAIT;

	switch (obstacle) {
	case NONE:
	case STALE:
	case TABLE:
		return 0;
	case BLOCK:
		umbra_split(vm, &r->supplies->mc, r->gfn);
		return 0;
	case ABSENT:
		umbra_stat_inc(vm, faultins);
		if (umbra_fail(&vm->hold, UMBRA_POINT_ALLOC))
			return -ENOMEM;
		return umbra_host_fault_in(r->host.hva,
					   min_t(u64, r->end - r->gfn,
						 UMBRA_BATCH),
					   is_write(r), nowait);
	case INVALIDATION:
	case SLOT_UPDATE:
		break;
	}
	if (nowait)
		return -EAGAIN;
	umbra_stat_inc(vm, waits);
	return obstacle == SLOT_UPDATE ?
	       umbra_wait_for_slots(vm, r->generation) :
	       umbra_inv_wait(vm, r->gfn);
}

int umbra_fault(struct umbra_vm *vm, struct umbra_supplies *supplies,
		gfn_t *gfn, gfn_t end, u32 flags)
{
	umbra_leaf_t extra = 0;

	while (*gfn < end) {
		struct run r = {
			.vm = vm, .supplies = supplies, .gfn = *gfn,
			.end = end, .flags = flags, .extra = extra,
		};
		int ret;

		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = topup(vm, &supplies->mc);
		if (ret)
			return ret;

		ret = try_run(&r);
		if (ret == TABLE)
			extra |= r.extra;
		if (ret == NONE) {
			*gfn = r.end;
			extra = 0;
		} else if (ret > 0) {
			ret = overcome(&r, ret);
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---------------------------------------------------------- change of size */

struct search {
	bool found;
	gfn_t gfn;
};

static void find_small(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t leaf,
		       umbra_leaf_t same)
{
	struct search *s = ctx;

	if (!s->found && nr < umbra_level_span(2)) {
		s->found = true;
		s->gfn = gfn;
	}
}

static bool found(void *ctx)
{
	const struct search *s = ctx;

	return s->found || need_resched();
}

static const struct umbra_leaf_ops find_small_ops = {
	.leaf = find_small, .stop = found,
};

int umbra_collapse_range(struct umbra_vm *vm, gfn_t *gfn, gfn_t end)
{
	struct umbra_supplies supplies = {};
	int ret = umbra_supplies_init(&supplies);

	while (!ret && *gfn < end) {
		struct search s = {};
		gfn_t next = *gfn;

		umbra_pgtable_visit(&vm->pgt, &next, end, &find_small_ops, &s);
		if (s.found) {
			gfn_t at = s.gfn;

			ret = umbra_fault(vm, &supplies, &at, at + 1, 0);
			next = ALIGN(s.gfn + 1, umbra_level_span(1));
			if (ret != -EINTR && ret != -ENOMEM && ret != -ESRCH &&
			    ret != -EIO)
				ret = 0;
		} else if (signal_pending(current)) {
			ret = -EINTR;
		}
		if (!ret)
			*gfn = min(next, end);
		cond_resched();
	}
	umbra_supplies_destroy(&supplies);
	return ret;
}

int umbra_split_range(struct umbra_vm *vm, gfn_t *gfn, gfn_t end, int level)
{
	struct umbra_memcache mc;
	int at, ret = 0;

	umbra_memcache_init(&mc, &umbra_table_ops);
	while (!ret && *gfn < end) {
		umbra_leaf_t leaf = umbra_pgtable_lookup(&vm->pgt, *gfn, &at);

		if (signal_pending(current)) {
			ret = -EINTR;
		} else if (leaf && at > level) {
			ret = topup(vm, &mc);
			if (!ret)
				umbra_split(vm, &mc, *gfn);
		} else {
			at = max(at, 1);
			*gfn = min(end, ALIGN(*gfn + 1, umbra_level_span(at)));
		}
		cond_resched();
	}
	umbra_memcache_destroy(&mc);
	return ret;
}
