// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init and exit of umbra.ko, nothing else.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "chardev.h"

static int __init umbra_init(void)
{
	return umbra_chardev_init();
}
module_init(umbra_init);

static void __exit umbra_exit(void)
{
	umbra_chardev_exit();
	rcu_barrier();	/* tables and vCPUs on their way to be freed */
}
module_exit(umbra_exit);

MODULE_DESCRIPTION("Two-dimensional secondary MMU");
MODULE_LICENSE("GPL");
