// SPDX-License-Identifier: GPL-2.0-only
#include "area.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Low addresses, which the kernel gives out last: a hole that an actor makes there
 * is not filled with something else.
 */
#define BASE		0x100000000000UL
#define AREA_STEP	(1UL << 32)
#define ATTIC		(1UL << 31)

/* Where half of all takes place. */
#define HOT_PAGES	16

const struct cell_place cell_places[STRIP_CELLS] = {
	{ 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 4 }, { 28, 2 }, { 30, 1 }, { 31, 1 },
};

static const struct {
	const char *name;
	uint64_t pages;
} kinds[NR_AREAS] = {
	[KEPT]	  = { "kept", 2 * HUGE_PAGES },
	[DROPPED] = { "dropped", 2 * HUGE_PAGES },
	[SHARED]  = { "shared", 2 * HUGE_PAGES },
	[GUARDED] = { "guarded", 256 },
	[TWIN]	  = { "twin", 256 },
	[POISON]  = { "poison", 16 },
};

const char *area_name(const struct area *area)
{
	return kinds[area->id].name;
}

int area_map(struct area *area, uint64_t first, uint64_t nr)
{
	bool shared = area->id == SHARED;
	int flags = shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *hva = area->hva + first * PAGE;

	return mmap(hva, nr * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		    shared ? area->fd : -1, shared ? first * PAGE : 0) == hva ?
	       0 : -errno;
}

/* Returns the userfaultfd, or -errno. */
static int guard(const struct area *area)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)area->hva, area->pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg)) {
		close(fd);
		return -errno;
	}
	return fd;
}

int area_create(struct area *area, enum area_id id)
{
	int ret;

	*area = (struct area){
		.id = id,
		.pages = kinds[id].pages,
		.hva = (void *)(BASE + id * AREA_STEP),
		.attic = (void *)(BASE + id * AREA_STEP + ATTIC),
		.fd = -1,
	};
	area->page = calloc(area->pages, sizeof(*area->page));
	area->cell = calloc(area->pages * PAGE_CELLS, sizeof(*area->cell));
	if (!area->page || !area->cell)
		return -ENOMEM;
	if (id == SHARED) {
		area->fd = memfd_create("stress", MFD_CLOEXEC);
		if (area->fd < 0 || ftruncate(area->fd, area->pages * PAGE))
			return -errno;
	}
	ret = area_map(area, 0, area->pages);
	if (ret)
		return ret;
	if (id == GUARDED)
		area->fd = guard(area);
	if (id == TWIN)
		madvise(area->hva, area->pages * PAGE, MADV_MERGEABLE);
	return 0;
}

void area_destroy(struct area *area)
{
	munmap(area->hva, area->pages * PAGE);
	munmap(area->attic, area->pages * PAGE);
	if (area->fd >= 0)
		close(area->fd);
	free(area->cell);
	free(area->page);
}

int own_strip(const struct area *area, uint64_t page, unsigned int writer)
{
	if (area->id == TWIN)
		return page / TWINS % WRITERS == writer ? 0 : -1;
	return (writer + WRITERS - page % WRITERS) % WRITERS;
}

bool owns_seam(const struct area *area, uint64_t page, unsigned int writer)
{
	return area->id != TWIN && page + 1 < area->pages &&
	       (page + 1) % WRITERS == writer;
}

/* Twins do not say where they are. */
uint64_t cell_identity(const struct area *area, const struct cell *cell)
{
	uint64_t number = cell - area->cell;

	if (area->id == TWIN)
		number %= PAGE_CELLS;
	return (uint64_t)area->id << (IDENTITY_BITS - 4) | number;
}

enum area_id pick_area(struct rng *rng)
{
	unsigned int i = rng_below(rng, 4 * GUARDED);

	return i < NR_AREAS ? i : i % GUARDED;
}

struct range pick_range(struct rng *rng, struct area *area, uint64_t max)
{
	struct range r = { .area = area, .nr = 1 + rng_below(rng, max) };

	if (r.nr > area->pages)
		r.nr = area->pages;
	r.first = rng_below(rng, area->pages - r.nr + 1);
	if (rng_one_in(rng, 2))
		r.first %= HOT_PAGES;
	if (r.first + r.nr > area->pages)
		r.nr = area->pages - r.first;
	return r;
}

bool range_claim(struct range *r)
{
	uint64_t i;

	for (i = 0; i < r->nr; i++)
		if (!phase_claim(&r->area->page[r->first + i].phase))
			break;
	r->nr = i;
	return i;
}

void range_set(const struct range *r, enum phase phase)
{
	for (uint64_t i = 0; i < r->nr; i++)
		phase_set(&r->area->page[r->first + i].phase, phase);
}

uint64_t range_discard_begin(const struct range *r)
{
	for (uint64_t i = 0; i < r->nr; i++)
		discard_begin(&r->area->page[r->first + i].discards);
	return now();
}

void range_discard_end(const struct range *r, uint64_t start, bool certain)
{
	for (uint64_t i = 0; i < r->nr; i++)
		discard_end(&r->area->page[r->first + i].discards, start,
			    certain);
}
