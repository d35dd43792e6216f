// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls as tables: what is common to the descriptors of device, VM and vCPU.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/uaccess.h>

#include "ioctl.h"

static const struct umbra_ioctl *find_op(const struct umbra_ioctl *ops,
					 unsigned int nr, unsigned int cmd)
{
	for (; nr--; ops++)
		if (ops->cmd == cmd)
			return ops;
	return NULL;
}

static int perform(const struct umbra_ioctl *op, struct umbra_call *call,
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

long umbra_ioctl_run(const struct umbra_ioctl *ops, unsigned int nr,
		     void *object, struct umbra_vm *vm, unsigned int cmd,
		     unsigned long user)
{
	const struct umbra_ioctl *op = find_op(ops, nr, cmd);
	struct umbra_call call = { .object = object };
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

int umbra_ioctl_fd(struct umbra_call *call, const char *name,
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

int umbra_ioctl_enter(struct umbra_vm *vm, u32 context, u32 pad,
		      struct umbra_nested **n)
{
	*n = NULL;
	if (pad)
		return -EINVAL;
	if (context)
		*n = umbra_nested_enter(vm, context);
	return PTR_ERR_OR_ZERO(*n);
}
