// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remembering that a gfn has no memslot.
 */
#include <linux/sched.h>

#include "invalidate.h"
#include "mmio.h"

/* The level of the entry that can say it for @gfn and for all else it spans. */
static int widest(struct umbra_vm *vm, const struct umbra_memslots *slots,
		  gfn_t gfn)
{
	int level;

	umbra_pgtable_lookup(&vm->pgt, gfn, &level);
	for (; level; level--) {
		gfn_t span = umbra_level_span(level);
		gfn_t base = ALIGN_DOWN(gfn, span);

		if (!umbra_memslots_first(slots, base, base + span))
			break;
	}
	return level;
}

void umbra_mmio_remember(struct umbra_vm *vm, const struct umbra_memslots *slots,
			 gfn_t gfn, struct umbra_memcache *mc)
{
	u64 generation = READ_ONCE(slots->generation);
	int level = widest(vm, slots, gfn);
	gfn_t base = ALIGN_DOWN(gfn, umbra_level_span(level));
	gfn_t end = base + umbra_level_span(level);

	umbra_hold(&vm->hold, UMBRA_POINT_MMIO_REMEMBER, true);
	if (umbra_update_in_progress(generation))
		return;
	read_lock(&vm->mmu_lock);
	/* The table that the entry is in, or goes to, is not being removed. */
	if (!umbra_inv_retry(vm, umbra_inv_sample(vm), base, end))
		umbra_pgtable_set_mmio(&vm->pgt, gfn, level,
				       umbra_mmio_tag(generation), mc);
	read_unlock(&vm->mmu_lock);
}

bool umbra_mmio_cached(struct umbra_vcpu *vcpu, gfn_t gfn)
{
	lockdep_assert_held(&vcpu->lock);

	return vcpu->mmio.gfn == gfn &&
	       vcpu->mmio.generation == umbra_vm_generation(vcpu->vm);
}

bool umbra_mmio_holds(struct umbra_vcpu *vcpu, gfn_t gfn, u32 tag)
{
	struct umbra_vm *vm = vcpu->vm;
	int idx = srcu_read_lock(&vm->srcu);
	const struct umbra_memslots *slots = umbra_vm_slots(vm);
	bool holds = umbra_mmio_current(slots, tag);

	lockdep_assert_held(&vcpu->lock);

	if (holds) {
		vcpu->mmio.gfn = gfn;
		vcpu->mmio.generation = slots->generation;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return holds;
}

static bool should_yield(void *ctx)
{
	return need_resched();
}

static const struct umbra_leaf_ops drop_ops = { .stop = should_yield };

void umbra_mmio_drop(struct umbra_vm *vm)
{
	gfn_t next = 0;

	lockdep_assert_held(&vm->slots_lock);

	while (!umbra_pgtable_clear_mmio(&vm->pgt, &next, vm->gfn_limit,
					 &drop_ops, NULL))
		cond_resched();
	umbra_prune(vm, 0, vm->gfn_limit);
}
