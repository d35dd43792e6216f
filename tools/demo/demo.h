/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * demo: a process that lets umbra shadow its own memory, changes that memory in
 * every way Linux offers, and compares after each what a vCPU sees with what
 * it sees itself.
 *
 * The memory is two memslots. The demo knows what each of their pages must
 * hold: a pattern made from the page's seed, a number used only once, or zeros
 * if the seed is 0. So a stale, lost or misplaced page cannot look right.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../libumbra/umbra.h"

#define PAGE_SIZE	4096ul
#define PAGE_WORDS	(PAGE_SIZE / sizeof(uint64_t))
#define MIB		0x100000ul
#define GIB		0x40000000ul

enum { ANON, SHARED, NR_SLOTS };

#define SLOT_PAGES	(128 * MIB / PAGE_SIZE)
#define ALL_PAGES	(NR_SLOTS * SLOT_PAGES)
/* Steps that need only a part of a slot take a region, each another one. */
#define REGION_PAGES	(SLOT_PAGES / 8)
/* The pages of a slot or a region that warm_up() uses; few, to stay in a TLB */
#define WARM_PAGES	16

/* A part of a memslot, or all of it: where it is and what it must hold. */
struct memory {
	uint64_t gpa;
	char *hva;
	uint64_t *seeds;
	size_t pages;
};

/* pageset.c: a set of pages; those of SHARED follow those of ANON. */
struct page_set {
	uint64_t bits[ALL_PAGES / 64];
};

struct demo {
	int vm;
	int vcpu;
	uint64_t gpa_space;		/* bytes */
	struct memory slots[NR_SLOTS];
	uint64_t seeds[NR_SLOTS][SLOT_PAGES];
	uint64_t last_seed;
	struct page_set young, dirty;	/* as umbra says, for the picture */
	uint64_t pages_equal;		/* as the vCPU reads them */
};

/*
 * demo.c. Whatever fails or disagrees ends the program, by errx().
 * These two do so if a function of libumbra, or of libc, failed.
 */
int umbra_ok(int ret, const char *what);
int libc_ok(int ret, const char *what);

/* memory.c: what areas hold. */
struct memory part(struct memory area, size_t first, size_t pages);
struct memory region(struct memory slot, unsigned int n);
size_t area_bytes(struct memory area);
/* One page of all, as numbered in a struct page_set. */
struct memory numbered_page(const struct demo *d, size_t nr);
/* New content, not yet written. */
void renew(struct demo *d, struct memory area);
/* Write the content, as the process itself or through the vCPU. */
void process_write(struct memory area);
void vcpu_write(struct demo *d, struct memory area);
/* Each word by an operation of its own; UMBRA_OP_STORE, CMPXCHG renew. */
void vcpu_words(struct demo *d, struct memory area, uint32_t op);
/* Compare every byte with the content it must have. */
void check_process(struct memory area);
void check_vcpu(struct demo *d, struct memory area);
void check(struct demo *d, struct memory area);
/*
 * Have the vCPU use the first pages of the area, which whatever comes next
 * looks at first: what its TLB then holds must be gone when memory has changed.
 */
void warm_up(struct demo *d, struct memory area);
/* Every access must fail with this errno. */
void check_refused(struct demo *d, struct memory area, uint32_t op, int error);

/* pageset.c */
/* The first pages of both slots. */
struct page_set set_warm(void);
/* These, and pages here and there, in runs. */
struct page_set set_random(void);
/* Pages that look like a disc in the picture; radius in half characters. */
struct page_set set_disc(int radius);
bool set_has(const struct page_set *set, size_t nr);
size_t set_size(const struct page_set *set);
void check_set(const struct demo *d, const char *name,
	       const struct page_set *expected, const struct page_set *got);
void draw(const struct page_set *young, const struct page_set *dirty);

/* host.c: what Linux says about the process. */
void write_file(const char *path, const char *text);
/* The number after key at the start of a line. */
unsigned long read_number(const char *path, const char *key);
size_t resident_pages(struct memory area);

/*
 * steps.c: what happens to memory; tracking.c: what umbra says about it. Each
 * step ends a line that begins "process" with what the process did.
 */
void populate(struct demo *d);
void write_in_bulk(struct demo *d);
void access_words(struct demo *d);
void fork_and_write(struct demo *d);
void merge_pages(struct demo *d);
void discard_pages(struct demo *d);
void protect_pages(struct demo *d);
void swap_pages(struct demo *d);
void move_pages(struct demo *d);
void populate_again(struct demo *d);
void log_dirty(struct demo *d);
void age_pages(struct demo *d);
void delete_slots(struct demo *d);

#endif /* DEMO_H */
