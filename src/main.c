// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init and exit of umbra.ko, nothing else.
 */
#include <linux/module.h>

static int __init umbra_init(void)
{
	return 0;
}
module_init(umbra_init);

static void __exit umbra_exit(void)
{
}
module_exit(umbra_exit);

MODULE_DESCRIPTION("Two-dimensional secondary MMU");
MODULE_LICENSE("GPL");
