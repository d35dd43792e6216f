/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the primary MMU announces: hva -> memslots -> invalidate or age.
 */
#ifndef UMBRA_NOTIFIER_H
#define UMBRA_NOTIFIER_H

#include "vm.h"

/** umbra_mn_ops - to be given to umbra_vm_create() */
extern const struct mmu_notifier_ops umbra_mn_ops;

/**
 * umbra_publish_slots() - make a set of memslots the active one
 * @vm: the VM; slots_lock is held
 * @slots: the other set, edited
 *
 * Waits until no invalidation is between start and end, so that each has both
 * over the same set (U9), and after the change until nobody reads the old set.
 * Sleeps.
 */
void umbra_publish_slots(struct umbra_vm *vm, struct umbra_memslots *slots);

#endif /* UMBRA_NOTIFIER_H */
