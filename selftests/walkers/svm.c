// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD SVM: a guest of two instructions, whose nested CR3 is the given root.
 *
 * Sections are those of the AMD64 Architecture Programmer's Manual, volume 2.
 *
 * The guest runs in 64-bit mode at CPL 3. Its own page tables map two pages:
 * the one with its code at address 0, and the page of the gpa in question at
 * 4 KiB. All but the latter are the scratch pages. The guest's accesses to its
 * page tables are translated by the nested table as well.
 */
#include <linux/gfp.h>
#include <linux/hw_breakpoint.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/pgtable_types.h>
#include <asm/svm.h>

#include "walker.h"

/* Scratch pages, and what the guest's page tables map. */
enum { CODE, PML4, PDP, PD, PT, NR_SCRATCH };
static_assert(NR_SCRATCH == UMBRA_WALK_SCRATCH);
#define TARGET		PAGE_SIZE

/* Each is followed by an address of eight bytes, and then by VMMCALL. */
static const u8 mov_from_memory[] = { 0x48, 0xa1 };	/* mov moffs, %rax */
static const u8 mov_to_memory[] = { 0x48, 0xa3 };	/* mov %rax, moffs */
static const u8 vmmcall[] = { 0x0f, 0x01, 0xd9 };

/* Appendix B: segment attributes are bits 55:52 and 47:40 of a descriptor. */
#define USER	(SVM_SELECTOR_P_MASK | SVM_SELECTOR_S_MASK |	\
		 3 << SVM_SELECTOR_DPL_SHIFT)
#define DATA	(USER | SVM_SELECTOR_WRITE_MASK | 1)
#define TEXT	(USER | SVM_SELECTOR_CODE_MASK |		\
		 SVM_SELECTOR_READ_MASK | SVM_SELECTOR_L_MASK | 1)

/* Section 7.8.2: the PAT after reset. */
#define PAT_RESET	0x0007040600070406ULL

/* Section 13.1.1.4: no breakpoint is on. */
#define DR7_RESET	0x400

/* Section 15.25.6: EXITINFO1 of a nested page fault is an error code, ... */
#define NPF_PRESENT	BIT_ULL(0)
#define NPF_RESERVED	BIT_ULL(3)
#define NPF_FINAL	BIT_ULL(32)	/* ... not of a walk of the guest's */

static struct vmcb *vmcb;
static struct vmcb *host;	/* of VMSAVE */
static void *host_area;		/* of VMRUN: section 15.30.4 */

int walker_init(void)
{
	vmcb = (void *)get_zeroed_page(GFP_KERNEL);
	host = (void *)get_zeroed_page(GFP_KERNEL);
	host_area = (void *)get_zeroed_page(GFP_KERNEL);
	if (vmcb && host && host_area)
		return 0;
	walker_exit();
	return -ENOMEM;
}

void walker_exit(void)
{
	free_page((unsigned long)vmcb);
	free_page((unsigned long)host);
	free_page((unsigned long)host_area);
}

/* Section 15.4: can SVM be enabled? */
static bool has_svm(void)
{
	u64 vm_cr;

	return boot_cpu_has(X86_FEATURE_SVM) && boot_cpu_has(X86_FEATURE_NPT) &&
	       !rdmsrl_safe(MSR_VM_CR, &vm_cr) &&
	       !(vm_cr & SVM_VM_CR_SVM_DIS_MASK);
}

static int put_entry(const struct umbra_walk *w, int page, int i, u64 gpa)
{
	u64 __user *p = (u64 __user *)(w->scratch_hva + page * PAGE_SIZE) + i;

	return put_user((gpa & PAGE_MASK) | _PAGE_PRESENT | _PAGE_RW |
			_PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY, p);
}

static int put_code(const struct umbra_walk *w, const u8 (*mov)[2])
{
	u64 address = TARGET + offset_in_page(w->gpa);
	u8 code[sizeof(*mov) + sizeof(address) + sizeof(vmmcall)];

	memcpy(code, mov, sizeof(*mov));
	memcpy(code + sizeof(*mov), &address, sizeof(address));
	memcpy(code + sizeof(*mov) + sizeof(address), vmmcall, sizeof(vmmcall));
	return copy_to_user((void __user *)w->scratch_hva, code, sizeof(code));
}

static int fill_scratch(const struct umbra_walk *w)
{
	u64 gpa = w->scratch_gpa;

	if (put_entry(w, PML4, 0, gpa + PDP * PAGE_SIZE) ||
	    put_entry(w, PDP, 0, gpa + PD * PAGE_SIZE) ||
	    put_entry(w, PD, 0, gpa + PT * PAGE_SIZE) ||
	    put_entry(w, PT, 0, gpa + CODE * PAGE_SIZE) ||
	    put_entry(w, PT, 1, w->gpa) ||
	    put_code(w, w->access == UMBRA_WALK_WRITE ? &mov_to_memory :
							&mov_from_memory))
		return -EFAULT;
	return 0;
}

/* Section 15.5.1 says what must be so in a VMCB, appendix B where. */
static void fill_vmcb(const struct umbra_walk *w)
{
	struct vmcb_control_area *control = &vmcb->control;
	struct vmcb_save_area *save = &vmcb->save;

	memset(vmcb, 0, sizeof(*vmcb));

	/* Whatever happens ends the guest, and nothing reaches the host. */
	control->intercepts[INTERCEPT_EXCEPTION] = ~0;
	control->intercepts[INTERCEPT_WORD3] =
		BIT(INTERCEPT_INTR % 32) | BIT(INTERCEPT_NMI % 32) |
		BIT(INTERCEPT_SMI % 32) | BIT(INTERCEPT_INIT % 32) |
		BIT(INTERCEPT_SHUTDOWN % 32);
	control->intercepts[INTERCEPT_WORD4] =
		BIT(INTERCEPT_VMRUN % 32) | BIT(INTERCEPT_VMMCALL % 32);
	control->int_ctl = V_INTR_MASKING_MASK;
	control->asid = 1;
	control->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	control->nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = w->root;

	save->efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NX;
	save->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP |
		    X86_CR0_PG;
	save->cr3 = w->scratch_gpa + PML4 * PAGE_SIZE;
	save->cr4 = X86_CR4_PAE;
	save->dr6 = DR6_RESERVED;
	save->dr7 = DR7_RESET;
	save->g_pat = PAT_RESET;
	save->cs = (struct vmcb_seg){ .selector = 3, .attrib = TEXT };
	save->ss = (struct vmcb_seg){ .selector = 3, .attrib = DATA };
	save->ds = save->ss;
	save->es = save->ss;
	save->cpl = 3;
	save->rflags = X86_EFLAGS_FIXED;
	save->rax = w->value;
	save->rip = w->access == UMBRA_WALK_EXEC ?
		    TARGET + offset_in_page(w->gpa) : 0;
}

/*
 * Section 15.5: VMRUN leaves FS, GS, TR, LDTR and what belongs to them to VMSAVE
 * and VMLOAD, and the general registers but RAX and RSP to nobody. The guest is
 * not meant to change any, but what it runs is for a table under test to say.
 *
 * V_INTR_MASKING has the host's IF decide whether an interrupt ends the guest;
 * it is taken when GIF and IF are set again (section 15.17).
 */
static void run_guest(void)
{
	static unsigned long host_pa, rbp;	/* no register is left to them */
	unsigned long vmcb_pa = __pa(vmcb);

	host_pa = __pa(host);
	asm volatile("mov %%rbp, %[rbp]\n\t"
		     "mov %[host], %%rax\n\t"
		     "clgi\n\t"
		     "vmsave %%rax\n\t"
		     "mov %%rbx, %%rax\n\t"
		     "sti\n\t"
		     "vmrun %%rax\n\t"
		     "cli\n\t"
		     "mov %[host], %%rax\n\t"
		     "vmload %%rax\n\t"
		     "stgi\n\t"
		     "mov %[rbp], %%rbp"
		     : [rbp] "+m" (rbp), "+b" (vmcb_pa)
		     : [host] "m" (host_pa)
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
		       "r11", "r12", "r13", "r14", "r15", "cc", "memory");
}

static void run_guest_on_this_cpu(u64 efer)
{
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, __pa(host_area));

	local_irq_disable();
	run_guest();
	if (hw_breakpoint_active())
		hw_breakpoint_restore();	/* an exit clears DR7 */
	local_irq_enable();

	wrmsrl(MSR_VM_HSAVE_PA, 0);
	wrmsrl(MSR_EFER, efer);
}

/* SVM is on for no longer than the guest runs, so nobody finds it in use. */
static int enter(void)
{
	int ret = -EBUSY;
	u64 efer;

	preempt_disable();
	rdmsrl(MSR_EFER, efer);
	if (!(efer & EFER_SVME)) {
		run_guest_on_this_cpu(efer);
		ret = 0;
	}
	preempt_enable();
	return ret;
}

static void report(struct umbra_walk *w)
{
	const struct vmcb_control_area *control = &vmcb->control;
	u64 info = control->exit_info_1;

	w->result = UMBRA_WALK_ODD;
	w->detail = control->exit_code;
	if (control->exit_code == SVM_EXIT_VMMCALL) {
		w->result = UMBRA_WALK_DONE;
		w->has = UMBRA_WALK_HAS_VALUE;
		w->value = vmcb->save.rax;
	} else if (control->exit_code == SVM_EXIT_NPF) {
		w->has = UMBRA_WALK_HAS_GPA;
		w->fault_gpa = control->exit_info_2;
		w->detail = info;
		if (info & NPF_FINAL && !(info & NPF_RESERVED))
			w->result = info & NPF_PRESENT ? UMBRA_WALK_DENIED :
							 UMBRA_WALK_ABSENT;
	}
}

int walker_walk(struct umbra_walk *w)
{
	/* The nested table has as many levels as the host's (section 15.25.3). */
	unsigned int levels = pgtable_l5_enabled() ? 5 : 4;
	int ret;

	if (!has_svm())
		return -ENODEV;
	if (w->levels != levels || w->root_bits != 9)
		return -EOPNOTSUPP;
	if ((w->gpa | w->scratch_gpa) >> boot_cpu_data.x86_phys_bits)
		return -EINVAL;

	ret = fill_scratch(w);
	if (ret)
		return ret;
	fill_vmcb(w);
	do {
		if (signal_pending(current))
			return -EINTR;
		ret = enter();
		if (ret)
			return ret;
	} while (vmcb->control.exit_code == SVM_EXIT_INTR ||
		 vmcb->control.exit_code == SVM_EXIT_NMI);
	report(w);
	return 0;
}
