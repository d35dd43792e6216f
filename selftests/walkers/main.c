// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/umbra-walk: have the hardware translate an address by a stage-2 table.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "walker.h"

static DEFINE_MUTEX(lock);

static int walk(struct umbra_walk *w)
{
	int ret = mutex_lock_interruptible(&lock);

	if (ret)
		return ret;
	ret = walker_walk(w);
	mutex_unlock(&lock);
	return ret;
}

static long walk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_walk w;
	int ret;

	if (cmd != UMBRA_WALK)
		return -ENOTTY;
	if (copy_from_user(&w, (void __user *)arg, sizeof(w)))
		return -EFAULT;
	if (w.access > UMBRA_WALK_EXEC || w.flags & ~UMBRA_WALK_NO_AD ||
	    w.gpa % (w.access == UMBRA_WALK_EXEC ? 16 : 8))
		return -EINVAL;

	w.has = 0;
	ret = walk(&w);
	if (!ret && copy_to_user((void __user *)arg, &w, sizeof(w)))
		ret = -EFAULT;
	return ret;
}

static const struct file_operations walk_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= walk_ioctl,
};

static struct miscdevice walk_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "umbra-walk",
	.fops	= &walk_fops,
	.mode	= 0600,
};

static int __init walk_init(void)
{
	int ret = walker_init();

	if (ret)
		return ret;
	ret = misc_register(&walk_dev);
	if (ret)
		walker_exit();
	return ret;
}

static void __exit walk_exit(void)
{
	misc_deregister(&walk_dev);
	walker_exit();
}

module_init(walk_init);
module_exit(walk_exit);
MODULE_DESCRIPTION("Hardware walks of stage-2 tables, for tests of umbra");
MODULE_LICENSE("GPL");
