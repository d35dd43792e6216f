// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps in which umbra tells which pages the vCPU has used and written.
 * What it knows of a page goes with the translation: populate_again() must have
 * made sure that nothing else changes one meanwhile.
 */
#include "demo.h"

#include <err.h>
#include <stdio.h>

static const struct page_set none;

static void set_flags(struct demo *d, int slot, uint32_t flags)
{
	struct memory area = d->slots[slot];

	umbra_ok(umbra_set_memslot(d->vm, slot, flags, area.gpa,
				   area_bytes(area), area.hva), "SET_MEMSLOT");
}

static uint64_t *slot_bits(struct page_set *set, int slot)
{
	return set->bits + slot * SLOT_PAGES / 64;
}

/* Take what is dirty from the logs. */
static void read_dirty(struct demo *d, struct page_set *set)
{
	uint64_t dirty, sum = 0;

	for (int slot = 0; slot < NR_SLOTS; slot++) {
		umbra_ok(umbra_get_dirty_log(d->vm, 0, slot, 0, SLOT_PAGES,
					     slot_bits(set, slot), &dirty),
			 "GET_DIRTY_LOG");
		sum += dirty;
	}
	if (sum != set_size(set))
		errx(1, "GET_DIRTY_LOG counted %lu pages, its bitmaps hold %zu",
		     sum, set_size(set));
}

/* Read what is young, and with UMBRA_AGE_CLEAR make it old. */
static void read_young(struct demo *d, uint32_t flags, struct page_set *set)
{
	uint64_t young, sum = 0;

	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct memory area = d->slots[slot];

		umbra_ok(umbra_age(d->vm, flags, area.gpa, area_bytes(area),
				   PAGE_SIZE, slot_bits(set, slot), &young),
			 "AGE");
		sum += young;
	}
	if (sum != set_size(set))
		errx(1, "AGE counted %lu pages, its bitmaps hold %zu",
		     sum, set_size(set));
}

/* Have the vCPU load from a set of pages and write to another. */
static void use(struct demo *d, const struct page_set *loaded,
		const struct page_set *written)
{
	for (size_t nr = 0; nr < ALL_PAGES; nr++) {
		struct memory page = numbered_page(d, nr);

		if (set_has(loaded, nr))
			check_vcpu(d, page);
		if (set_has(written, nr)) {
			renew(d, page);
			vcpu_write(d, page);
		}
	}
}

/* The TLB may hold writable translations from before: they must not be used. */
static void start_logs(struct demo *d, const struct page_set *warm)
{
	struct page_set got;

	read_young(d, UMBRA_AGE_CLEAR, &got);
	use(d, &none, warm);
	set_flags(d, ANON, UMBRA_MEM_LOG_DIRTY);
	set_flags(d, SHARED, UMBRA_MEM_LOG_DIRTY | UMBRA_MEM_LOG_D_BITS);
}

void log_dirty(struct demo *d)
{
	struct page_set written = set_random(), loaded = set_random();
	struct page_set warm = set_warm(), got;
	struct memory own = region(d->slots[SHARED], 3);

	start_logs(d, &warm);
	renew(d, own);
	process_write(own);
	use(d, &none, &written);

	/* Aging makes these pages old; they must stay dirty. */
	use(d, &warm, &none);
	read_young(d, UMBRA_AGE_CLEAR, &got);
	check_set(d, "young", &written, &got);
	use(d, &loaded, &none);
	read_young(d, 0, &d->young);
	check_set(d, "young", &loaded, &d->young);

	/* What is taken from the log is logged again at the next write. */
	use(d, &warm, &none);
	read_dirty(d, &d->dirty);
	check_set(d, "dirty", &written, &d->dirty);
	use(d, &none, &warm);
	read_dirty(d, &got);
	check_set(d, "dirty", &warm, &got);
	read_dirty(d, &got);
	check_set(d, "dirty", &none, &got);

	check(d, d->slots[ANON]);
	check(d, d->slots[SHARED]);
	printf("wrote %zu pages: none logged; the vCPU wrote %zu: just these are\n",
	       own.pages, set_size(&written));
}

void age_pages(struct demo *d)
{
	struct page_set loaded = set_disc(32), written = set_disc(16), got;

	umbra_ok(umbra_unmap(d->vm, 0, d->gpa_space), "UNMAP");
	read_young(d, 0, &got);
	check_set(d, "young", &none, &got);
	use(d, &loaded, &written);
	read_young(d, UMBRA_AGE_CLEAR, &d->young);
	check_set(d, "young", &loaded, &d->young);
	read_young(d, 0, &got);
	check_set(d, "young", &none, &got);
	read_dirty(d, &d->dirty);
	check_set(d, "dirty", &written, &d->dirty);

	set_flags(d, ANON, 0);
	set_flags(d, SHARED, 0);
	printf("was idle; the vCPU used %zu of %lu pages: just these are young\n",
	       set_size(&loaded), ALL_PAGES);
}
