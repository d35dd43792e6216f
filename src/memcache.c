// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table pages, topped up before any lock is taken.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "memcache.h"

static void *table_alloc(unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, order);

	if (!page)
		return NULL;
	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, 1 << order);
	return page_address(page);
}

static void table_free(void *table, unsigned int order)
{
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE,
			      -(1 << order));
	free_pages((unsigned long)table, order);
}

const struct umbra_table_ops umbra_table_ops = {
	.alloc	= table_alloc,
	.free	= table_free,
};

int umbra_memcache_topup(struct umbra_memcache *mc)
{
	while (mc->nr < ARRAY_SIZE(mc->table)) {
		void *table = mc->ops->alloc(0);

		if (!table)
			return -ENOMEM;
		mc->table[mc->nr++] = table;
	}
	return 0;
}

void *umbra_memcache_get(struct umbra_memcache *mc)
{
	if (WARN_ON_ONCE(!mc->nr))
		return NULL;
	return mc->table[--mc->nr];
}

void umbra_memcache_put(struct umbra_memcache *mc, void *table)
{
	mc->table[mc->nr++] = table;
}

void umbra_memcache_destroy(struct umbra_memcache *mc)
{
	while (mc->nr)
		mc->ops->free(mc->table[--mc->nr], 0);
}
