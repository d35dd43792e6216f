/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of the process that is behind memslots: areas of pages, and where the
 * cells of the oracle are in them.
 *
 * A page has a strip of cells for each writer, and one more at its end that goes
 * with the first one of the next page, so that a write can cross from page to page.
 * In the middle is a counter that everybody increments.
 */
#ifndef AREA_H
#define AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle.h"
#include "phase.h"
#include "rng.h"

#define PAGE		4096UL
#define HUGE_PAGES	512UL

/* vCPUs, and the process itself as the last one. */
#define VCPU_WRITERS	4
#define PROCESS_WRITER	VCPU_WRITERS
#define WRITERS		(VCPU_WRITERS + 1)

#define STRIPS		(WRITERS + 1)
#define TAIL		WRITERS			/* the last strip */
#define STRIP_BYTES	32
#define STRIP_CELLS	7
#define PAGE_CELLS	(STRIPS * STRIP_CELLS)
#define COUNTER		(PAGE / 2)
/* Neighbouring pages that have the same content, by and by. */
#define TWINS		16

struct cell_place {
	uint8_t at;
	uint8_t len;
};

extern const struct cell_place cell_places[STRIP_CELLS];

enum area_id {
	KEPT,			/* private; never loses what is in it */
	DROPPED,		/* private; discarded, mapped anew */
	SHARED,			/* a memfd; holes are punched, it is truncated */
	GUARDED,		/* private; a userfaultfd, may be missing */
	TWIN,			/* private; pages that are alike, for KSM */
	POISON,			/* private; pages die */
	NR_AREAS,
};

struct counter {
	uint64_t begun;
	uint64_t done;
};

struct page {
	phase_t phase;
	struct discards discards;
	struct counter counter;
};

struct area {
	enum area_id id;
	uint64_t pages;
	uint8_t *hva;
	uint8_t *attic;		/* free addresses of the same size */
	int fd;			/* the memfd, or the userfaultfd, or -1 */
	struct page *page;
	struct cell *cell;
};

const char *area_name(const struct area *area);

/* Returns 0 or -errno. A userfaultfd that is missing is no error. */
int area_create(struct area *area, enum area_id id);
void area_destroy(struct area *area);
/* Map [first, first + nr) again, with nothing but a file's content there. */
int area_map(struct area *area, uint64_t first, uint64_t nr);

/* Addresses are offsets into the area. */
static inline uint64_t strip_offset(uint64_t page, unsigned int strip)
{
	return page * PAGE + (strip == TAIL ? PAGE - STRIP_BYTES :
					      strip * STRIP_BYTES);
}

/* A strip of the page that the writer may write to, or -1. */
int own_strip(const struct area *area, uint64_t page, unsigned int writer);
/* Do the tail of the page and the first strip of the next one belong to it? */
bool owns_seam(const struct area *area, uint64_t page, unsigned int writer);

static inline struct cell *area_cell(const struct area *area, uint64_t page,
				     unsigned int strip, unsigned int i)
{
	return area->cell + page * PAGE_CELLS + strip * STRIP_CELLS + i;
}

/* Some at random; those that much happens to more often. */
enum area_id pick_area(struct rng *rng);

uint64_t cell_identity(const struct area *area, const struct cell *cell);

/* Part of an area; nr is 0 if there is nothing. */
struct range {
	struct area *area;
	uint64_t first;
	uint64_t nr;
};

/* Up to max pages, every other time among the first ones of the area. */
struct range pick_range(struct rng *rng, struct area *area, uint64_t max);
/* Have the range for oneself, or as much of its beginning as possible. */
bool range_claim(struct range *r);
void range_set(const struct range *r, enum phase phase);
/* Returns the time to end it with. */
uint64_t range_discard_begin(const struct range *r);
void range_discard_end(const struct range *r, uint64_t start, bool certain);

static inline uint8_t *range_hva(const struct range *r)
{
	return r->area->hva + r->first * PAGE;
}

#endif /* AREA_H */
