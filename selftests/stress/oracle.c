// SPDX-License-Identifier: GPL-2.0-only
#include "oracle.h"

#include <string.h>

#include "rng.h"

static uint64_t clock_ticks;
static uint64_t checked;

static uint64_t get(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void set(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

uint64_t now(void)
{
	return __atomic_add_fetch(&clock_ticks, 1, __ATOMIC_SEQ_CST);
}

uint64_t discard_begin(struct discards *d)
{
	__atomic_add_fetch(&d->pending, 1, __ATOMIC_SEQ_CST);
	return now();
}

void discard_end(struct discards *d, uint64_t start, bool certain)
{
	atomic_max(&d->cleared, now());
	if (certain)
		atomic_max(&d->killed, start);
	__atomic_sub_fetch(&d->pending, 1, __ATOMIC_SEQ_CST);
}

uint64_t write_begin(struct cell *cell)
{
	set(&cell->begun, ++cell->last);
	return cell->last;
}

void write_end(struct cell *cell, uint64_t version, uint64_t start,
	       enum outcome outcome)
{
	switch (outcome) {
	case WRITE_FAILED:
		set(&cell->begun, cell->kept);
		break;
	case WRITE_PARTLY:
		cell->kept = version;
		break;
	case WRITE_DONE:
		cell->kept = version;
		__atomic_add_fetch(&cell->seq, 1, __ATOMIC_SEQ_CST);
		set(&cell->done.version, version);
		set(&cell->done.start, start);
		set(&cell->done.end, now());
		__atomic_add_fetch(&cell->seq, 1, __ATOMIC_SEQ_CST);
		break;
	}
}

uint64_t stamp(uint64_t identity, uint64_t version)
{
	return version ? mix64(version << IDENTITY_BITS | identity) : 0;
}

void window_open(struct window *w, const struct cell *cell,
		 const struct discards *discards, uint64_t identity)
{
	uint64_t end;
	uint32_t seq;

	w->cell = cell;
	w->discards = discards;
	w->identity = identity;
	do {
		seq = __atomic_load_n(&cell->seq, __ATOMIC_SEQ_CST) & ~1;
		w->oldest = get(&cell->done.version);
		w->start = get(&cell->done.start);
		end = get(&cell->done.end);
	} while (__atomic_load_n(&cell->seq, __ATOMIC_SEQ_CST) != seq);
	w->oldest_ok = get(&discards->killed) <= end;
}

void window_close(struct window *w)
{
	bool pending;

	w->newest = get(&w->cell->begun);
	/* In this order: one that ends in between is found in cleared. */
	pending = __atomic_load_n(&w->discards->pending, __ATOMIC_SEQ_CST);
	w->zero_ok = !w->oldest || pending ||
		     get(&w->discards->cleared) > w->start;
}

/* Does a value that may be there have these bytes? */
static bool possible(const struct window *w, const uint8_t *bytes,
		     unsigned int at, unsigned int len)
{
	uint64_t version = w->oldest + !w->oldest_ok;
	uint64_t value = 0;

	if (w->zero_ok && !memcmp(bytes, &value, len))
		return true;
	for (; version <= w->newest; version++) {
		value = stamp(w->identity, version);
		if (!memcmp(bytes, (uint8_t *)&value + at, len))
			return true;
	}
	return false;
}

bool window_accepts(const struct window *w, const void *bytes, unsigned int at,
		    unsigned int len)
{
	const uint8_t *b = bytes;

	__atomic_add_fetch(&checked, 1, __ATOMIC_RELAXED);
	if (possible(w, b, at, len))
		return true;
	if (w->newest == w->oldest)
		return false;
	for (unsigned int i = 0; i < len; i++)
		if (!possible(w, b + i, at + i, 1))
			return false;
	return true;
}

uint64_t values_checked(void)
{
	return __atomic_load_n(&checked, __ATOMIC_RELAXED);
}
