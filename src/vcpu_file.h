/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The descriptor of a vCPU.
 */
#ifndef UMBRA_VCPU_FILE_H
#define UMBRA_VCPU_FILE_H

#include <linux/fs.h>

/* Of a file whose private_data is a struct umbra_vcpu, destroyed with it. */
extern const struct file_operations umbra_vcpu_fops;

#endif /* UMBRA_VCPU_FILE_H */
