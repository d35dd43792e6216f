/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested contexts while they are in use: who is inside, which go, and what has
 * to change in them when the guest says so or when stage 2 changes.
 *
 * A nested leaf rests on a leaf of stage 2: as long as it is there, that leaf
 * is there, is as large, leads to the same page, and has all of its rights and
 * all of its A and D bits. So whoever takes anything from a leaf of stage 2 does so
 *
 *	1. between umbra_inv_begin() and umbra_inv_end() for it (U4),
 *	2. and, in the same hold of zap_lock, from the nested leaves:
 *	   umbra_nested_follow(), then umbra_nested_flush().
 *
 * And whoever only wants to know about A and D of a page looks at stage 2.
 */
#ifndef UMBRA_NESTED_UPDATE_H
#define UMBRA_NESTED_UPDATE_H

#include "vcpu.h"

/**
 * umbra_nested_any() - may there be nested leaves?
 * @vm: the VM
 *
 * Return: an answer that is no stays so for as long as the caller holds SRCU, or
 * an invalidation in progress of all that it asks for.
 */
static inline bool umbra_nested_any(struct umbra_vm *vm)
{
	return READ_ONCE(vm->nr_nested);
}

/**
 * umbra_nested_create() - find the context of a guest's table, or make one
 * @vm: the VM
 * @cmd: as in the ABI; flags are known ones. @cmd->context is set
 *
 * May sleep.
 *
 * Return: 0, -EOPNOTSUPP, -EINVAL, -EBUSY if somebody is in each of them,
 * -ENOMEM, -EINTR.
 */
int umbra_nested_create(struct umbra_vm *vm, struct umbra_create_nested *cmd);

/**
 * umbra_nested_destroy() - drop a context
 * @vm: the VM
 * @id: the context
 *
 * May sleep.
 *
 * Return: 0, -ENOENT if there is none, -EBUSY if somebody is inside, -EINTR.
 */
int umbra_nested_destroy(struct umbra_vm *vm, u32 id);

/**
 * umbra_nested_enter() - go into a context
 * @vm: the VM
 * @id: the context
 *
 * It stays until umbra_nested_leave(). May sleep.
 *
 * Return: the context, or an ERR_PTR: -ENOENT, -EINTR.
 */
struct umbra_nested *umbra_nested_enter(struct umbra_vm *vm, u32 id);

/** umbra_nested_leave() - leave a context; NULL is none; may sleep */
void umbra_nested_leave(struct umbra_vm *vm, struct umbra_nested *n);

/**
 * umbra_nested_zap() - drop the leaves of a range
 * @vm: the VM
 * @n: the context, entered
 * @start: first nested page of the range
 * @end: first page after it
 * @level: of the entries of the guest's table that have changed, or -1
 *
 * Drops what was made from any entry of the guest's table that touches the
 * range, as far as it came from that @level if one is given. When it returns
 * no vCPU uses it, and what is installed from now on was read since the call.
 * May sleep.
 */
void umbra_nested_zap(struct umbra_vm *vm, struct umbra_nested *n, gfn_t start,
		      gfn_t end, int level);

/**
 * umbra_nested_invalidate() - the guest has changed its table
 * @vm: the VM
 * @cmd: as in the ABI; flags are known ones
 *
 * umbra_nested_zap() for each context that is meant. May sleep.
 *
 * Return: 0, -EINVAL, -ENOENT, -EINTR.
 */
int umbra_nested_invalidate(struct umbra_vm *vm,
			    const struct umbra_invalidate_nested *cmd);

/** umbra_nested_count() - how many contexts, and leaves in them; may sleep */
void umbra_nested_count(struct umbra_vm *vm, u64 *contexts, u64 *leaves);

/**
 * umbra_nested_follow() - a leaf of stage 2 has lost something
 * @vm: the VM; zap_lock is held
 * @gfn: first page
 * @nr: pages that the leaf maps from there
 * @old: the leaf before, for @gfn
 * @new: and after; 0: there is none any more, or it is no longer so large
 *
 * Takes the same from the nested leaves that rest on it. Does not sleep.
 */
void umbra_nested_follow(struct umbra_vm *vm, gfn_t gfn, u64 nr,
			 umbra_leaf_t old, umbra_leaf_t new);

/**
 * umbra_nested_flush() - flush what umbra_nested_follow() has changed
 * @vm: the VM; zap_lock is held since then
 *
 * Does not sleep.
 */
void umbra_nested_flush(struct umbra_vm *vm);

/**
 * umbra_nested_purge() - drop stale items of the reverse map
 * @vm: the VM; zap_lock is held, and the pages are being invalidated, so that
 *	nobody is about to install what an item stands for
 * @gfn: first page of a span of @level
 * @level: of the leaves
 */
void umbra_nested_purge(struct umbra_vm *vm, gfn_t gfn, int level);

#endif /* UMBRA_NESTED_UPDATE_H */
