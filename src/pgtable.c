// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shadow table: one walker, and what is done with it.
 */
#include <linux/rcupdate.h>

#include "pgtable.h"
#include "tlb.h"

/* Only addresses in the linear map stand in tables, whatever the format. */
static u64 *table_of(const struct umbra_fmt *fmt, u64 pte)
{
	return __va(umbra_fmt_pa(fmt, pte));
}

int umbra_pgtable_init(struct umbra_pgtable *pgt, const struct umbra_fmt *fmt,
		       const struct umbra_table_ops *ops)
{
	pgt->fmt = fmt;
	pgt->ops = ops;
	pgt->root = ops->alloc();
	if (!pgt->root)
		return -ENOMEM;
	atomic_long_set(&pgt->nr_tables, 1);
	atomic_long_set(&pgt->nr_leaves, 0);
	return 0;
}

static void free_table(struct umbra_pgtable *pgt, u64 *table, int level)
{
	unsigned int i, nr = umbra_fmt_index(pgt->fmt, ~0ULL, level) + 1;

	for (i = 0; level && i < nr; i++)
		if (umbra_fmt_is_table(pgt->fmt, table[i], level))
			free_table(pgt, table_of(pgt->fmt, table[i]),
				   level - 1);
	pgt->ops->free(table);
}

void umbra_pgtable_destroy(struct umbra_pgtable *pgt)
{
	free_table(pgt, pgt->root, pgt->fmt->levels - 1);
	pgt->root = NULL;
}

/* ------------------------------------------------------------- the walker */

/*
 * struct walk - one pass over a range
 *
 * A walk visits the entries of [start, end) in the order of their addresses.
 *
 * @entries sees each run of neighbouring entries of one table that are no
 * tables themselves: all of a table at level 0, single entries above it. @gfn
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
	void (*table)(struct walk *w, u64 *ptep, u64 pte);
};

static bool stopped(const struct walk *w)
{
	return w->ops->stop && w->next < w->end && w->ops->stop(w->ctx);
}

/* Returns false if the walk was stopped. */
static bool walk_table(struct walk *w, u64 *table, int level)
{
	const struct umbra_fmt *fmt = w->pgt->fmt;
	gfn_t span = umbra_fmt_span(fmt, level);
	unsigned int i = umbra_fmt_index(fmt, w->next, level);
	unsigned int last = umbra_fmt_index(fmt, ~0ULL, level);

	if (!level) {
		unsigned int nr = min_t(u64, last + 1 - i, w->end - w->next);

		w->entries(w, table + i, nr, w->next, 0);
		w->next += nr;
		return !stopped(w);
	}

	for (; i <= last && w->next < w->end; i++) {
		gfn_t base = ALIGN_DOWN(w->next, span);
		u64 pte = READ_ONCE(table[i]);

		if (umbra_fmt_is_table(fmt, pte, level)) {
			bool on = walk_table(w, table_of(fmt, pte), level - 1);

			if (w->table && w->start <= base &&
			    w->next == base + span)
				w->table(w, table + i, pte);
			if (!on)
				return false;
		} else {
			if (umbra_fmt_is_leaf(fmt, pte, level))
				w->entries(w, table + i, 1, w->next, level);
			w->next = base + span;
		}
	}
	return true;
}

static bool walk(struct walk *w)
{
	bool done;

	rcu_read_lock();
	done = walk_table(w, w->pgt->root, w->pgt->fmt->levels - 1);
	rcu_read_unlock();
	return done;
}

/* Have the absent entry @ptep point to an empty table. */
static void make_table(struct umbra_pgtable *pgt, u64 *ptep,
		       struct umbra_memcache *mc)
{
	void *table = umbra_memcache_get(mc);

	if (!table)
		return;
	/* A full barrier: the table is empty before it can be reached. */
	if (cmpxchg64(ptep, 0, umbra_fmt_make_table(pgt->fmt, __pa(table))))
		umbra_memcache_put(mc, table);
	else
		atomic_long_inc(&pgt->nr_tables);
}

/*
 * Go down to the entry of @gfn at level 0, or as far as there are tables. With
 * @mc missing tables are made. The caller is in an RCU read-side section.
 */
static u64 *descend(struct umbra_pgtable *pgt, gfn_t gfn, int *level,
		    struct umbra_memcache *mc)
{
	const struct umbra_fmt *fmt = pgt->fmt;
	u64 *table = pgt->root;

	for (*level = fmt->levels - 1; *level; (*level)--) {
		u64 *ptep = table + umbra_fmt_index(fmt, gfn, *level);
		u64 pte = READ_ONCE(*ptep);

		if (!pte && mc) {
			make_table(pgt, ptep, mc);
			pte = READ_ONCE(*ptep);
		}
		if (!umbra_fmt_is_table(fmt, pte, *level))
			return ptep;
		table = table_of(fmt, pte);
	}
	return table + umbra_fmt_index(fmt, gfn, 0);
}

/* ------------------------------------------------------------- operations */

enum { MAP_HAD_IT, MAP_WIDENED, MAP_INSTALLED };

/* Returns MAP_*, or -EEXIST. */
static int map_one(const struct umbra_fmt *fmt, u64 *ptep, umbra_leaf_t leaf)
{
	u64 old = READ_ONCE(*ptep);
	umbra_leaf_t have, want;

	do {
		have = umbra_fmt_is_leaf(fmt, old, 0) ?
		       umbra_fmt_leaf(fmt, old) : 0;
		if (have && umbra_leaf_pa(have) != umbra_leaf_pa(leaf))
			return -EEXIST;
		want = have | leaf;
		if (want == have)
			return MAP_HAD_IT;
	} while (!try_cmpxchg64(ptep, &old, umbra_fmt_make_leaf(fmt, want, 0)));
	return have ? MAP_WIDENED : MAP_INSTALLED;
}

int umbra_pgtable_map(struct umbra_pgtable *pgt, gfn_t gfn,
		      const umbra_leaf_t *leaves, unsigned int nr,
		      struct umbra_memcache *mc)
{
	int level, ret = 0, changed = 0, installed = 0;
	unsigned int i;
	u64 *ptep;

	rcu_read_lock();
	ptep = descend(pgt, gfn, &level, mc);
	if (WARN_ON_ONCE(level))
		ret = -EEXIST;
	for (i = 0; i < nr && ret >= 0; i++) {
		ret = map_one(pgt->fmt, ptep + i, leaves[i]);
		changed += ret > MAP_HAD_IT;
		installed += ret == MAP_INSTALLED;
	}
	rcu_read_unlock();
	atomic_long_add(installed, &pgt->nr_leaves);
	return ret < 0 ? ret : changed;
}

static void unmap_entries(struct walk *w, u64 *ptep, unsigned int nr,
			  gfn_t gfn, int level)
{
	const struct umbra_fmt *fmt = w->pgt->fmt;
	unsigned int i, removed = 0;

	for (i = 0; i < nr; i++) {
		u64 old = READ_ONCE(ptep[i]);

		if (!old)
			continue;
		old = xchg(&ptep[i], 0);
		if (!umbra_fmt_is_leaf(fmt, old, level))
			continue;
		umbra_gather_range(w->gather, gfn + i, gfn + i + 1);
		w->ops->leaf(w->ctx, gfn + i, level,
			     umbra_fmt_leaf(fmt, old), 0);
		removed++;
	}
	atomic_long_sub(removed, &w->pgt->nr_leaves);
}

/* Nobody installs in the range, so a table that was emptied stays empty. */
static void unmap_table(struct walk *w, u64 *ptep, u64 pte)
{
	WRITE_ONCE(*ptep, 0);
	umbra_gather_table(w->gather, table_of(w->pgt->fmt, pte));
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

/* Returns the leaf as it was if it had any of @attrs, else 0. */
static umbra_leaf_t clear_one(const struct umbra_fmt *fmt, u64 *ptep, int level,
			      umbra_leaf_t attrs)
{
	u64 new, pte = READ_ONCE(*ptep);
	umbra_leaf_t leaf;

	do {
		if (!umbra_fmt_is_leaf(fmt, pte, level))
			return 0;
		leaf = umbra_fmt_leaf(fmt, pte);
		if (!(leaf & attrs))
			return 0;
		new = umbra_fmt_make_leaf(fmt, leaf & ~attrs, level);
	} while (!try_cmpxchg64(ptep, &pte, new));
	return leaf;
}

static void clear_entries(struct walk *w, u64 *ptep, unsigned int nr,
			  gfn_t gfn, int level)
{
	const struct umbra_fmt *fmt = w->pgt->fmt;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		umbra_leaf_t old = clear_one(fmt, ptep + i, level, w->attrs);

		if (!old)
			continue;
		umbra_gather_range(w->gather, gfn + i, gfn + i + 1);
		w->ops->leaf(w->ctx, gfn + i, level, old, old & ~w->attrs);
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

	walk(&w);
}

static void show_entries(struct walk *w, u64 *ptep, unsigned int nr, gfn_t gfn,
			 int level)
{
	const struct umbra_fmt *fmt = w->pgt->fmt;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 pte = READ_ONCE(ptep[i]);

		if (umbra_fmt_is_leaf(fmt, pte, level))
			w->ops->leaf(w->ctx, gfn + i, level,
				     umbra_fmt_leaf(fmt, pte),
				     umbra_fmt_leaf(fmt, pte));
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
			    umbra_leaf_t *leaf)
{
	const struct umbra_fmt *fmt = pgt->fmt;
	umbra_leaf_t set = UMBRA_PTE_YOUNG;
	int level, ret = 0;
	u64 *ptep, old;

	if (access == UMBRA_PTE_WRITE)
		set |= UMBRA_PTE_DIRTY;

	rcu_read_lock();
	ptep = descend(pgt, gfn, &level, NULL);
	old = READ_ONCE(*ptep);
	do {
		if (!umbra_fmt_is_leaf(fmt, old, level)) {
			ret = -ENOENT;
			break;
		}
		*leaf = umbra_fmt_leaf(fmt, old);
		if (!(*leaf & access)) {
			ret = -EACCES;
			break;
		}
		if ((*leaf & set) == set)
			break;
		*leaf |= set;
	} while (!try_cmpxchg64(ptep, &old,
				umbra_fmt_make_leaf(fmt, *leaf, level)));
	rcu_read_unlock();
	return ret;
}

umbra_leaf_t umbra_pgtable_lookup(struct umbra_pgtable *pgt, gfn_t gfn,
				  int *level)
{
	u64 pte;

	rcu_read_lock();
	pte = READ_ONCE(*descend(pgt, gfn, level, NULL));
	rcu_read_unlock();
	return umbra_fmt_is_leaf(pgt->fmt, pte, *level) ?
	       umbra_fmt_leaf(pgt->fmt, pte) : 0;
}
