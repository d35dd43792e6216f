/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a VM, one set for each processor.
 */
#ifndef UMBRA_STATS_H
#define UMBRA_STATS_H

#include <linux/percpu.h>
#include <linux/string.h>
#include <linux/types.h>

/*
 * The counters, under the names of struct umbra_get_stats, which says what they
 * count. Only ever added to, with umbra_stat_add(); umbra_stats_sum() sums up.
 */
struct umbra_stats {
	u64 faults;
	u64 faultins;
	u64 mapped;
	u64 retries;
	u64 waits;
	u64 invalidations;
	u64 invalidations_missed;
	u64 unmapped;
	u64 aged;
	u64 protected;
	u64 splits;
	u64 collapses;
	u64 flushes;
	u64 tlb_hits;
	u64 tlb_misses;
	u64 tlb_conflicts;
	u64 accesses;
	u64 mmio;
	u64 mmio_cached;
	u64 nested_mapped;
	u64 nested_unmapped;
	u64 nested_retries;
};

/* Any context; the VM's counter @field grows by @n. */
#define umbra_stat_add(vm, field, n)	this_cpu_add((vm)->stats->field, n)
#define umbra_stat_inc(vm, field)	umbra_stat_add(vm, field, 1)

/* Add all processors' counters up in @sum. */
static inline void umbra_stats_sum(const struct umbra_stats __percpu *stats,
				   struct umbra_stats *sum)
{
	unsigned int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(stats, cpu);
		u64 *to = (u64 *)sum;

		for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += READ_ONCE(from[i]);
	}
}

#endif /* UMBRA_STATS_H */
