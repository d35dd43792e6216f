// SPDX-License-Identifier: GPL-2.0-only
/*
 * The primary MMU's own dirty log: asynchronous write protection by userfaultfd,
 * read by PAGEMAP_SCAN. The process itself is the vCPU.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#ifndef UFFD_FEATURE_WP_ASYNC /* Linux 6.7 */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

#ifndef PAGEMAP_SCAN /* Linux 6.7 */
struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)
#define PAGE_IS_WRITTEN		(1 << 1)
#endif

static void create(struct guest *g)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC,
	};
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)g->mem, .len = g->size },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	g->vm = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (g->vm < 0 || ioctl(g->vm, UFFDIO_API, &api) ||
	    ioctl(g->vm, UFFDIO_REGISTER, &range))
		err(1, "userfaultfd");
	g->dev = open("/proc/self/pagemap", O_RDONLY);
	if (g->dev < 0)
		err(1, "pagemap");
}

static int create_vcpu(struct guest *g)
{
	(void)g;
	return -1;
}

static void protect(struct guest *g, uint64_t size, bool on)
{
	struct uffdio_writeprotect range = {
		.range = { .start = (uintptr_t)g->mem, .len = size },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (ioctl(g->vm, UFFDIO_WRITEPROTECT, &range))
		err(1, "UFFDIO_WRITEPROTECT");
}

static void set_slot(struct guest *g, unsigned int id, enum log log,
		     uint64_t gpa, uint64_t size, void *hva)
{
	(void)id;
	(void)gpa;
	(void)hva;
	if (size)
		protect(g, size, log != LOG_OFF);
}

static void populate(struct guest *g, unsigned int vcpu, uint64_t gpa,
		     uint64_t size)
{
	(void)g;
	(void)vcpu;
	(void)gpa;
	(void)size;
}

static void harvest_log(struct guest *g, unsigned int id, uint64_t size)
{
	struct page_region region;
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)g->mem,
		.end = (uintptr_t)g->mem + size,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	(void)id;
	if (ioctl(g->dev, PAGEMAP_SCAN, &scan) < 0)
		err(1, "PAGEMAP_SCAN");
	if (region.start != scan.start || region.end != scan.end)
		errx(1, "PAGEMAP_SCAN: not all pages are dirty");
}

/* The process touches its own memory. */
static void touch(struct guest *g, uint64_t gpa, uint64_t size, bool write)
{
	none.touch(g, gpa, size, write);
}

const struct mmu uffd = {
	.create		= create,
	.create_vcpu	= create_vcpu,
	.set_slot	= set_slot,
	.populate	= populate,
	.touch		= touch,
	.harvest_log	= harvest_log,
};
