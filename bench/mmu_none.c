// SPDX-License-Identifier: GPL-2.0-only
/*
 * No secondary MMU at all: what the primary MMU's own work costs.
 */
#include "bench.h"

static void create(struct guest *g)
{
	(void)g;
}

static int create_vcpu(struct guest *g)
{
	(void)g;
	return -1;
}

static void set_slot(struct guest *g, unsigned int id, enum log log,
		     uint64_t gpa, uint64_t size, void *hva)
{
	(void)g;
	(void)id;
	(void)log;
	(void)gpa;
	(void)size;
	(void)hva;
}

static void populate(struct guest *g, unsigned int vcpu, uint64_t gpa,
		     uint64_t size)
{
	(void)g;
	(void)vcpu;
	(void)gpa;
	(void)size;
}

/* The process itself is the vCPU. */
static void touch(struct guest *g, uint64_t gpa, uint64_t size, bool write)
{
	volatile char *page;

	for (page = g->mem + gpa; page < g->mem + gpa + size; page += PAGE_SIZE)
		*page = write ? 1 : *page;
}

static void age(struct guest *g, uint64_t gpa, uint64_t size)
{
	(void)g;
	(void)gpa;
	(void)size;
	make_all_idle();
}

const struct mmu none = {
	.create		= create,
	.create_vcpu	= create_vcpu,
	.set_slot	= set_slot,
	.populate	= populate,
	.touch		= touch,
	.age		= age,
};
