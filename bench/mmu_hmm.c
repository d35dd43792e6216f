// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own example of a device that mirrors a process: test_hmm. It finds
 * pages by hmm_range_fault() and keeps them in an xarray. Reading is the only
 * thing it can be told that populates, so each page is also copied; what that
 * costs is seen when it is read once more.
 */
#include <err.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "bench.h"

/* From lib/test_hmm_uapi.h of the kernel, which is not exported. */
struct dmirror_cmd {
	uint64_t addr;
	uint64_t ptr;
	uint64_t npages;
	uint64_t cpages;
	uint64_t faults;
};

#define DMIRROR_READ _IOWR('H', 0x00, struct dmirror_cmd)

static void create(struct guest *g)
{
	g->dev = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	if (g->dev < 0)
		err(1, "/dev/hmm_dmirror0");
}

static int create_vcpu(struct guest *g)
{
	(void)g;
	return -1;
}

/* It mirrors all of the process. */
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
	struct dmirror_cmd cmd = {
		.addr = (uintptr_t)g->mem + gpa,
		.ptr = (uintptr_t)g->other,
		.npages = size / PAGE_SIZE,
	};

	(void)vcpu;
	if (ioctl(g->dev, DMIRROR_READ, &cmd))
		err(1, "test_hmm: READ");
}

const struct mmu hmm = {
	.create		= create,
	.create_vcpu	= create_vcpu,
	.set_slot	= set_slot,
	.populate	= populate,
};
