/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The descriptor of a VM.
 */
#ifndef UMBRA_VM_FILE_H
#define UMBRA_VM_FILE_H

#include <linux/fs.h>

/* Of a file whose private_data is a reference on a struct umbra_vm. */
extern const struct file_operations umbra_vm_fops;

#endif /* UMBRA_VM_FILE_H */
