/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: which values may a read return?
 *
 * Memory is read and written in cells of 1 to 8 bytes. A cell has one writer, who
 * writes its versions 1, 2, 3... as stamps that tell cell and version. Around each
 * write the writer notes that it begins and that it has ended, around each read
 * the reader looks at these notes. So a read may return
 *
 *  - the last version whose write had ended before the read began,
 *  - a newer one whose write had begun before the read ended, or a mixture of
 *    bytes of such, as not all writes are atomic,
 *  - zeros, if nothing was written yet, or if the page was discarded and that
 *    ended after the write of the last version had begun.
 *
 * It must not return a version if the page was discarded meanwhile, between the
 * end of the write and the beginning of the read: that would be the page of old.
 *
 * Times are numbers of a counter that all increment.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>

uint64_t now(void);

/* Set *max to value if that is more. */
static inline void atomic_max(uint64_t *max, uint64_t value)
{
	uint64_t old = __atomic_load_n(max, __ATOMIC_SEQ_CST);

	while (old < value &&
	       !__atomic_compare_exchange_n(max, &old, value, true,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

struct cell {
	uint32_t seq;		/* odd: the fields of done are being written */
	uint64_t last;		/* version given out, by the writer */
	uint64_t begun;		/* version whose write has begun */
	uint64_t kept;		/* what that is again if the write fails */
	struct {
		uint64_t version;
		uint64_t start;
		uint64_t end;
	} done;			/* the last one whose write has ended */
};

/* What happened to a page as a whole. */
struct discards {
	uint32_t pending;	/* begun and not ended */
	uint64_t killed;	/* latest beginning of those that ended */
	uint64_t cleared;	/* latest end */
};

/* Returns when it began. */
uint64_t discard_begin(struct discards *d);
/* certain: what had been there when it began is gone. */
void discard_end(struct discards *d, uint64_t start, bool certain);

/* How a write ended. */
enum outcome { WRITE_DONE, WRITE_FAILED, WRITE_PARTLY };

/* By the cell's writer. Returns the version. */
uint64_t write_begin(struct cell *cell);
void write_end(struct cell *cell, uint64_t version, uint64_t start,
	       enum outcome outcome);

/* What is known about a cell around a read. */
struct window {
	const struct cell *cell;
	const struct discards *discards;
	uint64_t identity;	/* of the cell, in its stamps */
	uint64_t oldest;
	uint64_t start;		/* of the write of the oldest version */
	uint64_t newest;
	bool oldest_ok;
	bool zero_ok;
};

#define IDENTITY_BITS	24

uint64_t stamp(uint64_t identity, uint64_t version);

/* Before the read, and after it. */
void window_open(struct window *w, const struct cell *cell,
		 const struct discards *discards, uint64_t identity);
void window_close(struct window *w);
/* May the bytes [at, at + len) of the cell be these? */
bool window_accepts(const struct window *w, const void *bytes, unsigned int at,
		    unsigned int len);

/* Values that were checked. */
uint64_t values_checked(void);

#endif /* ORACLE_H */
