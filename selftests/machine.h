/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of errors: a VM with one slot of each sort, and whether it is still
 * as it was.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "util.h"

/* The guest physical address size of all VMs here: 52 bits. */
#define LIMIT		(PAGE << 40)

/* Slot 0 is that of guest_create(). */
#define GUEST_PAGES	128
/* Slots of two pages, both backed by spare. The first is for loads only. */
#define RO_SLOT		1
#define RO_FLAGS	(UMBRA_MEM_READONLY | UMBRA_MEM_NOEXEC | \
			 UMBRA_MEM_IDLE_AGES)
#define RO_GPA		(GUEST_PAGES * PAGE)
#define RW_SLOT		2
#define RW_GPA		(RO_GPA + 2 * PAGE)
/* A slot with a log, backed by guest memory. */
#define LOG_SLOT	3
#define LOG_GPA		(RW_GPA + 2 * PAGE)
#define LOG_PAGES	100UL
/* Nothing is there. */
#define NO_SLOT		4
#define NO_GPA		(PAGE << 20)
#define NO_POINTER	8
/* The nested context, and its table: a page of zeroes, where nothing is. */
#define CONTEXT		64
#define TABLE_GPA	(100 * PAGE)

#define LOG_WORDS	(LOG_PAGES / 64 + 1)

static alignas(PAGE) uint8_t spare[2 * PAGE];
#define SPARE		((uintptr_t)spare)

enum kind { DEV, VM, VCPU, NR_KINDS };

/* A VM with one slot of each sort, and how it was when all was well. */
struct machine {
	struct guest g;
	int fd[NR_KINDS];
	struct umbra_get_stats stats;
	uint64_t dirty;
};

static inline int log_count(const struct machine *m, uint64_t *dirty)
{
	uint64_t bits[LOG_WORDS];

	return umbra_get_dirty_log(m->g.vm, UMBRA_DIRTY_LOG_KEEP, LOG_SLOT, 0,
				   LOG_PAGES, bits, dirty);
}

/* From now on this is how it is to be. */
static inline int machine_settle(struct machine *m)
{
	return log_count(m, &m->dirty) ?: umbra_get_stats(m->g.vm, &m->stats);
}

static inline int machine_create(struct machine *m)
{
	int ret = guest_create(&m->g, GUEST_PAGES, 0);
	uint32_t context;

	m->fd[DEV] = m->g.dev;
	m->fd[VM] = m->g.vm;
	m->fd[VCPU] = m->g.vcpu;
	/* A second vCPU, whose ring is there for the VM's ioctl. */
	if (!ret && umbra_create_vcpu_with_ring(m->g.vm, 64) < 0)
		return -ENOMEM;
	return ret ?:
	       umbra_set_memslot(m->g.vm, RO_SLOT, RO_FLAGS, RO_GPA, 2 * PAGE,
				 spare) ?:
	       umbra_set_memslot(m->g.vm, RW_SLOT, 0, RW_GPA, 2 * PAGE,
				 spare) ?:
	       umbra_set_memslot(m->g.vm, LOG_SLOT, UMBRA_MEM_LOG_DIRTY,
				 LOG_GPA, LOG_PAGES * PAGE, m->g.mem) ?:
	       umbra_create_nested(m->g.vm, 0, UMBRA_FMT_X86_EPT, 48,
				   TABLE_GPA, 1, &context) ?:
	       (context == CONTEXT ? 0 : -EBADSLT) ?:
	       umbra_store(m->g.vcpu, 0, 8, 0) ?:
	       umbra_store(m->g.vcpu, LOG_GPA + 70 * PAGE, 8, 0) ?:
	       machine_settle(m);
}

/* What works no longer, or is not as it was? "" if all is well. */
static inline const char *damage(const struct machine *m)
{
	static uint64_t token;
	struct umbra_get_stats stats;
	uint64_t value, dirty;

	token++;
	if (umbra_store(m->g.vcpu, 0, 8, token) ||
	    memcmp(m->g.mem, &token, 8))
		return "a store";
	if (umbra_load(m->g.vcpu, 0, 8, &value) || value != token)
		return "a load";
	if (!guest_quiet(&m->g))
		return "the shadow table";
	if (umbra_get_stats(m->g.vm, &stats))
		return "the statistics";
	if (stats.leaves != m->stats.leaves)
		return "leaves";
	if (stats.table_pages != m->stats.table_pages)
		return "table_pages";
	if (stats.slots != m->stats.slots)
		return "slots";
	if (stats.vcpus != m->stats.vcpus)
		return "vcpus";
	if (stats.nested != m->stats.nested)
		return "nested contexts";
	if (stats.generation != m->stats.generation)
		return "generation";
	if (log_count(m, &dirty) || dirty != m->dirty)
		return "the dirty log";
	return "";
}

static inline int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* The end of memory that is readable and writable: nothing is behind it. */
static inline void *edge(void)
{
	uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + PAGE, PAGE, PROT_NONE))
		abort();
	return p + PAGE;
}

#endif /* MACHINE_H */
