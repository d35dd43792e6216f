/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The retry protocol, and taking translations away.
 *
 * A fault looks a page up in the primary MMU without any lock and installs what
 * it found later. In between the primary MMU may change. The protocol makes
 * sure that what is installed is still true (U1, U2, U3):
 *
 *	fault				invalidation
 *	-----				------------
 *	seq = umbra_inv_sample()	umbra_inv_begin(): range in progress
 *	look up				zap what is installed, flush
 *	lock mmu_lock for read		(the primary MMU changes)
 *	umbra_inv_retry(seq)?		umbra_inv_end(): next seq, then no
 *	  yes: unlock, start again	  longer in progress
 *	install, unlock
 *
 * A fault that locks before the invalidation has begun installs what will be
 * zapped. One that locks while it is in progress sees that. One that locks
 * after it has ended sees another sequence number.
 */
#ifndef UMBRA_INVALIDATE_H
#define UMBRA_INVALIDATE_H

#include "vcpu.h"

/**
 * umbra_inv_begin() - from now on nobody installs in a range of pages
 * @vm: the VM
 * @start: first page of the range
 * @end: first page after it
 *
 * Takes mmu_lock; what has been installed before is there to be zapped.
 * Does not sleep. Has to be followed by umbra_inv_end() for the same range.
 */
void umbra_inv_begin(struct umbra_vm *vm, gfn_t start, gfn_t end);

/**
 * umbra_inv_end() - the range has changed; faults may look up again
 * @vm: the VM
 * @start: as begun
 * @end: as begun
 */
void umbra_inv_end(struct umbra_vm *vm, gfn_t start, gfn_t end);

/**
 * umbra_inv_sample() - the sequence number a look-up belongs to
 * @vm: the VM
 *
 * To be called before the look-up.
 *
 * Return: the number. What is looked up from now on is at least as new as
 * every invalidation that it counts.
 */
static inline u64 umbra_inv_sample(struct umbra_vm *vm)
{
	/* Pairs with the release in umbra_inv_end(). */
	return smp_load_acquire(&vm->inv.seq);
}

/**
 * umbra_inv_clip() - cut a range where an invalidation in progress begins
 * @vm: the VM
 * @start: first page of the range
 * @end: first page after it
 *
 * Without a lock; good to give up early, or to wait, never to install (U3).
 *
 * Return: first page in [@start, @end) that is being invalidated, or @end.
 */
gfn_t umbra_inv_clip(struct umbra_vm *vm, gfn_t start, gfn_t end);

/**
 * umbra_inv_retry() - must what was looked up be thrown away?
 * @vm: the VM; mmu_lock is held and stays held until it is installed
 * @seq: from umbra_inv_sample(), before the look-up
 * @start: first page of the range looked up
 * @end: first page after it
 *
 * Return: true if an invalidation of any part of the range is in progress or
 * has ended since @seq. Invalidations elsewhere do not count, as long as no
 * more than UMBRA_INV_HISTORY of them have ended since.
 */
bool umbra_inv_retry(struct umbra_vm *vm, u64 seq, gfn_t start, gfn_t end);

/**
 * umbra_inv_only() - has nothing but one page been invalidated for a while?
 * @vm: the VM; mmu_lock is held
 * @gfn: the page
 *
 * Return: true if an invalidation of just this page is in progress, and no
 * other one has been since it began. Whatever begins later finds what is
 * installed under the same hold of mmu_lock.
 */
bool umbra_inv_only(struct umbra_vm *vm, gfn_t gfn);

/**
 * umbra_inv_wait() - sleep while a page is being invalidated
 * @vm: the VM
 * @gfn: the page
 *
 * Return: 0, or -EINTR if a signal arrived.
 */
int umbra_inv_wait(struct umbra_vm *vm, gfn_t gfn);

/**
 * umbra_zap() - remove all translations of a range and flush them
 * @vm: the VM
 * @slot: the memslot that the range lies in, whose log, if any, takes what was
 *	dirty; or NULL for any range
 * @start: first page of the range
 * @end: first page after it
 * @may_yield: lets go of the processor in between, flushed (U12)
 *
 * To be called between umbra_inv_begin() and umbra_inv_end() for a range that
 * covers this one. When it returns, nobody can reach the pages any more and
 * they know what was accessed and dirtied (U11, U15). Sleeps only if
 * @may_yield.
 *
 * Return: the attributes that any of the leaves removed had.
 */
umbra_leaf_t umbra_zap(struct umbra_vm *vm, const struct umbra_memslot *slot,
		       gfn_t start, gfn_t end, bool may_yield);

/**
 * umbra_protect() - take the right to write, or the dirty bit, from pages
 * @vm: the VM
 * @slot: the memslot whose log, if any, takes what loses its dirty bit, or NULL
 * @gfn: first page
 * @nr: how many
 * @mask: bit n stands for page @gfn + n: only where it is 1; NULL for all
 * @attrs: UMBRA_PTE_WRITE, UMBRA_PTE_DIRTY, or both
 *
 * When it returns, no vCPU uses a translation from before, and what was dirty
 * has marked its page as dirty. May sleep.
 */
void umbra_protect(struct umbra_vm *vm, const struct umbra_memslot *slot,
		   gfn_t gfn, u64 nr, const unsigned long *mask,
		   umbra_leaf_t attrs);

/**
 * umbra_protect_pages() - have the next write to each of some pages fault
 * @vm: the VM
 * @gfns: the pages
 * @nr: how many: not so many that zap_lock is held for long
 *
 * When it returns, no vCPU uses a translation from before. Dirty bits stay.
 */
void umbra_protect_pages(struct umbra_vm *vm, const gfn_t *gfns,
			 unsigned int nr);

/**
 * umbra_unmap() - remove all translations of a range on request
 * @vm: the VM
 * @start: first page of the range
 * @end: first page after it
 *
 * umbra_zap() for every memslot in the range, with begin and end. May sleep.
 */
void umbra_unmap(struct umbra_vm *vm, gfn_t start, gfn_t end);

/**
 * umbra_prune() - free tables that a removed memslot has left empty
 * @vm: the VM
 * @start: first page of the memslot
 * @end: first page after it
 *
 * Its last tables may span more than the memslot did, so nobody installs
 * anywhere for a moment. Takes zap_lock and does not sleep: it walks all tables
 * of the range in one go, but they are empty of leaves.
 */
void umbra_prune(struct umbra_vm *vm, gfn_t start, gfn_t end);

/**
 * umbra_collapse() - make room for a block
 * @vm: the VM
 * @slot: the memslot that the block will lie in
 * @gfn: first page of the block
 * @level: of the block
 *
 * Removes the smaller leaves and their tables and invalidates all that they
 * mapped (U6); the block is then installed by a fault, like any other leaf. May sleep.
 *
 * Return: UMBRA_PTE_YOUNG and UMBRA_PTE_DIRTY as far as any of the leaves had
 * them, for the block to have.
 */
umbra_leaf_t umbra_collapse(struct umbra_vm *vm,
			    const struct umbra_memslot *slot, gfn_t gfn,
			    int level);

/**
 * umbra_split() - replace the block that maps a page by a table of leaves
 * @vm: the VM
 * @mc: topped up
 * @gfn: the page
 *
 * The leaves are one level lower and have the rights and the A and D bits of
 * the block. Does nothing if @gfn is not mapped by a block.
 */
void umbra_split(struct umbra_vm *vm, struct umbra_memcache *mc, gfn_t gfn);

#endif /* UMBRA_INVALIDATE_H */
