/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Table pages, topped up before any lock is taken.
 */
#ifndef UMBRA_MEMCACHE_H
#define UMBRA_MEMCACHE_H

#include "types.h"

/**
 * struct umbra_table_ops - where table pages come from
 * @alloc: returns 2^@order zeroed pages, or NULL; may sleep
 * @free: frees them at once; any context
 *
 * Unit tests bring their own, to count pages and to fail allocations.
 */
struct umbra_table_ops {
	void *(*alloc)(unsigned int order);
	void (*free)(void *table, unsigned int order);
};

/* Pages that are accounted: to the caller's memcg, as secondary page tables. */
extern const struct umbra_table_ops umbra_table_ops;

/**
 * struct umbra_memcache - a stock of zeroed table pages for one thread
 * @ops: where they come from
 * @nr: how many are here
 * @table: [0..@nr): the pages
 *
 * Not locked: the owner serialises.
 */
struct umbra_memcache {
	const struct umbra_table_ops *ops;
	unsigned int nr;
	void *table[UMBRA_MAX_LEVELS - 1];
};

static inline void umbra_memcache_init(struct umbra_memcache *mc,
				       const struct umbra_table_ops *ops)
{
	mc->ops = ops;
	mc->nr = 0;
}

/**
 * umbra_memcache_topup() - make sure that one walk cannot run out of pages
 * @mc: the cache
 *
 * Fills it with one page for each level below the root. May sleep.
 *
 * Return: 0 or -ENOMEM, with what was there still there.
 */
int umbra_memcache_topup(struct umbra_memcache *mc);

/**
 * umbra_memcache_get() - take a zeroed page
 * @mc: the cache, topped up
 *
 * Any context.
 *
 * Return: the page, or NULL if the cache was not topped up.
 */
void *umbra_memcache_get(struct umbra_memcache *mc);

/**
 * umbra_memcache_put() - give back a page that was not used
 * @mc: the cache it came from
 * @table: the page, still zeroed
 */
void umbra_memcache_put(struct umbra_memcache *mc, void *table);

/**
 * umbra_memcache_destroy() - free all pages
 * @mc: the cache; may be initialised again
 */
void umbra_memcache_destroy(struct umbra_memcache *mc);

#endif /* UMBRA_MEMCACHE_H */
