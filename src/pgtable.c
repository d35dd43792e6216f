// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table: one walker, and what is done with it.
 */
#include <linux/rcupdate.h>

#include "pgtable.h"
#include "tlb.h"

/* Only addresses in the linear map stand in tables, whatever the format. */
static u64 *table_of(const struct umbra_layout *l, u64 entry)
{
	return __va(umbra_entry_pa(l, entry));
}

static int root_level(const struct umbra_pgtable *pgt)
{
	return pgt->layout.levels - 1;
}

/* Entries as numbers; in memory they may have another byte order. */
static u64 entry_xchg(const struct umbra_layout *l, u64 *ptep, u64 new)
{
	return umbra_entry_swap(l, xchg(ptep, umbra_entry_swap(l, new)));
}

/* A full barrier where it succeeds; else *@old is what was there. */
static __always_inline bool entry_try_cmpxchg(const struct umbra_layout *l,
					      u64 *ptep, u64 *old, u64 new)
{
	u64 was = umbra_entry_swap(l, *old);
	bool ok = try_cmpxchg64(ptep, &was, umbra_entry_swap(l, new));

	*old = umbra_entry_swap(l, was);
	return ok;
}

static void count_leaves(struct umbra_pgtable *pgt, long nr, int level)
{
	atomic_long_add(nr, &pgt->nr_leaves);
	atomic_long_add(nr * (long)umbra_level_span(level), &pgt->nr_pages);
}

int umbra_pgtable_init(struct umbra_pgtable *pgt,
		       const struct umbra_table_ops *ops)
{
	unsigned int order = umbra_root_order(&pgt->layout);

	pgt->ops = ops;
	pgt->root = ops->alloc(order);
	if (!pgt->root)
		return -ENOMEM;
	atomic_long_set(&pgt->nr_tables, 1 << order);
	atomic_long_set(&pgt->nr_leaves, 0);
	atomic_long_set(&pgt->nr_pages, 0);
	return 0;
}

static void free_below(struct umbra_pgtable *pgt, u64 *table, int level)
{
	const struct umbra_layout *l = &pgt->layout;
	unsigned int i, nr = umbra_table_entries(l, level);

	for (i = 0; level && i < nr; i++) {
		u64 entry = umbra_entry_read(l, table + i);

		if (!umbra_entry_is_table(l, entry, level))
			continue;
		free_below(pgt, table_of(l, entry), level - 1);
		pgt->ops->free(table_of(l, entry), 0);
	}
}

void umbra_pgtable_destroy(struct umbra_pgtable *pgt)
{
	free_below(pgt, pgt->root, root_level(pgt));
	pgt->ops->free(pgt->root, umbra_root_order(&pgt->layout));
	pgt->root = NULL;
}

/* ------------------------------------------------------------- the walker */

/*
 * struct walk - one pass over a range
 *
 * A walk visits the entries of [start, end) in the order of their addresses.
 *
 * @entries sees each run of neighbouring entries of one table that are no
 * tables themselves: all of a table at level 0, single ones, if they are not 0,
 * above it. @gfn
 * is the first page of the range that the run maps.
 *
 * @table sees a table entry after everything below it, if all it spans lies
 * in the range.
 */
struct walk {
	struct umbra_pgtable *pgt;
	gfn_t start;		/* the range */
	gfn_t end;
	gfn_t next;		/* where to begin, and where to go on */
	struct umbra_gather *gather;
	const struct umbra_leaf_ops *ops;
	void *ctx;
	umbra_leaf_t attrs;	/* of umbra_pgtable_clear() */
	void (*entries)(struct walk *w, u64 *ptep, unsigned int nr, gfn_t gfn,
			int level);
	void (*table)(struct walk *w, u64 *ptep, u64 entry, gfn_t base,
		      int level);
};

static bool stopped(const struct walk *w)
{
	return w->ops->stop && w->next < w->end && w->ops->stop(w->ctx);
}

/* Returns false if the walk was stopped. */
static bool walk_table(struct walk *w, u64 *table, int level)
{
	const struct umbra_layout *l = &w->pgt->layout;
	gfn_t span = umbra_level_span(level);
	unsigned int i = umbra_table_index(l, w->next, level);
	unsigned int nr = umbra_table_entries(l, level);

	if (!level) {
		nr = min_t(u64, nr - i, w->end - w->next);
		w->entries(w, table + i, nr, w->next, 0);
		w->next += nr;
		return !stopped(w);
	}

	for (; i < nr && w->next < w->end; i++) {
		gfn_t base = ALIGN_DOWN(w->next, span);
		u64 entry = umbra_entry_read(l, table + i);

		if (umbra_entry_is_table(l, entry, level)) {
			bool on = walk_table(w, table_of(l, entry), level - 1);

			if (w->table && w->start <= base &&
			    w->next == base + span)
				w->table(w, table + i, entry, base, level);
			if (!on)
				return false;
		} else {
			if (entry)
				w->entries(w, table + i, 1, w->next, level);
			w->next = min(w->end, base + span);
			if (stopped(w))
				return false;
		}
	}
	return true;
}

static bool walk(struct walk *w)
{
	bool done;

	rcu_read_lock();
	done = walk_table(w, w->pgt->root, root_level(w->pgt));
	rcu_read_unlock();
	return done;
}

/* Pages of the walk's range from @gfn on that one leaf of @level maps. */
static u64 leaf_pages(const struct walk *w, gfn_t gfn, int level)
{
	return min(w->end, ALIGN(gfn + 1, umbra_level_span(level))) - gfn;
}

/* Nothing is mapped, and no table is there. */
static bool is_absent(const struct umbra_layout *l, u64 entry, int level)
{
	return !entry || umbra_entry_is_mmio(l, entry, level);
}

/*
 * Have an entry of @pgt, which is @absent, point to @table; false if it has
 * changed.
 */
static bool link_table(struct umbra_pgtable *pgt, u64 *ptep, u64 absent,
		       void *table)
{
	/* A full barrier: the table is filled before it can be reached. */
	if (!entry_try_cmpxchg(&pgt->layout, ptep, &absent,
			       umbra_make_table(&pgt->layout, __pa(table))))
		return false;
	atomic_long_inc(&pgt->nr_tables);
	return true;
}

/*
 * Go down to the entry of @gfn at @bottom, or as far as there are tables. With
 * @mc missing tables are made. *@level is where the entry was found. The caller
 * is in an RCU read-side section.
 */
static u64 *descend(struct umbra_pgtable *pgt, gfn_t gfn, int bottom,
		    int *level, struct umbra_memcache *mc)
{
	const struct umbra_layout *l = &pgt->layout;
	u64 *table = pgt->root;

	for (*level = root_level(pgt); ; (*level)--) {
		u64 *ptep = table + umbra_table_index(l, gfn, *level);
		u64 entry = umbra_entry_read(l, ptep);

		if (*level == bottom)
			return ptep;
		if (mc && is_absent(l, entry, *level)) {
			void *new = umbra_memcache_get(mc);

			if (new && !link_table(pgt, ptep, entry, new))
				umbra_memcache_put(mc, new);
			entry = umbra_entry_read(l, ptep);
		}
		if (!umbra_entry_is_table(l, entry, *level))
			return ptep;
		table = table_of(l, entry);
	}
}

/* ------------------------------------------------------------- operations */

enum { MAP_HAD_IT, MAP_WIDENED, MAP_INSTALLED };

/* Returns MAP_*, or an error of umbra_pgtable_map(). */
static int map_one(const struct umbra_layout *l, u64 *ptep, int level,
		   umbra_leaf_t leaf)
{
	u64 old = umbra_entry_read(l, ptep);
	u64 entry = umbra_make_leaf(l, leaf, level);
	umbra_leaf_t have, want;

	/* What is there most often: nothing, or the same. */
	if (old == entry)
		return MAP_HAD_IT;
	if (!old && entry_try_cmpxchg(l, ptep, &old, entry))
		return MAP_INSTALLED;
	do {
		if (umbra_entry_is_table(l, old, level))
			return -EMLINK;
		have = umbra_entry_is_leaf(l, old, level) ?
		       umbra_entry_leaf(l, old) : 0;
		if (have && umbra_leaf_pa(have) != umbra_leaf_pa(leaf))
			return -EEXIST;
		want = have | leaf;
		if (want == have)
			return MAP_HAD_IT;
	} while (!entry_try_cmpxchg(l, ptep, &old,
				    umbra_make_leaf(l, want, level)));
	return have ? MAP_WIDENED : MAP_INSTALLED;
}

/* A block is above where leaves are wanted: does it give all they would? */
static int block_gives(const struct umbra_layout *l, u64 entry, int level,
		       gfn_t gfn, const umbra_leaf_t *leaves, unsigned int nr)
{
	gfn_t offset = gfn & (umbra_level_span(level) - 1);
	umbra_leaf_t block;
	unsigned int i;

	if (!umbra_entry_is_leaf(l, entry, level))
		return -E2BIG;
	block = umbra_entry_leaf(l, entry) + PFN_PHYS(offset);
	for (i = 0; i < nr; i++, block += PAGE_SIZE) {
		if (umbra_leaf_pa(block) != umbra_leaf_pa(leaves[i]))
			return -EEXIST;
		if (leaves[i] & ~block & UMBRA_LEAF_ATTRS)
			return -E2BIG;
	}
	return 0;
}

int umbra_pgtable_map(struct umbra_pgtable *pgt, gfn_t gfn, int level,
		      const umbra_leaf_t *leaves, unsigned int nr,
		      struct umbra_memcache *mc)
{
	const struct umbra_layout *l = &pgt->layout;
	int at, ret = 0, changed = 0, installed = 0;
	unsigned int i;
	u64 *ptep;

	rcu_read_lock();
	ptep = descend(pgt, gfn, level, &at, mc);
	if (at > level)
		ret = block_gives(l, umbra_entry_read(l, ptep), at, gfn, leaves,
				  nr);
	else
		for (i = 0; i < nr && ret >= 0; i++) {
			ret = map_one(l, ptep + i, level, leaves[i]);
			changed += ret > MAP_HAD_IT;
			installed += ret == MAP_INSTALLED;
		}
	rcu_read_unlock();
	count_leaves(pgt, installed, level);
	return ret < 0 ? ret : changed;
}

umbra_leaf_t umbra_pgtable_break(struct umbra_pgtable *pgt, gfn_t gfn,
				 int level, struct umbra_gather *gather)
{
	const struct umbra_layout *l = &pgt->layout;
	umbra_leaf_t block = 0;
	u64 *ptep;
	int at;

	rcu_read_lock();
	ptep = descend(pgt, gfn, level, &at, NULL);
	if (at == level &&
	    umbra_entry_is_leaf(l, umbra_entry_read(l, ptep), level)) {
		/* Again: A and D may have been set since (U11). */
		block = umbra_entry_leaf(l, entry_xchg(l, ptep, 0));
		umbra_gather_range(gather, gfn, gfn + umbra_level_span(level),
				   BIT(level));
		count_leaves(pgt, -1, level);
	}
	rcu_read_unlock();
	return block;
}

bool umbra_pgtable_make(struct umbra_pgtable *pgt, gfn_t gfn, int level,
			umbra_leaf_t block, u64 *table)
{
	const struct umbra_layout *l = &pgt->layout;
	unsigned int i, nr = umbra_table_entries(l, level - 1);
	u64 step = PFN_PHYS(umbra_level_span(level - 1));
	bool made;
	u64 *ptep;
	int at;

	for (i = 0; i < nr; i++, block += step)
		table[i] = umbra_entry_swap(l, umbra_make_leaf(l, block,
							       level - 1));
	rcu_read_lock();
	ptep = descend(pgt, gfn, level, &at, NULL);
	made = at == level && link_table(pgt, ptep, 0, table);
	rcu_read_unlock();
	if (made)
		count_leaves(pgt, nr, level - 1);
	else
		memset(table, 0, PAGE_SIZE);
	return made;
}

static void unmap_entries(struct walk *w, u64 *ptep, unsigned int nr,
			  gfn_t gfn, int level)
{
	const struct umbra_layout *l = &w->pgt->layout;
	gfn_t span = umbra_level_span(level);
	unsigned int i, removed = 0;

	gfn = ALIGN_DOWN(gfn, span);
	for (i = 0; i < nr; i++, gfn += span) {
		u64 old = umbra_entry_read(l, ptep + i);

		if (!umbra_entry_is_leaf(l, old, level))
			continue;
		/* Again: A and D may have been set since (U11). */
		old = entry_xchg(l, ptep + i, 0);
		umbra_gather_range(w->gather, gfn, gfn + span, BIT(level));
		w->ops->leaf(w->ctx, gfn, span, umbra_entry_leaf(l, old), 0);
		removed++;
	}
	count_leaves(w->pgt, -(long)removed, level);
}

/* Nobody installs in the range, so a table that was emptied stays empty. */
static void unmap_table(struct walk *w, u64 *ptep, u64 entry, gfn_t base,
			int level)
{
	WRITE_ONCE(*ptep, 0);
	/* Hardware caches tables as well as leaves. */
	umbra_gather_range(w->gather, base, base + umbra_level_span(level),
			   GENMASK(level - 1, 0));
	umbra_gather_table(w->gather, table_of(&w->pgt->layout, entry));
	atomic_long_dec(&w->pgt->nr_tables);
}

bool umbra_pgtable_unmap(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 gfn_t *next, struct umbra_gather *gather,
			 const struct umbra_leaf_ops *ops, void *ctx)
{
	struct walk w = {
		.pgt = pgt, .start = start, .end = end, .next = *next,
		.gather = gather, .ops = ops, .ctx = ctx,
		.entries = unmap_entries, .table = unmap_table,
	};
	bool done = walk(&w);

	*next = w.next;
	return done;
}

/* Prune below @table, whose first page is @base. Returns whether it is empty. */
static bool prune(struct walk *w, u64 *table, int level, gfn_t base)
{
	const struct umbra_layout *l = &w->pgt->layout;
	unsigned int i, nr = umbra_table_entries(l, level);
	gfn_t span = umbra_level_span(level);
	bool empty = true;

	for (i = 0; i < nr; i++, base += span) {
		u64 entry = umbra_entry_read(l, table + i);

		if (umbra_entry_is_table(l, entry, level) &&
		    base < w->end && w->start < base + span &&
		    prune(w, table_of(l, entry), level - 1, base))
			unmap_table(w, table + i, entry, base, level);
		else if (!is_absent(l, entry, level))
			empty = false;
	}
	return empty;
}

void umbra_pgtable_prune(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 struct umbra_gather *gather)
{
	struct walk w = {
		.pgt = pgt, .start = start, .end = end, .gather = gather,
	};

	rcu_read_lock();
	prune(&w, pgt->root, root_level(pgt), 0);
	rcu_read_unlock();
}

/* Returns the leaf as it was if it had any of @attrs, else 0. */
static umbra_leaf_t clear_one(const struct umbra_layout *l, u64 *ptep,
			      int level, umbra_leaf_t attrs)
{
	u64 new, old = umbra_entry_read(l, ptep);
	umbra_leaf_t leaf;

	do {
		if (!umbra_entry_is_leaf(l, old, level))
			return 0;
		leaf = umbra_entry_leaf(l, old);
		if (!(leaf & attrs))
			return 0;
		new = umbra_make_leaf(l, leaf & ~attrs, level);
	} while (!entry_try_cmpxchg(l, ptep, &old, new));
	return leaf;
}

static void clear_entries(struct walk *w, u64 *ptep, unsigned int nr,
			  gfn_t gfn, int level)
{
	const struct umbra_layout *l = &w->pgt->layout;
	gfn_t span = umbra_level_span(level);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		umbra_leaf_t old = clear_one(l, ptep + i, level, w->attrs);
		gfn_t base = ALIGN_DOWN(gfn + i, span);

		if (!old)
			continue;
		old += PFN_PHYS(gfn + i - base);
		umbra_gather_range(w->gather, base, base + span, BIT(level));
		w->ops->leaf(w->ctx, gfn + i, leaf_pages(w, gfn + i, level),
			     old, old & ~w->attrs);
	}
}

void umbra_pgtable_clear(struct umbra_pgtable *pgt, gfn_t start, gfn_t end,
			 umbra_leaf_t attrs, struct umbra_gather *gather,
			 const struct umbra_leaf_ops *ops, void *ctx)
{
	struct walk w = {
		.pgt = pgt, .start = start, .end = end, .next = start,
		.gather = gather, .ops = ops, .ctx = ctx,
		.attrs = attrs, .entries = clear_entries,
	};

	while (!walk(&w))
		;
}

void umbra_pgtable_set_mmio(struct umbra_pgtable *pgt, gfn_t gfn, int level,
			    u32 tag, struct umbra_memcache *mc)
{
	const struct umbra_layout *l = &pgt->layout;
	u64 *ptep, old;
	int at;

	rcu_read_lock();
	ptep = descend(pgt, gfn, level, &at, mc);
	old = umbra_entry_read(l, ptep);
	if (at == level && is_absent(l, old, level))
		entry_try_cmpxchg(l, ptep, &old, umbra_make_mmio(l, tag));
	rcu_read_unlock();
}

static void clear_mmio_entries(struct walk *w, u64 *ptep, unsigned int nr,
			       gfn_t gfn, int level)
{
	const struct umbra_layout *l = &w->pgt->layout;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 entry = umbra_entry_read(l, ptep + i);

		/* What is no longer there has been replaced. */
		if (umbra_entry_is_mmio(l, entry, level))
			entry_try_cmpxchg(l, ptep + i, &entry, 0);
	}
}

bool umbra_pgtable_clear_mmio(struct umbra_pgtable *pgt, gfn_t *next, gfn_t end,
			      const struct umbra_leaf_ops *ops, void *ctx)
{
	struct walk w = {
		.pgt = pgt, .start = *next, .end = end, .next = *next,
		.ops = ops, .ctx = ctx, .entries = clear_mmio_entries,
	};
	bool done = walk(&w);

	*next = w.next;
	return done;
}

static void show_entries(struct walk *w, u64 *ptep, unsigned int nr, gfn_t gfn,
			 int level)
{
	const struct umbra_layout *l = &w->pgt->layout;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 entry = umbra_entry_read(l, ptep + i);
		umbra_leaf_t leaf;

		if (w->ops->mmio && umbra_entry_is_mmio(l, entry, level))
			w->ops->mmio(w->ctx, gfn + i,
				     leaf_pages(w, gfn + i, level),
				     umbra_entry_tag(l, entry));
		if (!umbra_entry_is_leaf(l, entry, level))
			continue;
		leaf = umbra_entry_leaf(l, entry);
		leaf += PFN_PHYS((gfn + i) & (umbra_level_span(level) - 1));
		w->ops->leaf(w->ctx, gfn + i, leaf_pages(w, gfn + i, level),
			     leaf, leaf);
	}
}

bool umbra_pgtable_visit(struct umbra_pgtable *pgt, gfn_t *next, gfn_t end,
			 const struct umbra_leaf_ops *ops, void *ctx)
{
	struct walk w = {
		.pgt = pgt, .start = *next, .end = end, .next = *next,
		.ops = ops, .ctx = ctx, .entries = show_entries,
	};
	bool done = walk(&w);

	*next = w.next;
	return done;
}

int umbra_pgtable_translate(struct umbra_pgtable *pgt, gfn_t gfn, u32 access,
			    umbra_leaf_t *leaf, int *level)
{
	const struct umbra_layout *l = &pgt->layout;
	bool hw = l->bits == &l->fmt->bits[UMBRA_AD_HW];
	umbra_leaf_t set = UMBRA_PTE_YOUNG;
	int ret = 0;
	u64 *ptep, old;

	if (access == UMBRA_PTE_WRITE)
		set |= UMBRA_PTE_DIRTY;

	rcu_read_lock();
	ptep = descend(pgt, gfn, 0, level, NULL);
	old = umbra_entry_read(l, ptep);
	do {
		if (umbra_entry_is_mmio(l, old, *level)) {
			*leaf = umbra_entry_tag(l, old);
			ret = -ENXIO;
			break;
		}
		if (!umbra_entry_is_leaf(l, old, *level)) {
			ret = -ENOENT;
			break;
		}
		*leaf = umbra_entry_leaf(l, old);
		if (!(*leaf & access) || (!hw && (*leaf & set) != set)) {
			ret = -EACCES;
			break;
		}
		if ((*leaf & set) == set)
			break;
		*leaf |= set;
	} while (!entry_try_cmpxchg(l, ptep, &old,
				    umbra_make_leaf(l, *leaf, *level)));
	rcu_read_unlock();
	return ret;
}

/* Is an entry a leaf with all of @attrs? */
static bool leaf_has(const struct umbra_layout *l, u64 entry, int level,
		     umbra_leaf_t attrs)
{
	return umbra_entry_is_leaf(l, entry, level) &&
	       !(attrs & ~umbra_entry_leaf(l, entry));
}

gfn_t umbra_pgtable_mapped(struct umbra_pgtable *pgt, gfn_t gfn, gfn_t end,
			   umbra_leaf_t attrs, int *level)
{
	const struct umbra_layout *l = &pgt->layout;
	u64 *ptep, first, entry;
	u64 i = 0, nr;

	rcu_read_lock();
	ptep = descend(pgt, gfn, 0, level, NULL);
	first = umbra_entry_read(l, ptep);
	nr = min(end, ALIGN(gfn + 1, umbra_level_span(*level ?: 1))) - gfn;
	if (leaf_has(l, first, *level, attrs))
		/* Those that differ in nothing but the page are alike. */
		for (i = *level ? nr : 1; i < nr; i++) {
			entry = umbra_entry_read(l, ptep + i);
			if ((entry ^ first) & ~l->fmt->addr_mask &&
			    !leaf_has(l, entry, 0, attrs))
				break;
		}
	rcu_read_unlock();
	return gfn + i;
}

umbra_leaf_t umbra_pgtable_lookup(struct umbra_pgtable *pgt, gfn_t gfn,
				  int *level)
{
	const struct umbra_layout *l = &pgt->layout;
	u64 entry;

	rcu_read_lock();
	entry = umbra_entry_read(l, descend(pgt, gfn, 0, level, NULL));
	rcu_read_unlock();
	return umbra_entry_is_leaf(l, entry, *level) ?
	       umbra_entry_leaf(l, entry) : 0;
}
