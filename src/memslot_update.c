// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creating, deleting, moving and changing memslots while they are in use.
 *
 * Every change goes through replace(): edit the inactive set, publish it, wait
 * for those who read the other one, repeat the edit there. A memslot that is
 * deleted or moved is first replaced by an invalid one, which faults wait for
 * but notifiers still find, so that nothing can be installed once its entries
 * are gone and no invalidation is missed before (U8).
 */
#include <linux/slab.h>

#include "dirty_log.h"
#include "idle.h"
#include "invalidate.h"
#include "memslot_update.h"
#include "mmio.h"
#include "notifier.h"

/* The set that nobody reads. */
static struct umbra_memslots *inactive(struct umbra_vm *vm)
{
	return &vm->slotset[!umbra_vm_slots(vm)->index];
}

static void replace(struct umbra_vm *vm, struct umbra_memslot *old,
		    struct umbra_memslot *new)
{
	u64 generation = umbra_vm_slots(vm)->generation;
	struct umbra_memslots *slots = inactive(vm);

	umbra_memslots_replace(slots, old, new);
	slots->generation = generation + 1;
	umbra_publish_slots(vm, slots);
	/* What was remembered of the old set, up to now, counts no more (U7). */
	generation += 2;
	if (!umbra_mmio_tag(generation))
		umbra_mmio_drop(vm);
	WRITE_ONCE(slots->generation, generation);
	umbra_memslots_replace(inactive(vm), old, new);
}

/* @old is in no set (any more); what it has may live on in @heir. */
static void retire(struct umbra_memslot *old, const struct umbra_memslot *heir)
{
	unsigned int i;

	for (i = 0; heir && i < UMBRA_LOG_READERS; i++)
		if (heir->dirty_bitmap[i] == old->dirty_bitmap[i])
			old->dirty_bitmap[i] = NULL;
	if (heir && heir->idle == old->idle)
		old->idle = NULL;
	umbra_memslot_free(old);
}

static struct umbra_memslot *copy(struct umbra_vm *vm,
				  const struct umbra_memslot *slot)
{
	if (umbra_fail(&vm->hold, UMBRA_POINT_ALLOC))
		return NULL;
	return kmemdup(slot, sizeof(*slot), GFP_KERNEL_ACCOUNT);
}

static bool fits(struct umbra_vm *vm, gfn_t base, u64 nr_pages,
		 const struct umbra_memslot *except)
{
	struct umbra_memslots *slots = umbra_vm_slots(vm);
	struct umbra_memslot *slot;
	gfn_t end = base + nr_pages;

	for (slot = umbra_memslots_first(slots, base, end); slot;
	     slot = umbra_memslots_next(slots, slot, end))
		if (slot != except)
			return false;
	return true;
}

/* A log for each of @slot's readers; those it has are its own or another's. */
static int give_log(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	bool all = slot->flags & UMBRA_MEM_LOG_ALL_SET;
	unsigned int i;

	for (i = 0; i < UMBRA_LOG_READERS; i++) {
		unsigned long **log = &slot->dirty_bitmap[i];
		bool wanted = slot->log_readers & BIT(i);

		if (!wanted)
			*log = NULL;
		else if (!*log && !umbra_fail(&vm->hold, UMBRA_POINT_ALLOC))
			*log = umbra_log_alloc(slot->nr_pages, all);
		if (wanted && !*log)
			return -ENOMEM;
	}
	return 0;
}

/* The same for idle ages. */
static int give_idle(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	if (!(slot->flags & UMBRA_MEM_IDLE_AGES))
		slot->idle = NULL;
	else if (!slot->idle && !umbra_fail(&vm->hold, UMBRA_POINT_ALLOC))
		slot->idle = umbra_idle_alloc(slot->nr_pages);
	return slot->flags & UMBRA_MEM_IDLE_AGES && !slot->idle ? -ENOMEM : 0;
}

/* The readers that @cmd asks for: where there is a log, at least the first. */
static u32 readers(const struct umbra_set_memslot *cmd)
{
	if (!(cmd->flags & UMBRA_MEM_LOG_DIRTY))
		return 0;
	return cmd->log_readers ?: BIT(0);
}

static int create(struct umbra_vm *vm, const struct umbra_set_memslot *cmd)
{
	struct umbra_memslot *slot;
	int ret;

	if (!fits(vm, PHYS_PFN(cmd->gpa), PHYS_PFN(cmd->length), NULL))
		return -EEXIST;

	slot = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? NULL :
	       kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return -ENOMEM;
	slot->id = cmd->slot;
	slot->flags = cmd->flags;
	slot->log_readers = readers(cmd);
	slot->base_gfn = PHYS_PFN(cmd->gpa);
	slot->nr_pages = PHYS_PFN(cmd->length);
	slot->hva = cmd->hva;
	ret = give_log(vm, slot) ?: give_idle(vm, slot);
	if (ret)
		goto free_slot;
	ret = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? -ENOMEM :
	      xa_err(xa_store(&vm->slot_by_id, slot->id, slot,
			      GFP_KERNEL_ACCOUNT));
	if (ret)
		goto free_slot;

	replace(vm, NULL, slot);
	WRITE_ONCE(vm->nr_slots, vm->nr_slots + 1);
	return 0;

free_slot:
	umbra_memslot_free(slot);
	return ret;
}

/*
 * Replace @old by an invalid copy and take its entries out. Cannot fail: the
 * caller brings the copy.
 */
static void invalidate(struct umbra_vm *vm, struct umbra_memslot *old,
		       struct umbra_memslot *invalid)
{
	invalid->flags |= UMBRA_MEM_INVALID;
	replace(vm, old, invalid);
	umbra_hold(&vm->hold, UMBRA_POINT_SLOT_INVALID, true);
	umbra_unmap(vm, old->base_gfn, umbra_memslot_end(old));
	umbra_prune(vm, old->base_gfn, umbra_memslot_end(old));
	umbra_hold(&vm->hold, UMBRA_POINT_SLOT_EMPTIED, true);
	retire(old, invalid);
}

static int delete(struct umbra_vm *vm, struct umbra_memslot *old)
{
	struct umbra_memslot *invalid = copy(vm, old);

	if (!invalid)
		return -ENOMEM;
	invalidate(vm, old, invalid);
	replace(vm, invalid, NULL);
	xa_erase(&vm->slot_by_id, invalid->id);
	WRITE_ONCE(vm->nr_slots, vm->nr_slots - 1);
	retire(invalid, NULL);
	return 0;
}

/*
 * Can a page of @new be written that is not in the log of each reader? So when
 * writes are found in another way than they were in @old, or a reader is new and
 * does not begin with all pages. With D bits always: the fault that gives the
 * right to write back splits blocks, which have too few D bits.
 */
static bool log_must_start(const struct umbra_memslot *old,
			   const struct umbra_memslot *new)
{
	u32 method = UMBRA_MEM_LOG_D_BITS | UMBRA_MEM_LOG_PROTECT;

	if (!umbra_log_is_on(new))
		return false;
	if (umbra_log_is_on(old) && (old->flags ^ new->flags) & method)
		return true;
	return new->log_readers & ~old->log_readers &&
	       (umbra_log_by_d_bits(new) ||
		!(new->flags & UMBRA_MEM_LOG_ALL_SET));
}

/* What was written so far gets into the log of @old, if it had one. */
static void start_log(struct umbra_vm *vm, const struct umbra_memslot *old,
		      const struct umbra_memslot *new)
{
	umbra_protect(vm, old, new->base_gfn, new->nr_pages, NULL,
		      UMBRA_PTE_WRITE | UMBRA_PTE_DIRTY);
}

static int change_flags(struct umbra_vm *vm, struct umbra_memslot *old,
			const struct umbra_set_memslot *cmd)
{
	bool on = cmd->flags & UMBRA_MEM_LOG_DIRTY;
	bool was_on = umbra_log_is_on(old);
	struct umbra_memslot *new;

	if (cmd->flags == old->flags && readers(cmd) == old->log_readers)
		return 0;
	new = copy(vm, old);
	if (!new)
		return -ENOMEM;
	new->flags = cmd->flags;
	new->log_readers = readers(cmd);
	if (give_log(vm, new) || give_idle(vm, new)) {
		retire(new, old);
		return -ENOMEM;
	}

	replace(vm, old, new);
	xa_store(&vm->slot_by_id, new->id, new, GFP_KERNEL_ACCOUNT);
	if (log_must_start(old, new))
		start_log(vm, old, new);
	retire(old, new);
	return on == was_on ? 0 : on ? UMBRA_LOG_BEGUN : UMBRA_LOG_ENDED;
}

static int move(struct umbra_vm *vm, struct umbra_memslot *old,
		const struct umbra_set_memslot *cmd)
{
	struct umbra_memslot *new, *invalid;

	if (!fits(vm, PHYS_PFN(cmd->gpa), old->nr_pages, old))
		return -EEXIST;
	new = copy(vm, old);
	invalid = copy(vm, old);
	if (!new || !invalid)
		goto no_memory;
	new->flags = cmd->flags;
	new->log_readers = readers(cmd);
	new->base_gfn = PHYS_PFN(cmd->gpa);
	memset(new->dirty_bitmap, 0, sizeof(new->dirty_bitmap));
	new->idle = NULL;
	if (give_log(vm, new) || give_idle(vm, new)) {
		retire(new, NULL);
		new = NULL;
		goto no_memory;
	}

	invalidate(vm, old, invalid);
	replace(vm, invalid, new);
	xa_store(&vm->slot_by_id, new->id, new, GFP_KERNEL_ACCOUNT);
	retire(invalid, new);
	return 0;

no_memory:
	kfree(invalid);
	kfree(new);
	return -ENOMEM;
}

/* May the memslot be as @cmd says, regardless of the others? */
static bool valid(struct umbra_vm *vm, const struct umbra_set_memslot *cmd)
{
	u64 limit = vm->gfn_limit << PAGE_SHIFT;
	u64 size = cmd->length;

	return PAGE_ALIGNED(cmd->gpa) && PAGE_ALIGNED(size) &&
	       PAGE_ALIGNED(cmd->hva) &&
	       PHYS_PFN(size) <= UMBRA_MAX_SLOT_PAGES &&
	       size <= limit && cmd->gpa <= limit - size &&
	       size <= vm->mm->task_size &&
	       cmd->hva <= vm->mm->task_size - size;
}

static int update(struct umbra_vm *vm, const struct umbra_set_memslot *cmd)
{
	struct umbra_memslot *old = xa_load(&vm->slot_by_id, cmd->slot);

	if (!cmd->length)
		return old ? delete(vm, old) : -ENOENT;
	if (!valid(vm, cmd))
		return -EINVAL;
	if (!old)
		return create(vm, cmd);
	if (PHYS_PFN(cmd->length) != old->nr_pages || cmd->hva != old->hva ||
	    (cmd->flags ^ old->flags) & (UMBRA_MEM_READONLY | UMBRA_MEM_NOEXEC))
		return -EINVAL;
	if (PHYS_PFN(cmd->gpa) == old->base_gfn)
		return change_flags(vm, old, cmd);
	return move(vm, old, cmd);
}

int umbra_set_memslot(struct umbra_vm *vm, const struct umbra_set_memslot *cmd)
{
	bool log = cmd->flags & UMBRA_MEM_LOG_DIRTY;
	int ret;

	if (cmd->slot >= UMBRA_MAX_SLOTS ||
	    (!log && (cmd->flags & UMBRA_MEM_LOG_FLAGS || cmd->log_readers)) ||
	    cmd->log_readers >= BIT(UMBRA_LOG_READERS))
		return -EINVAL;
	if (mutex_lock_interruptible(&vm->slots_lock))
		return -EINTR;
	ret = update(vm, cmd);
	mutex_unlock(&vm->slots_lock);
	return ret;
}
