// SPDX-License-Identifier: GPL-2.0-only
/*
 * A nested context: the shadow of one table of a guest.
 */
#include <linux/slab.h>

#include "nested.h"

struct umbra_nested *umbra_nested_alloc(const struct umbra_guest_table *guest,
					unsigned int addr_bits,
					const struct umbra_fmt *fmt)
{
	struct umbra_nested *n = kzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);
	unsigned int bits = max_t(unsigned int, addr_bits, fmt->gpa_bits_min);

	if (!n)
		return NULL;
	n->guest = *guest;
	n->gfn_limit = 1ULL << (addr_bits - PAGE_SHIFT);
	xa_init_flags(&n->blocks, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&n->unflushed);
	/* Every format has this mode. */
	umbra_layout_init(&n->pgt.layout, fmt, bits, UMBRA_AD_SW);
	if (umbra_pgtable_init(&n->pgt, &umbra_table_ops)) {
		kfree(n);
		return NULL;
	}
	return n;
}

void umbra_nested_free(struct umbra_nested *n)
{
	if (!n)
		return;
	umbra_pgtable_destroy(&n->pgt);
	xa_destroy(&n->blocks);
	kfree(n);
}
