// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process itself, which uses the same memory without umbra.
 */
#include <string.h>

#include "actor.h"
#include "cells.h"
#include "guard.h"
#include "report.h"
#include "world.h"

struct touch {
	void *p;
	void *buffer;
	unsigned int len;
	uint64_t value;
	uint64_t compare;
	bool done;
};

static struct range pick(struct actor *actor)
{
	struct area *area = &actor->world->area[pick_area(&actor->rng)];

	return pick_range(&actor->rng, area, 1);
}

static void copy(void *arg)
{
	struct touch *t = arg;

	memcpy(t->buffer, t->p, t->len);
}

static bool process_read(struct actor *actor)
{
	struct range r = pick(actor);
	uint64_t offset = r.first * PAGE + rng_below(&actor->rng, PAGE);
	uint8_t buffer[PAGE];
	struct touch t = {
		.p = r.area->hva + offset, .buffer = buffer,
		.len = PAGE - offset % PAGE,
	};
	struct reading reading;

	reading_open(&reading, r.area, offset, t.len);
	if (!guarded(copy, &t))
		return false;
	reading_close(&reading);
	reading_judge(&reading, buffer, "the process");
	return true;
}

#define TOUCH(type, t) ({						\
	type _compare = (t)->compare;					\
	(t)->done = true;						\
	if ((t)->buffer)						\
		__atomic_store_n((type *)(t)->p, (type)(t)->value,	\
				 __ATOMIC_SEQ_CST);			\
	else								\
		(t)->done = __atomic_compare_exchange_n((type *)(t)->p,	\
					&_compare, (type)(t)->value,	\
					false, __ATOMIC_SEQ_CST,	\
					__ATOMIC_SEQ_CST);		\
	(t)->compare = _compare;					\
})

/* Store, or exchange if there is no buffer. */
static void modify(void *arg)
{
	struct touch *t = arg;

	switch (t->len) {
	case 1:
		TOUCH(uint8_t, t);
		break;
	case 2:
		TOUCH(uint16_t, t);
		break;
	case 4:
		TOUCH(uint32_t, t);
		break;
	default:
		TOUCH(uint64_t, t);
	}
}

static bool write_cell(struct actor *actor, bool exchange)
{
	struct range r = pick(actor);
	struct writing w;
	struct touch t = { 0 };
	struct reading reading;
	bool done;

	if (!writing_begin_cell(&w, r.area, r.first, actor->writer,
				&actor->rng))
		return false;
	t.p = r.area->hva + w.offset;
	t.len = w.len;
	t.buffer = exchange ? NULL : w.bytes;
	memcpy(&t.value, w.bytes, w.len);
	memcpy(&t.compare, w.old, w.len);
	reading_open(&reading, r.area, w.offset, w.len);
	done = guarded(modify, &t);
	if (done && exchange) {
		reading_close(&reading);
		reading_judge(&reading, &t.compare, "the process");
	}
	writing_end(&w, done && t.done ? WRITE_DONE : WRITE_FAILED);
	return done;
}

static bool process_write(struct actor *actor)
{
	return write_cell(actor, false);
}

static bool process_exchange(struct actor *actor)
{
	return write_cell(actor, true);
}

static void increment(void *arg)
{
	struct touch *t = arg;

	__atomic_add_fetch((uint64_t *)t->p, 1, __ATOMIC_SEQ_CST);
}

static bool process_count(struct actor *actor)
{
	struct area *area = &actor->world->area[KEPT];
	struct range r = pick_range(&actor->rng, area, 1);
	struct counter *counter = &area->page[r.first].counter;
	struct touch t = { .p = range_hva(&r) + COUNTER };

	__atomic_add_fetch(&counter->begun, 1, __ATOMIC_SEQ_CST);
	if (!guarded(increment, &t)) {
		__atomic_sub_fetch(&counter->begun, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	__atomic_add_fetch(&counter->done, 1, __ATOMIC_SEQ_CST);
	return true;
}

static struct op ops[] = {
	{ "read", 40, process_read },
	{ "write", 40, process_write },
	{ "exchange", 10, process_exchange },
	{ "count", 10, process_count },
};

struct actor_kind process_actor = ACTOR_KIND("process", ops, .pause = 100,
					     .nice = -5);
