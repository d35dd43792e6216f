// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of pages, and their picture.
 */
#include "demo.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS		64
#define ROWS		8
#define CELL_PAGES	(ALL_PAGES / (COLUMNS * ROWS))

static void set_add(struct page_set *set, size_t nr)
{
	set->bits[nr / 64] |= 1ull << nr % 64;
}

struct page_set set_warm(void)
{
	struct page_set set = { 0 };

	for (size_t nr = 0; nr < ALL_PAGES; nr++)
		if (nr % SLOT_PAGES < WARM_PAGES)
			set_add(&set, nr);
	return set;
}

struct page_set set_random(void)
{
	struct page_set set = set_warm();

	for (int run = 0; run < 40; run++) {
		size_t first = random() % ALL_PAGES;
		size_t last = first + random() % CELL_PAGES;

		for (size_t nr = first; nr <= last && nr < ALL_PAGES; nr++)
			if (random() % 2)
				set_add(&set, nr);
	}
	return set;
}

struct page_set set_disc(int radius)
{
	struct page_set set = { 0 };

	for (size_t nr = 0; nr < ALL_PAGES; nr += 8) {
		int x = 2 * (nr / CELL_PAGES % COLUMNS) + 1 - COLUMNS;
		int y = 2 * (nr / CELL_PAGES / COLUMNS) + 1 - ROWS;

		/* A character is higher than wide, and a wide disc nicer. */
		y *= 4;
		if (x * x + y * y < radius * radius)
			set_add(&set, nr);
	}
	return set;
}

bool set_has(const struct page_set *set, size_t nr)
{
	return set->bits[nr / 64] >> nr % 64 & 1;
}

size_t set_size(const struct page_set *set)
{
	size_t size = 0;

	for (size_t i = 0; i < ALL_PAGES / 64; i++)
		size += __builtin_popcountll(set->bits[i]);
	return size;
}

void check_set(const struct demo *d, const char *name,
	       const struct page_set *expected, const struct page_set *got)
{
	for (size_t nr = 0; nr < ALL_PAGES; nr++)
		if (set_has(expected, nr) != set_has(got, nr))
			errx(1, "gpa %#lx: expected %s %d, got %d; of %zu pages, got %zu",
			     numbered_page(d, nr).gpa, name,
			     set_has(expected, nr), set_has(got, nr),
			     set_size(expected), set_size(got));
}

static bool any_in_cell(const struct page_set *set, size_t cell)
{
	uint64_t any = 0;

	for (size_t i = 0; i < CELL_PAGES / 64; i++)
		any |= set->bits[cell * (CELL_PAGES / 64) + i];
	return any;
}

void draw(const struct page_set *young, const struct page_set *dirty)
{
	static const char * const legend[ROWS] = {
		"  anonymous memory", [ROWS / 2] = "  memfd",
	};

	for (size_t row = 0; row < ROWS; row++) {
		printf("    ");
		for (size_t column = 0; column < COLUMNS; column++) {
			size_t cell = row * COLUMNS + column;

			putchar(".yd#"[any_in_cell(young, cell) +
				       2 * any_in_cell(dirty, cell)]);
		}
		printf("%s\n", legend[row] ?: "");
	}
	printf("    one character: %zu pages; y young, d dirty, # both, . neither\n",
	       CELL_PAGES);
}
