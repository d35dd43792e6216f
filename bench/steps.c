// SPDX-License-Identifier: GPL-2.0-only
/*
 * What several scenarios do. The memory is slot 0, at gpa 0.
 */
#include "bench.h"

void add_vcpu(struct guest *g)
{
	g->vcpu[g->nr_vcpus++] = g->mmu->create_vcpu(g);
}

/* As many as the figure's arg says. */
void add_vcpus(struct guest *g)
{
	while (g->nr_vcpus < g->arg)
		add_vcpu(g);
}

void fill(struct guest *g)
{
	fill_memory(g->mem, g->size);
}

void fill_other(struct guest *g)
{
	fill_memory(g->other, g->size);
}

void add_slot(struct guest *g)
{
	g->mmu->set_slot(g, 0, LOG_OFF, 0, g->size, g->mem);
}

void delete_slot(struct guest *g)
{
	g->mmu->set_slot(g, 0, LOG_OFF, 0, 0, g->mem);
}

uint64_t map_pages(struct guest *g)
{
	g->mmu->populate(g, 0, 0, g->size);
	return g->size / PAGE_SIZE;
}

void map_all(struct guest *g)
{
	map_pages(g);
}
