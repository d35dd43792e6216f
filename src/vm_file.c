// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor of a VM: memslots, vCPUs, and all that is about its table.
 */
#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "age.h"
#include "fault.h"
#include "footprint.h"
#include "invalidate.h"
#include "ioctl.h"
#include "log.h"
#include "memslot_update.h"
#include "nested_update.h"
#include "vcpu_file.h"
#include "verify.h"
#include "vm_file.h"

static int do_set_memslot(struct umbra_call *call)
{
	const struct umbra_set_memslot *cmd = &call->arg.set_memslot;
	gfn_t gfn = PHYS_PFN(cmd->gpa), end = gfn + PHYS_PFN(cmd->length);
	int ret = umbra_set_memslot(call->object, cmd);

	/* Leaves of the right size; the next faults see to what fails here. */
	if (ret == UMBRA_LOG_BEGUN && cmd->flags & UMBRA_MEM_LOG_SPLIT)
		umbra_split_range(call->object, &gfn, end, 0);
	else if (ret == UMBRA_LOG_ENDED)
		umbra_collapse_range(call->object, &gfn, end);
	return min(ret, 0);
}

static int do_create_vcpu(struct umbra_call *call)
{
	u32 ring_size = call->arg.create_vcpu.ring_size;
	struct umbra_vcpu *vcpu;
	int ret;

	if (ring_size && (!is_power_of_2(ring_size) ||
			  ring_size < UMBRA_MIN_RING ||
			  ring_size > UMBRA_MAX_RING))
		return -EINVAL;
	vcpu = umbra_vcpu_create(call->object, ring_size);
	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	ret = umbra_fail(&vcpu->vm->hold, UMBRA_POINT_ALLOC) ? -ENOMEM :
	      umbra_ioctl_fd(call, "umbra-vcpu", &umbra_vcpu_fops, vcpu);
	if (ret < 0) {
		umbra_vcpu_destroy(vcpu);
		return ret;
	}
	call->arg.create_vcpu.fd = ret;
	return 0;
}

/* Pages after which a signal is looked for. */
#define UNMAP_CHUNK	(SZ_1G >> PAGE_SHIFT)

static int do_unmap(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_unmap *cmd = &call->arg.unmap;
	gfn_t gfn = PHYS_PFN(cmd->gpa), end, next;
	int ret = 0;

	if (!umbra_range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	for (end = PHYS_PFN(cmd->gpa + cmd->length); gfn < end; gfn = next) {
		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		/* Where there is no memslot there is nothing to do. */
		gfn = umbra_next_slot(vm, gfn, end);
		next = min(end, gfn + UNMAP_CHUNK);
		if (gfn < end)
			umbra_unmap(vm, gfn, next);
		cond_resched();
	}
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return umbra_progress(cmd->done, ret);
}

/* Granules that are aged between two looks at signals: full words of bits. */
#define AGE_BITS	4096

/* Age the next granules through @bits. */
static int age_some(struct umbra_vm *vm, struct umbra_nested *n,
		    struct umbra_age *cmd, unsigned long *bits)
{
	u64 at = div64_u64(cmd->done, cmd->granule);
	u64 left = div64_u64(cmd->length, cmd->granule) - at;
	unsigned int nr = min_t(u64, left, AGE_BITS);
	u64 __user *bitmap = u64_to_user_ptr(cmd->bitmap);
	struct umbra_age_map map = {
		.gfn = PHYS_PFN(cmd->gpa + cmd->done),
		.granule = PHYS_PFN(cmd->granule),
		.bits = bits,
	};
	gfn_t end = map.gfn + nr * map.granule;

	bitmap_zero(bits, AGE_BITS);
	if (n)
		umbra_age_nested(vm, n, map.gfn, end, cmd->flags, &map);
	else
		umbra_age(vm, map.gfn, end, cmd->flags, &map);
	if (bitmap && copy_to_user(bitmap + at / 64, bits,
				   BITS_TO_U64(nr) * sizeof(u64)))
		return -EFAULT;
	cmd->young += bitmap_weight(bits, nr);
	cmd->done += nr * cmd->granule;
	return 0;
}

static int age_range(struct umbra_vm *vm, struct umbra_nested *n,
		     struct umbra_age *cmd)
{
	unsigned long *bits;
	int ret = 0;

	if (!is_power_of_2(cmd->granule) || cmd->granule < PAGE_SIZE ||
	    cmd->granule > SZ_1G ||
	    !umbra_range_below(umbra_limit(vm, n), cmd->gpa, cmd->length,
			       cmd->granule))
		return -EINVAL;
	bits = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? NULL :
	       bitmap_alloc(AGE_BITS, GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;

	cmd->young = 0;
	cmd->done = 0;
	while (cmd->done < cmd->length && !ret) {
		if (signal_pending(current))
			ret = -EINTR;
		else
			ret = age_some(vm, n, cmd, bits);
	}
	bitmap_free(bits);
	return umbra_progress(cmd->done, ret);
}

static int do_age(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_age *cmd = &call->arg.age;
	struct umbra_nested *n;
	int ret = umbra_ioctl_enter(vm, cmd->context, cmd->pad, &n);

	if (ret)
		return ret;
	ret = age_range(vm, n, cmd);
	umbra_nested_leave(vm, n);
	return ret;
}

static int do_scan_idle(struct umbra_call *call)
{
	struct umbra_scan_idle *cmd = &call->arg.scan_idle;

	if (cmd->pad)
		return -EINVAL;
	return umbra_age_scan(call->object, cmd->slot, cmd->pages);
}

/* A buffer for the log of @nr pages, or an ERR_PTR. */
static u64 *log_buffer(struct umbra_vm *vm, u64 nr)
{
	u64 *bits;

	if (!nr || nr > UMBRA_MAX_SLOT_PAGES)
		return ERR_PTR(-EINVAL);
	bits = umbra_fail(&vm->hold, UMBRA_POINT_ALLOC) ? NULL :
	       kvcalloc(BITS_TO_U64(nr), sizeof(u64), GFP_KERNEL_ACCOUNT);
	return bits ?: ERR_PTR(-ENOMEM);
}

static int do_get_dirty_log(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_get_dirty_log *cmd = &call->arg.get_dirty_log;
	struct umbra_log_range range = {
		.id = cmd->slot, .reader = cmd->reader,
		.first = cmd->first_page, .nr = cmd->nr_pages,
	};
	bool keep = cmd->flags & UMBRA_DIRTY_LOG_KEEP;
	bool count_only = keep && !cmd->bitmap;
	size_t bytes = BITS_TO_U64(range.nr) * sizeof(u64);
	u64 *bits;
	int ret;

	bits = log_buffer(vm, range.nr);
	if (IS_ERR(bits))
		return PTR_ERR(bits);
	if (mutex_lock_interruptible(&vm->slots_lock)) {
		ret = -EINTR;
		goto free;
	}
	ret = umbra_log_get(vm, &range, keep, bits);
	mutex_unlock(&vm->slots_lock);
	/* Not under the lock: the bitmap may lie in memory that never comes. */
	if (!ret && !count_only &&
	    copy_to_user(u64_to_user_ptr(cmd->bitmap), bits, bytes)) {
		ret = -EFAULT;
		if (!keep)
			umbra_log_undo(vm, &range, bits);
	}
	cmd->dirty = bitmap_weight((unsigned long *)bits, range.nr);
free:
	kvfree(bits);
	return ret;
}

static int do_clear_dirty_log(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_clear_dirty_log *cmd = &call->arg.clear_dirty_log;
	struct umbra_log_range range = {
		.id = cmd->slot, .reader = cmd->reader,
		.first = cmd->first_page, .nr = cmd->nr_pages,
	};
	size_t bytes = BITS_TO_U64(range.nr) * sizeof(u64);
	u64 *bits;
	int ret;

	bits = log_buffer(vm, range.nr);
	if (IS_ERR(bits))
		return PTR_ERR(bits);
	ret = -EFAULT;
	if (copy_from_user(bits, u64_to_user_ptr(cmd->bitmap), bytes))
		goto free;
	ret = -EINTR;
	if (mutex_lock_interruptible(&vm->slots_lock))
		goto free;
	ret = umbra_log_clear(vm, &range, bits);
	mutex_unlock(&vm->slots_lock);
free:
	kvfree(bits);
	return ret;
}

static int do_reset_dirty_rings(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_reset_dirty_rings *cmd = &call->arg.reset_dirty_rings;
	int ret;

	if (mutex_lock_interruptible(&vm->slots_lock))
		return -EINTR;
	ret = umbra_log_reset_rings(vm, &cmd->done);
	mutex_unlock(&vm->slots_lock);
	return umbra_progress(cmd->done, ret);
}

static int translate(struct umbra_vm *vm, struct umbra_nested *n,
		     struct umbra_translate *cmd)
{
	bool hpa = cmd->flags & UMBRA_TRANSLATE_HPA;
	umbra_leaf_t leaf;
	int level;

	if (cmd->gpa >= umbra_limit(vm, n))
		return -EINVAL;
	if (hpa && !capable(CAP_SYS_ADMIN))
		return -EPERM;

	leaf = umbra_pgtable_lookup(n ? &n->pgt : &vm->pgt, PHYS_PFN(cmd->gpa),
				    &level);
	cmd->pte = leaf & UMBRA_LEAF_ATTRS;
	cmd->leaf_shift = PAGE_SHIFT + umbra_level_shift(level);
	cmd->hpa = hpa && leaf ? umbra_leaf_pa(leaf) +
				 cmd->gpa % BIT_ULL(cmd->leaf_shift) : 0;
	return 0;
}

static int do_translate(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_translate *cmd = &call->arg.translate;
	struct umbra_nested *n;
	int ret = umbra_ioctl_enter(vm, cmd->context, cmd->pad, &n);

	if (ret)
		return ret;
	ret = translate(vm, n, cmd);
	umbra_nested_leave(vm, n);
	return ret;
}

static int do_create_nested(struct umbra_call *call)
{
	return umbra_nested_create(call->object, &call->arg.create_nested);
}

static int do_destroy_nested(struct umbra_call *call)
{
	const struct umbra_destroy_nested *cmd = &call->arg.destroy_nested;

	return cmd->pad ? -EINVAL :
			  umbra_nested_destroy(call->object, cmd->context);
}

static int do_invalidate_nested(struct umbra_call *call)
{
	return umbra_nested_invalidate(call->object,
				       &call->arg.invalidate_nested);
}

static int do_verify(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_verify *cmd = &call->arg.verify;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (!umbra_range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	cmd->leaves = 0;
	cmd->mismatches = 0;
	cmd->first_bad = 0;
	ret = umbra_verify(vm, &gfn, PHYS_PFN(cmd->gpa + cmd->length), cmd);
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return umbra_progress(cmd->done, ret);
}

static int do_split(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_split *cmd = &call->arg.split;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (cmd->pad || !umbra_range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	if (cmd->leaf_shift != PAGE_SHIFT && cmd->leaf_shift != PMD_SHIFT &&
	    cmd->leaf_shift != PUD_SHIFT)
		return -EINVAL;
	ret = umbra_split_range(vm, &gfn, PHYS_PFN(cmd->gpa + cmd->length),
				(cmd->leaf_shift - PAGE_SHIFT) /
				UMBRA_TABLE_BITS);
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return umbra_progress(cmd->done, ret);
}

static int do_collapse(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_collapse *cmd = &call->arg.collapse;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (!umbra_range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	ret = umbra_collapse_range(vm, &gfn,
				   PHYS_PFN(cmd->gpa + cmd->length));
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return umbra_progress(cmd->done, ret);
}

static int do_get_stats(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_get_stats *cmd = &call->arg.get_stats;
	struct umbra_stats sum;

	cmd->leaves = atomic_long_read(&vm->pgt.nr_leaves);
	cmd->table_pages = atomic_long_read(&vm->pgt.nr_tables);
	cmd->slots = READ_ONCE(vm->nr_slots);
	cmd->generation = umbra_vm_generation(vm);
	cmd->vcpus = READ_ONCE(vm->nr_vcpus);
	umbra_stats_sum(vm->stats, &sum);
	cmd->faults = sum.faults;
	cmd->faultins = sum.faultins;
	cmd->mapped = sum.mapped;
	cmd->retries = sum.retries;
	cmd->waits = sum.waits;
	cmd->invalidations = sum.invalidations;
	cmd->invalidations_missed = sum.invalidations_missed;
	cmd->unmapped = sum.unmapped;
	cmd->aged = sum.aged;
	cmd->protected = sum.protected;
	cmd->splits = sum.splits;
	cmd->collapses = sum.collapses;
	cmd->flushes = sum.flushes;
	cmd->tlb_hits = sum.tlb_hits;
	cmd->tlb_misses = sum.tlb_misses;
	cmd->tlb_conflicts = sum.tlb_conflicts;
	cmd->accesses = sum.accesses;
	cmd->mmio = sum.mmio;
	cmd->mmio_cached = sum.mmio_cached;
	umbra_nested_count(vm, &cmd->nested, &cmd->nested_leaves);
	cmd->nested_mapped = sum.nested_mapped;
	cmd->nested_unmapped = sum.nested_unmapped;
	cmd->nested_retries = sum.nested_retries;
	cmd->pages = atomic_long_read(&vm->pgt.nr_pages);
	cmd->bytes = umbra_footprint(vm);
	return 0;
}

#ifdef CONFIG_UMBRA_TEST
static int do_test(struct umbra_call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_test *cmd = &call->arg.test;
	int ret;

	if (cmd->pad)
		return -EINVAL;
	if (cmd->op == UMBRA_TEST_GENERATION) {
		if (cmd->generation % 2)
			return -EINVAL;
		mutex_lock(&vm->slots_lock);
		WRITE_ONCE(umbra_vm_slots(vm)->generation, cmd->generation);
		mutex_unlock(&vm->slots_lock);
	}
	ret = umbra_hold_ctl(&vm->hold, cmd);
	if (ret)
		return ret;
	spin_lock(&vm->active_lock);
	cmd->active = vm->active;
	spin_unlock(&vm->active_lock);
	read_lock(&vm->mmu_lock);
	cmd->in_progress = vm->inv.in_progress;
	cmd->sequence = vm->inv.seq;
	read_unlock(&vm->mmu_lock);
	cmd->generation = umbra_vm_generation(vm);
	cmd->leaves = atomic_long_read(&vm->pgt.nr_leaves);
	cmd->root = __pa(vm->pgt.root);
	cmd->levels = vm->pgt.layout.levels;
	cmd->root_bits = vm->pgt.layout.root_bits;
	return 0;
}
#endif

static const struct umbra_ioctl vm_ops[] = {
	IOCTL_IN(UMBRA_SET_MEMSLOT, umbra_set_memslot, hva, UMBRA_MEM_FLAGS,
		 do_set_memslot),
	IOCTL_OP(UMBRA_CREATE_VCPU, umbra_create_vcpu, ring_size, 0,
		 do_create_vcpu),
	IOCTL_OP(UMBRA_UNMAP, umbra_unmap, done, 0, do_unmap),
	IOCTL_OP(UMBRA_AGE, umbra_age, young, UMBRA_AGE_CLEAR, do_age),
	IOCTL_OP(UMBRA_SCAN_IDLE, umbra_scan_idle, pages, 0, do_scan_idle),
	IOCTL_OP(UMBRA_GET_DIRTY_LOG, umbra_get_dirty_log, dirty,
		 UMBRA_DIRTY_LOG_KEEP, do_get_dirty_log),
	IOCTL_IN(UMBRA_CLEAR_DIRTY_LOG, umbra_clear_dirty_log, bitmap, 0,
		 do_clear_dirty_log),
	IOCTL_OP(UMBRA_RESET_DIRTY_RINGS, umbra_reset_dirty_rings, done, 0,
		 do_reset_dirty_rings),
	IOCTL_OP(UMBRA_TRANSLATE, umbra_translate, hpa, UMBRA_TRANSLATE_HPA,
		 do_translate),
	IOCTL_OP(UMBRA_VERIFY, umbra_verify, first_bad, 0, do_verify),
	IOCTL_OP(UMBRA_SPLIT, umbra_split, done, 0, do_split),
	IOCTL_OP(UMBRA_COLLAPSE, umbra_collapse, done, 0, do_collapse),
	IOCTL_OP(UMBRA_CREATE_NESTED, umbra_create_nested, context,
		 UMBRA_NESTED_USER | UMBRA_NESTED_SOFT_AD, do_create_nested),
	IOCTL_IN(UMBRA_DESTROY_NESTED, umbra_destroy_nested, pad, 0,
		 do_destroy_nested),
	IOCTL_IN(UMBRA_INVALIDATE_NESTED, umbra_invalidate_nested, pad,
		 UMBRA_INVALIDATE_VMID, do_invalidate_nested),
	IOCTL_OP(UMBRA_GET_STATS, umbra_get_stats, accesses, 0, do_get_stats),
#ifdef CONFIG_UMBRA_TEST
	{ .cmd = UMBRA_TEST, .size = sizeof(struct umbra_test),
	  .min_size = sizeof(struct umbra_test), .any_mm = true,
	  .fn = do_test },
#endif
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct umbra_vm *vm = file->private_data;

	return umbra_ioctl_run(vm_ops, ARRAY_SIZE(vm_ops), vm, vm, cmd, user);
}

static int vm_release(struct inode *inode, struct file *file)
{
	umbra_vm_put(file->private_data);
	return 0;
}

const struct file_operations umbra_vm_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vm_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vm_release,
	.llseek		= noop_llseek,
};
