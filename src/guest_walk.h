/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking a table that a guest has written into its own memory.
 *
 * Nothing in such a table is to be trusted: it may lie where there is no
 * memory, point to itself, hold any bits, and change while it is read. Each
 * entry on the way is read once, and there is one for each level, so a walk
 * ends whatever it meets.
 */
#ifndef UMBRA_GUEST_WALK_H
#define UMBRA_GUEST_WALK_H

#include "fmt.h"

/**
 * struct umbra_guest_table - a guest's table
 * @layout: format and size; @layout.bits is not used
 * @root: guest physical address of the table of the highest level
 * @limit: first guest physical address that there cannot be
 * @user: an entry gives no right without all of these bits
 * @ad: what is done about A and D
 */
struct umbra_guest_table {
	struct umbra_layout layout;
	gpa_t root;
	gpa_t limit;
	u64 user;
	enum umbra_guest_ad ad;
};

/**
 * struct umbra_guest_mem - the memory that a table lies in
 * @read: read the word at @gpa, as it stands there, in one piece
 * @exchange: if the word at @gpa is @old, have it be @new, in one piece, as a
 *	write of the guest. -ESTALE if it is not @old
 *
 * Return 0 or -errno. -ENOENT, -EFAULT and -EACCES mean that no memory is there
 * or that it is not for this use.
 */
struct umbra_guest_mem {
	int (*read)(void *ctx, gpa_t gpa, u64 *word);
	int (*exchange)(void *ctx, gpa_t gpa, u64 old, u64 new);
};

/**
 * struct umbra_guest_walk - what a walk has found
 * @gfn: the page that the address translates to
 * @pte: UMBRA_PTE_*: what all levels together allow; A and D of the leaf
 * @level: of the leaf, or of the entry that is at fault
 * @fault: UMBRA_NESTED_*, or 0
 * @gpa: [level]: where the entry of a level lies
 * @entry: [level]: the entry as it was read. From @level up
 */
struct umbra_guest_walk {
	gfn_t gfn;
	u32 pte;
	int level;
	u32 fault;
	gpa_t gpa[UMBRA_MAX_LEVELS];
	u64 entry[UMBRA_MAX_LEVELS];
};

/**
 * umbra_guest_table_init() - describe a guest's table
 * @t: the table
 * @fmt: its format
 * @root: guest physical address of its root
 * @addr_bits: size of the addresses that it translates, within @fmt's limits
 * @gpa_bits: size of a guest physical address
 * @ad: who sets A and D
 * @user: accesses are those of a user, where that makes a difference
 *
 * Return: 0; -EOPNOTSUPP if the format has no such @ad; -EINVAL if @root is
 * not aligned to the size of a root or lies past @gpa_bits.
 */
int umbra_guest_table_init(struct umbra_guest_table *t,
			   const struct umbra_fmt *fmt, gpa_t root,
			   unsigned int addr_bits, unsigned int gpa_bits,
			   enum umbra_ad ad, bool user);

/**
 * umbra_guest_walk() - translate as the guest's hardware would
 * @t: the table
 * @gfn: the page, in what the table translates
 * @access: UMBRA_PTE_READ, _WRITE or _EXEC
 * @mem: where the table lies
 * @ctx: for @mem
 * @w: out: what was found
 *
 * Changes nothing. Sleeps if @mem->read does.
 *
 * Return: 0; -EACCES if it ends in a fault for the guest, and @w->fault says
 * which; any other error of @mem->read.
 */
int umbra_guest_walk(const struct umbra_guest_table *t, gfn_t gfn, u32 access,
		     const struct umbra_guest_mem *mem, void *ctx,
		     struct umbra_guest_walk *w);

/**
 * umbra_guest_mark() - set the A and D bits that an access sets
 * @t: the table
 * @access: as walked for
 * @mem: where the table lies
 * @ctx: for @mem
 * @w: from umbra_guest_walk(); @w->pte is updated
 *
 * From the root down, in tables too where the format has it so.
 *
 * Return: 0; -ESTALE if an entry is no longer what the walk has read: walk
 * again; -EACCES if an entry cannot be written, and @w->fault says so; any
 * other error of @mem->exchange.
 */
int umbra_guest_mark(const struct umbra_guest_table *t, u32 access,
		     const struct umbra_guest_mem *mem, void *ctx,
		     struct umbra_guest_walk *w);

#endif /* UMBRA_GUEST_WALK_H */
