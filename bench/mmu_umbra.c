// SPDX-License-Identifier: GPL-2.0-only
/*
 * umbra, through libumbra.
 */
#include <err.h>
#include <errno.h>

#include "../tools/libumbra/umbra.h"
#include "bench.h"

#define OPS	512

static int ok(int ret, const char *what)
{
	if (ret < 0) {
		errno = -ret;
		err(1, "umbra: %s", what);
	}
	return ret;
}

static void create(struct guest *g)
{
	g->dev = ok(umbra_open(), "open");
	g->vm = ok(umbra_create_vm(g->dev, 0, UMBRA_FMT_X86_NPT, 48),
		   "CREATE_VM");
}

static int create_vcpu(struct guest *g)
{
	return ok(umbra_create_vcpu(g->vm), "CREATE_VCPU");
}

static void set_slot(struct guest *g, unsigned int id, enum log log,
		     uint64_t gpa, uint64_t size, void *hva)
{
	static const uint32_t flags[] = {
		[LOG_ON]	= UMBRA_MEM_LOG_DIRTY,
		[LOG_ALL_SET]	= UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_ALL_SET,
	};

	ok(umbra_set_memslot(g->vm, id, flags[log], gpa, size, hva),
	   "SET_MEMSLOT");
}

static void populate(struct guest *g, unsigned int vcpu, uint64_t gpa,
		     uint64_t size)
{
	uint64_t done;

	ok(umbra_fault(g->vcpu[vcpu], UMBRA_FAULT_WRITE, gpa, size, &done),
	   "FAULT");
}

static void touch(struct guest *g, uint64_t gpa, uint64_t size, bool write)
{
	static struct umbra_access_op ops[OPS];
	uint64_t end = gpa + size;
	uint32_t nr, done;

	while (gpa < end) {
		for (nr = 0; nr < OPS && gpa < end; nr++, gpa += PAGE_SIZE)
			ops[nr] = (struct umbra_access_op){
				.op = write ? UMBRA_OP_STORE : UMBRA_OP_LOAD,
				.len = 8,
				.gpa = gpa,
			};
		ok(umbra_access(g->vcpu[0], 0, ops, nr, &done), "ACCESS");
	}
}

static void age(struct guest *g, uint64_t gpa, uint64_t size)
{
	uint64_t young;

	ok(umbra_age(g->vm, UMBRA_AGE_CLEAR, gpa, size, PAGE_SIZE, g->bitmap,
		     &young), "AGE");
	if (young != size / PAGE_SIZE)
		errx(1, "umbra: %lu pages are young", young);
}

static void clear_log(struct guest *g, unsigned int id, uint64_t size)
{
	ok(umbra_clear_dirty_log(g->vm, id, 0, size / PAGE_SIZE, g->bitmap),
	   "CLEAR_DIRTY_LOG");
}

static void harvest_log(struct guest *g, unsigned int id, uint64_t size)
{
	uint64_t dirty;

	ok(umbra_get_dirty_log(g->vm, 0, id, 0, size / PAGE_SIZE, g->bitmap,
			       &dirty), "GET_DIRTY_LOG");
	if (dirty != size / PAGE_SIZE)
		errx(1, "umbra: %lu pages are dirty", dirty);
}

static uint64_t table_bytes(struct guest *g)
{
	struct umbra_get_stats stats;

	ok(umbra_get_stats(g->vm, &stats), "GET_STATS");
	return stats.table_pages * PAGE_SIZE;
}

const struct mmu umbra = {
	.create		= create,
	.create_vcpu	= create_vcpu,
	.set_slot	= set_slot,
	.populate	= populate,
	.touch		= touch,
	.age		= age,
	.clear_log	= clear_log,
	.harvest_log	= harvest_log,
	.table_bytes	= table_bytes,
};
