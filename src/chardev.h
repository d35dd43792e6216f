/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/umbra.
 */
#ifndef UMBRA_CHARDEV_H
#define UMBRA_CHARDEV_H

/** umbra_chardev_init() - make the device appear; 0 or -errno */
int umbra_chardev_init(void);

/** umbra_chardev_exit() - take it away; no descriptor is open */
void umbra_chardev_exit(void);

#endif /* UMBRA_CHARDEV_H */
