/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing parts of an area, by whatever means: which cells are there,
 * and what the oracle says to them.
 */
#ifndef CELLS_H
#define CELLS_H

#include "area.h"

/* Bytes that are read at once. */
#define MAX_READ	(2 * PAGE)
#define MAX_READ_CELLS	(3 * PAGE_CELLS)
/* Bytes that are written at once: a strip and its seam. */
#define MAX_WRITE	(2 * STRIP_BYTES)
#define MAX_WRITE_CELLS	(2 * STRIP_CELLS)

struct reading {
	struct area *area;
	uint64_t offset;
	unsigned int len;
	unsigned int nr;
	struct {
		struct window window;
		uint64_t offset;	/* of the cell */
		uint8_t from;		/* bytes of it that are read */
		uint8_t to;
	} cell[MAX_READ_CELLS];
};

/* Around a read of any len bytes at any offset. */
void reading_open(struct reading *r, struct area *area, uint64_t offset,
		  unsigned int len);
void reading_close(struct reading *r);
/* Were these bytes there? Says who found out if not. */
void reading_judge(const struct reading *r, const void *bytes, const char *who);

struct writing {
	struct area *area;
	uint64_t offset;
	unsigned int len;
	uint64_t start;
	unsigned int nr;
	struct {
		struct cell *cell;
		uint64_t version;
	} cell[MAX_WRITE_CELLS];
	uint8_t old[MAX_WRITE];		/* of the last versions */
	uint8_t bytes[MAX_WRITE];	/* to be written */
};

/* One cell of the page that the writer has. False if there is none. */
bool writing_begin_cell(struct writing *w, struct area *area, uint64_t page,
			unsigned int writer, struct rng *rng);
/* Half a strip or more, if possible on to the next page. */
bool writing_begin_strip(struct writing *w, struct area *area, uint64_t page,
			 unsigned int writer);
void writing_end(struct writing *w, enum outcome outcome);

#endif /* CELLS_H */
