// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/umbra: file operations and the ioctl tables. The only user of uaccess.
 *
 * Each kind of descriptor has a table of ioctls. run() copies the structure in,
 * rejects unknown flags, calls the operation, and copies the structure out if
 * it succeeds. An operation that came some way returns 0 with done set.
 */
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "access.h"
#include "age.h"
#include "chardev.h"
#include "fault.h"
#include "footprint.h"
#include "invalidate.h"
#include "log.h"
#include "memslot_update.h"
#include "nested_update.h"
#include "notifier.h"
#include "verify.h"

/* Room for any structure; all begin with size and flags. */
union arg {
	struct {
		u32 size;
		u32 flags;
	};
	struct umbra_get_caps get_caps;
	struct umbra_create_vm create_vm;
	struct umbra_set_memslot set_memslot;
	struct umbra_create_vcpu create_vcpu;
	struct umbra_unmap unmap;
	struct umbra_age age;
	struct umbra_scan_idle scan_idle;
	struct umbra_get_dirty_log get_dirty_log;
	struct umbra_clear_dirty_log clear_dirty_log;
	struct umbra_reset_dirty_rings reset_dirty_rings;
	struct umbra_translate translate;
	struct umbra_verify verify;
	struct umbra_split split;
	struct umbra_collapse collapse;
	struct umbra_get_stats get_stats;
	struct umbra_create_nested create_nested;
	struct umbra_destroy_nested destroy_nested;
	struct umbra_invalidate_nested invalidate_nested;
	struct umbra_fault fault;
	struct umbra_access access;
	struct umbra_test test;
};

/**
 * struct call - one ioctl under way
 * @object: what is behind the descriptor
 * @arg: the structure
 * @file: a file that the operation has made, to be installed at @fd
 * @fd: reserved for it
 */
struct call {
	void *object;
	union arg arg;
	struct file *file;
	int fd;
};

/**
 * struct ioctl_op - an ioctl of one kind of descriptor
 * @cmd: its number
 * @size: of its structure
 * @min_size: of its structure when it was first published
 * @flags: the flags it knows
 * @in_only: no field is out, the structure may be in read-only memory
 * @any_mm: may be called from any process
 * @fn: the operation
 */
struct ioctl_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	u32 flags;
	bool in_only;
	bool any_mm;
	int (*fn)(struct call *call);
};

#define IOCTL(_cmd, _struct, _last, _flags, _in_only, _fn)		\
	{ .cmd = _cmd, .size = sizeof(struct _struct),			\
	  .min_size = offsetofend(struct _struct, _last),		\
	  .flags = _flags, .in_only = _in_only, .fn = _fn }
#define IOCTL_OP(_cmd, _struct, _last, _flags, _fn)			\
	IOCTL(_cmd, _struct, _last, _flags, false, _fn)
#define IOCTL_IN(_cmd, _struct, _last, _flags, _fn)			\
	IOCTL(_cmd, _struct, _last, _flags, true, _fn)

static const struct ioctl_op *find_op(const struct ioctl_op *ops,
				      unsigned int nr, unsigned int cmd)
{
	for (; nr--; ops++)
		if (ops->cmd == cmd)
			return ops;
	return NULL;
}

static int perform(const struct ioctl_op *op, struct call *call,
		   void __user *user)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->min_size)
		return -EINVAL;
	ret = copy_struct_from_user(&call->arg, op->size, user, size);
	if (ret)
		return ret;
	if (call->arg.flags & ~op->flags)
		return -EOPNOTSUPP;
	if (op->in_only)
		return op->fn(call);

	/* After an error all is as before: find out whether out can be out. */
	call->arg.size = size;
	if (copy_to_user(user, &call->arg, min(size, op->size)))
		return -EFAULT;
	ret = op->fn(call);
	if (ret)
		return ret;
	return copy_to_user(user, &call->arg, min(size, op->size)) ? -EFAULT : 0;
}

/* @vm is the one that @object belongs to, or NULL. */
static long run(const struct ioctl_op *ops, unsigned int nr, void *object,
		struct umbra_vm *vm, unsigned int cmd, unsigned long user)
{
	const struct ioctl_op *op = find_op(ops, nr, cmd);
	struct call call = { .object = object };
	int ret = 0;

	if (!op)
		return -ENOTTY;
	if (vm && !op->any_mm)
		ret = umbra_vm_check(vm);
	if (!ret)
		ret = perform(op, &call, (void __user *)user);
	if (!call.file)
		return ret;

	/* Nobody can use a descriptor whose number could not be told. */
	if (ret) {
		put_unused_fd(call.fd);
		fput(call.file);
	} else {
		fd_install(call.fd, call.file);
	}
	return ret;
}

/* Give the caller a descriptor for @object, when all else has succeeded. */
static int make_fd(struct call *call, const char *name,
		   const struct file_operations *fops, void *object)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, object, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	call->fd = fd;
	call->file = file;
	return fd;
}

/* An operation that stopped with @ret: is it an error, or some progress? */
static int progress(u64 done, int ret)
{
	return done ? 0 : ret;
}

/* The addresses that an operation is about: @n's, or else @vm's. */
static u64 limit_of(const struct umbra_vm *vm, const struct umbra_nested *n)
{
	return (n ? n->gfn_limit : vm->gfn_limit) << PAGE_SHIFT;
}

static bool range_below(u64 limit, u64 gpa, u64 length, u64 align)
{
	return length && !(gpa % align) && !(length % align) &&
	       length <= limit && gpa <= limit - length;
}

static bool range_ok(const struct umbra_vm *vm, u64 gpa, u64 length, u64 align)
{
	return range_below(limit_of(vm, NULL), gpa, length, align);
}

/* Go into the context of an operation; 0 is none. */
static int enter(struct umbra_vm *vm, u32 context, u32 pad,
		 struct umbra_nested **n)
{
	*n = NULL;
	if (pad)
		return -EINVAL;
	if (context)
		*n = umbra_nested_enter(vm, context);
	return PTR_ERR_OR_ZERO(*n);
}

/* ---------------------------------------------------------------- the vCPU */

static int fault_range(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       struct umbra_fault *cmd)
{
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	gfn_t end = PHYS_PFN(cmd->gpa + cmd->length);
	int ret;

	if (!range_below(limit_of(vcpu->vm, n), cmd->gpa, cmd->length,
			 PAGE_SIZE))
		return -EINVAL;
	if (umbra_ring_nearly_full(&vcpu->ring))
		ret = -ENOSPC;
	else if (n)
		ret = umbra_access_fault(vcpu, n, &gfn, end, cmd->flags);
	else
		ret = umbra_fault(vcpu->vm, &vcpu->supplies, &gfn, end,
				  cmd->flags);
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return progress(cmd->done, ret);
}

static int do_fault(struct call *call)
{
	struct umbra_vcpu *vcpu = call->object;
	struct umbra_fault *cmd = &call->arg.fault;
	struct umbra_nested *n;
	int ret = enter(vcpu->vm, cmd->context, cmd->pad, &n);

	if (ret)
		return ret;
	ret = fault_range(vcpu, n, cmd);
	umbra_nested_leave(vcpu->vm, n);
	return ret;
}

/* Who accesses, in which addresses, and how. */
struct agent {
	struct umbra_vcpu *vcpu;
	struct umbra_nested *n;
	u32 flags;
	struct umbra_exit *exit;
};

/*
 * An access to @len bytes at @gpa has ended with @error, which may be something
 * for the caller to do. @data is its operand.
 */
static void make_exit(const struct agent *a, int error, gpa_t gpa, u32 len,
		      u64 data)
{
	const struct umbra_guest_fault *fault = &a->vcpu->guest_fault;
	struct umbra_exit *exit = a->exit;

	if (error == -ENXIO) {
		exit->reason = UMBRA_EXIT_MMIO;
		exit->data = len < sizeof(data) ?
			     data & (BIT_ULL(8 * len) - 1) : data;
		if (a->n)
			gpa = PFN_PHYS(fault->gfn) + offset_in_page(gpa);
	} else if (error == -EACCES && a->n && fault->kind) {
		exit->reason = UMBRA_EXIT_NESTED;
		exit->kind = fault->kind;
		exit->level = fault->level;
		exit->entry = fault->entry;
	} else {
		return;
	}
	exit->gpa = gpa;
	exit->len = len;
}

/* A READ or WRITE, page by page through the bounce buffer. */
static int do_copy(const struct agent *a, const struct umbra_access_op *op)
{
	bool write = op->op == UMBRA_OP_WRITE;
	void __user *user = u64_to_user_ptr(op->value);
	struct umbra_vcpu *vcpu = a->vcpu;
	u64 at, data;
	u32 n;
	int ret;

	for (at = 0; at < op->len; at += n, user += n) {
		gpa_t gpa = op->gpa + at;

		if (at && signal_pending(current))
			return -EINTR;
		cond_resched();
		n = min_t(u64, op->len - at, PAGE_SIZE - offset_in_page(gpa));
		if (write && copy_from_user(vcpu->bounce, user, n))
			return -EFAULT;
		ret = umbra_access_copy(vcpu, a->n, gpa, n, write, a->flags);
		if (ret) {
			data = 0;
			if (write && n <= sizeof(data))
				memcpy(&data, vcpu->bounce, n);
			make_exit(a, ret, gpa, n, data);
			return ret;
		}
		if (!write && copy_to_user(user, vcpu->bounce, n))
			return -EFAULT;
	}
	return 0;
}

static int do_op(const struct agent *a, struct umbra_access_op __user *user)
{
	u64 limit = limit_of(a->vcpu->vm, a->n);
	struct umbra_access_op op;
	int ret;

	if (copy_from_user(&op, user, sizeof(op)))
		return -EFAULT;
	if (!op.len || op.gpa >= limit || op.len > limit - op.gpa)
		return -EINVAL;
	if (op.compare && op.op != UMBRA_OP_CMPXCHG)
		return -EINVAL;

	switch (op.op) {
	case UMBRA_OP_READ:
	case UMBRA_OP_WRITE:
		return do_copy(a, &op);
	case UMBRA_OP_LOAD:
	case UMBRA_OP_STORE:
	case UMBRA_OP_CMPXCHG:
	case UMBRA_OP_FETCH:
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (op.len > 8 || !is_power_of_2(op.len) || op.gpa % op.len)
		return -EINVAL;
	/* Before an exchange: can its result be told? */
	if (op.op != UMBRA_OP_STORE && put_user(op.value, &user->value))
		return -EFAULT;
	ret = umbra_access_atomic(a->vcpu, a->n, &op, a->flags);
	if (ret)
		make_exit(a, ret, op.gpa, op.len,
			  op.op == UMBRA_OP_STORE ||
			  op.op == UMBRA_OP_CMPXCHG ? op.value : 0);
	if (!ret && op.op != UMBRA_OP_STORE &&
	    put_user(op.value, &user->value))
		ret = -EFAULT;
	return ret;
}

static int do_ops(const struct agent *a, struct umbra_access *cmd)
{
	struct umbra_access_op __user *ops = u64_to_user_ptr(cmd->ops);
	int ret = 0;

	for (cmd->done = 0; cmd->done < cmd->nr_ops; cmd->done++) {
		if (cmd->done && signal_pending(current))
			break;
		cond_resched();
		ret = -ENOSPC;
		if (umbra_ring_nearly_full(&a->vcpu->ring))
			break;
		ret = do_op(a, &ops[cmd->done]);
		if (ret)
			break;
	}
	if (cmd->exit.reason && cmd->flags & UMBRA_ACCESS_EXITS)
		ret = 0;
	if (ret == -ENXIO)
		ret = -ENOENT;
	if (ret == -ENOSPC && cmd->flags & UMBRA_ACCESS_EXITS) {
		cmd->exit.reason = UMBRA_EXIT_RING_FULL;
		ret = 0;
	}
	return progress(cmd->done, ret);
}

static int do_access(struct call *call)
{
	struct umbra_vcpu *vcpu = call->object;
	struct umbra_access *cmd = &call->arg.access;
	struct agent agent = {
		.vcpu = vcpu, .flags = cmd->flags, .exit = &cmd->exit,
	};
	int ret;

	if (!cmd->nr_ops)
		return -EINVAL;
	if (cmd->flags & UMBRA_ACCESS_EXITS &&
	    cmd->size < offsetofend(struct umbra_access, exit))
		return -EINVAL;
	memset(&cmd->exit, 0, sizeof(cmd->exit));
	ret = enter(vcpu->vm, cmd->context, cmd->pad, &agent.n);
	if (ret)
		return ret;
	ret = do_ops(&agent, cmd);
	umbra_nested_leave(vcpu->vm, agent.n);
	return ret;
}

static const struct ioctl_op vcpu_ops[] = {
	IOCTL_OP(UMBRA_FAULT, umbra_fault, done,
		 UMBRA_FAULT_WRITE | UMBRA_FAULT_EXEC | UMBRA_FAULT_NOWAIT,
		 do_fault),
	IOCTL_OP(UMBRA_ACCESS, umbra_access, done,
		 UMBRA_ACCESS_NOWAIT | UMBRA_ACCESS_EXITS, do_access),
};

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct umbra_vcpu *vcpu = file->private_data;
	long ret;

	if (mutex_lock_interruptible(&vcpu->lock))
		return -EINTR;
	ret = run(vcpu_ops, ARRAY_SIZE(vcpu_ops), vcpu, vcpu->vm, cmd, user);
	mutex_unlock(&vcpu->lock);
	return ret;
}

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct umbra_vcpu *vcpu = file->private_data;

	return umbra_vm_check(vcpu->vm) ?: umbra_ring_mmap(&vcpu->ring, vma);
}

static __poll_t vcpu_poll(struct file *file, struct poll_table_struct *wait)
{
	struct umbra_vcpu *vcpu = file->private_data;

	return umbra_ring_poll(&vcpu->ring, file, wait);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	umbra_vcpu_destroy(file->private_data);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vcpu_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vcpu_mmap,
	.poll		= vcpu_poll,
	.release	= vcpu_release,
	.llseek		= noop_llseek,
};

/* ------------------------------------------------------------------ the VM */

static int do_set_memslot(struct call *call)
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

static int do_create_vcpu(struct call *call)
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
	      make_fd(call, "umbra-vcpu", &vcpu_fops, vcpu);
	if (ret < 0) {
		umbra_vcpu_destroy(vcpu);
		return ret;
	}
	call->arg.create_vcpu.fd = ret;
	return 0;
}

/* Pages after which a signal is looked for. */
#define UNMAP_CHUNK	(SZ_1G >> PAGE_SHIFT)

static int do_unmap(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_unmap *cmd = &call->arg.unmap;
	gfn_t gfn = PHYS_PFN(cmd->gpa), end, next;
	int ret = 0;

	if (!range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
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
	return progress(cmd->done, ret);
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
	    !range_below(limit_of(vm, n), cmd->gpa, cmd->length, cmd->granule))
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
	return progress(cmd->done, ret);
}

static int do_age(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_age *cmd = &call->arg.age;
	struct umbra_nested *n;
	int ret = enter(vm, cmd->context, cmd->pad, &n);

	if (ret)
		return ret;
	ret = age_range(vm, n, cmd);
	umbra_nested_leave(vm, n);
	return ret;
}

static int do_scan_idle(struct call *call)
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

static int do_get_dirty_log(struct call *call)
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

static int do_clear_dirty_log(struct call *call)
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

static int do_reset_dirty_rings(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_reset_dirty_rings *cmd = &call->arg.reset_dirty_rings;
	int ret;

	if (mutex_lock_interruptible(&vm->slots_lock))
		return -EINTR;
	ret = umbra_log_reset_rings(vm, &cmd->done);
	mutex_unlock(&vm->slots_lock);
	return progress(cmd->done, ret);
}

static int translate(struct umbra_vm *vm, struct umbra_nested *n,
		     struct umbra_translate *cmd)
{
	bool hpa = cmd->flags & UMBRA_TRANSLATE_HPA;
	umbra_leaf_t leaf;
	int level;

	if (cmd->gpa >= limit_of(vm, n))
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

static int do_translate(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_translate *cmd = &call->arg.translate;
	struct umbra_nested *n;
	int ret = enter(vm, cmd->context, cmd->pad, &n);

	if (ret)
		return ret;
	ret = translate(vm, n, cmd);
	umbra_nested_leave(vm, n);
	return ret;
}

static int do_create_nested(struct call *call)
{
	return umbra_nested_create(call->object, &call->arg.create_nested);
}

static int do_destroy_nested(struct call *call)
{
	const struct umbra_destroy_nested *cmd = &call->arg.destroy_nested;

	return cmd->pad ? -EINVAL :
			  umbra_nested_destroy(call->object, cmd->context);
}

static int do_invalidate_nested(struct call *call)
{
	return umbra_nested_invalidate(call->object,
				       &call->arg.invalidate_nested);
}

static int do_verify(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_verify *cmd = &call->arg.verify;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (!range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	cmd->leaves = 0;
	cmd->mismatches = 0;
	cmd->first_bad = 0;
	ret = umbra_verify(vm, &gfn, PHYS_PFN(cmd->gpa + cmd->length), cmd);
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return progress(cmd->done, ret);
}

static int do_split(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_split *cmd = &call->arg.split;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (cmd->pad || !range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	if (cmd->leaf_shift != PAGE_SHIFT && cmd->leaf_shift != PMD_SHIFT &&
	    cmd->leaf_shift != PUD_SHIFT)
		return -EINVAL;
	ret = umbra_split_range(vm, &gfn, PHYS_PFN(cmd->gpa + cmd->length),
				(cmd->leaf_shift - PAGE_SHIFT) /
				UMBRA_TABLE_BITS);
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return progress(cmd->done, ret);
}

static int do_collapse(struct call *call)
{
	struct umbra_vm *vm = call->object;
	struct umbra_collapse *cmd = &call->arg.collapse;
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	int ret;

	if (!range_ok(vm, cmd->gpa, cmd->length, PAGE_SIZE))
		return -EINVAL;
	ret = umbra_collapse_range(vm, &gfn,
				   PHYS_PFN(cmd->gpa + cmd->length));
	cmd->done = PFN_PHYS(gfn) - cmd->gpa;
	return progress(cmd->done, ret);
}

static int do_get_stats(struct call *call)
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
static int do_test(struct call *call)
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

static const struct ioctl_op vm_ops[] = {
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

	return run(vm_ops, ARRAY_SIZE(vm_ops), vm, vm, cmd, user);
}

static int vm_release(struct inode *inode, struct file *file)
{
	umbra_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vm_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.release	= vm_release,
	.llseek		= noop_llseek,
};

/* -------------------------------------------------------------- the device */

static int do_get_caps(struct call *call)
{
	struct umbra_get_caps *cmd = &call->arg.get_caps;
	const struct umbra_fmt *fmt = umbra_fmt_get(cmd->format);
	unsigned int level;

	if (!fmt)
		return -EOPNOTSUPP;
	for (cmd->formats = 0; umbra_fmt_get(fls(cmd->formats)); )
		cmd->formats = cmd->formats << 1 | 1;
	cmd->gpa_bits_min = fmt->gpa_bits_min;
	cmd->gpa_bits_max = fmt->gpa_bits_max;
	cmd->leaf_sizes = 0;
	for (level = 0; level < UMBRA_MAX_LEVELS; level++)
		if (fmt->leaf_levels & BIT(level))
			cmd->leaf_sizes |= PFN_PHYS(umbra_level_span(level));
	cmd->mem_flags = UMBRA_MEM_FLAGS;
	cmd->max_slots = UMBRA_MAX_SLOTS;
	cmd->max_vcpus = UMBRA_MAX_VCPUS;
	cmd->vm_flags = UMBRA_VM_SOFT_AD;
	cmd->max_slot_pages = UMBRA_MAX_SLOT_PAGES;
	cmd->max_log_readers = UMBRA_LOG_READERS;
	cmd->max_ring_size = UMBRA_MAX_RING;
	cmd->max_nested = UMBRA_MAX_NESTED;
	cmd->nested_formats = cmd->formats | BIT(UMBRA_FMT_X86_64);
	return 0;
}

static int do_create_vm(struct call *call)
{
	struct umbra_create_vm *cmd = &call->arg.create_vm;
	const struct umbra_fmt *fmt = umbra_fmt_get(cmd->format);
	u32 bits = cmd->gpa_bits;
	struct umbra_layout layout;
	struct umbra_vm *vm;
	int ret;

	if (cmd->pad)
		return -EINVAL;
	if (!fmt)
		return -EOPNOTSUPP;
	if (!bits)
		bits = fmt->gpa_bits_max;
	if (bits < fmt->gpa_bits_min || bits > fmt->gpa_bits_max)
		return -EINVAL;

	ret = umbra_layout_init(&layout, fmt, bits,
				cmd->flags & UMBRA_VM_SOFT_AD ? UMBRA_AD_SW :
								UMBRA_AD_HW);
	if (ret)
		return ret;

	vm = umbra_vm_create(&layout, bits, &umbra_mn_ops);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	ret = make_fd(call, "umbra-vm", &vm_fops, vm);
	if (ret < 0) {
		umbra_vm_put(vm);
		return ret;
	}
	cmd->fd = ret;
	return 0;
}

static const struct ioctl_op dev_ops[] = {
	IOCTL_OP(UMBRA_GET_CAPS, umbra_get_caps, max_slot_pages, 0,
		 do_get_caps),
	IOCTL_OP(UMBRA_CREATE_VM, umbra_create_vm, pad, UMBRA_VM_SOFT_AD,
		 do_create_vm),
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	return run(dev_ops, ARRAY_SIZE(dev_ops), NULL, NULL, cmd, user);
}

static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "umbra",
	.fops	= &dev_fops,
};

int umbra_chardev_init(void)
{
	return misc_register(&dev);
}

void umbra_chardev_exit(void)
{
	misc_deregister(&dev);
}
