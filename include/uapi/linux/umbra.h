/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/umbra, a secondary MMU for one process.
 */
#ifndef _UAPI_LINUX_UMBRA_H
#define _UAPI_LINUX_UMBRA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * There are three kinds of file descriptor. /dev/umbra answers
 * &UMBRA_GET_CAPS and &UMBRA_CREATE_VM; a VM descriptor belongs to the address
 * space (mm) of the process that created it; a vCPU descriptor belongs to a VM.
 * All descriptors are close-on-exec.
 *
 * Every ioctl takes one structure whose first two fields are @size, set by the
 * caller to sizeof() of the structure it was built with, and @flags. A longer
 * structure than the module knows is accepted while the unknown tail is zero;
 * a shorter one is accepted down to its first published size and the missing
 * tail reads as zero. Fields named pad must be zero. All addresses and lengths
 * are in bytes, all ranges half-open: [gpa, gpa + length).
 *
 * Errors mean the same everywhere:
 *
 *  - ENOTTY: this descriptor has no such ioctl.
 *  - E2BIG: a tail that this module does not know is not zero.
 *  - EOPNOTSUPP: an unknown flag, format or feature.
 *  - EINVAL: a field is wrong: alignment, zero length, wrap-around, a range
 *    past the guest physical address size, @size too small, a pad not zero.
 *  - EEXIST: the memslot would overlap another one.
 *  - ENOENT: no memslot, no dirty log, or no nested context, there.
 *  - EFAULT: a user pointer is bad, or the hva behind a gpa has no memory.
 *  - EACCES: the memslot, the host mapping, or the guest's own table in a nested
 *    context, does not allow the access.
 *  - EHWPOISON: the page is poisoned.
 *  - EAGAIN: the caller asked not to wait, and it would have had to.
 *  - EINTR: a signal arrived before any progress was made.
 *  - ENOTUNIQ: a TLB holds two translations for one address. A bug of umbra,
 *    reported since finding such bugs is what the TLB is for.
 *  - EIO: the caller's address space is not the VM's, or the VM is broken.
 *  - ESRCH: the VM's address space is gone.
 *  - EPERM: the request needs a capability that the caller lacks.
 *  - ENOSPC: no more vCPUs; the vCPU's dirty ring is nearly full.
 *  - ENOMEM, EMFILE, EBUSY: as usual.
 *
 * After an error everything is as it was before. An ioctl with a @done field
 * can stop half-way, on a signal or an error: it then returns 0 with @done
 * saying how far it came, and the error appears when the call is repeated for
 * the rest. It returns an error only if it came nowhere.
 */
#define UMBRA_IOC_TYPE 0xBC

/**
 * define UMBRA_FMT_X86_NPT - AMD nested paging
 *
 * AMD64 Architecture Programmer's Manual, volume 2, section 15.25. Four levels
 * up to 48 bits of guest physical address, five above.
 */
#define UMBRA_FMT_X86_NPT	0
/**
 * define UMBRA_FMT_X86_EPT - Intel extended page tables
 *
 * Intel Software Developer's Manual, volume 3C, section 29.3. Four levels up to
 * 48 bits, five above.
 */
#define UMBRA_FMT_X86_EPT	1
/**
 * define UMBRA_FMT_ARM64_S2 - Armv8 stage 2, granule of 4 KiB
 *
 * Arm Architecture Reference Manual, section D8. Two to four levels, up to
 * sixteen tables concatenated as the root.
 */
#define UMBRA_FMT_ARM64_S2	2
/**
 * define UMBRA_FMT_RISCV_G - guest stage of RISC V
 *
 * RISC-V Instruction Set Manual, volume II, section 8.5. Sv39x4 up to 41 bits,
 * Sv48x4 up to 50, Sv57x4 up to 59.
 */
#define UMBRA_FMT_RISCV_G	3
/**
 * define UMBRA_FMT_POWER_RADIX - radix tree of POWER for a partition
 *
 * Power ISA 3.0B, book III, section 5.7.10. Four levels of 13, 9, 9 and 9 bits,
 * big-endian.
 */
#define UMBRA_FMT_POWER_RADIX	4
/**
 * define UMBRA_FMT_MIPS_VZ - MIPS VZ root TLB entries in a software table
 *
 * MIPS64 Architecture for Programmers, volumes III and IV-i. The hardware has
 * no accessed and dirty bits: only with UMBRA_VM_SOFT_AD.
 */
#define UMBRA_FMT_MIPS_VZ	5
/**
 * define UMBRA_FMT_X86_64 - AMD64 long mode, for tables of guests only
 *
 * AMD64 Architecture Programmer's Manual, volume 2, section 5.3. Four levels
 * for 48 bits of virtual address, five above. An address is given without its
 * sign extension.
 */
#define UMBRA_FMT_X86_64	6

/** define UMBRA_NESTED_NOT_PRESENT - the entry is absent */
#define UMBRA_NESTED_NOT_PRESENT	1
/** define UMBRA_NESTED_RIGHTS - the guest's table does not allow the access */
#define UMBRA_NESTED_RIGHTS		2
/** define UMBRA_NESTED_RESERVED - reserved bits are set in the entry */
#define UMBRA_NESTED_RESERVED		3
/**
 * define UMBRA_NESTED_ACCESS_FLAG - the entry is old, or clean and written to
 *
 * And the guest's hardware is one that does not set these bits.
 */
#define UMBRA_NESTED_ACCESS_FLAG	4
/** define UMBRA_NESTED_ADDRESS_SIZE - an address past the VM's address size */
#define UMBRA_NESTED_ADDRESS_SIZE	5
/** define UMBRA_NESTED_NO_MEMORY - the table lies where no memory is */
#define UMBRA_NESTED_NO_MEMORY		6

/* ------------------------------------------------------------ /dev/umbra */

/**
 * struct umbra_get_caps - ioctl(UMBRA_GET_CAPS), on the device
 * @size: sizeof(struct umbra_get_caps)
 * @flags: must be 0
 * @format: in: the format that the fields below from @gpa_bits_min describe
 * @formats: out: bit n is set if format n (UMBRA_FMT_*) is known
 * @gpa_bits_min: out: smallest guest physical address size, in bits
 * @gpa_bits_max: out: largest guest physical address size, in bits
 * @leaf_sizes: out: bit n is set if umbra uses leaves of 2^n bytes
 * @mem_flags: out: the UMBRA_MEM_* flags that &UMBRA_SET_MEMSLOT accepts
 * @max_slots: out: number of memslots a VM can have
 * @max_vcpus: out: number of vCPUs a VM can have
 * @vm_flags: out: the UMBRA_VM_* flags that &UMBRA_CREATE_VM accepts
 * @max_slot_pages: out: largest memslot, in pages of 4 KiB
 * @max_log_readers: out: number of readers that a dirty log can have
 * @max_ring_size: out: most entries that a dirty ring can have
 * @max_nested: out: number of nested contexts a VM can have
 * @nested_formats: out: bit n is set if a guest's table can be of format n
 *
 * There are no version numbers: a program asks for what it needs. Fails with
 * EOPNOTSUPP if @format is unknown; format 0 always exists.
 */
struct umbra_get_caps {
	__u32 size;
	__u32 flags;
	__u32 format;
	__u32 formats;
	__u32 gpa_bits_min;
	__u32 gpa_bits_max;
	__aligned_u64 leaf_sizes;
	__u32 mem_flags;
	__u32 max_slots;
	__u32 max_vcpus;
	__u32 vm_flags;
	__aligned_u64 max_slot_pages;
	__u32 max_log_readers;
	__u32 max_ring_size;
	__u32 max_nested;
	__u32 nested_formats;
};

#define UMBRA_GET_CAPS _IO(UMBRA_IOC_TYPE, 0x00)

/**
 * define UMBRA_VM_SOFT_AD - track accessed and dirty by faults
 *
 * The accessed and dirty bits of the hardware are not relied on: the first
 * access through an old translation faults, and so does the first write through
 * a clean one.
 */
#define UMBRA_VM_SOFT_AD	(1u << 0)

/**
 * struct umbra_create_vm - ioctl(UMBRA_CREATE_VM), on the device
 * @size: sizeof(struct umbra_create_vm)
 * @flags: UMBRA_VM_*
 * @format: page-table format, UMBRA_FMT_*
 * @gpa_bits: guest physical address size in bits, 0 for the format's largest
 * @fd: out: the VM's file descriptor
 * @pad: must be 0
 *
 * The VM is bound to the caller's address space for good: fork() does not take
 * it along, and after exec() or exit its ioctls answer ESRCH. May sleep; fails
 * with EINTR if a fatal signal arrives.
 */
struct umbra_create_vm {
	__u32 size;
	__u32 flags;
	__u32 format;
	__u32 gpa_bits;
	__s32 fd;
	__u32 pad;
};

#define UMBRA_CREATE_VM _IO(UMBRA_IOC_TYPE, 0x01)

/* -------------------------------------------------------------------- VM */

/**
 * define UMBRA_MEM_READONLY - vCPUs may not write to the memslot (EACCES)
 *
 * Fixed when the memslot is created.
 */
#define UMBRA_MEM_READONLY	(1u << 0)
/**
 * define UMBRA_MEM_LOG_DIRTY - keep a dirty log of the memslot
 *
 * Found by write protection: the first write to a page after the log was
 * turned on, or after the page was last taken from it, faults and is logged.
 */
#define UMBRA_MEM_LOG_DIRTY	(1u << 1)
/**
 * define UMBRA_MEM_LOG_D_BITS - keep the dirty log by D bits
 *
 * Goes with UMBRA_MEM_LOG_DIRTY: once a page has been written, writes to it do
 * not fault any more; the dirty bits of the shadow table are harvested when the
 * log is read.
 */
#define UMBRA_MEM_LOG_D_BITS	(1u << 2)
/**
 * define UMBRA_MEM_NOEXEC - vCPUs may not fetch from the memslot (EACCES)
 *
 * Fixed when the memslot is created. Elsewhere they may, whether or not the
 * process itself can execute the memory.
 */
#define UMBRA_MEM_NOEXEC	(1u << 3)
/**
 * define UMBRA_MEM_LOG_PROTECT - keep the dirty log by protection and by D bits
 *
 * Goes with UMBRA_MEM_LOG_DIRTY, for which it is the default, and
 * UMBRA_MEM_LOG_D_BITS: the first write to a page after it was taken from the
 * log faults and is logged at once; pages that &UMBRA_FAULT has made writable
 * are logged only if they are written.
 */
#define UMBRA_MEM_LOG_PROTECT	(1u << 4)
/**
 * define UMBRA_MEM_LOG_ALL_SET - the log begins with all pages dirty
 *
 * Goes with UMBRA_MEM_LOG_DIRTY, for a reader that begins by copying everything.
 * By write protection, turning the log on then takes no right away: pages are
 * protected as they are taken.
 */
#define UMBRA_MEM_LOG_ALL_SET	(1u << 5)
/**
 * define UMBRA_MEM_LOG_SPLIT - split blocks as the log is turned on
 *
 * Goes with UMBRA_MEM_LOG_DIRTY. Else each is split at the first write to it.
 * Either way SET_MEMSLOT has blocks again, where there can be, when it turns the
 * log off.
 */
#define UMBRA_MEM_LOG_SPLIT	(1u << 6)
/**
 * define UMBRA_MEM_IDLE_AGES - keep the idle ages of the memslot's pages
 *
 * For &UMBRA_SCAN_IDLE. Takes one byte a page.
 */
#define UMBRA_MEM_IDLE_AGES	(1u << 7)

/**
 * struct umbra_set_memslot - ioctl(UMBRA_SET_MEMSLOT), on a VM
 * @size: sizeof(struct umbra_set_memslot)
 * @flags: UMBRA_MEM_*
 * @slot: number of the memslot, below &struct umbra_get_caps.max_slots
 * @log_readers: with UMBRA_MEM_LOG_DIRTY: bit n is set if reader n, below
 *	&struct umbra_get_caps.max_log_readers, has a log; 0: just reader 0.
 *	Else 0
 * @gpa: first guest physical address, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB; 0 deletes the memslot
 * @hva: address in the calling process that backs @gpa, a multiple of 4 KiB
 *
 * Creates memslot @slot if it does not exist, deletes it if @length is 0 (@gpa
 * and @hva are then ignored), and otherwise changes its flags or moves it
 * to another @gpa. @length, @hva, UMBRA_MEM_READONLY and UMBRA_MEM_NOEXEC of an
 * existing memslot cannot be changed (EINVAL). A move keeps neither logs nor
 * translations.
 *
 * Readers of the dirty log do not see each other: every write is logged for
 * each of them, and what one takes stays in the logs of the others. A reader
 * can be added, and begins then, or be removed, while others go on.
 *
 * When the call returns, no vCPU uses the memslot as it was before. Fails with
 * ENOENT (deleting what is not there), EEXIST (overlap), ENOMEM.
 */
struct umbra_set_memslot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 log_readers;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 hva;
};

#define UMBRA_SET_MEMSLOT _IO(UMBRA_IOC_TYPE, 0x10)

/** define UMBRA_DIRTY_GFN_DIRTY - the entry names a page; set by umbra */
#define UMBRA_DIRTY_GFN_DIRTY	(1u << 0)
/** define UMBRA_DIRTY_GFN_RESET - the entry was collected; set by the process */
#define UMBRA_DIRTY_GFN_RESET	(1u << 1)

/**
 * struct umbra_dirty_gfn - an entry of a dirty ring
 * @flags: UMBRA_DIRTY_GFN_*; 0: empty
 * @slot: number of the memslot
 * @offset: the page, counted from the memslot's first
 *
 * As KVM's struct kvm_dirty_gfn, and used alike: entries are collected in order.
 * The process reads @flags with acquire, the rest only if it finds
 * UMBRA_DIRTY_GFN_DIRTY, and writes UMBRA_DIRTY_GFN_RESET with release. Entries
 * are reset in order by &UMBRA_RESET_DIRTY_RINGS. Writing anything else harms
 * only the process's own log.
 */
struct umbra_dirty_gfn {
	__u32 flags;
	__u32 slot;
	__aligned_u64 offset;
};

/**
 * struct umbra_create_vcpu - ioctl(UMBRA_CREATE_VCPU), on a VM
 * @size: sizeof(struct umbra_create_vcpu)
 * @flags: must be 0
 * @fd: out: the vCPU's file descriptor
 * @ring_size: entries of its dirty ring: a power of two, 8 up to
 *	&struct umbra_get_caps.max_ring_size; 0: no ring
 *
 * A vCPU is an agent that translates: it has a TLB. It may stand for a
 * processor, a DMA engine or an accelerator's queue. The vCPU keeps its VM
 * alive. Fails with ENOSPC if the VM has &struct umbra_get_caps.max_vcpus.
 *
 * A dirty ring takes the pages, as &struct umbra_dirty_gfn, that the vCPU's
 * faults make writable in memslots that are logged by write protection, beside
 * the bitmaps of their readers. It is mapped, shared, at offset 0 of the vCPU's
 * descriptor. When seven eighths are full, &UMBRA_ACCESS and &UMBRA_FAULT begin
 * nothing more (ENOSPC, UMBRA_EXIT_RING_FULL) and poll() says POLLIN, until entries were collected
 * and reset. For rings to tell every write, all vCPUs have one from before the
 * log is turned on, and a ring is collected and reset before its vCPU is closed.
 */
struct umbra_create_vcpu {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 ring_size;
};

#define UMBRA_CREATE_VCPU _IO(UMBRA_IOC_TYPE, 0x11)

/**
 * struct umbra_unmap - ioctl(UMBRA_UNMAP), on a VM
 * @size: sizeof(struct umbra_unmap)
 * @flags: must be 0
 * @gpa: start of the range, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB, not 0
 * @done: out: bytes done
 *
 * Drops the translations of the range from the shadow table and every TLB. The
 * memory stays as it is, and the next access faults it in again. The range may
 * include gpas without a memslot.
 */
struct umbra_unmap {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 done;
};

#define UMBRA_UNMAP _IO(UMBRA_IOC_TYPE, 0x12)

/** define UMBRA_AGE_CLEAR - make the young translations old */
#define UMBRA_AGE_CLEAR		(1u << 0)

/**
 * struct umbra_age - ioctl(UMBRA_AGE), on a VM
 * @size: sizeof(struct umbra_age)
 * @flags: UMBRA_AGE_CLEAR: test and clear; 0: test only
 * @gpa: start of the range, a multiple of @granule
 * @length: bytes, a multiple of @granule, not 0
 * @granule: bytes that one bit stands for: a power of two, 4 KiB to 1 GiB
 * @bitmap: user pointer to an array of __u64, or 0 for none. Bit n of it (of
 *	word n / 64, least significant first) is written as 1 if anything in
 *	[gpa + n * granule, gpa + (n + 1) * granule) is young, else as 0; bits
 *	of the last word that stand for nothing are 0
 * @done: out: bytes done: all, or a multiple of 64 granules
 * @young: out: number of young granules found
 * @context: nested context that the range belongs to, or 0
 * @pad: must be 0
 *
 * A translation is young if a vCPU has used it since it was made or last
 * cleared; a block is young as a whole. UMBRA_AGE_CLEAR also removes what was
 * young from every TLB, so that no later use is missed. If @bitmap cannot be
 * written (EFAULT), the pages in question have been aged nevertheless.
 */
struct umbra_age {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 granule;
	__aligned_u64 bitmap;
	__aligned_u64 done;
	__aligned_u64 young;
	__u32 context;
	__u32 pad;
};

#define UMBRA_AGE _IO(UMBRA_IOC_TYPE, 0x13)

/** define UMBRA_IDLE_BUCKETS - classes of idle ages */
#define UMBRA_IDLE_BUCKETS	9

/**
 * struct umbra_scan_idle - ioctl(UMBRA_SCAN_IDLE), on a VM
 * @size: sizeof(struct umbra_scan_idle)
 * @flags: must be 0
 * @slot: number of the memslot
 * @pad: must be 0
 * @pages: out: a histogram: [0] pages that were used since the last scan; [n]
 *	pages that have been idle for 2^(n - 1) to 2^n - 1 scans, this one
 *	counted; the last one for 128 scans and more
 *
 * Makes the memslot's pages old, as &UMBRA_AGE with UMBRA_AGE_CLEAR does, and
 * tells for how many scans they have not been used. What &UMBRA_AGE, reclaim and
 * other users of the notifier have made old in between counts as used, and so
 * does what was unmapped. Fails with ENOENT if there is no such memslot or it
 * does not have UMBRA_MEM_IDLE_AGES.
 */
struct umbra_scan_idle {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 pad;
	__aligned_u64 pages[UMBRA_IDLE_BUCKETS];
};

#define UMBRA_SCAN_IDLE _IO(UMBRA_IOC_TYPE, 0x1b)

/** define UMBRA_DIRTY_LOG_KEEP - read the log, do not take from it */
#define UMBRA_DIRTY_LOG_KEEP	(1u << 0)

/**
 * struct umbra_get_dirty_log - ioctl(UMBRA_GET_DIRTY_LOG), on a VM
 * @size: sizeof(struct umbra_get_dirty_log)
 * @flags: UMBRA_DIRTY_LOG_KEEP or 0
 * @slot: number of the memslot
 * @reader: whose log
 * @first_page: first page of the memslot, in pages of 4 KiB, multiple of 64
 * @nr_pages: pages, not 0; a multiple of 64, or up to the memslot's last page
 * @bitmap: user pointer to an array of __u64: bit n is written as 1 if page
 *	@first_page + n is dirty, else as 0. 0 with UMBRA_DIRTY_LOG_KEEP: only
 *	count
 * @dirty: out: number of dirty pages found
 *
 * Hands out which pages vCPUs may have written. Without UMBRA_DIRTY_LOG_KEEP
 * the pages are taken from the log first, and are logged again at the next
 * write after this call began; with it they stay until &UMBRA_CLEAR_DIRTY_LOG.
 * If @bitmap cannot be written (EFAULT), no page is lost from the log.
 * Fails with ENOENT if there is no such memslot or it keeps no log for @reader.
 */
struct umbra_get_dirty_log {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reader;
	__aligned_u64 first_page;
	__aligned_u64 nr_pages;
	__aligned_u64 bitmap;
	__aligned_u64 dirty;
};

#define UMBRA_GET_DIRTY_LOG _IO(UMBRA_IOC_TYPE, 0x14)

/**
 * struct umbra_clear_dirty_log - ioctl(UMBRA_CLEAR_DIRTY_LOG), on a VM
 * @size: sizeof(struct umbra_clear_dirty_log)
 * @flags: must be 0
 * @slot: number of the memslot
 * @reader: whose log
 * @first_page: first page of the memslot, in pages of 4 KiB, multiple of 64
 * @nr_pages: pages, not 0; a multiple of 64, or up to the memslot's last page
 * @bitmap: user pointer to an array of __u64: page @first_page + n is taken
 *	from the log if bit n is 1
 *
 * The second half of a log read with UMBRA_DIRTY_LOG_KEEP: to be called before
 * the pages are copied, so that a write during the copy is logged again. With
 * UMBRA_MEM_LOG_D_BITS a write between the two calls is logged again, too.
 * Fails with ENOENT if there is no such memslot or it keeps no log for @reader.
 */
struct umbra_clear_dirty_log {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reader;
	__aligned_u64 first_page;
	__aligned_u64 nr_pages;
	__aligned_u64 bitmap;
};

#define UMBRA_CLEAR_DIRTY_LOG _IO(UMBRA_IOC_TYPE, 0x15)

/** define UMBRA_PTE_READ - vCPUs can read through the translation */
#define UMBRA_PTE_READ		(1u << 0)
/** define UMBRA_PTE_WRITE - vCPUs can write */
#define UMBRA_PTE_WRITE		(1u << 1)
/** define UMBRA_PTE_EXEC - vCPUs can fetch instructions */
#define UMBRA_PTE_EXEC		(1u << 2)
/** define UMBRA_PTE_YOUNG - the accessed bit is set */
#define UMBRA_PTE_YOUNG		(1u << 3)
/** define UMBRA_PTE_DIRTY - the dirty bit is set */
#define UMBRA_PTE_DIRTY		(1u << 4)

/** define UMBRA_TRANSLATE_HPA - report the host physical address */
#define UMBRA_TRANSLATE_HPA	(1u << 0)

/**
 * struct umbra_translate - ioctl(UMBRA_TRANSLATE), on a VM
 * @size: sizeof(struct umbra_translate)
 * @flags: UMBRA_TRANSLATE_HPA or 0
 * @gpa: guest physical address
 * @pte: out: UMBRA_PTE_*; 0 if nothing is mapped at @gpa
 * @leaf_shift: out: log2 of the leaf's size in bytes; if nothing is mapped, of
 *	the span of the absent entry
 * @hpa: out: host physical address of @gpa, or 0 without UMBRA_TRANSLATE_HPA
 * @context: nested context that @gpa belongs to, or 0
 * @pad: must be 0
 *
 * Looks @gpa up in the shadow table, or in that of @context, without side
 * effects. With
 * UMBRA_TRANSLATE_HPA the caller needs CAP_SYS_ADMIN (EPERM).
 */
struct umbra_translate {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__u32 pte;
	__u32 leaf_shift;
	__aligned_u64 hpa;
	__u32 context;
	__u32 pad;
};

#define UMBRA_TRANSLATE _IO(UMBRA_IOC_TYPE, 0x16)

/**
 * struct umbra_verify - ioctl(UMBRA_VERIFY), on a VM
 * @size: sizeof(struct umbra_verify)
 * @flags: must be 0
 * @gpa: start of the range, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB, not 0
 * @done: out: bytes done
 * @leaves: out: leaves compared
 * @mismatches: out: leaves that the primary MMU does not back: other page,
 *	no page, a right to write that the host mapping or the memslot does not
 *	give; or leaves that can be executed where the memslot does not allow
 *	it, or cannot where it does
 * @first_bad: out: gpa of the first mismatch, if there is one
 *
 * Compares every leaf in the range with the process's own page table.
 */
struct umbra_verify {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 done;
	__aligned_u64 leaves;
	__aligned_u64 mismatches;
	__aligned_u64 first_bad;
};

#define UMBRA_VERIFY _IO(UMBRA_IOC_TYPE, 0x17)

/**
 * struct umbra_get_stats - ioctl(UMBRA_GET_STATS), on a VM
 * @size: sizeof(struct umbra_get_stats)
 * @flags: must be 0
 * @leaves: gauge: leaves in the shadow table
 * @table_pages: gauge: pages of 4 KiB that hold the shadow table
 * @slots: gauge: memslots
 * @vcpus: gauge: vCPUs
 * @generation: memslot generation: grows with every change of the memslots, and
 *	is odd while one is in progress
 * @faults: look-ups of a run of pages on behalf of FAULT and ACCESS
 * @faultins: times the primary MMU had to be asked for a page
 * @mapped: leaves installed since creation, or given a right or, with
 *	UMBRA_VM_SOFT_AD, an accessed or dirty bit; not those of a split
 * @retries: look-ups thrown away since an invalidation came between
 * @waits: times a fault slept until an invalidation, or a change of its
 *	memslot, had ended
 * @invalidations: invalidations announced by the primary MMU that met a slot
 * @invalidations_missed: invalidations that met none
 * @unmapped: leaves removed, for whatever reason but a split
 * @aged: leaves made old
 * @protected: leaves write-protected, or made clean, for the dirty log
 * @splits: blocks replaced by tables of smaller leaves
 * @collapses: times smaller leaves were taken out to make room for a block
 * @flushes: ranges flushed from all TLBs
 * @tlb_hits: accesses that the TLBs answered
 * @tlb_misses: accesses that walked the table
 * @tlb_conflicts: addresses found in a TLB with two different translations
 * @accesses: loads, stores and atomics performed, those of walks in guests'
 *	tables included
 * @mmio: accesses to gpas without a memslot
 * @mmio_cached: those of them that were answered without a look at the memslots
 * @nested: gauge: nested contexts
 * @nested_leaves: gauge: leaves in their shadow tables
 * @nested_mapped: leaves installed there, or given a right
 * @nested_unmapped: leaves removed there, but with their context
 * @nested_retries: nested faults begun anew since something came between
 * @pages: gauge: pages of 4 KiB that the leaves map, so that @table_pages * 4096 /
 *	@pages is what the shadow table takes for each
 * @bytes: gauge: memory of the kernel that the VM takes beside shadow tables:
 *	itself, its memslots with their dirty logs, its vCPUs
 *
 * Gauges are exact while nothing changes; counters only grow.
 */
struct umbra_get_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 leaves;
	__aligned_u64 table_pages;
	__aligned_u64 slots;
	__aligned_u64 vcpus;
	__aligned_u64 generation;
	__aligned_u64 faults;
	__aligned_u64 faultins;
	__aligned_u64 mapped;
	__aligned_u64 retries;
	__aligned_u64 waits;
	__aligned_u64 invalidations;
	__aligned_u64 invalidations_missed;
	__aligned_u64 unmapped;
	__aligned_u64 aged;
	__aligned_u64 protected;
	__aligned_u64 splits;
	__aligned_u64 collapses;
	__aligned_u64 flushes;
	__aligned_u64 tlb_hits;
	__aligned_u64 tlb_misses;
	__aligned_u64 tlb_conflicts;
	__aligned_u64 accesses;
	__aligned_u64 mmio;
	__aligned_u64 mmio_cached;
	__aligned_u64 nested;
	__aligned_u64 nested_leaves;
	__aligned_u64 nested_mapped;
	__aligned_u64 nested_unmapped;
	__aligned_u64 nested_retries;
	__aligned_u64 pages;
	__aligned_u64 bytes;
};

#define UMBRA_GET_STATS _IO(UMBRA_IOC_TYPE, 0x18)

/**
 * struct umbra_split - ioctl(UMBRA_SPLIT), on a VM
 * @size: sizeof(struct umbra_split)
 * @flags: must be 0
 * @gpa: start of the range, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB, not 0
 * @leaf_shift: log2 of the largest leaf that may remain, in bytes: 12, 21, 30
 * @pad: must be 0
 * @done: out: bytes done
 *
 * Splits the blocks that the range touches, so that a later write or partial
 * unmap does not have to. The smaller leaves keep the rights and the accessed
 * and dirty bits. Faults may make blocks again, unless the memslot is logged.
 */
struct umbra_split {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__u32 leaf_shift;
	__u32 pad;
	__aligned_u64 done;
};

#define UMBRA_SPLIT _IO(UMBRA_IOC_TYPE, 0x19)

/**
 * struct umbra_collapse - ioctl(UMBRA_COLLAPSE), on a VM
 * @size: sizeof(struct umbra_collapse)
 * @flags: must be 0
 * @gpa: start of the range, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB, not 0
 * @done: out: bytes done
 *
 * Replaces leaves by blocks wherever the process's own mapping, the memslot and
 * its log allow it, as after dirty logging has ended, or after the process's
 * memory was collapsed into huge pages. A block is young, or dirty, if any of
 * the leaves was. What is not mapped is not faulted in for it.
 */
struct umbra_collapse {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 done;
};

#define UMBRA_COLLAPSE _IO(UMBRA_IOC_TYPE, 0x1a)

/**
 * struct umbra_reset_dirty_rings - ioctl(UMBRA_RESET_DIRTY_RINGS), on a VM
 * @size: sizeof(struct umbra_reset_dirty_rings)
 * @flags: must be 0
 * @done: out: entries that were reset
 *
 * Protects the pages of entries that the process has collected, in the rings of
 * all vCPUs, and makes the entries empty. A page is to be copied after this
 * call: a write before is in the copy, one after is pushed again. Fails with
 * ENOENT if no vCPU has a ring; EINTR if a signal arrived before any progress.
 */
struct umbra_reset_dirty_rings {
	__u32 size;
	__u32 flags;
	__aligned_u64 done;
};

#define UMBRA_RESET_DIRTY_RINGS _IO(UMBRA_IOC_TYPE, 0x1c)

/**
 * define UMBRA_NESTED_USER - accesses are those of a user
 *
 * For UMBRA_FMT_X86_64, where that makes a difference; others ignore it.
 */
#define UMBRA_NESTED_USER	(1u << 0)
/**
 * define UMBRA_NESTED_SOFT_AD - nobody sets A and D in the guest's table
 *
 * An old entry, or a clean one that is written to, is the guest's to handle:
 * UMBRA_NESTED_ACCESS_FLAG. With UMBRA_FMT_X86_EPT the bits mean nothing.
 * UMBRA_FMT_MIPS_VZ has this mode only, UMBRA_FMT_X86_64 and UMBRA_FMT_X86_NPT
 * do not have it.
 */
#define UMBRA_NESTED_SOFT_AD	(1u << 1)

/**
 * struct umbra_create_nested - ioctl(UMBRA_CREATE_NESTED), on a VM
 * @size: sizeof(struct umbra_create_nested)
 * @flags: UMBRA_NESTED_USER, UMBRA_NESTED_SOFT_AD
 * @format: format of the guest's table
 * @addr_bits: size of a nested address, within the limits of @format, and not
 *	above those of the VM's
 * @root: gpa of the table's root, aligned to its size
 * @vmid: a number of the guest's choice, for &UMBRA_INVALIDATE_NESTED
 * @context: out: the nested context, not 0
 *
 * A nested context is the shadow of one table that lies in guest memory: it
 * collapses that table and the VM's own into one, from nested addresses straight
 * to memory. It is filled by faults, with the least rights and the smaller size
 * of both. Like a TLB it follows the guest's table only when it is told to.
 *
 * The context of the same table, VMID and flags is found again. Where there is
 * no room for another, the one used least recently goes, unless a vCPU is inside
 * of each (EBUSY): a context can be gone (ENOENT), and is then to be created
 * again. Fails with EOPNOTSUPP (format, or its mode), EINVAL, ENOMEM.
 */
struct umbra_create_nested {
	__u32 size;
	__u32 flags;
	__u32 format;
	__u32 addr_bits;
	__aligned_u64 root;
	__u32 vmid;
	__u32 context;
};

#define UMBRA_CREATE_NESTED _IO(UMBRA_IOC_TYPE, 0x1d)

/**
 * struct umbra_destroy_nested - ioctl(UMBRA_DESTROY_NESTED), on a VM
 * @size: sizeof(struct umbra_destroy_nested)
 * @flags: must be 0
 * @context: the nested context
 * @pad: must be 0
 *
 * Fails with ENOENT (no such context), EBUSY (a vCPU is inside).
 */
struct umbra_destroy_nested {
	__u32 size;
	__u32 flags;
	__u32 context;
	__u32 pad;
};

#define UMBRA_DESTROY_NESTED _IO(UMBRA_IOC_TYPE, 0x1e)

/** define UMBRA_INVALIDATE_VMID - all contexts with a VMID */
#define UMBRA_INVALIDATE_VMID	(1u << 0)

/**
 * struct umbra_invalidate_nested - ioctl(UMBRA_INVALIDATE_NESTED), on a VM
 * @size: sizeof(struct umbra_invalidate_nested)
 * @flags: UMBRA_INVALIDATE_VMID or 0
 * @context: the nested context; 0 with UMBRA_INVALIDATE_VMID
 * @vmid: the VMID with UMBRA_INVALIDATE_VMID, else 0
 * @gpa: nested address, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB; 0: all addresses, and @gpa is 0
 * @leaf_shift: log2 of what the entries that have changed span, or 0: unknown
 * @pad: must be 0
 *
 * To be called when the guest invalidates its TLB, after it has changed its
 * table. Drops what was made from any entry of the guest's table that maps a
 * part of the range, wherever it is cached; if @leaf_shift is given, only from
 * entries of that size and below. What is used after the call was read since it
 * began. Fails with ENOENT (no such context); no context with @vmid is no error.
 */
struct umbra_invalidate_nested {
	__u32 size;
	__u32 flags;
	__u32 context;
	__u32 vmid;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__u32 leaf_shift;
	__u32 pad;
};

#define UMBRA_INVALIDATE_NESTED _IO(UMBRA_IOC_TYPE, 0x1f)

/* ------------------------------------------------------------------ vCPU */

/** define UMBRA_FAULT_WRITE - make the range usable for writes */
#define UMBRA_FAULT_WRITE	(1u << 0)
/** define UMBRA_FAULT_EXEC - make the range usable for instruction fetches */
#define UMBRA_FAULT_EXEC	(1u << 1)
/** define UMBRA_FAULT_NOWAIT - do not sleep for memory or invalidations */
#define UMBRA_FAULT_NOWAIT	(1u << 2)

/**
 * struct umbra_fault - ioctl(UMBRA_FAULT), on a vCPU
 * @size: sizeof(struct umbra_fault)
 * @flags: UMBRA_FAULT_*; the range is always made usable for reads
 * @gpa: start of the range, a multiple of 4 KiB
 * @length: bytes, a multiple of 4 KiB, not 0: one page or a million
 * @done: out: bytes done
 * @context: nested context that the range belongs to, or 0
 * @pad: must be 0
 *
 * Makes translations, faulting the process's memory in as needed. It is no
 * access: what it makes is old and clean. In a memslot logged by write
 * protection UMBRA_FAULT_WRITE logs the pages as dirty, since later writes to
 * them go unseen. In a nested context it is an access, and sets accessed and
 * dirty bits in the guest's table: without them a translation is of no use.
 * Fails with ENOENT (no memslot, no such context), EACCES, EFAULT, EHWPOISON,
 * EAGAIN, ENOMEM, ENOSPC (the dirty ring is nearly full), EINTR.
 */
struct umbra_fault {
	__u32 size;
	__u32 flags;
	__aligned_u64 gpa;
	__aligned_u64 length;
	__aligned_u64 done;
	__u32 context;
	__u32 pad;
};

#define UMBRA_FAULT _IO(UMBRA_IOC_TYPE, 0x20)

/** define UMBRA_OP_LOAD - read len bytes, 1, 2, 4 or 8, into value */
#define UMBRA_OP_LOAD		0
/** define UMBRA_OP_STORE - write the low len bytes, 1, 2, 4 or 8, of value */
#define UMBRA_OP_STORE		1
/**
 * define UMBRA_OP_CMPXCHG - compare and exchange, atomically
 *
 * If the len bytes, 1, 2, 4 or 8, equal compare, they become value. The bytes
 * that were there are returned in value in either case.
 */
#define UMBRA_OP_CMPXCHG	2
/** define UMBRA_OP_READ - copy len bytes to the user pointer in value */
#define UMBRA_OP_READ		3
/** define UMBRA_OP_WRITE - copy len bytes from the user pointer in value */
#define UMBRA_OP_WRITE		4
/**
 * define UMBRA_OP_FETCH - read len bytes, 1, 2, 4 or 8, as an instruction
 *
 * A load that needs the right to execute instead of the right to read.
 */
#define UMBRA_OP_FETCH		5

/**
 * struct umbra_access_op - one operation of UMBRA_ACCESS
 * @op: UMBRA_OP_*
 * @len: bytes. LOAD, STORE, CMPXCHG, FETCH: 1, 2, 4 or 8, and @gpa is a
 *	multiple of it. READ, WRITE: any, at any @gpa, not 0; the copy is done
 *	page by page and is not atomic
 * @gpa: guest physical address
 * @value: operand or result, in the byte order of the host
 * @compare: the value that CMPXCHG expects; must be 0 for other operations
 */
struct umbra_access_op {
	__u32 op;
	__u32 len;
	__aligned_u64 gpa;
	__aligned_u64 value;
	__aligned_u64 compare;
};

/** define UMBRA_EXIT_NONE - all is done, or a signal or an error came between */
#define UMBRA_EXIT_NONE		0
/**
 * define UMBRA_EXIT_MMIO - an operation meets a gpa without a memslot
 *
 * It is for an emulator: @len bytes at @gpa. For a STORE and a CMPXCHG @data is
 * the operand, and so it is for up to 8 bytes of a WRITE; more of them, and the
 * room for what is read, are in the operation. A READ or WRITE is complete up
 * to @gpa, and @len ends with the page: the caller performs the part, and lets
 * the rest of the operation follow.
 */
#define UMBRA_EXIT_MMIO		1
/**
 * define UMBRA_EXIT_NESTED - the guest's own table does not allow an operation
 *
 * It is for the guest's hypervisor, or its page fault handler: @len bytes at the
 * nested address @gpa; @kind says why, @level and @entry where in the table. A
 * READ or WRITE is complete up to @gpa, and @len ends with the page.
 */
#define UMBRA_EXIT_NESTED	2
/** define UMBRA_EXIT_RING_FULL - collect and reset the dirty ring first */
#define UMBRA_EXIT_RING_FULL	3

/**
 * struct umbra_exit - why a vCPU has come back
 * @reason: UMBRA_EXIT_*, which says what the other fields are; else they are 0
 * @len: bytes
 * @gpa: guest physical address
 * @data: operand
 * @kind: UMBRA_NESTED_*
 * @level: of the entry at fault, 0 being the lowest
 * @entry: guest physical address of that entry
 */
struct umbra_exit {
	__u32 reason;
	__u32 len;
	__aligned_u64 gpa;
	__aligned_u64 data;
	__u32 kind;
	__u32 level;
	__aligned_u64 entry;
};

/** define UMBRA_ACCESS_NOWAIT - do not sleep for memory or invalidations */
#define UMBRA_ACCESS_NOWAIT	(1u << 0)
/** define UMBRA_ACCESS_EXITS - what is for the caller to do is not an error */
#define UMBRA_ACCESS_EXITS	(1u << 1)

/**
 * struct umbra_access - ioctl(UMBRA_ACCESS), on a vCPU
 * @size: sizeof(struct umbra_access)
 * @flags: UMBRA_ACCESS_*
 * @ops: user pointer to an array of struct umbra_access_op
 * @nr_ops: number of operations, not 0
 * @done: out: number of operations that are complete
 * @exit: out: with UMBRA_ACCESS_EXITS, what operation number @done needs; the
 *	call returns 0 then. Without the flag a gpa that has no memslot is an
 *	error (ENOENT), and so is what a guest's table does not allow (EACCES),
 *	or a dirty ring that is nearly full (ENOSPC)
 * @context: nested context that the addresses belong to, or 0
 * @pad: must be 0
 *
 * Performs the operations one after the other as the hardware behind the vCPU
 * would: through its TLB, then the shadow table, setting the accessed and dirty
 * bits; what is not mapped is faulted in. The operation that failed is number
 * @done; parts of a READ or WRITE before the failure may have been done. Fails
 * as &UMBRA_FAULT does.
 */
struct umbra_access {
	__u32 size;
	__u32 flags;
	__aligned_u64 ops;
	__u32 nr_ops;
	__u32 done;
	struct umbra_exit exit;
	__u32 context;
	__u32 pad;
};

#define UMBRA_ACCESS _IO(UMBRA_IOC_TYPE, 0x21)

#endif /* _UAPI_LINUX_UMBRA_H */
