// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/umbra: what there is, and making VMs.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "chardev.h"
#include "dirty_log.h"
#include "ioctl.h"
#include "memslot_update.h"
#include "nested_update.h"
#include "notifier.h"
#include "vm_file.h"

static int do_get_caps(struct umbra_call *call)
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

static int do_create_vm(struct umbra_call *call)
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
	ret = umbra_ioctl_fd(call, "umbra-vm", &umbra_vm_fops, vm);
	if (ret < 0) {
		umbra_vm_put(vm);
		return ret;
	}
	cmd->fd = ret;
	return 0;
}

static const struct umbra_ioctl dev_ops[] = {
	IOCTL_OP(UMBRA_GET_CAPS, umbra_get_caps, max_slot_pages, 0,
		 do_get_caps),
	IOCTL_OP(UMBRA_CREATE_VM, umbra_create_vm, pad, UMBRA_VM_SOFT_AD,
		 do_create_vm),
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	return umbra_ioctl_run(dev_ops, ARRAY_SIZE(dev_ops), NULL, NULL, cmd, user);
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
