// SPDX-License-Identifier: GPL-2.0-only
#include "cells.h"

#include <stdio.h>
#include <string.h>

#include "report.h"

static void add_reading(struct reading *r, uint64_t page, unsigned int strip,
			unsigned int i)
{
	uint64_t offset = strip_offset(page, strip) + cell_places[i].at;
	uint64_t end = offset + cell_places[i].len;
	struct cell *cell = area_cell(r->area, page, strip, i);

	if (end <= r->offset || r->offset + r->len <= offset)
		return;
	r->cell[r->nr].offset = offset;
	r->cell[r->nr].from = r->offset > offset ? r->offset - offset : 0;
	r->cell[r->nr].to = (r->offset + r->len < end ? r->offset + r->len :
							end) - offset;
	window_open(&r->cell[r->nr].window, cell, &r->area->page[page].discards,
		    cell_identity(r->area, cell));
	r->nr++;
}

void reading_open(struct reading *r, struct area *area, uint64_t offset,
		  unsigned int len)
{
	r->area = area;
	r->offset = offset;
	r->len = len;
	r->nr = 0;
	for (uint64_t page = offset / PAGE; page * PAGE < offset + len; page++)
		for (unsigned int cell = 0; cell < PAGE_CELLS; cell++)
			add_reading(r, page, cell / STRIP_CELLS,
				    cell % STRIP_CELLS);
}

void reading_close(struct reading *r)
{
	for (unsigned int i = 0; i < r->nr; i++)
		window_close(&r->cell[i].window);
}

static void complain(const struct reading *r, unsigned int i,
		     const uint8_t *bytes, const char *who)
{
	const struct window *w = &r->cell[i].window;
	unsigned int len = r->cell[i].to - r->cell[i].from;
	uint64_t value = 0, origin;
	char found[64] = "";

	memcpy(&value, bytes, len);
	origin = unmix64(value);
	if (len == 8 && value)
		snprintf(found, sizeof(found), " (cell %#lx version %lu)",
			 origin % (1UL << IDENTITY_BITS),
			 origin >> IDENTITY_BITS);
	wrong(CHECK_VALUES, "%s reads %s page %lu + %#lx, %u bytes: %#lx%s; may be cell %#lx version %lu%s to %lu%s",
	      who, area_name(r->area), r->cell[i].offset / PAGE,
	      r->cell[i].offset % PAGE + r->cell[i].from, len, value, found,
	      w->identity, w->oldest, w->oldest_ok ? "" : " (discarded)",
	      w->newest, w->zero_ok ? ", or 0" : "");
}

void reading_judge(const struct reading *r, const void *bytes, const char *who)
{
	for (unsigned int i = 0; i < r->nr; i++) {
		const uint8_t *b = (const uint8_t *)bytes + r->cell[i].offset +
				   r->cell[i].from - r->offset;

		if (!window_accepts(&r->cell[i].window, b, r->cell[i].from,
				    r->cell[i].to - r->cell[i].from))
			complain(r, i, b, who);
	}
}

static void add_writing(struct writing *w, uint64_t page, unsigned int strip,
			unsigned int i)
{
	uint64_t offset = strip_offset(page, strip) + cell_places[i].at;
	struct cell *cell = area_cell(w->area, page, strip, i);
	uint64_t identity = cell_identity(w->area, cell), value;

	if (!w->nr)
		w->offset = offset;
	value = stamp(identity, cell->done.version);
	memcpy(w->old + offset - w->offset, &value, cell_places[i].len);
	w->cell[w->nr].cell = cell;
	w->cell[w->nr].version = write_begin(cell);
	value = stamp(identity, w->cell[w->nr].version);
	memcpy(w->bytes + offset - w->offset, &value, cell_places[i].len);
	w->len = offset - w->offset + cell_places[i].len;
	w->nr++;
}

bool writing_begin_cell(struct writing *w, struct area *area, uint64_t page,
			unsigned int writer, struct rng *rng)
{
	int strip = own_strip(area, page, writer);
	unsigned int i = rng_below(rng, STRIP_CELLS);

	if (strip < 0)
		return false;
	w->area = area;
	w->nr = 0;
	add_writing(w, page, strip, area->id == TWIN ? 0 : i);
	w->start = now();
	return true;
}

bool writing_begin_strip(struct writing *w, struct area *area, uint64_t page,
			 unsigned int writer)
{
	bool seam = owns_seam(area, page, writer);
	int strip = seam ? TAIL : own_strip(area, page, writer);
	unsigned int i;

	if (strip < 0 || area->id == TWIN)
		return false;
	w->area = area;
	w->nr = 0;
	for (i = 0; i < STRIP_CELLS; i++)
		add_writing(w, page, strip, i);
	for (i = 0; seam && i < STRIP_CELLS; i++)
		add_writing(w, page + 1, 0, i);
	w->start = now();
	return true;
}

void writing_end(struct writing *w, enum outcome outcome)
{
	for (unsigned int i = 0; i < w->nr; i++)
		write_end(w->cell[i].cell, w->cell[i].version, w->start,
			  outcome);
}
