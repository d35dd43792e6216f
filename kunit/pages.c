// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table pages that are counted, and that can be made to run out.
 */
#include <linux/atomic.h>
#include <linux/gfp.h>

#include "pages.h"

static atomic_long_t pages;
static unsigned int fail_in;

static void *pages_alloc(unsigned int order)
{
	void *table;

	if (fail_in && !--fail_in)
		return NULL;
	table = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (table)
		atomic_long_add(1 << order, &pages);
	return table;
}

static void pages_free(void *table, unsigned int order)
{
	free_pages((unsigned long)table, order);
	atomic_long_sub(1 << order, &pages);
}

const struct umbra_table_ops umbra_test_page_ops = {
	.alloc	= pages_alloc,
	.free	= pages_free,
};

long umbra_test_pages(void)
{
	return atomic_long_read(&pages);
}

void umbra_test_fail_alloc(unsigned int n)
{
	fail_in = n;
}
