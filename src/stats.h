/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a VM, one set for each processor.
 */
#ifndef UMBRA_STATS_H
#define UMBRA_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

/**
 * struct umbra_stats - the counters; &struct umbra_get_stats says what of
 *
 * Only ever added to, with umbra_stat_add(), and summed by umbra_stat_sum().
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
	u64 flushes;
	u64 tlb_hits;
	u64 tlb_misses;
	u64 accesses;
};

/* Any context; the VM's counter @field grows by @n. */
#define umbra_stat_add(vm, field, n)	this_cpu_add((vm)->stats->field, n)
#define umbra_stat_inc(vm, field)	umbra_stat_add(vm, field, 1)

#define umbra_stat_sum(vm, field)					\
({									\
	u64 __sum = 0;							\
	int __cpu;							\
									\
	for_each_possible_cpu(__cpu)					\
		__sum += READ_ONCE(per_cpu_ptr((vm)->stats,		\
					       __cpu)->field);		\
	__sum;								\
})

#endif /* UMBRA_STATS_H */
