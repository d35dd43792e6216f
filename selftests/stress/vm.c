// SPDX-License-Identifier: GPL-2.0-only
#include "vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <umbra.h>
#include <unistd.h>

#include "report.h"

#define GIB		(1UL << 30)
/* A memslot that is not aligned like its memory, and not for all of it. */
#define CROOKED		3

const struct combination combinations[NR_COMBINATIONS] = {
	{ "x86_npt", UMBRA_FMT_X86_NPT, 0 },
	{ "x86_npt, soft A/D", UMBRA_FMT_X86_NPT, UMBRA_VM_SOFT_AD },
	{ "x86_ept", UMBRA_FMT_X86_EPT, 0 },
	{ "x86_ept, soft A/D", UMBRA_FMT_X86_EPT, UMBRA_VM_SOFT_AD },
	{ "arm64_s2", UMBRA_FMT_ARM64_S2, 0 },
	{ "arm64_s2, soft A/D", UMBRA_FMT_ARM64_S2, UMBRA_VM_SOFT_AD },
	{ "riscv_g", UMBRA_FMT_RISCV_G, 0 },
	{ "riscv_g, soft A/D", UMBRA_FMT_RISCV_G, UMBRA_VM_SOFT_AD },
	{ "power_radix", UMBRA_FMT_POWER_RADIX, 0 },
	{ "power_radix, soft A/D", UMBRA_FMT_POWER_RADIX, UMBRA_VM_SOFT_AD },
	{ "mips_vz, soft A/D", UMBRA_FMT_MIPS_VZ, UMBRA_VM_SOFT_AD },
};

int slot_set(struct vm *vm, struct slot *slot, unsigned int place,
	     uint32_t flags)
{
	if (slot->kind == SLOT_READONLY)
		flags |= UMBRA_MEM_READONLY;
	return umbra_set_logged(vm->fd, slot->id, flags,
				flags & UMBRA_MEM_LOG_DIRTY ? ALL_READERS : 0,
				slot->gpa[place], slot->nr * PAGE,
				slot->area->hva + slot->first * PAGE);
}

/* Each area has a GiB of gpas for itself. */
static int add_slot(struct vm *vm, struct area *area, enum slot_kind kind)
{
	uint64_t shift = kind == SLOT_CROOKED ? CROOKED : 0;
	struct slot *slot = &vm->slot[vm->nr_slots];
	int ret;

	*slot = (struct slot){
		.area = area, .kind = kind, .id = vm->nr_slots++,
		.first = 2 * shift, .nr = area->pages - 3 * shift,
	};
	for (int place = 0; place < PLACES; place++)
		slot->gpa[place] = (area->id + 1) * GIB +
				   (kind * PLACES + place) * (GIB / 16) +
				   shift * PAGE;
	if (kind != SLOT_MAIN)
		return 0;

	slot->stored = calloc(slot->nr, sizeof(*slot->stored));
	if (!slot->stored)
		return -ENOMEM;
	ret = slot_set(vm, slot, 0, 0);
	if (!ret)
		phase_set(&slot->place[0], PHASE_PRESENT);
	return ret;
}

int vm_create(struct vm *vm, int dev, const struct combination *as,
	      uint32_t gpa_bits, struct area *areas)
{
	int ret;

	*vm = (struct vm){ .as = as, .gpa_bits = gpa_bits };
	vm->fd = umbra_create_vm(dev, as->flags, as->format, gpa_bits);
	ret = vm->fd < 0 ? vm->fd : 0;
	for (int area = 0; area < NR_AREAS && !ret; area++)
		for (int kind = 0; kind < SLOT_KINDS && !ret; kind++)
			ret = add_slot(vm, &areas[area], kind);
	return ret;
}

void vm_destroy(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nr_slots; i++)
		free(vm->slot[i].stored);
	close(vm->fd);
}

uint32_t log_flags(struct rng *rng)
{
	static const uint32_t methods[] = {
		UMBRA_MEM_LOG_PROTECT,
		UMBRA_MEM_LOG_D_BITS,
		UMBRA_MEM_LOG_PROTECT | UMBRA_MEM_LOG_D_BITS,
	};
	uint32_t flags = UMBRA_MEM_LOG_DIRTY | methods[rng_below(rng, 3)];

	return rng_one_in(rng, 4) ? flags | UMBRA_MEM_LOG_ALL_SET : flags;
}

int vm_test(const struct vm *vm, struct umbra_test *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(vm->fd, UMBRA_TEST, cmd) ? -errno : 0;
}

void vm_verify(const struct vm *vm, uint64_t gpa, uint64_t length)
{
	struct umbra_verify v;
	int ret = umbra_verify(vm->fd, gpa, length, &v);

	if (ret)
		wrong(CHECK_CALLS, "VERIFY: %s", strerror(-ret));
	else if (v.mismatches)
		wrong(CHECK_VERIFY, "VM %u (%s): %llu of %llu leaves, the first at gpa %#llx",
		      vm->number, vm->as->name, v.mismatches, v.leaves,
		      v.first_bad);
}
