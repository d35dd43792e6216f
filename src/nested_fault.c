// SPDX-License-Identifier: GPL-2.0-only
/*
 * A nested fault: guest's table -> stage 2 -> the least of both -> shadow.
 *
 * Both dimensions may change while they are read. The guest's says so by an
 * invalidation of the context, and n->seq tells. Stage 2 says so by the retry
 * protocol, and is read again where the shadow is written, under mmu_lock: what
 * is taken from it after that finds the nested leaf by way of the reverse map,
 * which has been told before (U1, U4, U18).
 */
#include <linux/sched/signal.h>

#include "fault.h"
#include "invalidate.h"
#include "nested_fault.h"
#include "nested_update.h"

struct nested_run {
	/* what is asked */
	struct umbra_vcpu *vcpu;
	struct umbra_nested *n;
	gfn_t gfn;
	u32 access;
	bool nowait;
	/* found in the guest's table */
	u64 n_seq;
	const struct umbra_guest_walk *w;
	/* found in stage 2 */
	u64 seq;
	/* what is installed: from @base on, for the VM's pages from @to on */
	int level;
	gfn_t base;
	gfn_t to;
};

/* What stands in the way. All is overcome asleep, and then begun anew. */
enum obstacle {
	NONE,
	STALE,		/* something has changed */
	ABSENT,		/* stage 2 does not map the page, or not for this */
	INVALIDATION,	/* stage 2 is being invalidated */
	GUEST_UPDATE,	/* the context is */
	FULL,		/* the reverse map has to make room */
	OTHER_LEAF,	/* the shadow has something else there */
};

/* How large is the leaf to be, and where? */
static enum obstacle plan(struct nested_run *r)
{
	const struct umbra_layout *l = &r->n->pgt.layout;
	struct umbra_vm *vm = r->vcpu->vm;
	gfn_t span;
	int level;

	if (!umbra_pgtable_lookup(&vm->pgt, r->w->gfn, &level))
		return ABSENT;
	r->level = min3(level, r->w->level, l->levels - 1);
	span = umbra_level_span(r->level);
	r->base = ALIGN_DOWN(r->gfn, span);
	r->to = ALIGN_DOWN(r->w->gfn, span);
	return umbra_inv_clip(vm, r->to, r->to + span) == r->to + span ?
	       NONE : INVALIDATION;
}

/*
 * Have the leaf found by whoever will have to take it away. Nothing comes of it
 * if it is not installed.
 */
static int announce(struct nested_run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	struct umbra_nested *n = r->n;
	int ret;

	/* The walk of the guest's table may have faulted, and used some up. */
	ret = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? -ENOMEM :
	      umbra_memcache_topup(&r->vcpu->supplies.mc);
	if (ret)
		return ret;
	if (r->w->level > r->level) {
		gfn_t base = ALIGN_DOWN(r->gfn, umbra_level_span(r->w->level));

		ret = xa_err(xa_store(&n->blocks, base | r->w->level,
				      xa_mk_value(1), GFP_KERNEL_ACCOUNT));
		if (ret)
			return ret;
	}
	ret = umbra_rmap_add(&vm->rmap, r->to, r->level,
			     umbra_rmap_item(n->id % UMBRA_MAX_NESTED,
					     r->base));
	return ret == -ENOSPC ? FULL : ret;
}

/* Least rights, and A and D only as far as both dimensions have them (U18). */
static umbra_leaf_t combine(const struct nested_run *r, umbra_leaf_t leaf,
			    int level)
{
	gfn_t offset = r->to & (umbra_level_span(level) - 1);
	umbra_leaf_t attrs = leaf & r->w->pte;

	if (!(attrs & UMBRA_PTE_WRITE))
		attrs &= ~(umbra_leaf_t)UMBRA_PTE_DIRTY;
	return umbra_leaf_pa(leaf) + PFN_PHYS(offset) + attrs;
}

static int install(struct nested_run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	struct umbra_nested *n = r->n;
	umbra_leaf_t leaf;
	int level, ret;

	lockdep_assert_held(&vm->mmu_lock);

	if (vm->dead)
		return -ESRCH;
	if (n->zapping)
		return GUEST_UPDATE;
	if (n->seq != r->n_seq ||
	    umbra_inv_retry(vm, r->seq, r->to,
			    r->to + umbra_level_span(r->level))) {
		umbra_stat_inc(vm, nested_retries);
		return STALE;
	}
	/* As hardware would: what this reads is true until we unlock (U4). */
	if (umbra_pgtable_translate(&vm->pgt, r->w->gfn, r->access, &leaf,
				    &level))
		return ABSENT;
	if (level < r->level)
		return STALE;
	umbra_hold(&vm->hold, UMBRA_POINT_NESTED_READ, false);
	leaf = combine(r, leaf, level);
	ret = umbra_pgtable_map(&n->pgt, r->base, r->level, &leaf, 1,
				&r->vcpu->supplies.mc);
	if (ret < 0)
		return OTHER_LEAF;
	umbra_stat_add(vm, nested_mapped, ret);
	return NONE;
}

/* Try once. Returns what stands in the way, or -errno. */
static int try_run(struct nested_run *r, const struct umbra_guest_mem *mem,
		   void *ctx, struct umbra_guest_walk *w)
{
	struct umbra_vm *vm = r->vcpu->vm;
	int ret;

	/* Before either dimension is looked at (U1). */
	r->n_seq = smp_load_acquire(&r->n->seq);
	w->pte = 0;
	ret = umbra_guest_walk(&r->n->guest, r->gfn, r->access, mem, ctx, w);
	if (!ret && !(w->pte & UMBRA_PTE_READ)) {
		/* Leaves can always be read, and this one must not. */
		w->fault = UMBRA_NESTED_RIGHTS;
		ret = -EACCES;
	}
	if (!ret)
		ret = umbra_guest_mark(&r->n->guest, r->access, mem, ctx, w);
	if (ret)
		return ret == -ESTALE ? STALE : ret;

	r->seq = umbra_inv_sample(vm);
	ret = plan(r);
	if (!ret)
		ret = announce(r);
	if (!ret) {
		umbra_hold(&vm->hold, UMBRA_POINT_NESTED_ANNOUNCED, true);
		read_lock(&vm->mmu_lock);
		ret = install(r);
		read_unlock(&vm->mmu_lock);
	}
	return ret;
}

static int map_stage2(const struct nested_run *r)
{
	gfn_t gfn = r->w->gfn;
	u32 flags = UMBRA_FAULT_ACCESS;

	if (r->access == UMBRA_PTE_WRITE)
		flags |= UMBRA_FAULT_WRITE;
	if (r->access == UMBRA_PTE_EXEC)
		flags |= UMBRA_FAULT_EXEC;
	if (r->nowait)
		flags |= UMBRA_FAULT_NOWAIT;
	return umbra_fault(r->vcpu->vm, &r->vcpu->supplies, &gfn, gfn + 1,
			   flags);
}

/*
 * Stale items go first, so that the map does not grow with what a guest has
 * done, but only with what it has. Published, since an item without a leaf may
 * be that of a fault on its way to install it.
 */
static int make_room(const struct nested_run *r)
{
	struct umbra_vm *vm = r->vcpu->vm;
	gfn_t end = r->to + umbra_level_span(r->level);

	umbra_inv_begin(vm, r->to, end);
	spin_lock(&vm->zap_lock);
	umbra_nested_purge(vm, r->to, r->level);
	spin_unlock(&vm->zap_lock);
	umbra_inv_end(vm, r->to, end);
	return umbra_rmap_grow(&vm->rmap, r->to, r->level);
}

/* Sleep until an obstacle may have gone. */
static int overcome(const struct nested_run *r, enum obstacle obstacle)
{
	struct umbra_vm *vm = r->vcpu->vm;
	gfn_t end = r->to + umbra_level_span(r->level);

	switch (obstacle) {
	case NONE:
	case STALE:
		return 0;
	case ABSENT:
		return map_stage2(r);
	case FULL:
		return make_room(r);
	case OTHER_LEAF:
		/* Of a guest that forgot to invalidate, or split since. */
		umbra_nested_zap(vm, r->n, r->base,
				 r->base + umbra_level_span(r->level),
				 r->level);
		return 0;
	case INVALIDATION:
	case GUEST_UPDATE:
		break;
	}
	if (r->nowait)
		return -EAGAIN;
	umbra_stat_inc(vm, waits);
	if (obstacle == INVALIDATION)
		return umbra_inv_wait(vm, min(umbra_inv_clip(vm, r->to, end),
					      end - 1));
	return wait_event_interruptible(vm->inv.wq,
					!READ_ONCE(r->n->zapping)) ? -EINTR : 0;
}

int umbra_nested_fault(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       gfn_t *gfn, u32 access, bool nowait,
		       const struct umbra_guest_mem *mem, void *ctx,
		       struct umbra_guest_walk *w)
{
	struct nested_run r = {
		.vcpu = vcpu, .n = n, .gfn = *gfn, .access = access,
		.nowait = nowait, .w = w,
	};
	int ret;

	do {
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = try_run(&r, mem, ctx, w);
		if (ret == NONE)
			break;
		if (ret > 0)
			ret = overcome(&r, ret);
		if (ret < 0)
			return ret;
	} while (true);
	*gfn = r.base + umbra_level_span(r.level);
	return 0;
}
