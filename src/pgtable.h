/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shadow table: one walker, and what is done with it.
 *
 * Leaves change by atomic exchange only, so that a bit set meanwhile by a
 * translating agent is never lost (U11). Installing needs what the caller's
 * protocol gives (no invalidation of the range in progress, U1); everything
 * else may run beside everything else. All functions walk inside an RCU
 * read-side critical section of their own.
 */
#ifndef UMBRA_PGTABLE_H
#define UMBRA_PGTABLE_H

#include "fmt.h"
#include "memcache.h"

struct umbra_gather;

/**
 * struct umbra_pgtable - a shadow table
 * @layout: its format and size
 * @ops: where its table pages come from
 * @root: the table of the highest level
 * @nr_tables: table pages, the root included
 * @nr_leaves: leaves
 * @nr_pages: pages of the lowest level that they map
 */
struct umbra_pgtable {
	struct umbra_layout layout;
	const struct umbra_table_ops *ops;
	u64 *root;
	atomic_long_t nr_tables;
	atomic_long_t nr_leaves;
	atomic_long_t nr_pages;
};

/**
 * struct umbra_leaf_ops - what a caller does about the leaves of a walk
 * @leaf: called for each leaf that was found, or that changed from @old to
 *	@new (0: removed); it maps @nr pages from @gfn on. The one place that
 *	sees all that leaves lose. Must not sleep
 * @mmio: called for each MMIO entry, with the pages it stands for and its tag,
 *	by umbra_pgtable_visit() alone. May be NULL. Must not sleep
 * @stop: called between tables; true ends the walk there. May be NULL
 */
struct umbra_leaf_ops {
	void (*leaf)(void *ctx, gfn_t gfn, u64 nr, umbra_leaf_t old,
		     umbra_leaf_t new);
	void (*mmio)(void *ctx, gfn_t gfn, u64 nr, u32 tag);
	bool (*stop)(void *ctx);
};

/**
 * umbra_pgtable_init() - make an empty table
 * @pgt: the table, with @pgt->layout set
 * @ops: where table pages come from
 *
 * May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_pgtable_init(struct umbra_pgtable *pgt,
		       const struct umbra_table_ops *ops);

/**
 * umbra_pgtable_destroy() - free the table
 * @pgt: the table; nobody else may use it any more
 */
void umbra_pgtable_destroy(struct umbra_pgtable *pgt);

/**
 * umbra_pgtable_map() - install leaves, or widen the rights of present ones
 * @pgt: the table
 * @gfn: the first page, aligned to what a leaf of @level spans
 * @level: where the leaves are to stand
 * @leaves: what to install at @gfn, and in the entries after it
 * @nr: how many; all in one table
 * @mc: topped up
 *
 * A leaf that is there keeps its A and D bits and its rights and gains those
 * of the new one. The caller excludes invalidations of the range.
 *
 * Return: the number of leaves that were installed or changed; -E2BIG if a
 * larger leaf is there and has to be split first; -EMLINK if a table is there
 * and has to be collapsed first; -EEXIST if a leaf for another page is there:
 * someone missed an invalidation.
 */
int umbra_pgtable_map(struct umbra_pgtable *pgt, gfn_t gfn, int level,
		      const umbra_leaf_t *leaves, unsigned int nr,
		      struct umbra_memcache *mc);

/**
 * umbra_pgtable_break() - take a block out, to split it
 * @pgt: the table
 * @gfn: first page of the block
 * @level: of the block
 * @gather: takes what must be flushed before umbra_pgtable_make()
 *
 * First half of break-before-make (U6). The caller keeps everybody from
 * installing in the span of the block until it is made again.
 *
 * Return: the block as it was, or 0 if there is none of this level.
 */
umbra_leaf_t umbra_pgtable_break(struct umbra_pgtable *pgt, gfn_t gfn,
				 int level, struct umbra_gather *gather);

/**
 * umbra_pgtable_make() - put a table in the place of a block
 * @pgt: the table
 * @gfn: first page of the block
 * @level: of the block
 * @block: as umbra_pgtable_break() returned it, flushed since
 * @table: a page from a memcache, which was there before the block was broken
 *
 * The leaves in the table have the rights and the A and D bits of the block,
 * which nobody knows before it is broken.
 *
 * Return: true, and @table belongs to @pgt; false if someone has installed
 * there, and @table is zeroed again.
 */
bool umbra_pgtable_make(struct umbra_pgtable *pgt, gfn_t gfn, int level,
			umbra_leaf_t block, u64 *table);

/**
 * umbra_pgtable_unmap() - remove all leaves of a range
 * @pgt: the table
 * @start: first page of the range
 * @end: first page after it
 * @next: where to begin, at first @start; where to go on if stopped
 * @gather: takes what must be flushed, and the tables that became empty
 * @ops: told about each leaf
 * @ctx: for @ops
 *
 * A block that lies partly in the range is removed as a whole (U13). Tables
 * that lie wholly in the range are taken out as well. The caller keeps
 * everybody from installing in [@start, @end) until all of it is done.
 *
 * Return: true if the range is done, false if @ops->stop ended it at @next.
 */
bool umbra_pgtable_unmap(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 gfn_t *next, struct umbra_gather *gather,
			 const struct umbra_leaf_ops *ops, void *ctx);

/**
 * umbra_pgtable_prune() - take out empty tables that touch a range
 * @pgt: the table
 * @start: first page of the range
 * @end: first page after it
 * @gather: takes them
 *
 * The caller keeps everybody from installing anywhere meanwhile.
 */
void umbra_pgtable_prune(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 struct umbra_gather *gather);

/**
 * umbra_pgtable_clear() - clear attributes of all leaves of a range
 * @pgt: the table
 * @start: first page of the range
 * @end: first page after it
 * @attrs: any of UMBRA_PTE_WRITE, UMBRA_PTE_YOUNG, UMBRA_PTE_DIRTY
 * @gather: takes what must be flushed
 * @ops: told about each leaf that had one of @attrs; @ops->stop is not used
 * @ctx: for @ops
 */
void umbra_pgtable_clear(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 umbra_leaf_t attrs, struct umbra_gather *gather,
			 const struct umbra_leaf_ops *ops, void *ctx);

/**
 * umbra_pgtable_set_mmio() - turn the absent entry of a page into an MMIO entry
 * @pgt: the table
 * @gfn: the page
 * @level: of the entry
 * @tag: for the entry, less than 2^UMBRA_MMIO_TAG_BITS
 * @mc: topped up
 *
 * Replaces another MMIO entry. Does nothing if something is mapped there, or a
 * table for it exists. The caller excludes invalidations of what the entry
 * spans, since tables may have to be made.
 */
void umbra_pgtable_set_mmio(struct umbra_pgtable *pgt, gfn_t gfn, int level,
			    u32 tag, struct umbra_memcache *mc);

/**
 * umbra_pgtable_clear_mmio() - make all MMIO entries plain absent ones
 * @pgt: the table
 * @next: where to begin, at first 0; where to go on if stopped
 * @end: first page after the range
 * @ops: @ops->stop is used, nothing else
 * @ctx: for @ops
 *
 * Return: true if the range is done, false if @ops->stop ended it at @next.
 */
bool umbra_pgtable_clear_mmio(struct umbra_pgtable *pgt, gfn_t *next, gfn_t end,
			      const struct umbra_leaf_ops *ops, void *ctx);

/**
 * umbra_pgtable_visit() - show the leaves of a range
 * @pgt: the table
 * @next: in: first page of the range; out: where to go on if stopped
 * @end: first page after the range
 * @ops: told about each leaf, with @old and @new alike
 * @ctx: for @ops
 *
 * Return: true if the range is done, false if @ops->stop ended it at @next.
 */
bool umbra_pgtable_visit(struct umbra_pgtable *pgt, gfn_t *next, gfn_t end,
			 const struct umbra_leaf_ops *ops, void *ctx);

/**
 * umbra_pgtable_translate() - walk as the hardware does for an access
 * @pgt: the table
 * @gfn: the page
 * @access: UMBRA_PTE_READ, UMBRA_PTE_WRITE or UMBRA_PTE_EXEC
 * @leaf: out: the leaf after the walk, or the tag of an MMIO entry
 * @level: out: its level
 *
 * Sets the accessed bit, and for a write the dirty bit, of the leaf; with
 * UMBRA_AD_SW a leaf that does not have them faults.
 *
 * Return: 0; -ENOENT if nothing is mapped; -ENXIO if an MMIO entry stands
 * there; -EACCES if the leaf does not allow @access. Only 0 has a side effect.
 */
int umbra_pgtable_translate(struct umbra_pgtable *pgt, gfn_t gfn, u32 access,
			    umbra_leaf_t *leaf, int *level);

/**
 * umbra_pgtable_mapped() - find out how far a range is mapped
 * @pgt: the table
 * @gfn: first page of the range
 * @end: first page after it
 * @attrs: what leaves must have
 * @level: out: the level of the first leaf
 *
 * Looks at the entries of one table.
 *
 * Return: the first page that is not mapped by a leaf with all of @attrs, or not
 * looked at.
 */
gfn_t umbra_pgtable_mapped(struct umbra_pgtable *pgt, gfn_t gfn, gfn_t end,
			   umbra_leaf_t attrs, int *level);

/**
 * umbra_pgtable_lookup() - read the entry of a page
 * @pgt: the table
 * @gfn: the page
 * @level: out: the level of the entry, leaf or absent
 *
 * Return: the leaf, or 0.
 */
umbra_leaf_t umbra_pgtable_lookup(struct umbra_pgtable *pgt, gfn_t gfn,
				  int *level);

#endif /* UMBRA_PGTABLE_H */
