/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty ring of a vCPU, in memory that it shares with the process.
 *
 * An entry goes from empty to dirty (the vCPU pushes it), to collected (the
 * process has read it and says so), to empty (a reset has protected the page).
 *
 * The process can write to all of it at any time. So the positions are kept
 * outside, the flags of an entry are believed only where an entry was pushed,
 * and the page that it names is checked by whoever acts on it.
 */
#ifndef UMBRA_DIRTY_RING_H
#define UMBRA_DIRTY_RING_H

#include <linux/poll.h>

#include "types.h"

/**
 * struct umbra_ring - a dirty ring
 * @gfns: the entries, shared with the process; NULL: there is no ring
 * @size: how many: a power of two
 * @pushed: entries pushed since it was made; written by the vCPU's operation
 * @reset: entries that are empty again; written by the one reset under way
 * @wq: waits until the ring is nearly full
 */
struct umbra_ring {
	struct umbra_dirty_gfn *gfns;
	u32 size;
	u32 pushed;
	u32 reset;
	wait_queue_head_t wq;
};

/**
 * umbra_ring_init() - make an empty ring
 * @ring: the ring
 * @size: entries, a power of two; 0: no ring
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_ring_init(struct umbra_ring *ring, u32 size);

/** umbra_ring_destroy() - free it; the process's mapping keeps its pages */
void umbra_ring_destroy(struct umbra_ring *ring);

/**
 * umbra_ring_mmap() - map the ring into the process
 * @ring: the ring, which outlives the mapping
 * @vma: the mapping to be
 *
 * Return: 0; -ENOENT if there is no ring; -EINVAL if the mapping is private,
 * executable or longer than the ring.
 */
int umbra_ring_mmap(struct umbra_ring *ring, struct vm_area_struct *vma);

/** umbra_ring_poll() - EPOLLIN if it is nearly full; EPOLLERR if there is none */
__poll_t umbra_ring_poll(struct umbra_ring *ring, struct file *file,
			 struct poll_table_struct *wait);

/** umbra_ring_room() - how many entries can be pushed, at least */
static inline u32 umbra_ring_room(const struct umbra_ring *ring)
{
	/* What was reset is empty: pairs with umbra_ring_empty(). */
	u32 reset = smp_load_acquire(&ring->reset);

	return ring->size - (READ_ONCE(ring->pushed) - reset);
}

/**
 * umbra_ring_nearly_full() - is it time to collect and reset?
 * @ring: the ring
 *
 * Return: true if only the last eighth is left, the reserve of the operation
 * that is under way.
 */
static inline bool umbra_ring_nearly_full(const struct umbra_ring *ring)
{
	return ring->gfns && umbra_ring_room(ring) <= ring->size / 8;
}

/**
 * umbra_ring_push() - pages have become writable
 * @ring: the ring; there is room for @nr, and nobody else pushes
 * @slot: number of the memslot
 * @offset: first page, counted from the memslot's first
 * @nr: how many
 *
 * Does not sleep. To be called after the entries were made writable (U10).
 */
void umbra_ring_push(struct umbra_ring *ring, u32 slot, u64 offset, u32 nr);

/**
 * umbra_ring_collected() - what the process has collected
 * @ring: the ring; nobody else resets
 * @out: copies of the oldest entries, in order
 * @max: how many at most
 *
 * The slot and offset are what the process left there.
 *
 * Return: how many.
 */
u32 umbra_ring_collected(const struct umbra_ring *ring,
			 struct umbra_dirty_gfn *out, u32 max);

/**
 * umbra_ring_empty() - the oldest entries can be used again
 * @ring: the ring; nobody else resets
 * @nr: how many, from umbra_ring_collected(); their pages are protected
 */
void umbra_ring_empty(struct umbra_ring *ring, u32 nr);

#endif /* UMBRA_DIRTY_RING_H */
