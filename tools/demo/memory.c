// SPDX-License-Identifier: GPL-2.0-only
/*
 * What areas of memory must hold, writing it, and comparing it: as the process
 * sees them, and as the vCPU does.
 */
#include "demo.h"

#include <err.h>
#include <string.h>

#define CHUNK_PAGES (MIB / PAGE_SIZE)

/* What passes between vCPU and process. */
static uint64_t buffer[CHUNK_PAGES * PAGE_WORDS];

struct memory part(struct memory area, size_t first, size_t pages)
{
	return (struct memory){
		.gpa = area.gpa + first * PAGE_SIZE,
		.hva = area.hva + first * PAGE_SIZE,
		.seeds = area.seeds + first,
		.pages = pages,
	};
}

struct memory region(struct memory slot, unsigned int n)
{
	return part(slot, n * REGION_PAGES, REGION_PAGES);
}

struct memory numbered_page(const struct demo *d, size_t nr)
{
	return part(d->slots[nr / SLOT_PAGES], nr % SLOT_PAGES, 1);
}

size_t area_bytes(struct memory area)
{
	return area.pages * PAGE_SIZE;
}

/* The part of area that begins at page first and fits the buffer. */
static struct memory chunk(struct memory area, size_t first)
{
	size_t left = area.pages - first;

	return part(area, first, left < CHUNK_PAGES ? left : CHUNK_PAGES);
}

/* Word i of a page. */
static uint64_t pattern(uint64_t seed, unsigned int i)
{
	return seed ? seed * PAGE_WORDS + i : 0;
}

static void fill(struct memory area, uint64_t *words)
{
	for (size_t page = 0; page < area.pages; page++)
		for (unsigned int i = 0; i < PAGE_WORDS; i++)
			*words++ = pattern(area.seeds[page], i);
}

static void compare(struct memory area, const char *who, const uint64_t *words)
{
	for (size_t page = 0; page < area.pages; page++)
		for (unsigned int i = 0; i < PAGE_WORDS; i++, words++) {
			uint64_t expected = pattern(area.seeds[page], i);

			if (*words == expected)
				continue;
			errx(1, "gpa %#lx: expected %#lx, %s got %#lx",
			     area.gpa + page * PAGE_SIZE + i * sizeof(*words),
			     expected, who, *words);
		}
}

void renew(struct demo *d, struct memory area)
{
	for (size_t page = 0; page < area.pages; page++)
		area.seeds[page] = ++d->last_seed;
}

void process_write(struct memory area)
{
	fill(area, (uint64_t *)area.hva);
}

static void vcpu_ok(int ret, const char *what, struct memory area)
{
	if (ret < 0)
		errx(1, "gpa %#lx, %zu pages: %s: %s", area.gpa, area.pages,
		     what, strerror(-ret));
}

void vcpu_write(struct demo *d, struct memory area)
{
	for (size_t page = 0; page < area.pages; page += CHUNK_PAGES) {
		struct memory now = chunk(area, page);

		fill(now, buffer);
		vcpu_ok(umbra_write(d->vcpu, now.gpa, buffer, area_bytes(now)),
			"WRITE", now);
	}
}

static void vcpu_page(struct demo *d, struct memory page, uint32_t op)
{
	struct umbra_access_op ops[PAGE_WORDS];
	uint64_t old = *page.seeds;
	uint32_t done;

	if (op != UMBRA_OP_LOAD)
		renew(d, page);
	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		ops[i] = (struct umbra_access_op){
			.op = op,
			.len = sizeof(uint64_t),
			.gpa = page.gpa + i * sizeof(uint64_t),
			/* LOAD must overwrite it. */
			.value = op == UMBRA_OP_LOAD ?
				 ~0ull : pattern(*page.seeds, i),
			.compare = op == UMBRA_OP_CMPXCHG ? pattern(old, i) : 0,
		};
	vcpu_ok(umbra_access(d->vcpu, 0, ops, PAGE_WORDS, &done), "ACCESS",
		page);
	if (op == UMBRA_OP_STORE)
		return;

	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		buffer[i] = ops[i].value;
	page.seeds = &old;
	compare(page, "the vCPU", buffer);
}

void vcpu_words(struct demo *d, struct memory area, uint32_t op)
{
	for (size_t page = 0; page < area.pages; page++)
		vcpu_page(d, part(area, page, 1), op);
}

void check_process(struct memory area)
{
	compare(area, "the process", (const uint64_t *)area.hva);
}

void check_vcpu(struct demo *d, struct memory area)
{
	for (size_t page = 0; page < area.pages; page += CHUNK_PAGES) {
		struct memory now = chunk(area, page);

		/* Nothing that is left here from before may look right. */
		memset(buffer, 0xff, area_bytes(now));
		vcpu_ok(umbra_read(d->vcpu, now.gpa, buffer, area_bytes(now)),
			"READ", now);
		compare(now, "the vCPU", buffer);
	}
	d->pages_equal += area.pages;
}

/* The vCPU first: it must not depend on what the process has touched. */
void check(struct demo *d, struct memory area)
{
	check_vcpu(d, area);
	check_process(area);
}

void warm_up(struct demo *d, struct memory area)
{
	check_vcpu(d, part(area, 0, WARM_PAGES));
}

void check_refused(struct demo *d, struct memory area, uint32_t op, int error)
{
	for (size_t page = 0; page < area.pages; page++) {
		struct umbra_access_op access = {
			.op = op,
			.len = sizeof(uint64_t),
			.gpa = area.gpa + page * PAGE_SIZE,
			.value = ~0ull,
		};
		uint32_t done;
		int ret = umbra_access(d->vcpu, 0, &access, 1, &done);

		if (ret != -error)
			errx(1, "gpa %#llx: expected %s, the vCPU got %s",
			     access.gpa, strerror(error), strerror(-ret));
	}
}
