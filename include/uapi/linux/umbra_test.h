/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * UMBRA_TEST, what tests of umbra need and users must not have. It exists only
 * in modules built with CONFIG_UMBRA_TEST and is no part of the ABI.
 */
#ifndef _UAPI_LINUX_UMBRA_TEST_H
#define _UAPI_LINUX_UMBRA_TEST_H

#include <linux/umbra.h>

/**
 * DOC: Hold points
 *
 * A hold point is a named place in the code where a race has its window. A test
 * arms the point, waits until a thread has come there, lets another thread act,
 * and releases. Points marked "spins" lie under a spinlock: they can delay but
 * not hold, and those marked "fails" can only make the code take the way of an
 * error.
 */

/** define UMBRA_POINT_FAULT_LOOKED_UP - page looked up, mmu_lock not taken */
#define UMBRA_POINT_FAULT_LOOKED_UP	0
/** define UMBRA_POINT_FAULT_INSTALLED - leaves written, log not yet; spins */
#define UMBRA_POINT_FAULT_INSTALLED	1
/** define UMBRA_POINT_INVALIDATE_BEGUN - published, nothing zapped yet */
#define UMBRA_POINT_INVALIDATE_BEGUN	2
/** define UMBRA_POINT_ZAP_UNFLUSHED - entries gone, TLBs not flushed; spins */
#define UMBRA_POINT_ZAP_UNFLUSHED	3
/**
 * define UMBRA_POINT_ZAP_YIELD - a zap yields its lock midway
 *
 * While armed, every zap that may yield does so after each table.
 */
#define UMBRA_POINT_ZAP_YIELD		4
/** define UMBRA_POINT_INVALIDATE_ZAPPED - zapped, "start" about to return */
#define UMBRA_POINT_INVALIDATE_ZAPPED	5
/** define UMBRA_POINT_INVALIDATE_END - "end" called, nothing done yet */
#define UMBRA_POINT_INVALIDATE_END	6
/** define UMBRA_POINT_ACCESS_TRANSLATED - memory not touched yet; spins */
#define UMBRA_POINT_ACCESS_TRANSLATED	7
/** define UMBRA_POINT_RELEASE - the mm is dying, nothing done yet */
#define UMBRA_POINT_RELEASE		8
/** define UMBRA_POINT_LOG_TAKEN - dirty bits taken, not yet protected */
#define UMBRA_POINT_LOG_TAKEN		9
/** define UMBRA_POINT_LOG_PROTECTED - and flushed, bits not yet handed out */
#define UMBRA_POINT_LOG_PROTECTED	10
/** define UMBRA_POINT_AGE_UNFLUSHED - made old, TLBs not flushed; spins */
#define UMBRA_POINT_AGE_UNFLUSHED	11
/** define UMBRA_POINT_FLUSH_BEGIN - no TLB flushed yet; spins */
#define UMBRA_POINT_FLUSH_BEGIN		12
/** define UMBRA_POINT_FLUSH_TLB - one more TLB has been flushed; spins */
#define UMBRA_POINT_FLUSH_TLB		13
/** define UMBRA_POINT_SPLIT_BROKEN - block gone, table not there yet; spins */
#define UMBRA_POINT_SPLIT_BROKEN	14
/** define UMBRA_POINT_COLLAPSE_ZAPPED - leaves gone, still in progress */
#define UMBRA_POINT_COLLAPSE_ZAPPED	15
/** define UMBRA_POINT_SLOTS_PUBLISHED - readers of the old set are not gone */
#define UMBRA_POINT_SLOTS_PUBLISHED	16
/** define UMBRA_POINT_SLOT_INVALID - an invalid slot's entries still there */
#define UMBRA_POINT_SLOT_INVALID	17
/** define UMBRA_POINT_SLOT_EMPTIED - entries gone, the invalid slot not yet */
#define UMBRA_POINT_SLOT_EMPTIED	18
/** define UMBRA_POINT_RELEASE_DEAD - mm marked as dead, nothing zapped yet */
#define UMBRA_POINT_RELEASE_DEAD	19
/** define UMBRA_POINT_ALLOC - memory is to be allocated for the VM; fails */
#define UMBRA_POINT_ALLOC		20
/** define UMBRA_POINT_LOOK_UP - a fault is to look a page up; fails */
#define UMBRA_POINT_LOOK_UP		21
/** define UMBRA_POINT_MMIO_REMEMBER - no memslot found, not remembered yet */
#define UMBRA_POINT_MMIO_REMEMBER	22
/** define UMBRA_POINT_RING_PROTECTED - pages protected, entries not yet empty */
#define UMBRA_POINT_RING_PROTECTED	23
/**
 * define UMBRA_POINT_NESTED_ANNOUNCED - a nested leaf is in the reverse map
 *
 * And is not there yet: neither is mmu_lock taken.
 */
#define UMBRA_POINT_NESTED_ANNOUNCED	24
/** define UMBRA_POINT_NESTED_READ - stage 2 read, shadow not written; spins */
#define UMBRA_POINT_NESTED_READ		25
#define UMBRA_NR_POINTS			26

/** define UMBRA_TEST_DISARM - let the point be; threads held there go on */
#define UMBRA_TEST_DISARM	0
/** define UMBRA_TEST_HOLD - hold the next @count threads until released */
#define UMBRA_TEST_HOLD		1
/** define UMBRA_TEST_HOLD_KILL - the same, but even SIGKILL does not release */
#define UMBRA_TEST_HOLD_KILL	2
/** define UMBRA_TEST_DELAY - delay the next @count threads by @usecs */
#define UMBRA_TEST_DELAY	3
/** define UMBRA_TEST_WAIT - wait up to @usecs until @count threads are held */
#define UMBRA_TEST_WAIT		4
/** define UMBRA_TEST_QUERY - only fill the fields marked out */
#define UMBRA_TEST_QUERY	5
/** define UMBRA_TEST_FAIL - fail once: the @count-th pass from now on */
#define UMBRA_TEST_FAIL		6
/** define UMBRA_TEST_GENERATION - have the memslots a later @generation */
#define UMBRA_TEST_GENERATION	7

/**
 * struct umbra_test - ioctl(UMBRA_TEST), on a VM, from any process
 * @size: sizeof(struct umbra_test)
 * @flags: must be 0
 * @op: UMBRA_TEST_*
 * @point: UMBRA_POINT_*
 * @count: number of threads, or of the pass that fails
 * @pad: must be 0
 * @usecs: microseconds: length of DELAY (at most 1 s), time limit of WAIT
 * @hits: out: how often @point was passed since the VM was created
 * @held: out: threads held at @point now
 * @in_progress: out: invalidations between begin and end
 * @active: out: notifier calls between start and end, slots or not
 * @sequence: out: the invalidation sequence
 * @leaves: out: leaves in the shadow table
 * @root: out: host physical address of the shadow table's root, for a walker
 * @levels: out: levels of the shadow table
 * @root_bits: out: log2 of the entries of its root
 * @generation: in, for GENERATION: even; out: of the memslots
 *
 * WAIT fails with ETIMEDOUT.
 */
struct umbra_test {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 point;
	__u32 count;
	__u32 pad;
	__aligned_u64 usecs;
	__aligned_u64 hits;
	__aligned_u64 held;
	__aligned_u64 in_progress;
	__aligned_u64 active;
	__aligned_u64 sequence;
	__aligned_u64 leaves;
	__aligned_u64 root;
	__u32 levels;
	__u32 root_bits;
	__aligned_u64 generation;
};

#define UMBRA_TEST _IO(UMBRA_IOC_TYPE, 0x7f)

#endif /* _UAPI_LINUX_UMBRA_TEST_H */
