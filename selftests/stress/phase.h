/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A state that one actor changes and others look at: a number of changes, and
 * what it is since the last one. Who finds the same before and after doing
 * something knows that it was so all the time.
 *
 * It is a lock as well: only who has turned the default into CHANGING may go on
 * changing it, until it is the default again.
 */
#ifndef PHASE_H
#define PHASE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t phase_t;

enum phase {
	PHASE_DEFAULT,		/* memory: readable and writable; slot: absent */
	PHASE_CHANGING,
	PHASE_READONLY,
	PHASE_NO_ACCESS,
	PHASE_UNMAPPED,
	PHASE_POISONED,
	PHASE_PRESENT,		/* of a slot at its gpa */
};

#define PHASE_BITS	4

static inline phase_t phase_get(const phase_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static inline enum phase phase_is(phase_t value)
{
	return value & ((1 << PHASE_BITS) - 1);
}

/* By its owner. */
static inline void phase_set(phase_t *p, enum phase phase)
{
	phase_t next = (phase_get(p) >> PHASE_BITS) + 1;

	__atomic_store_n(p, next << PHASE_BITS | phase, __ATOMIC_SEQ_CST);
}

static inline bool phase_claim(phase_t *p)
{
	phase_t old = phase_get(p);
	phase_t new = ((old >> PHASE_BITS) + 1) << PHASE_BITS | PHASE_CHANGING;

	return phase_is(old) == PHASE_DEFAULT &&
	       __atomic_compare_exchange_n(p, &old, new, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* What it was all the time from when it was before until it was after. */
static inline enum phase phase_between(phase_t before, phase_t after)
{
	return before == after ? phase_is(before) : PHASE_CHANGING;
}

#endif /* PHASE_H */
