// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm: AT S12E1R and AT S12E1W at EL2, with the given root in VTTBR_EL2.
 *
 * Register fields are described in chapter D19 of the Arm Architecture Reference
 * Manual for A-profile (DDI 0487), translation in D8.
 *
 * The instructions translate by both stages of the EL1&0 regime. Stage 1 is off,
 * so that the address is a guest physical one. They do not check the permission
 * to execute, and say nothing about it.
 */
#include <linux/bitfield.h>
#include <linux/irqflags.h>
#include <linux/mm.h>

#include <asm/barrier.h>
#include <asm/cpufeature.h>
#include <asm/esr.h>
#include <asm/kvm_arm.h>
#include <asm/sysreg.h>
#include <asm/tlbflush.h>
#include <asm/virt.h>

#include "walker.h"

int walker_init(void)
{
	return 0;
}

void walker_exit(void)
{
}

/* ID_AA64MMFR0_EL1.PARange. */
static unsigned int pa_range(void)
{
	u64 mmfr0 = read_sanitised_ftr_reg(SYS_ID_AA64MMFR0_EL1);

	return FIELD_GET(ID_AA64MMFR0_EL1_PARANGE_MASK, mmfr0);
}

/* ID_AA64MMFR1_EL1.HAFDBS: does the hardware set access flag and dirty state? */
static bool has_ad(void)
{
	u64 mmfr1 = read_sanitised_ftr_reg(SYS_ID_AA64MMFR1_EL1);

	return FIELD_GET(ID_AA64MMFR1_EL1_HAFDBS_MASK, mmfr1) >=
	       ID_AA64MMFR1_EL1_HAFDBS_DBM;
}

/* Section D8.2: does the walk begin where the root was made for? */
static bool shape_fits(const struct umbra_walk *w)
{
	return w->levels >= 2 && w->levels <= 4 &&
	       w->gpa_bits <= id_aa64mmfr0_parange_to_phys_shift(pa_range()) &&
	       w->root_bits + 9 * (w->levels - 1) + 12 == w->gpa_bits;
}

/*
 * VTCR_EL2: a granule of 4 KiB, a VMID of 8 bits, walks that are cacheable and
 * inner shareable, as the kernel's own tables are.
 */
static u64 make_vtcr(const struct umbra_walk *w)
{
	u64 vtcr = VTCR_EL2_RES1 | VTCR_EL2_TG0_4K | VTCR_EL2_VS_8BIT |
		   VTCR_EL2_SH0_INNER | VTCR_EL2_ORGN0_WBWA |
		   VTCR_EL2_IRGN0_WBWA;

	vtcr |= VTCR_EL2_T0SZ(w->gpa_bits);
	vtcr |= (w->levels - 2) << VTCR_EL2_SL0_SHIFT;	/* 0: begin at level 2 */
	vtcr |= min(pa_range(), ID_AA64MMFR0_EL1_PARANGE_48) <<
		VTCR_EL2_PS_SHIFT;
	if (!(w->flags & UMBRA_WALK_NO_AD))
		vtcr |= VTCR_EL2_HA | VTCR_EL2_HD;
	return vtcr;
}

/* What the current VMID has in this CPU's TLB, of both stages. */
static void flush(void)
{
	dsb(nshst);
	__tlbi(vmalls12e1);
	dsb(nsh);
	isb();
}

/*
 * HCR_EL2: with TGE clear there is an EL1&0 regime, VM turns stage 2 on, and DC
 * turns stage 1 off whatever SCTLR_EL1 says. The VMID is 0, that of the host,
 * whose translations cannot be mixed up with ours as its own regime is EL2&0.
 */
static u64 translate(u64 root, u64 vtcr, u64 gpa, bool write)
{
	u64 old_hcr, old_vtcr, old_vttbr, old_par, par;
	unsigned long flags;

	local_irq_save(flags);
	old_hcr = read_sysreg(hcr_el2);
	old_vtcr = read_sysreg(vtcr_el2);
	old_vttbr = read_sysreg(vttbr_el2);
	old_par = read_sysreg_par();

	write_sysreg(vtcr, vtcr_el2);
	write_sysreg(root, vttbr_el2);
	write_sysreg((old_hcr & ~HCR_TGE) | HCR_VM | HCR_DC, hcr_el2);
	isb();
	flush();
	if (write)
		asm volatile("at s12e1w, %0" : : "r" (gpa));
	else
		asm volatile("at s12e1r, %0" : : "r" (gpa));
	isb();
	par = read_sysreg_par();
	flush();

	write_sysreg(old_hcr, hcr_el2);
	write_sysreg(old_vttbr, vttbr_el2);
	write_sysreg(old_vtcr, vtcr_el2);
	write_sysreg(old_par, par_el1);
	isb();
	local_irq_restore(flags);
	return par;
}

/* PAR_EL1 in its two layouts. FST is coded like ESR_ELx.ISS.DFSC. */
static void report(struct umbra_walk *w, u64 par)
{
	u64 fst = FIELD_GET(SYS_PAR_EL1_FST, par);

	w->detail = par;
	if (!(par & SYS_PAR_EL1_F)) {
		w->result = UMBRA_WALK_DONE;
		w->has = UMBRA_WALK_HAS_HPA;
		w->hpa = (par & SYS_PAR_EL1_PA) | offset_in_page(w->gpa);
		return;
	}

	switch (fst & ESR_ELx_FSC_TYPE) {
	case ESR_ELx_FSC_FAULT:
		w->result = UMBRA_WALK_ABSENT;
		break;
	case ESR_ELx_FSC_ACCESS:
		w->result = UMBRA_WALK_OLD;
		break;
	case ESR_ELx_FSC_PERM:
		w->result = UMBRA_WALK_DENIED;
		break;
	default:
		w->result = UMBRA_WALK_ODD;
	}
	if (!(par & SYS_PAR_EL1_S))
		w->result = UMBRA_WALK_ODD;
	w->has = UMBRA_WALK_HAS_LEVEL;
	w->fault_level = 3 - (fst & ESR_ELx_FSC_LEVEL);
}

int walker_walk(struct umbra_walk *w)
{
	if (!is_kernel_in_hyp_mode())
		return -ENODEV;
	if (!shape_fits(w) || w->access == UMBRA_WALK_EXEC ||
	    (!(w->flags & UMBRA_WALK_NO_AD) && !has_ad()))
		return -EOPNOTSUPP;
	if (w->gpa >> w->gpa_bits)
		return -EINVAL;

	report(w, translate(w->root, make_vtcr(w), w->gpa,
			    w->access == UMBRA_WALK_WRITE));
	return 0;
}
