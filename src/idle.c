// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle ages: for how many scans no page of a memslot has been used.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/sched.h>

#include "idle.h"

/* The last bucket begins at the age of 2^7; ages end at 255. */
static_assert(UMBRA_IDLE_BUCKETS == 9);

struct umbra_idle *umbra_idle_alloc(u64 nr_pages)
{
	struct umbra_idle *idle = kvzalloc(sizeof(*idle) + nr_pages,
					   GFP_KERNEL_ACCOUNT);

	if (idle)
		idle->scan = 1;
	return idle;
}

void umbra_idle_used(struct umbra_idle *idle, u64 first, u64 nr)
{
	u8 scan;

	if (!idle)
		return;
	for (scan = READ_ONCE(idle->scan); nr--; first++)
		WRITE_ONCE(idle->seen[first], scan);
}

void umbra_idle_scan(struct umbra_idle *idle, u64 nr_pages,
		     u64 pages[UMBRA_IDLE_BUCKETS])
{
	u64 i;

	memset(pages, 0, UMBRA_IDLE_BUCKETS * sizeof(*pages));
	for (i = 0; i < nr_pages; i++) {
		u8 seen = READ_ONCE(idle->seen[i]);
		u8 age = idle->scan - seen;

		/* Ages end here; a use that comes between is not undone. */
		if (age == U8_MAX)
			cmpxchg(&idle->seen[i], seen, seen + 1);
		pages[fls(age)]++;
		if (!(i % PAGE_SIZE))
			cond_resched();
	}
	WRITE_ONCE(idle->scan, idle->scan + 1);
}
