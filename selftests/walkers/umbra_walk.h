/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/umbra-walk: have the hardware translate an address by a stage-2 table.
 *
 * For tests only. The module knows nothing of umbra: it is told where the root
 * of a table is and of what shape, and hands both to the processor.
 */
#ifndef UMBRA_WALK_H
#define UMBRA_WALK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define UMBRA_WALK_READ		0
#define UMBRA_WALK_WRITE	1
#define UMBRA_WALK_EXEC		2

/** define UMBRA_WALK_DONE - the hardware translated the address */
#define UMBRA_WALK_DONE		0
/** define UMBRA_WALK_ABSENT - an entry is not valid */
#define UMBRA_WALK_ABSENT	1
/** define UMBRA_WALK_OLD - the entry is valid, but its access flag is clear */
#define UMBRA_WALK_OLD		2
/** define UMBRA_WALK_DENIED - the entry does not permit the access */
#define UMBRA_WALK_DENIED	3
/** define UMBRA_WALK_FAULT - one of these three, the hardware does not say */
#define UMBRA_WALK_FAULT	4
/** define UMBRA_WALK_ODD - anything else; @detail tells */
#define UMBRA_WALK_ODD		5

/** define UMBRA_WALK_HAS_VALUE - the walker accessed the memory */
#define UMBRA_WALK_HAS_VALUE	0x1
/** define UMBRA_WALK_HAS_HPA - the walker told the address */
#define UMBRA_WALK_HAS_HPA	0x2
/** define UMBRA_WALK_HAS_LEVEL - the walker told the level of a fault */
#define UMBRA_WALK_HAS_LEVEL	0x4
/** define UMBRA_WALK_HAS_GPA - the walker told the address of a fault */
#define UMBRA_WALK_HAS_GPA	0x8

/**
 * define UMBRA_WALK_NO_AD - the hardware is to set no accessed and dirty bits
 *
 * For architectures where the table itself does not say so.
 */
#define UMBRA_WALK_NO_AD	0x1

/** define UMBRA_WALK_SCRATCH - pages of guest memory for a walker's own use */
#define UMBRA_WALK_SCRATCH	5

/**
 * struct umbra_walk - ioctl(UMBRA_WALK)
 * @root: host physical address of the root
 * @levels: number of levels
 * @root_bits: log2 of the entries of the root
 * @gpa_bits: guest physical address size
 * @access: UMBRA_WALK_READ, WRITE or EXEC
 * @gpa: what to translate, a multiple of 8; of 16 for EXEC
 * @value: the value to store; out: the value loaded. For EXEC there has to be
 *	code at @gpa that loads it: x86_64: "mov $value, %rax; vmmcall";
 *	riscv64: "lui a0, ...; addiw a0, a0, ...; ecall"
 * @scratch_gpa: UMBRA_WALK_SCRATCH pages that the table maps, writable
 * @scratch_hva: the same pages in this process
 * @result: out: UMBRA_WALK_DONE, ABSENT, OLD, DENIED, FAULT or ODD
 * @has: out: UMBRA_WALK_HAS_*: which of the fields below the hardware filled
 * @hpa: out: translated address
 * @fault_gpa: out: address of the fault
 * @fault_level: out: level of the fault, 0 being that of leaves of 4 KiB
 * @flags: UMBRA_WALK_NO_AD or 0
 * @detail: out: the syndrome as the hardware gave it
 *
 * Fails with ENODEV (the hardware has no such walker), EBUSY (a hypervisor uses
 * it), EOPNOTSUPP (it cannot walk a table of this shape, or for this access),
 * EINVAL (an address is beyond what it can have).
 */
struct umbra_walk {
	__u64 root;
	__u32 levels;
	__u32 root_bits;
	__u32 gpa_bits;
	__u32 access;
	__u64 gpa;
	__u64 value;
	__u64 scratch_gpa;
	__u64 scratch_hva;
	__u32 result;
	__u32 has;
	__u64 hpa;
	__u64 fault_gpa;
	__u32 fault_level;
	__u32 flags;
	__u64 detail;
};

#define UMBRA_WALK _IOWR(0xBD, 0, struct umbra_walk)

#endif /* UMBRA_WALK_H */
