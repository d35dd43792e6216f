/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VM takes of the kernel's memory.
 */
#ifndef UMBRA_FOOTPRINT_H
#define UMBRA_FOOTPRINT_H

#include "vm.h"

/**
 * umbra_footprint() - bytes that a VM takes, its table aside
 * @vm: the VM
 *
 * Its memslots with their logs and its vCPUs with their TLBs, rings and supplies
 * included. Takes time linear in their number. May sleep.
 *
 * Return: bytes, without what allocators lose by rounding.
 */
u64 umbra_footprint(struct umbra_vm *vm);

#endif /* UMBRA_FOOTPRINT_H */
