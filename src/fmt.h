/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-table formats: geometry and bits, nothing else.
 *
 * A format is data; the encoders below are all that reads it. An entry is a
 * 64-bit word and in one of three states:
 *
 *	table	(entry & table_mask) == table; the address of a lower table
 *	leaf	(entry & leaf_mask) == leaf; the address of memory, attributes
 *	absent	anything else: 0 or, in an MMIO entry, a tag. The hardware looks at
 *		neither, and finds nothing mapped
 *
 * Each format has two sets of bits. With UMBRA_AD_HW the hardware sets the
 * accessed and dirty bits. With UMBRA_AD_SW it need not have any: an old leaf
 * is not valid for the hardware and a clean one not writable, so that the
 * first access and the first write fault; what the leaf allows then is kept in
 * bits that the hardware ignores. POWER8 and MIPS work in this way, and so does
 * EPT without accessed and dirty flags.
 *
 * A table that a guest has written is not made of these. What stands in its
 * entries, and what hardware would say of it, is in struct umbra_guest_bits.
 */
#ifndef UMBRA_FMT_H
#define UMBRA_FMT_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <asm/byteorder.h>

#include "types.h"

/* A table below the root is a page of entries. */
#define UMBRA_TABLE_BITS	9

enum umbra_ad { UMBRA_AD_HW, UMBRA_AD_SW, UMBRA_NR_AD };

/**
 * struct umbra_fmt_bits - what the bits of an entry mean
 * @leaf_mask: bits that tell a leaf: [0] at level 0, [1] above
 * @leaf: their value in a leaf. Likewise
 * @leaf_bits: all bits of a leaf but its address and @leaf, for each of the
 *	sixteen combinations of UMBRA_PTE_WRITE to UMBRA_PTE_DIRTY
 * @attr: [n]: UMBRA_PTE_* bit n + 1 is set in a leaf if any bit of @mask is,
 *	or, with @clear, if none is
 */
struct umbra_fmt_bits {
	u64 leaf_mask[2];
	u64 leaf[2];
	u64 leaf_bits[16];
	struct {
		u64 mask;
		bool clear;
	} attr[4];
};

/* What the walk of a guest's table does about A and D. */
enum umbra_guest_ad {
	UMBRA_GUEST_AD_NONE,	/* not a mode of the format */
	UMBRA_GUEST_AD_SET,	/* sets them, as the hardware does */
	UMBRA_GUEST_AD_FAULT,	/* old, or written and clean, is a fault */
	UMBRA_GUEST_AD_IGNORE,	/* the bits mean nothing */
};

/**
 * struct umbra_guest_bits - what the entries of a guest's table mean
 * @present: an entry with none of these is absent
 * @table_mask: bits that tell a table from a leaf, above level 0
 * @table: their value in a table
 * @page: a leaf at level 0 has one of these; 0: whatever is present is a leaf
 * @leaf_levels: bit n is set if a leaf may stand at level n
 * @misplaced: UMBRA_NESTED_*: an entry that may not stand at its level
 * @too_high: UMBRA_NESTED_*: an address past the address size
 * @reserved: must be 0: [0] in a leaf, [1] in a table entry
 * @table_need_mask: bits of a table entry that have to have one value
 * @table_need: that value
 * @bad: values that are reserved, of several bits together; @mask 0: none
 * @block_ignored: low bits of the address of a block that are not checked
 * @user: an entry gives no right without all of these
 * @user_optional: only if the accesses are those of a user
 * @right: [n]: UMBRA_PTE_* bit n is given if any of @mask is set, or, with
 *	@clear, if none is
 * @hierarchical: tables on the way down take rights away, too
 * @young: the accessed bit of a leaf
 * @dirty: its dirty bit
 * @table_young: the accessed bit of a table entry, or 0
 * @ad: what is done about them, by who sets A and D
 */
struct umbra_guest_bits {
	u64 present;
	u64 table_mask;
	u64 table;
	u64 page;
	u8 leaf_levels;
	u8 misplaced;
	u8 too_high;
	u64 reserved[2];
	u64 table_need_mask;
	u64 table_need;
	struct {
		u64 mask;
		u64 value;
	} bad[4];
	u64 block_ignored;
	u64 user;
	bool user_optional;
	struct {
		u64 mask;
		bool clear;
	} right[3];
	bool hierarchical;
	u64 young;
	u64 dirty;
	u64 table_young;
	enum umbra_guest_ad ad[UMBRA_NR_AD];
};

/**
 * struct umbra_fmt - a page-table format
 * @name: as in the architecture's manual, for people
 * @id: UMBRA_FMT_*
 * @gpa_bits_min: smallest guest physical address size
 * @gpa_bits_max: largest guest physical address size
 * @levels_min: the fewest levels
 * @root_bits: log2 of the entries of the root, or of the most it can have
 * @root_varies: the root is only as large as the address size needs
 * @big_endian: byte order of an entry in memory
 * @leaf_levels: bit n is set if a leaf may stand at level n
 * @addr_shift: an address is shifted right by this to be put into an entry
 * @addr_mask: where an entry holds an address
 * @table_mask: bits that tell a table entry; level 0 has none
 * @table: their value in a table entry
 * @table_bits: all other bits of a table entry but its address
 * @mmio: a bit that marks an MMIO entry; ignored by the hardware in an entry
 *	that is absent
 * @bits: the bits of a leaf, by enum umbra_ad; no @leaf_mask: not supported
 * @guest: the bits of a guest's table
 */
struct umbra_fmt {
	const char *name;
	u32 id;
	u8 gpa_bits_min;
	u8 gpa_bits_max;
	u8 levels_min;
	u8 root_bits;
	bool root_varies;
	bool big_endian;
	u8 leaf_levels;
	u8 addr_shift;
	u64 addr_mask;
	u64 table_mask;
	u64 table;
	u64 table_bits;
	u64 mmio;
	struct umbra_fmt_bits bits[UMBRA_NR_AD];
	struct umbra_guest_bits guest;
};

extern const struct umbra_fmt umbra_fmt_x86_npt;
extern const struct umbra_fmt umbra_fmt_x86_ept;
extern const struct umbra_fmt umbra_fmt_arm64_s2;
extern const struct umbra_fmt umbra_fmt_riscv_g;
extern const struct umbra_fmt umbra_fmt_power_radix;
extern const struct umbra_fmt umbra_fmt_mips_vz;

/* Of guests only: no VM has tables of this format. */
extern const struct umbra_fmt umbra_fmt_x86_64;

/**
 * umbra_fmt_get() - the format with a number
 * @id: UMBRA_FMT_*
 *
 * Return: the format, or NULL.
 */
const struct umbra_fmt *umbra_fmt_get(u32 id);

/** umbra_fmt_get_guest() - the same for tables of guests */
const struct umbra_fmt *umbra_fmt_get_guest(u32 id);

/* Bit number n - 1 of an index into leaf_bits[] is bit number n of a leaf. */
static_assert(UMBRA_PTE_READ == 1 && UMBRA_PTE_WRITE == 2 &&
	      UMBRA_PTE_EXEC == 4 && UMBRA_PTE_YOUNG == 8 &&
	      UMBRA_PTE_DIRTY == 16);

/*
 * For the sixteen leaf_bits[]: @LEAF is a macro that takes write, execute,
 * young and dirty as 0 or 1.
 */
#define UMBRA_LEAF_BITS(LEAF)						\
	{								\
		LEAF(0, 0, 0, 0), LEAF(1, 0, 0, 0),			\
		LEAF(0, 1, 0, 0), LEAF(1, 1, 0, 0),			\
		LEAF(0, 0, 1, 0), LEAF(1, 0, 1, 0),			\
		LEAF(0, 1, 1, 0), LEAF(1, 1, 1, 0),			\
		LEAF(0, 0, 0, 1), LEAF(1, 0, 0, 1),			\
		LEAF(0, 1, 0, 1), LEAF(1, 1, 0, 1),			\
		LEAF(0, 0, 1, 1), LEAF(1, 0, 1, 1),			\
		LEAF(0, 1, 1, 1), LEAF(1, 1, 1, 1),			\
	}

/**
 * struct umbra_layout - a format as one table uses it
 * @fmt: the format
 * @bits: its bits, with or without hardware A and D
 * @levels: number of levels
 * @root_bits: log2 of the entries of the root
 */
struct umbra_layout {
	const struct umbra_fmt *fmt;
	const struct umbra_fmt_bits *bits;
	u8 levels;
	u8 root_bits;
};

/**
 * umbra_layout_size() - how large a table has to be
 * @l: the layout; all but @l->bits is set
 * @fmt: the format
 * @gpa_bits: address size, within @fmt's limits
 */
void umbra_layout_size(struct umbra_layout *l, const struct umbra_fmt *fmt,
		       unsigned int gpa_bits);

/**
 * umbra_layout_init() - lay out a table
 * @l: the layout
 * @fmt: the format
 * @gpa_bits: address size, within @fmt's limits
 * @ad: who sets A and D
 *
 * Return: 0, or -EOPNOTSUPP if the format's hardware has no A and D bits.
 */
int umbra_layout_init(struct umbra_layout *l, const struct umbra_fmt *fmt,
		      unsigned int gpa_bits, enum umbra_ad ad);

/* log2 of the pages that one entry of @level spans. */
static inline unsigned int umbra_level_shift(int level)
{
	return UMBRA_TABLE_BITS * level;
}

/* The pages that one entry of @level spans. */
static inline gfn_t umbra_level_span(int level)
{
	return 1ULL << umbra_level_shift(level);
}

/* The number of entries of a table of @level. */
static inline unsigned int umbra_table_entries(const struct umbra_layout *l,
					       int level)
{
	return 1U << (level == l->levels - 1 ? l->root_bits : UMBRA_TABLE_BITS);
}

/* log2 of the pages that hold the root. */
static inline unsigned int umbra_root_order(const struct umbra_layout *l)
{
	return l->root_bits > UMBRA_TABLE_BITS ?
	       l->root_bits - UMBRA_TABLE_BITS : 0;
}

/* The index of @gfn's entry in its table of @level. */
static inline unsigned int umbra_table_index(const struct umbra_layout *l,
					     gfn_t gfn, int level)
{
	return (gfn >> umbra_level_shift(level)) &
	       (umbra_table_entries(l, level) - 1);
}

/* An entry as it stands in memory, from or to a number. */
static inline u64 umbra_entry_swap(const struct umbra_layout *l, u64 entry)
{
	return l->fmt->big_endian ? (__force u64)cpu_to_be64(entry) :
				    (__force u64)cpu_to_le64(entry);
}

static inline u64 umbra_entry_read(const struct umbra_layout *l, const u64 *p)
{
	return umbra_entry_swap(l, READ_ONCE(*p));
}

static inline bool umbra_entry_is_leaf(const struct umbra_layout *l, u64 entry,
				       int level)
{
	bool up = level;

	return (entry & l->bits->leaf_mask[up]) == l->bits->leaf[up];
}

static inline bool umbra_entry_is_table(const struct umbra_layout *l, u64 entry,
					int level)
{
	return level && (entry & l->fmt->table_mask) == l->fmt->table;
}

static inline phys_addr_t umbra_entry_pa(const struct umbra_layout *l,
					 u64 entry)
{
	return (entry & l->fmt->addr_mask) << l->fmt->addr_shift;
}

static inline u64 umbra_make_table(const struct umbra_layout *l, phys_addr_t pa)
{
	return pa >> l->fmt->addr_shift | l->fmt->table | l->fmt->table_bits;
}

static inline u64 umbra_make_leaf(const struct umbra_layout *l,
				  umbra_leaf_t leaf, int level)
{
	unsigned int i = (leaf & UMBRA_LEAF_ATTRS) >> 1;

	return umbra_leaf_pa(leaf) >> l->fmt->addr_shift |
	       l->bits->leaf_bits[i] | l->bits->leaf[level > 0];
}

/* UMBRA_PTE_* bit number @n + 1, as a leaf of a table has it. */
static inline umbra_leaf_t umbra_entry_attr(const struct umbra_layout *l,
					    u64 entry, unsigned int n)
{
	bool none = !(entry & l->bits->attr[n].mask);

	return (umbra_leaf_t)(none == l->bits->attr[n].clear) << (n + 1);
}

/* What a leaf of a table says. The entry must be a leaf. */
static inline umbra_leaf_t umbra_entry_leaf(const struct umbra_layout *l,
					    u64 entry)
{
	return umbra_entry_pa(l, entry) | UMBRA_PTE_READ |
	       umbra_entry_attr(l, entry, 0) | umbra_entry_attr(l, entry, 1) |
	       umbra_entry_attr(l, entry, 2) | umbra_entry_attr(l, entry, 3);
}

/* The tag of an MMIO entry stands where others have the address. */
#define UMBRA_MMIO_TAG_BITS	20

static inline u64 umbra_make_mmio(const struct umbra_layout *l, u32 tag)
{
	return l->fmt->mmio | (u64)tag << __ffs64(l->fmt->addr_mask);
}

static inline bool umbra_entry_is_mmio(const struct umbra_layout *l, u64 entry,
				       int level)
{
	return entry & l->fmt->mmio && !umbra_entry_is_leaf(l, entry, level) &&
	       !umbra_entry_is_table(l, entry, level);
}

static inline u32 umbra_entry_tag(const struct umbra_layout *l, u64 entry)
{
	return (entry & l->fmt->addr_mask) >> __ffs64(l->fmt->addr_mask);
}

#endif /* UMBRA_FMT_H */
