/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembering that a gfn has no memslot, so that an access to it, which is for
 * an emulator, is told at once.
 *
 * What was found in the memslots is remembered in two places: in an MMIO entry
 * of the shadow table, which stands for all that it spans, and in the vCPU. Both
 * bear the generation of the memslots in which there was none, and are as good
 * as nothing once it has passed (U7). As in KVM since 2014 (David Matlack,
 * "kvm: fix potentially corrupt mmio cache").
 *
 * The generation is odd while the memslots are being updated: then some readers
 * still see the old set and some the new one, nothing is remembered, and nothing
 * that was remembered counts. It becomes even when the readers of the old set
 * have gone. An MMIO entry has room for a part of the generation only, the tag;
 * before tags repeat, all MMIO entries are dropped.
 */
#ifndef UMBRA_MMIO_H
#define UMBRA_MMIO_H

#include "vcpu.h"

/** umbra_update_in_progress() - do some readers still see other memslots? */
static inline bool umbra_update_in_progress(u64 generation)
{
	return generation & 1;
}

/** umbra_mmio_tag() - what an MMIO entry has of a generation */
static inline u32 umbra_mmio_tag(u64 generation)
{
	return (generation / 2) % BIT(UMBRA_MMIO_TAG_BITS);
}

/** umbra_mmio_current() - does an MMIO entry with @tag speak of these memslots? */
static inline bool umbra_mmio_current(const struct umbra_memslots *slots,
				      u32 tag)
{
	u64 generation = READ_ONCE(slots->generation);

	return !umbra_update_in_progress(generation) &&
	       tag == umbra_mmio_tag(generation);
}

/**
 * umbra_mmio_remember() - a page has no memslot
 * @vm: the VM
 * @slots: the set in which none was found; SRCU has been held since
 * @gfn: the page
 * @mc: topped up
 *
 * Puts an MMIO entry in the shadow table, at the highest level where it spans
 * nothing that has a memslot. Best effort.
 */
void umbra_mmio_remember(struct umbra_vm *vm, const struct umbra_memslots *slots,
			 gfn_t gfn, struct umbra_memcache *mc);

/**
 * umbra_mmio_cached() - does the vCPU know that a page has no memslot?
 * @vcpu: the vCPU; its lock is held
 * @gfn: the page
 *
 * Does not sleep.
 *
 * Return: true if the answer still counts.
 */
bool umbra_mmio_cached(struct umbra_vcpu *vcpu, gfn_t gfn);

/**
 * umbra_mmio_holds() - is what an MMIO entry says still true?
 * @vcpu: the vCPU that met the entry, which remembers it then; its lock is held
 * @gfn: the page
 * @tag: of the entry
 *
 * Does not sleep.
 *
 * Return: true if there is no memslot for @gfn.
 */
bool umbra_mmio_holds(struct umbra_vcpu *vcpu, gfn_t gfn, u32 tag);

/**
 * umbra_mmio_drop() - drop all MMIO entries
 * @vm: the VM; slots_lock is held and an update in progress, so that nobody
 *	makes new ones
 *
 * May sleep.
 */
void umbra_mmio_drop(struct umbra_vm *vm);

#endif /* UMBRA_MMIO_H */
