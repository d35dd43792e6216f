// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map: from a page of the VM to the nested leaves that map it.
 */
#include <linux/overflow.h>
#include <linux/slab.h>

#include "fmt.h"
#include "rmap.h"

struct rmap_array {
	unsigned int nr;
	unsigned int max;
	u64 item[];
};

void umbra_rmap_init(struct umbra_rmap *r)
{
	int level;

	for (level = 0; level < UMBRA_RMAP_LEVELS; level++)
		xa_init_flags(&r->by_gfn[level], XA_FLAGS_ACCOUNT);
}

static void free_entry(void *entry)
{
	if (!xa_is_value(entry))
		kfree(entry);
}

void umbra_rmap_destroy(struct umbra_rmap *r)
{
	unsigned long index;
	void *entry;
	int level;

	for (level = 0; level < UMBRA_RMAP_LEVELS; level++) {
		xa_for_each(&r->by_gfn[level], index, entry)
			free_entry(entry);
		xa_destroy(&r->by_gfn[level]);
	}
}

static unsigned int nr_items(void *entry)
{
	if (!entry)
		return 0;
	return xa_is_value(entry) ? 1 : ((struct rmap_array *)entry)->nr;
}

static u64 item_of(void *entry, unsigned int i)
{
	return xa_is_value(entry) ? xa_to_value(entry) :
				    ((struct rmap_array *)entry)->item[i];
}

/* Put @item beside those that are there. -ENOENT if there are none. */
static int add_to(struct xarray *xa, unsigned long index, u64 item)
{
	struct rmap_array *array;
	int ret = -ENOSPC;
	unsigned int i;
	void *entry;

	xa_lock(xa);
	entry = xa_load(xa, index);
	if (!entry)
		ret = -ENOENT;
	for (i = 0; i < nr_items(entry); i++)
		if (item_of(entry, i) == item)
			ret = 0;
	if (ret == -ENOSPC && !xa_is_value(entry)) {
		array = entry;
		if (array->nr < array->max) {
			array->item[array->nr++] = item;
			ret = 0;
		}
	}
	xa_unlock(xa);
	return ret;
}

int umbra_rmap_add(struct umbra_rmap *r, gfn_t gfn, int level, u64 item)
{
	struct xarray *xa = &r->by_gfn[level];
	unsigned long index = gfn >> umbra_level_shift(level);
	int ret;

	do {
		ret = add_to(xa, index, item);
		if (ret == -ENOENT)
			ret = xa_insert(xa, index, xa_mk_value(item),
					GFP_KERNEL_ACCOUNT);
	} while (ret == -EBUSY);
	return ret;
}

int umbra_rmap_grow(struct umbra_rmap *r, gfn_t gfn, int level)
{
	struct xarray *xa = &r->by_gfn[level];
	unsigned long index = gfn >> umbra_level_shift(level);
	unsigned int i, nr, max;
	struct rmap_array *new;
	void *old;

	xa_lock(xa);
	nr = nr_items(xa_load(xa, index));
	xa_unlock(xa);

	max = max(2 * nr, 4U);
	new = kmalloc(struct_size(new, item, max),
		      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!new)
		return -ENOMEM;
	new->max = max;

	xa_lock(xa);
	old = xa_load(xa, index);
	new->nr = nr_items(old);
	/* Others may have dropped all meanwhile, or made room themselves. */
	if (!old || new->nr > nr) {
		old = new;
	} else {
		for (i = 0; i < new->nr; i++)
			new->item[i] = item_of(old, i);
		/* In the place of an entry: nothing is allocated. */
		__xa_store(xa, index, new, GFP_NOWAIT);
	}
	xa_unlock(xa);
	free_entry(old);
	return 0;
}

void umbra_rmap_walk(struct umbra_rmap *r, gfn_t start, gfn_t end,
		     bool (*fn)(void *ctx, gfn_t gfn, int level, u64 item),
		     void *ctx)
{
	int level;

	for (level = 0; level < UMBRA_RMAP_LEVELS; level++) {
		unsigned int shift = umbra_level_shift(level);
		XA_STATE(xas, &r->by_gfn[level], start >> shift);
		void *entry;

		xas_lock(&xas);
		xas_for_each(&xas, entry, (end - 1) >> shift) {
			gfn_t gfn = (gfn_t)xas.xa_index << shift;
			unsigned int i, kept = 0;

			for (i = 0; i < nr_items(entry); i++) {
				u64 item = item_of(entry, i);

				if (!fn(ctx, gfn, level, item))
					continue;
				if (!xa_is_value(entry))
					((struct rmap_array *)entry)->item[kept] = item;
				kept++;
			}
			if (kept) {
				if (!xa_is_value(entry))
					((struct rmap_array *)entry)->nr = kept;
			} else {
				xas_store(&xas, NULL);
				free_entry(entry);
			}
		}
		xas_unlock(&xas);
	}
}
