// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V: HLV, HLVX and HSV, with the given root in hgatp.
 *
 * Sections are those of the hypervisor extension in the RISC-V Instruction Set
 * Manual, volume II (chapter 8 of the version of 2021).
 *
 * The instructions access memory as VS-mode would, which has no translation of
 * its own as vsatp is 0: the address is a guest physical one. A page fault of
 * the G-stage does not say whether an entry is not valid or forbids the access.
 */
#include <linux/irqflags.h>
#include <linux/sched.h>

#include <asm/asm-extable.h>
#include <asm/cpufeature.h>
#include <asm/csr.h>
#include <asm/hwcap.h>
#include <asm/insn-def.h>

#include "walker.h"

/* Section 8.3.1: funct7 and rs2, or what takes its place, tell them apart. */
#define INSN_HLV_D	".insn r 0x73, 4, 0x36, %[value], %[gpa], x0"
#define INSN_HLVX_WU	".insn r 0x73, 4, 0x34, %[value], %[gpa], x3"
#define INSN_HSV_D	".insn r 0x73, 4, 0x37, x0, %[gpa], %[value]"

int walker_init(void)
{
	return 0;
}

void walker_exit(void)
{
}

/* @insn, and whether it trapped. */
#define TRY(insn)							\
	"li %[trapped], 1\n"						\
	"1:\n" insn "\n"						\
	"li %[trapped], 0\n"						\
	"2:\n"								\
	_ASM_EXTABLE(1b, 2b)

static bool load(u64 gpa, u64 *value)
{
	bool trapped;

	asm volatile(TRY(INSN_HLV_D)
		     : [value] "=&r" (*value), [trapped] "=&r" (trapped)
		     : [gpa] "r" (gpa) : "memory");
	return !trapped;
}

static bool store(u64 gpa, u64 value)
{
	bool trapped;

	asm volatile(TRY(INSN_HSV_D)
		     : [trapped] "=&r" (trapped)
		     : [gpa] "r" (gpa), [value] "r" (value) : "memory");
	return !trapped;
}

/* Reads as instructions are fetched: with the permission to execute. */
static bool fetch(u64 gpa, u32 *value)
{
	unsigned long word;
	bool trapped;

	asm volatile(TRY(INSN_HLVX_WU)
		     : [value] "=&r" (word), [trapped] "=&r" (trapped)
		     : [gpa] "r" (gpa) : "memory");
	*value = word;
	return !trapped;
}

static bool access(u32 kind, u64 gpa, u64 *value)
{
	u32 low, high;

	switch (kind) {
	case UMBRA_WALK_READ:
		return load(gpa, value);
	case UMBRA_WALK_WRITE:
		return store(gpa, *value);
	default:
		if (!fetch(gpa, &low) || !fetch(gpa + 4, &high))
			return false;
		*value = low | (u64)high << 32;
		return true;
	}
}

/*
 * The trap is the kernel's, which fixes it up. Section 8.2.8: htval then is the
 * address of the fault, shifted right by two bits, which stval, being the guest
 * virtual address, still has.
 */
static void translate(struct umbra_walk *w, unsigned long hgatp)
{
	unsigned long old_hgatp, old_vsatp, old_hstatus, cause, flags;

	local_irq_save(flags);
	old_hgatp = csr_swap(CSR_HGATP, hgatp);
	old_vsatp = csr_swap(CSR_VSATP, 0);
	old_hstatus = csr_read_set(CSR_HSTATUS, HSTATUS_SPVP);
	asm volatile(HFENCE_GVMA(zero, zero) : : : "memory");

	w->result = UMBRA_WALK_DONE;
	w->has = UMBRA_WALK_HAS_VALUE;
	if (!access(w->access, w->gpa, &w->value)) {
		cause = csr_read(CSR_SCAUSE);
		w->detail = cause;
		w->result = UMBRA_WALK_ODD;
		w->has = UMBRA_WALK_HAS_GPA;
		w->fault_gpa = csr_read(CSR_HTVAL) << 2 |
			       (csr_read(CSR_STVAL) & 3);
		if (cause == (w->access == UMBRA_WALK_WRITE ?
			      EXC_STORE_GUEST_PAGE_FAULT :
			      EXC_LOAD_GUEST_PAGE_FAULT))
			w->result = UMBRA_WALK_FAULT;
	}

	asm volatile(HFENCE_GVMA(zero, zero) : : : "memory");
	csr_write(CSR_HSTATUS, old_hstatus);
	csr_write(CSR_VSATP, old_vsatp);
	csr_write(CSR_HGATP, old_hgatp);
	local_irq_restore(flags);
}

/* Section 8.2.10: a mode that does not exist cannot be written. */
static bool has_mode(unsigned long hgatp)
{
	unsigned long flags, old, got;

	local_irq_save(flags);
	old = csr_swap(CSR_HGATP, hgatp);
	got = csr_swap(CSR_HGATP, old);
	asm volatile(HFENCE_GVMA(zero, zero) : : : "memory");
	local_irq_restore(flags);
	return got == hgatp;
}

int walker_walk(struct umbra_walk *w)
{
	unsigned long hgatp;

	if (!riscv_isa_extension_available(NULL, h))
		return -ENODEV;
	if (w->levels < 3 || w->levels > 5 || w->root_bits != 11)
		return -EOPNOTSUPP;
	hgatp = (HGATP_MODE_SV39X4 + w->levels - 3) << HGATP_MODE_SHIFT |
		w->root >> HGATP_PAGE_SHIFT;
	if (!has_mode(hgatp))
		return -EOPNOTSUPP;

	translate(w, hgatp);
	return 0;
}
