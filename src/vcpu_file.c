// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor of a vCPU: faults, accesses, its dirty ring.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "access.h"
#include "fault.h"
#include "ioctl.h"
#include "vcpu_file.h"

static int fault_range(struct umbra_vcpu *vcpu, struct umbra_nested *n,
		       struct umbra_fault *cmd)
{
	gfn_t gfn = PHYS_PFN(cmd->gpa);
	gfn_t end = PHYS_PFN(cmd->gpa + cmd->length);
	int ret;

	if (!umbra_range_below(umbra_limit(vcpu->vm, n), cmd->gpa, cmd->length,
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
	return umbra_progress(cmd->done, ret);
}

static int do_fault(struct umbra_call *call)
{
	struct umbra_vcpu *vcpu = call->object;
	struct umbra_fault *cmd = &call->arg.fault;
	struct umbra_nested *n;
	int ret = umbra_ioctl_enter(vcpu->vm, cmd->context, cmd->pad, &n);

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
	u64 limit = umbra_limit(a->vcpu->vm, a->n);
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
	return umbra_progress(cmd->done, ret);
}

static int do_access(struct umbra_call *call)
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
	ret = umbra_ioctl_enter(vcpu->vm, cmd->context, cmd->pad, &agent.n);
	if (ret)
		return ret;
	ret = do_ops(&agent, cmd);
	umbra_nested_leave(vcpu->vm, agent.n);
	return ret;
}

static const struct umbra_ioctl vcpu_ops[] = {
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
	ret = umbra_ioctl_run(vcpu_ops, ARRAY_SIZE(vcpu_ops), vcpu, vcpu->vm,
			      cmd, user);
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

const struct file_operations umbra_vcpu_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vcpu_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vcpu_mmap,
	.poll		= vcpu_poll,
	.release	= vcpu_release,
	.llseek		= noop_llseek,
};
