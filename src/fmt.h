/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-table formats: geometry and bits, nothing else.
 *
 * A format is data; the encoders below are all that reads it. An entry is a
 * 64-bit word and in one of three states, told apart by @type_mask:
 *
 *	absent	every other value, and always 0
 *	table	@type_table; the address of the next lower table
 *	leaf	@type_leaf[level > 0]; the address of memory, attributes
 */
#ifndef UMBRA_FMT_H
#define UMBRA_FMT_H

#include "types.h"

/**
 * struct umbra_fmt - a page-table format
 * @name: as in the architecture's manual, for people
 * @id: UMBRA_FMT_*
 * @gpa_bits_min: smallest guest physical address size
 * @gpa_bits_max: largest guest physical address size
 * @levels: number of levels
 * @leaf_levels: bit n is set if a leaf may stand at level n
 * @gfn_shift: [n]: log2 of the pages that an entry of level n spans; [@levels]:
 *	of the pages that the whole table spans
 * @addr_mask: where an entry holds an address, unshifted
 * @type_mask: bits that tell what an entry is; level 0 has no tables
 * @type_leaf: their value in a leaf: [0] at level 0, [1] above
 * @type_table: their value in a table entry
 * @table_bits: all bits of a table entry but its address
 * @leaf_bits: all bits of a leaf but its address and type, for each of the
 *	sixteen combinations of UMBRA_PTE_WRITE to UMBRA_PTE_DIRTY
 * @attr: [n]: UMBRA_PTE_* bit n + 1 is set in a leaf if (leaf & mask) == value
 */
struct umbra_fmt {
	const char *name;
	u32 id;
	u8 gpa_bits_min;
	u8 gpa_bits_max;
	u8 levels;
	u8 leaf_levels;
	u8 gfn_shift[UMBRA_MAX_LEVELS + 1];
	u64 addr_mask;
	u64 type_mask;
	u64 type_leaf[2];
	u64 type_table;
	u64 table_bits;
	u64 leaf_bits[16];
	struct {
		u64 mask;
		u64 value;
	} attr[4];
};

extern const struct umbra_fmt umbra_fmt_x86_npt;

/* Bit number n - 1 of an index into leaf_bits[] is bit number n of a leaf. */
static_assert(UMBRA_PTE_READ == 1 && UMBRA_PTE_WRITE == 2 &&
	      UMBRA_PTE_EXEC == 4 && UMBRA_PTE_YOUNG == 8 &&
	      UMBRA_PTE_DIRTY == 16);

/* The pages that one entry of @level spans. */
static inline gfn_t umbra_fmt_span(const struct umbra_fmt *fmt, int level)
{
	return 1ULL << fmt->gfn_shift[level];
}

/* The index of @gfn's entry in its table of @level. */
static inline unsigned int umbra_fmt_index(const struct umbra_fmt *fmt,
					   gfn_t gfn, int level)
{
	unsigned int bits = fmt->gfn_shift[level + 1] - fmt->gfn_shift[level];

	return (gfn >> fmt->gfn_shift[level]) & ((1U << bits) - 1);
}

static inline bool umbra_fmt_is_leaf(const struct umbra_fmt *fmt, u64 pte,
				     int level)
{
	return (pte & fmt->type_mask) == fmt->type_leaf[level > 0];
}

static inline bool umbra_fmt_is_table(const struct umbra_fmt *fmt, u64 pte,
				      int level)
{
	return level && (pte & fmt->type_mask) == fmt->type_table;
}

static inline phys_addr_t umbra_fmt_pa(const struct umbra_fmt *fmt, u64 pte)
{
	return pte & fmt->addr_mask;
}

static inline u64 umbra_fmt_make_table(const struct umbra_fmt *fmt,
				       phys_addr_t pa)
{
	return pa | fmt->table_bits;
}

static inline u64 umbra_fmt_make_leaf(const struct umbra_fmt *fmt,
				      umbra_leaf_t leaf, int level)
{
	unsigned int i = (leaf & UMBRA_LEAF_ATTRS) >> 1;

	return umbra_leaf_pa(leaf) | fmt->leaf_bits[i] |
	       fmt->type_leaf[level > 0];
}

/* What a leaf of a table says. The entry must be a leaf. */
static inline umbra_leaf_t umbra_fmt_leaf(const struct umbra_fmt *fmt, u64 pte)
{
	umbra_leaf_t leaf = umbra_fmt_pa(fmt, pte) | UMBRA_PTE_READ;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fmt->attr); i++)
		if ((pte & fmt->attr[i].mask) == fmt->attr[i].value)
			leaf |= BIT(i + 1);
	return leaf;
}

#endif /* UMBRA_FMT_H */
