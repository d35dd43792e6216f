// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V: HLV, HSV, and a guest of three instructions, with the given root in
 * hgatp.
 *
 * Sections are those of the hypervisor extension in the RISC-V Instruction Set
 * Manual, volume II (chapter 8 of the version of 2021).
 *
 * The instructions access memory as VS-mode would, which has no translation of
 * its own as vsatp is 0: the address is a guest physical one. A page fault of
 * the G-stage does not say whether an entry is not valid or forbids the access.
 *
 * HLVX would do for fetches, but that of QEMU 7.2 checks the right to read. So
 * the processor has to go there.
 */
#include <linux/irqflags.h>
#include <linux/sched/signal.h>

#include <asm/asm-extable.h>
#include <asm/cacheflush.h>
#include <asm/cpufeature.h>
#include <asm/csr.h>
#include <asm/hwcap.h>
#include <asm/insn-def.h>

#include "walker.h"

/* Section 8.3.1: funct7 and rs2, or what takes its place, tell them apart. */
#define INSN_HLV_D	".insn r 0x73, 4, 0x36, %[value], %[gpa], x0"
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

/*
 * Run in VS-mode what is at @gpa, until it traps: section 8.6 on SRET and what a
 * trap leaves behind. Interrupts of the host are such traps, too. No register is
 * left to the guest but through sscratch, which the kernel has no use for here.
 */
static u64 run_guest(u64 gpa)
{
	register u64 a0 asm("a0");

	csr_write(CSR_SEPC, gpa);
	csr_set(CSR_SSTATUS, SR_SPP);
	csr_set(CSR_HSTATUS, HSTATUS_SPV);
	asm volatile("addi	sp, sp, -32\n"
		     "sd	s0, 0(sp)\n"
		     "sd	gp, 8(sp)\n"
		     "sd	tp, 16(sp)\n"
		     "lla	t0, 1f\n"
		     "csrrw	t0, stvec, t0\n"
		     "sd	t0, 24(sp)\n"
		     "csrw	sscratch, sp\n"
		     "sret\n"
		     ".balign	4\n"
		     "1:\n"
		     "csrrw	sp, sscratch, zero\n"
		     "ld	t0, 24(sp)\n"
		     "csrw	stvec, t0\n"
		     "ld	tp, 16(sp)\n"
		     "ld	gp, 8(sp)\n"
		     "ld	s0, 0(sp)\n"
		     "addi	sp, sp, 32\n"
		     : "=r" (a0)
		     :
		     : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6",
		       "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s1", "s2",
		       "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11",
		       "memory");
	return a0;
}

/* The value is what the guest had in a0 when it made its call. */
static bool fetch(u64 gpa, u64 *value)
{
	unsigned long old_hedeleg = csr_swap(CSR_HEDELEG, 0);

	local_flush_icache_all();
	*value = run_guest(gpa);
	csr_write(CSR_HEDELEG, old_hedeleg);
	return csr_read(CSR_SCAUSE) == EXC_SUPERVISOR_SYSCALL;
}

static bool access(u32 kind, u64 gpa, u64 *value)
{
	switch (kind) {
	case UMBRA_WALK_READ:
		return load(gpa, value);
	case UMBRA_WALK_WRITE:
		return store(gpa, *value);
	default:
		return fetch(gpa, value);
	}
}

static const unsigned long page_fault[] = {
	[UMBRA_WALK_READ]	= EXC_LOAD_GUEST_PAGE_FAULT,
	[UMBRA_WALK_WRITE]	= EXC_STORE_GUEST_PAGE_FAULT,
	[UMBRA_WALK_EXEC]	= EXC_INST_GUEST_PAGE_FAULT,
};

/*
 * The trap is the kernel's, which fixes it up, or our own. Section 8.2.8: htval then is the
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
		if (cause == page_fault[w->access])
			w->result = UMBRA_WALK_FAULT;
	}

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

	do {
		if (signal_pending(current))
			return -EINTR;
		translate(w, hgatp);
	} while (w->result == UMBRA_WALK_ODD && w->detail & CAUSE_IRQ_FLAG);
	return 0;
}
