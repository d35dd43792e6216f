// SPDX-License-Identifier: GPL-2.0-only
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umbra.h>

#include "cells.h"
#include "report.h"

#define MAX_BATCH	4
/* That are faulted in at once, in general. */
#define FEW_PAGES	32

void target_pick(struct target *t, struct rng *rng, struct vm *vm, uint64_t max)
{
	struct slot *slot = &vm->slot[pick_area(rng) * SLOT_KINDS +
				      rng_below(rng, SLOT_KINDS)];
	struct area part = { .id = slot->area->id, .pages = slot->nr };
	struct range r = pick_range(rng, &part, max);

	t->vm = vm;
	t->slot = slot;
	t->place = rng_below(rng, PLACES);
	/* Now and then where nothing is. */
	if (!rng_one_in(rng, 8) &&
	    phase_is(phase_get(&slot->place[t->place])) == PHASE_DEFAULT)
		t->place = !t->place;
	t->page = slot->first + r.first;
	t->nr = r.nr;
}

void target_open(struct target *t, uint64_t offset, uint64_t len)
{
	t->offset = offset;
	t->page = offset / PAGE;
	t->nr = (offset + len - 1) / PAGE - t->page + 1;
	t->gpa = t->slot->gpa[t->place] + offset - t->slot->first * PAGE;
	t->place_before = phase_get(&t->slot->place[t->place]);
	for (uint64_t i = 0; i < t->nr; i++)
		t->before[i] = phase_get(&t->slot->area->page[t->page + i].phase);
	t->start = now();
}

/* What an access gets if the page was like this all the time. */
static int expected(enum phase phase, bool write)
{
	switch (phase) {
	case PHASE_READONLY:
		return write ? -EACCES : 0;
	case PHASE_NO_ACCESS:
		return -EACCES;
	case PHASE_UNMAPPED:
		return -EFAULT;
	case PHASE_POISONED:
		return -EHWPOISON;
	default:
		return 0;
	}
}

static bool may_be(enum phase phase, int ret, bool write)
{
	if (phase == PHASE_CHANGING)
		return ret == -EACCES || ret == -EFAULT || ret == -EHWPOISON;
	return ret == expected(phase, write);
}

void target_judge(const struct target *t, int ret, bool write, bool nowait)
{
	const struct page *page = t->slot->area->page + t->page;
	enum phase place = phase_between(t->place_before,
					 phase_get(&t->slot->place[t->place]));
	bool readonly = t->slot->kind == SLOT_READONLY && write;
	const char *why = "";
	bool excuse = false;

	if (place == PHASE_DEFAULT)
		why = ", there is no memslot";
	else if (readonly && place == PHASE_PRESENT)
		why = ", the memslot is read-only";
	excuse |= ret == -ENOENT && place != PHASE_PRESENT;
	excuse |= ret == -EACCES && readonly;
	excuse |= ret == -EAGAIN && nowait;

	for (uint64_t i = 0; i < t->nr; i++) {
		enum phase phase = phase_between(t->before[i],
						 phase_get(&page[i].phase));

		if (expected(phase, write))
			why = ", the page is not to be had";
		excuse |= ret && may_be(phase, ret, write);
	}
	if (ret ? excuse : !*why)
		return;
	wrong(CHECK_ERRORS, "VM %u (%s), memslot %u, gpa %#lx: %s %s of %lu pages from %s page %lu: %s%s",
	      t->vm->number, t->vm->as->name, t->slot->id, t->gpa,
	      nowait ? "nowait" : "", write ? "write" : "read", t->nr,
	      area_name(t->slot->area), t->page,
	      ret ? strerror(-ret) : "done", why);
}

/* A store has come to the pages: the log of the memslot is to tell of it. */
static void note_stored(const struct target *t)
{
	for (uint64_t i = 0; t->slot->stored && i < t->nr; i++)
		atomic_max(&t->slot->stored[t->page + i], t->start);
}

struct access {
	enum access_kind kind;
	struct target target;
	struct reading reading;
	struct writing writing;
	uint8_t buffer[MAX_READ];
};

static bool writes(enum access_kind kind)
{
	return kind != ACCESS_LOAD && kind != ACCESS_READ;
}

static void prepare_load(struct access *a, struct rng *rng,
			 struct umbra_access_op *op)
{
	struct target *t = &a->target;
	unsigned int strip = rng_below(rng, STRIPS);
	unsigned int i = rng_below(rng, STRIP_CELLS);
	unsigned int len = 1 << rng_below(rng, 4);
	uint64_t offset = strip_offset(t->page, strip) + cell_places[i].at;

	if (len > cell_places[i].len)
		len = cell_places[i].len;
	offset += rng_below(rng, cell_places[i].len / len) * len;
	reading_open(&a->reading, t->slot->area, offset, len);
	target_open(t, offset, len);
	op->op = rng_one_in(rng, 8) ? UMBRA_OP_FETCH : UMBRA_OP_LOAD;
	op->len = len;
}

static void prepare_read(struct access *a, struct rng *rng,
			 struct umbra_access_op *op)
{
	struct target *t = &a->target;
	uint64_t end = (t->slot->first + t->slot->nr) * PAGE;
	uint64_t offset = t->page * PAGE + rng_below(rng, PAGE);
	uint64_t len = 1 + rng_below(rng, MAX_READ);

	if (len > end - offset)
		len = end - offset;
	reading_open(&a->reading, t->slot->area, offset, len);
	target_open(t, offset, len);
	op->op = UMBRA_OP_READ;
	op->len = len;
	op->value = (uintptr_t)a->buffer;
}

static bool prepare_store(struct access *a, struct actor *actor,
			  struct umbra_access_op *op)
{
	struct target *t = &a->target;
	struct writing *w = &a->writing;

	if (!writing_begin_cell(w, t->slot->area, t->page, actor->writer,
				&actor->rng))
		return false;
	op->op = UMBRA_OP_STORE;
	op->len = w->len;
	memcpy(&op->value, w->bytes, w->len);
	if (a->kind == ACCESS_CMPXCHG) {
		op->op = UMBRA_OP_CMPXCHG;
		memcpy(&op->compare, w->old, w->len);
		reading_open(&a->reading, w->area, w->offset, w->len);
	}
	target_open(t, w->offset, w->len);
	return true;
}

static bool prepare_write(struct access *a, struct actor *actor,
			  struct umbra_access_op *op)
{
	struct target *t = &a->target;
	struct writing *w = &a->writing;

	/* A seam may lead out of the memslot. */
	if (t->page + 1 == t->slot->first + t->slot->nr ||
	    !writing_begin_strip(w, t->slot->area, t->page, actor->writer))
		return false;
	op->op = UMBRA_OP_WRITE;
	op->len = w->len;
	op->value = (uintptr_t)w->bytes;
	target_open(t, w->offset, w->len);
	return true;
}

static bool prepare(struct access *a, struct actor *actor,
		    struct umbra_access_op *op)
{
	*op = (struct umbra_access_op){ 0 };
	target_pick(&a->target, &actor->rng, actor->vm, 1);
	switch (a->kind) {
	case ACCESS_LOAD:
		prepare_load(a, &actor->rng, op);
		break;
	case ACCESS_READ:
		prepare_read(a, &actor->rng, op);
		break;
	case ACCESS_WRITE:
		if (!prepare_write(a, actor, op))
			return false;
		break;
	default:
		if (!prepare_store(a, actor, op))
			return false;
	}
	op->gpa = a->target.gpa;
	return true;
}

/* Returns whether the value was exchanged. */
static bool exchanged(const struct access *a, const struct umbra_access_op *op)
{
	return !memcmp(&op->value, &op->compare, a->writing.len);
}

static void settle(struct access *a, const struct umbra_access_op *op, int ret,
		   bool nowait)
{
	enum outcome outcome = ret ? WRITE_FAILED : WRITE_DONE;
	char who[64];

	target_judge(&a->target, ret, writes(a->kind), nowait);
	if (a->kind != ACCESS_STORE && a->kind != ACCESS_WRITE && !ret) {
		snprintf(who, sizeof(who), "VM %u (%s)", a->target.vm->number,
			 a->target.vm->as->name);
		reading_close(&a->reading);
		reading_judge(&a->reading, a->kind == ACCESS_READ ?
			      (const void *)a->buffer : &op->value, who);
	}
	if (!writes(a->kind))
		return;
	if (!ret && a->kind == ACCESS_CMPXCHG && !exchanged(a, op))
		outcome = WRITE_FAILED;
	if (ret && a->kind == ACCESS_WRITE && a->target.nr > 1)
		outcome = WRITE_PARTLY;
	if (outcome == WRITE_DONE)
		note_stored(&a->target);
	writing_end(&a->writing, outcome);
}

bool access_batch(struct actor *actor, enum access_kind last, unsigned int nr)
{
	struct access access[MAX_BATCH];
	struct umbra_access_op ops[MAX_BATCH];
	bool nowait = rng_one_in(&actor->rng, 16);
	unsigned int i;
	uint32_t done;
	int ret;

	for (i = 0; i < nr; i++) {
		access[i].kind = i == nr - 1 ? last :
				 rng_one_in(&actor->rng, 8) ? ACCESS_READ :
							      ACCESS_LOAD;
		if (!prepare(&access[i], actor, &ops[i]))
			return false;
	}
	ret = umbra_access(actor->vcpu, nowait ? UMBRA_ACCESS_NOWAIT : 0, ops,
			   nr, &done);
	for (i = 0; i < done; i++)
		settle(&access[i], &ops[i], 0, nowait);
	if (ret)
		settle(&access[i], &ops[i], ret, nowait);
	/* Those that were not begun have changed nothing. */
	for (i++; ret && i < nr; i++)
		if (writes(access[i].kind))
			writing_end(&access[i].writing, WRITE_FAILED);
	return !ret;
}

bool access_count(struct actor *actor)
{
	struct target t;
	struct counter *counter;
	uint64_t low, value, old;
	int ret;

	target_pick(&t, &actor->rng, actor->vm, 1);
	if (t.slot->area->id != KEPT)
		return false;
	counter = &t.slot->area->page[t.page].counter;
	low = __atomic_load_n(&counter->done, __ATOMIC_SEQ_CST);
	target_open(&t, t.page * PAGE + COUNTER, 8);
	ret = umbra_load(actor->vcpu, t.gpa, 8, &value);
	target_judge(&t, ret, false, false);
	if (ret)
		return false;
	if (value < low ||
	    value > __atomic_load_n(&counter->begun, __ATOMIC_SEQ_CST))
		wrong(CHECK_VALUES, "VM %u (%s) reads counter %lu: %lu, not %lu to %lu",
		      t.vm->number, t.vm->as->name, t.page, value, low,
		      counter->begun);

	__atomic_add_fetch(&counter->begun, 1, __ATOMIC_SEQ_CST);
	target_open(&t, t.page * PAGE + COUNTER, 8);
	ret = umbra_cmpxchg(actor->vcpu, t.gpa, 8, value, value + 1, &old);
	target_judge(&t, ret, true, false);
	if (ret || old != value) {
		__atomic_sub_fetch(&counter->begun, 1, __ATOMIC_SEQ_CST);
		return false;
	}
	__atomic_add_fetch(&counter->done, 1, __ATOMIC_SEQ_CST);
	note_stored(&t);
	return true;
}

bool access_fault(struct actor *actor, uint32_t flags)
{
	struct target t;
	uint64_t done;
	int ret;

	if (rng_one_in(&actor->rng, 8))
		flags |= UMBRA_FAULT_NOWAIT;
	target_pick(&t, &actor->rng, actor->vm,
		    rng_one_in(&actor->rng, 16) ? MAX_PAGES : FEW_PAGES);
	target_open(&t, t.page * PAGE, t.nr * PAGE);
	ret = umbra_fault(actor->vcpu, flags, t.gpa, t.nr * PAGE, &done);
	target_judge(&t, ret, flags & UMBRA_FAULT_WRITE,
		     flags & UMBRA_FAULT_NOWAIT);
	return !ret;
}
