/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and clearing the dirty log while it is being written.
 */
#ifndef UMBRA_LOG_H
#define UMBRA_LOG_H

#include "vm.h"

/**
 * struct umbra_log_range - some pages of a memslot's log
 * @id: the memslot
 * @reader: whose log
 * @first: first page, counted from the memslot's first; a multiple of 64
 * @nr: pages; a multiple of 64, or up to the memslot's last page
 */
struct umbra_log_range {
	u32 id;
	u32 reader;
	u64 first;
	u64 nr;
};

/**
 * umbra_log_get() - hand out which pages are dirty
 * @vm: the VM; slots_lock is held
 * @range: which pages
 * @keep: leave them in the log
 * @bits: out: a bit for each page
 *
 * Unless @keep, the pages are taken, protected and flushed before this returns
 * (U10). May sleep.
 *
 * Return: 0, -ENOENT, -EINVAL.
 */
int umbra_log_get(struct umbra_vm *vm, const struct umbra_log_range *range,
		  bool keep, u64 *bits);

/**
 * umbra_log_clear() - take pages from the log
 * @vm: the VM; slots_lock is held
 * @range: which pages
 * @bits: of these, those with a bit that is 1; out: those that were in the log
 *
 * May sleep.
 *
 * Return: 0, -ENOENT, -EINVAL.
 */
int umbra_log_clear(struct umbra_vm *vm, const struct umbra_log_range *range,
		    u64 *bits);

/**
 * umbra_log_reset_rings() - have entries that were collected be used again
 * @vm: the VM; slots_lock is held
 * @done: out: how many
 *
 * Their pages are protected and flushed first (U10). May sleep.
 *
 * Return: 0, -ENOENT if no vCPU has a ring, -ENOMEM; -EINTR if a signal arrived
 * before all rings were looked at.
 */
int umbra_log_reset_rings(struct umbra_vm *vm, u64 *done);

/**
 * umbra_log_undo() - put back what umbra_log_get() took
 * @vm: the VM
 * @range: as it was
 * @bits: as they came out
 *
 * May sleep. If the memslot has been replaced meanwhile, its heir gets them.
 */
void umbra_log_undo(struct umbra_vm *vm, const struct umbra_log_range *range,
		    const u64 *bits);

#endif /* UMBRA_LOG_H */
